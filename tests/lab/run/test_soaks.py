"""What the long campaigns of a night's costs and of growth hold against their figures (benchmarks)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks import breaker, thousand
from lab.definitions.faults import Fault, Faults

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "retries.md").read_text()


def kept(process: int, trials: int, growth: float) -> list[dict]:
    """Figures of which memory grows by `growth` from the first warm trial to the last."""
    return [
        dict.fromkeys(thousand.FIGURES, 10)
        | {"process": process, "left_in_call": [], "rss_kb": 1000 * (1 + growth * number / trials)}
        for number in range(trials)
    ]


@pytest.mark.parametrize(("growth", "told"), [(0.0, []), (0.1, []), (0.2, ["rss_kb"])])
def test_what_grows_by_more_than_a_tenth_is_wrong(growth, told):
    assert [text.split()[0] for text in thousand.wrong(kept(1, 1000, growth))] == told


@pytest.mark.parametrize(("more", "told"), [(2, []), (3, ["processes"])])
def test_a_call_that_is_on_beside_it_is_no_growth_and_a_third_process_is(more, told):
    lines = [line | {"processes": 8 + (number > 500) * more} for number, line in enumerate(kept(1, 1000, 0.0))]
    assert [text.split()[0] for text in thousand.wrong(lines)] == told


def test_growth_is_judged_within_a_process_that_made_enough_trials():
    assert thousand.wrong([*kept(1, 150, 9.0), *kept(2, 1000, 0.0)]) == []
    assert list(thousand.growth(kept(1, 190, 9.0))) == []


def test_phones_that_were_left_in_a_call_are_told_once():
    lines = [{"left_in_call": []}, {"left_in_call": ["a.0: pixel6"]}, {"left_in_call": ["a.0: pixel6", "b.1: pixel6"]}]
    assert thousand.in_call(lines) == ["left in a call: a.0: pixel6", "left in a call: b.1: pixel6"]


def test_a_tenth_of_a_thousand_trials_is_struck():
    # Only two of five scenarios come to an answer.
    chances = [
        fault["probability"] * (0.4 if fault.get("at", {}).get("step") == "answered" else 1)
        for fault in thousand.FAULTS
    ]
    assert sum(chances) == pytest.approx(0.1, abs=0.015)
    assert Faults(name="thousand", faults=[Fault.model_validate(each) for each in thousand.FAULTS])


@pytest.mark.parametrize("row", breaker.ROWS, ids=lambda row: row.name)
def test_each_row_can_be_played(row, tmp_path):
    scenarios = shutil.copytree(ROOT / "scenarios", tmp_path / "scenarios")
    for edit in row.edits:
        edit(scenarios)
    for fault in row.faults:
        Fault.model_validate(fault)


def found(row: str, wasted: int, calls: int, complete: int) -> dict:
    return {"row": row, "trials": 180, "wasted": wasted, "wasted_calls": calls, "complete": complete}


@pytest.mark.parametrize(
    ("wasted", "calls", "complete", "told"),
    [
        (8, 8, 149, []),
        (9, 8, 150, ["9 wasted of at most 8"]),
        (8, 9, 150, ["9 wasted_calls of at most 8"]),
        (1, 1, 148, ["148 complete of at least 149"]),
    ],
)
def test_two_more_than_in_a_made_up_night_is_the_most(wasted, calls, complete, told):
    assert breaker.wrong(found("never rings, one direction", wasted, calls, complete)) == told


def test_rows_that_the_page_has_bear_its_figures_of_four_attempts_at_once():
    rows = {line.split(" | ")[0].removeprefix("| "): line.split(" | ") for line in PAGE.splitlines() if " / " in line}
    of_page = {row.name: rows[row.name][1] for row in breaker.ROWS if row.name in rows}
    assert len(of_page) == 8
    assert of_page == {row.name: "{} / {}".format(*row.before) for row in breaker.ROWS if row.name in rows}


POOL = """
import os, time
from benchmarks.pools import pool

if __name__ == "__main__":
    with pool(2) as made:
        pids = [each.result() for each in [made.submit(os.getpid) for _ in range(2)]]
        going = made.submit(time.sleep, 600)
        print(*pids, flush=True)
        going.result()
"""


def test_the_processes_of_a_soak_end_with_it_however_it_ends(tmp_path):
    script = tmp_path / "soak.py"
    script.write_text(POOL)
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True, env=env) as soak:
        assert soak.stdout is not None
        pids = {int(pid) for pid in soak.stdout.readline().split()}
        assert pids
        assert all(Path(f"/proc/{pid}").exists() for pid in pids)
        soak.kill()
    until_s = time.monotonic() + 20
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < until_s:
        time.sleep(0.05)
    assert [pid for pid in pids if Path(f"/proc/{pid}").exists()] == []
