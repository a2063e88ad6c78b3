"""What docs/alarms.md says of the procedure, by the code that measures it, of fewer months."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks.alarms import CHANGES, LEAST_TOLD, MOST_FALSE, SIGMAS, WORLDS, document, planted, undisturbed

DOCUMENT = Path(__file__).resolve().parents[3] / "docs/alarms.md"


def table(name: str) -> list[list[str]]:
    found = re.search(rf"<!-- {name} -->\n((?:\|.*\n)+)", DOCUMENT.read_text())
    assert found is not None
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in found[1].splitlines()[2:]]


def test_the_document_meets_the_targets():
    false = {(world, float(sigma)): float(all_nights) for world, sigma, _, _, all_nights, _, _ in table("false")}
    assert list(false) == [(world, sigma) for world in WORLDS for sigma in SIGMAS]
    assert max(share for (_, sigma), share in false.items() if sigma < 1) <= MOST_FALSE
    told = {change: [[int(each) for each in cell.split("/")] for cell in cells] for change, *cells in table("told")}
    assert list(told) == list(CHANGES)
    assert [[each[0] for each in told[flip]] for flip in ("0 -> 1", "1 -> 0")] == [[100] * 3] * 2
    assert min(each[1] for each in told["0 -> .3"]) >= 100 * LEAST_TOLD
    assert [world for _, world, *_ in table("otherwise")] == [*WORLDS, *WORLDS]


def test_a_table_replaces_the_one_below_its_mark_alone():
    text = "a\n<!-- one -->\n| old |\n| old |\n\n| stays |\n"
    assert document(text, {"one": "| new |"}) == "a\n<!-- one -->\n| new |\n\n| stays |\n"


def test_one_month_is_the_same_each_time():
    assert undisturbed("messy", 0.5, 1) == undisturbed("messy", 0.5, 1)
    assert undisturbed("messy", 0.5, 1).nights == 30


@pytest.mark.full
@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("sigma", [0.0, 0.5])
def test_false_alarms_of_simulated_months_are_rare(world, sigma):
    assert undisturbed(world, sigma, 60).false() <= 1.5 * MOST_FALSE


@pytest.mark.full
@pytest.mark.parametrize("sigma", [0.0, 0.5])
def test_planted_changes_are_told_in_time(sigma):
    for flip in ("0 -> 1", "1 -> 0"):
        assert planted(flip, sigma, 100).told_within(1) == 1.0
    assert planted("0 -> .3", sigma, 100).told_within(2) >= LEAST_TOLD
    moderate = planted(".9 -> .5", sigma, 100)
    assert moderate.told_within(1) < 0.5 < moderate.told_within(7)
