"""A copy that fails is made once more."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from lab.capture.protocol import Capture
from lab.errors import AttemptVoid, LabError, LaptopTrouble, PhoneTrouble
from lab.run.storing import fetched


class Cut:
    """A capture whose first copies fail."""

    def __init__(self, *failures: LabError) -> None:
        self.failures, self.fetches = list(failures), 0

    def fetch(self, target: Path) -> str:
        self.fetches += 1
        if self.failures:
            raise self.failures.pop(0)
        return "sha"


def copied(capture: Cut) -> tuple[str, list[tuple[str, object]]]:
    noted: list[tuple[str, object]] = []
    sha = fetched(cast(Capture, capture), Path("x"), lambda event, **fields: noted.append((event, fields["text"])))
    return sha, noted


@pytest.mark.parametrize("trouble", [PhoneTrouble, LaptopTrouble])
def test_a_copy_that_is_cut_is_made_once_more_and_no_further_time(trouble: type[LabError]) -> None:
    assert copied(Cut()) == ("sha", [])
    assert copied(Cut(trouble("cut"))) == ("sha", [("fetch_again", "cut")])
    twice = Cut(trouble("cut"), trouble("cut again"))
    with pytest.raises(trouble, match="cut again"):
        copied(twice)
    assert twice.fetches == 2


def test_what_no_copy_mends_is_not_tried_again() -> None:
    damaged = Cut(AttemptVoid("capture_damaged", "it is"))
    with pytest.raises(AttemptVoid):
        copied(damaged)
    assert damaged.fetches == 1
