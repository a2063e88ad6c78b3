from __future__ import annotations

import json
from pathlib import Path

import pytest

from lab.commands import show
from lab.commands.checks import Check
from lab.run.causes import CLASSES
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


@pytest.mark.parametrize(
    ("scenario", "lines"),
    [
        ("caller_cancels_early", ["place_call (voice)", "cancel after 0.2 to 1.5 s", "wait_ended"]),
        (
            "callee_answers_late",
            [
                "place_call (voice)",
                "wait_ringing, then 20 to 23 s",
                "answer",
                "talk for 20 to 40 s",
                "hang_up",
                "wait_ended",
            ],
        ),
    ],
)
def test_a_trial_says_when_each_step_of_its_scenario_is_due(tmp_path, capsys, scenario, lines):
    run = prepare(Options("virtual", "examples", str(tmp_path / "dataset"), "1", str(SCENARIOS), ""))
    show.trial(run, run.one(f"whatsapp-voice-lte_to_fixed-{scenario}-1"))
    shown = [line.partition(": ")[2] for line in capsys.readouterr().out.splitlines()]
    assert shown[6:-1] == lines


def test_the_checks_are_followed_by_what_a_run_tries_again_for_people_and_as_json(capsys):
    found = [Check("battery", "pixel6", True, "87%", "")]
    show.checks(found, as_json=False)
    first, *classes = capsys.readouterr().out.splitlines()
    assert first.split() == ["ok", "battery", "pixel6", "87%"]
    assert all(line.startswith(f"ok  retries        {of.name:<22} ") for line, of in zip(classes, CLASSES, strict=True))
    assert classes[-1].endswith("`invoke introduce APP`; asked of a person: look at the contact, then introduce")
    show.checks(found, as_json=True)
    listed = json.loads(capsys.readouterr().out)
    assert [one["subject"] for one in listed] == ["pixel6", *(of.name for of in CLASSES)]
