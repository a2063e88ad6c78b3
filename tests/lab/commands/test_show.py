from __future__ import annotations

from pathlib import Path

import pytest

from lab.commands import show
from lab.run.options import Options
from lab.run.plan import prepare

SCENARIOS = Path(__file__).resolve().parents[3] / "scenarios"


@pytest.mark.parametrize(
    ("bench", "time"),
    [
        ("virtual", "about 18 min of bench time, which the virtual bench does not wait for, about"),
        ("rig", "about 17 min, about"),
    ],
)
def test_a_plan_says_bench_time_only_where_nobody_waits_for_it(tmp_path, capsys, bench, time):
    show.plan(prepare(Options(bench, "smoke", str(tmp_path / "dataset"), "1", str(SCENARIOS), "")))
    *_, last = capsys.readouterr().out.splitlines()
    assert last.startswith(f"20 of 20 trials to run: 20 calls, {time} ")
