"""A bad night of the paper's 180 trials, from its first attempt to its message, beside a good one before it."""

from __future__ import annotations

import io
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from rich.console import Console

from correlate.dataset import Dataset
from lab.clocks import real_time
from lab.definitions.faults import Faults
from lab.definitions.yaml import read
from lab.night import history, message
from lab.night.folders import Place, run_at
from lab.night.nightly import OneNight
from lab.run.options import Options
from tests.end_to_end.runs import ROOT
from tests.end_to_end.test_matrix import differences

TWELVE = ROOT / "scenarios/faults/twelve_glitches.yaml"
SMALL = """name: small
faults:
  - {what: adb_reset, on: pixel6pro, at: {step: opened}}
  - {what: adb_away, on: pixel6, at: {trial: 2, step: placed}, for_minutes: 8}
"""
MATRIX = """name: small
apps: [whatsapp, messenger]
services: [voice]
scenarios: [caller_cancels]
repetitions: 1
"""


class Nights:
    """Nights of one bench, each told to a command that writes it down."""

    def __init__(self, folder: Path) -> None:
        self.scenarios, self.folder, self._heard = folder / "scenarios", folder / "nights", folder / "heard"
        shutil.copytree(ROOT / "scenarios", self.scenarios)
        (self.scenarios / "matrices/small.yaml").write_text(MATRIX)
        bench = self.scenarios / "benches/virtual.yaml"
        bench.write_text(bench.read_text().replace("kind: virtual\n", "kind: virtual\nlocal: virtual.local.yaml\n"))
        told = f"notify:\n  - {{name: own, kind: command, command: [sh, -c, 'cat > {self._heard}']}}\n"
        bench.with_name("virtual.local.yaml").write_text(told)
        self.folder.mkdir()

    def dataset(self, date: str) -> Path:
        return self.folder / date / "dataset"

    def night(self, date: str, seed: int, matrix: str = "paper", faults: str = "") -> tuple[OneNight, Dataset, str]:
        """A whole night by the code of `invoke nightly`: what it recorded, its dataset, and the message."""
        place = Place(self.folder / date, self.dataset(date), seed)
        place.folder.mkdir(exist_ok=True)
        options = Options(matrix=matrix, scenarios=str(self.scenarios), faults=faults)
        out = Console(file=io.StringIO(), width=200)
        night = OneNight(run_at(options, place), options, place, out, real_time.wall_ns(), None, None)
        night.go()
        told = self._heard.read_text()
        self._heard.unlink()
        return night, Dataset(place.dataset), told


def can_be_complete(dataset: Dataset, faults: Faults) -> set[str]:
    """The trials that neither an account that was logged out nor an app that the product parked kept from completing:
    all of an app to which nothing happened, else those that were begun before."""
    lines = dataset.journal.read()
    begun = list(dict.fromkeys(str(line.trial) for line in lines if line.event == "attempt"))
    parked = {line.app for line in lines if line.event == "parked"}
    lost_from: dict[str | None, int] = {}
    for fault in faults.faults:
        if fault.what == "logged_out" or (fault.what == "updated" and fault.app in parked):
            lost_from[fault.app] = min(fault.at.trial, lost_from.get(fault.app, fault.at.trial))
    number = {trial: place for place, trial in enumerate(begun, 1)}
    never = len(number) + 1
    return {
        entry.id
        for entry in dataset.plan()
        if entry.app not in lost_from or number.get(entry.id, never) < lost_from[entry.app]
    }


def require_all_that_can_be(dataset: Dataset, faults: Faults) -> None:
    """What the product promises of a night with glitches."""
    lines = dataset.journal.read()
    assert set(dataset.trial_ids()) == can_be_complete(dataset, faults)
    placed = sum(line.calls or 0 for line in lines)
    assert placed - len(dataset.trial_ids()) <= 10
    # A glitch costs the attempt that it hit, and no other trial.
    spoilt = Counter(line.trial for line in lines if line.event == "void" and line.reason == "bench_trouble")
    assert set(spoilt.values()) == {1}
    assert spoilt.keys() <= set(dataset.trial_ids())
    assert dataset.verify() == []


@pytest.mark.full
def test_a_night_of_twelve_glitches_completes_all_that_can_be_and_tells_it(tmp_path: Path, paper: Dataset) -> None:
    nights, faults = Nights(tmp_path), read(TWELVE, Faults)
    nights.dataset("2026-01-01").parent.mkdir()
    subprocess.run(["cp", "-al", str(paper.path), str(nights.dataset("2026-01-01"))], check=True)
    good, _, told = nights.night("2026-01-01", seed=1)
    assert (good.record.verdict, good.record.complete, told.splitlines()[0]) == (
        0, 180, "im-call-lab virtual paper 2026-01-01: nothing changed",
    )  # fmt: skip

    night, dataset, told = nights.night("2026-01-02", seed=3, faults=str(TWELVE))
    require_all_that_can_be(dataset, faults)
    record, complete = night.record, len(dataset.trial_ids())
    spoilt = [line for line in dataset.journal.read() if line.event == "void" and line.spoilt is not None]
    assert {"messenger", "snapchat"} == {line.app for line in dataset.journal.read() if line.event == "parked"}
    assert len(spoilt) > 9  # The others, a dead agent say, are mended by the library within the attempt.
    assert (record.seed, record.planned, record.complete) == (3, 180, complete)
    assert (record.verdict, 3 in record.codes) == (message.verdict(record.codes), True)
    assert [each.step for each in record.steps if each.step != "confirm"] == [
        "doctor", "run", "analyse", "judge", "compare", "count",
    ]  # fmt: skip
    assert record.compared is not None
    assert (record.compared.other, record.compared.exit_code in (0, 6, 7)) == ("2026-01-01", True)
    assert told.splitlines()[0] == message.title(record)
    assert f"{complete} of 180 trials complete" in told
    assert dataset.report_path.exists()
    assert differences(dataset) == []
    lines = history.read(nights.folder / "history.jsonl")
    assert [each.complete for each in lines.nights] == [180, complete]


@pytest.mark.full
@pytest.mark.parametrize("has_ladder", [True, False])
def test_what_a_night_promises_does_not_hold_without_the_ladder(tmp_path: Path, monkeypatch, has_ladder: bool) -> None:
    faults = tmp_path / "small.yaml"
    faults.write_text(SMALL)
    if not has_ladder:
        monkeypatch.setattr("lab.bench.bench.climb", lambda *_: None)
    night, dataset, _ = Nights(tmp_path).night("2026-01-01", seed=1, matrix="small", faults=str(faults))
    if has_ladder:
        require_all_that_can_be(dataset, read(faults, Faults))
        assert (night.record.verdict, night.record.complete) == (0, 4)
        return
    with pytest.raises(AssertionError, match=r"whatsapp|messenger"):
        require_all_that_can_be(dataset, read(faults, Faults))
    assert night.record.verdict == 3
