"""Which fresh trials a judgement takes, and what of it is told."""

from __future__ import annotations

from pathlib import Path

from lab.night.alarms import Alarm
from lab.night.history import Asked
from lab.night.judged import asked_by_last_night, fresh_trials, told_now
from lab.run.options import Options
from lab.run.plan import prepare
from tests.lab.night.nights import CLAIM, SEEN, night

ROOT = Path(__file__).parents[3]


def asked(cell: str, trials: int) -> Asked:
    return Asked(cell=cell, trials=trials, when="tonight")


def test_fresh_trials_are_of_the_cells_app_and_scenario_and_serve_all_its_cells() -> None:
    planned = prepare(Options(matrix="smoke", scenarios=str(ROOT / "scenarios"))).planned
    two = fresh_trials([asked(SEEN, 1), asked(SEEN.replace("callee_public", "user_ids"), 2)], planned)
    assert [(item.trial.app, item.trial.scenario) for item in two] == [("whatsapp", "callee_rejects")] * 2
    both = fresh_trials([asked(SEEN, 24), asked(CLAIM, 1)], planned)
    found = [item.trial.scenario for item in both]
    assert (found.count("callee_rejects"), found.count("caller_hangs_up"), len(found)) == (4, 1, 5)
    assert both == sorted(both, key=lambda item: item.index)
    assert fresh_trials([asked("seen/user_ids/maple/callee_rejects", 12)], planned) == []


def test_what_the_last_night_asked_for_is_asked_for_again_tonight() -> None:
    line = night(3, {}, asked=[asked(CLAIM, 24)])
    assert asked_by_last_night([night(2, {}), line]) == [asked(CLAIM, 24)]
    assert asked_by_last_night([]) == asked_by_last_night([line, night(4, {})]) == []


def test_what_was_told_of_a_dataset_already_is_no_second_alarm() -> None:
    opened = Alarm("opened", SEEN, "it opened", 1)
    line = night(3, {}, told=[opened.as_told()])
    alarms = [opened, Alarm("rose", CLAIM, "it rose", 2), Alarm("seen_once", SEEN, "once", 1)]
    assert [each.loud for each in told_now(alarms, [line], line.dataset)] == [False, True, False]
    assert [each.loud for each in told_now(alarms, [line], "another")] == [True, True, False]
