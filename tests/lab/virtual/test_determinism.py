"""The same trial gives the same bytes, offsets and instants, whatever happens in real time and whatever came before."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.bench.bench import Bench
from lab.clocks.stop import Stop
from lab.errors import AttemptVoid
from lab.run.attempt import Attempt
from lab.run.options import Options
from lab.run.plan import Run, prepare
from tests.end_to_end.runs import ROOT, captures, cpu_hog

pytestmark = pytest.mark.full

LOUD = "snapchat-voice-fixed_to_lte-caller_hangs_up-2"
DIRECT = "whatsapp-voice-lte_to_fixed-caller_hangs_up-1"
SILENT = "messenger-video-fixed_to_lte-callee_rejects-2"
TRIALS = (LOUD, DIRECT, SILENT)


class Rig:
    """A bench, and attempts at trials of the paper's matrix on it."""

    def __init__(self, run: Run, bench: Bench, folder: Path) -> None:
        self.run, self.bench, self._folder = run, bench, folder
        self._runs = 0

    def attempt(self, trial_id: str, show: Callable[[str], None] = lambda _step: None) -> dict[str, Any]:
        """All that an attempt leaves and that may not depend on anything but its key."""
        self._runs += 1
        root = self._folder / str(self._runs)
        folder = root / "trials" / trial_id
        folder.mkdir(parents=True)
        attempt = Attempt(self.bench, self.run.one(trial_id), self.run.seed, 0, folder, show)
        record = attempt.run(root / "truth.json")
        events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
        return {
            "captures": captures(root, trial_id),
            "record": record,
            "events": events,
            "truth": json.loads((root / "truth.json").read_text()),
        }


@contextlib.contextmanager
def rig(folder: Path, hash_seed: str) -> Iterator[Rig]:
    """A bench whose process hashes texts by `hash_seed`: sets of texts and addresses have another order."""
    run = prepare(Options(scenarios=str(ROOT / "scenarios"), dataset=str(folder / "dataset")))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONHASHSEED", hash_seed)
        with Bench(run.lab, run.spec, Stop()) as bench:
            yield Rig(run, bench, folder)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Each trial as the first one of a bench of its own."""
    found = {}
    for number, trial_id in enumerate(TRIALS):
        with rig(tmp_path_factory.mktemp("alone"), str(number)) as only:
            found[trial_id] = only.attempt(trial_id)
    return found


def test_the_trials_show_what_they_are_here_for(alone: dict[str, dict[str, Any]]) -> None:
    assert [alone[trial_id]["truth"]["capture_restarts"] for trial_id in TRIALS] == [1, 0, 0]
    assert [alone[trial_id]["truth"]["routing"] for trial_id in TRIALS] == ["relay", "p2p", None]


def test_other_trials_before_and_a_load_beside_change_nothing(alone: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    with rig(tmp_path, "101") as other, cpu_hog():
        for trial_id in reversed(TRIALS):
            assert other.attempt(trial_id) == alone[trial_id]


def test_void_attempts_of_others_change_nothing(alone: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    def leave_in_a_call(step: str) -> None:
        if step == "talk":
            raise AttemptVoid("test", "left in a call")

    with rig(tmp_path, "102") as other:
        other.bench.kind.ask(op="fail_next", what="tcpdump", on="pixel6", text="no")  # type: ignore[attr-defined]
        with pytest.raises(AttemptVoid, match="tcpdump is not live"):
            other.attempt(SILENT)
        with pytest.raises(AttemptVoid, match="left in a call"):
            other.attempt(DIRECT, leave_in_a_call)
        assert other.attempt(DIRECT) == alone[DIRECT]


def test_a_client_that_dawdles_changes_nothing(
    alone: dict[str, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with rig(tmp_path, "103") as other:
        kind, rounds = other.bench.kind, iter(range(1_000_000))
        ask = kind.ask  # type: ignore[attr-defined]

        def slowly(**request: Any) -> dict[str, Any]:
            time.sleep(0.3 if next(rounds) % 60 == 0 else 0.0005)
            return dict(ask(**request))

        monkeypatch.setattr(kind, "ask", slowly)
        assert other.attempt(SILENT) == alone[SILENT]


def test_ten_other_trials_before_and_every_pause_possible_change_nothing(
    alone: dict[str, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with rig(tmp_path, "104") as other:
        for item in other.run.planned[:10]:
            other.attempt(item.trial.id)
        ask = other.bench.kind.ask  # type: ignore[attr-defined]
        rounds = iter(range(1_000_000))

        def slowly(**request: Any) -> dict[str, Any]:
            time.sleep(0.3 if next(rounds) % 20 == 0 else 0.0)
            return dict(ask(**request))

        monkeypatch.setattr(other.bench.kind, "ask", slowly)
        with cpu_hog():
            for trial_id in TRIALS:
                assert other.attempt(trial_id) == alone[trial_id]
