"""Bench time: bench process, adb server, phones, laptop stand-in and five seconds of media give the same bytes.

`docs/decisions/0001-time.md` rests on this.
"""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest

from lab.bench.bench import Bench
from lab.clocks.stop import Stop
from lab.run.attempt import Attempt
from lab.run.options import Options
from lab.run.plan import Run, prepare
from tests.end_to_end.runs import ROOT, captures, cpu_hog

TRIAL = "whatsapp-video-lte_to_fixed-caller_hangs_up-1"


def five_seconds(tmp_path: Path) -> Run:
    """The smoke matrix with conversations of five seconds."""
    scenarios = tmp_path / "scenarios"
    shutil.copytree(ROOT / "scenarios", scenarios)
    call = scenarios / "calls/caller_hangs_up.yaml"
    text = call.read_text()
    drawn = "talk_s: {low_s: 20, high_s: 40}"
    assert drawn in text
    call.write_text(text.replace(drawn, "talk_s: {low_s: 5, high_s: 5}"))
    return prepare(Options(matrix="smoke", scenarios=str(scenarios), dataset=str(tmp_path / "dataset")))


def seen_bytes(run: Run, tmp_path: Path, benches: int, runs: int) -> Counter[tuple[tuple[str, str], ...]]:
    """How often each pair of captures came, over so many runs on so many benches."""
    seen: Counter[tuple[tuple[str, str], ...]] = Counter()
    item = run.one(TRIAL)
    for _ in range(benches):
        with Bench(run.lab, run.spec, Stop()) as bench:
            for _ in range(runs // benches):
                folder = tmp_path / "trials" / TRIAL
                folder.mkdir(parents=True)
                Attempt(bench, item, run.seed, 0, folder, lambda _step: None).run(tmp_path / "truth.json")
                seen[tuple(sorted(captures(tmp_path, TRIAL).items()))] += 1
                shutil.rmtree(folder)
    return seen


@pytest.mark.full
def test_fifty_runs_under_load_and_one_idle_give_the_same_captures(tmp_path: Path) -> None:
    run = five_seconds(tmp_path)
    with cpu_hog():
        seen = seen_bytes(run, tmp_path, benches=5, runs=50)
    seen += seen_bytes(run, tmp_path, benches=1, runs=1)
    assert list(seen.values()) == [51]
