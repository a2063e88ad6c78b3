"""What came of each trial of a night: parked apps are skipped, what the breaker holds is left."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import pytest

from lab.definitions import PlannedTrial
from lab.night.junit import as_junit
from lab.night.outcomes import of_trials
from lab.night.record import NightRecord
from lab.run.breaker import IN_A_ROW
from lab.run.description import create
from lab.run.options import Options
from lab.run.plan import Run, prepare
from lab.run.queue import FURTHER_ATTEMPTS
from lab.run.tonight import Tonight

ROOT = Path(__file__).parents[3]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Trials of two apps, none of them made."""
    options = Options(matrix="paper", dataset=str(tmp_path / "dataset"), scenarios=str(ROOT / "scenarios"))
    run = prepare(options)
    chosen = [each for each in run.planned if each.trial.app in ("whatsapp", "messenger")]
    run = run.only(*chosen[:40])
    run.dataset.make()
    create(run)
    return run


def fail(run: Run, item: PlannedTrial, reason: str) -> None:
    with run.dataset.attempt(item.trial.id) as folder:
        folder.night_s = 0.0
        folder.void(reason, "in words")


def of_app(run: Run, app: str) -> list[PlannedTrial]:
    return [item for item in run.chosen if item.trial.app == app]


def test_trials_of_an_app_that_is_parked_are_parked_and_those_that_the_breaker_holds_are_left(run: Run) -> None:
    logged_out, failing = of_app(run, "messenger"), of_app(run, "whatsapp")
    fail(run, logged_out[0], "logged_out")
    Tonight.of(run).park("messenger", "logged_out", logged_out[0].trial.id, "messenger is logged out")
    for item in failing[:IN_A_ROW]:
        fail(run, item, "selector_not_found")
    tried = Counter([logged_out[0].trial.id, *(item.trial.id for item in failing[:IN_A_ROW])])
    found = of_trials(run, tried, ended_early=False)
    assert found.parked == sorted(item.trial.id for item in logged_out)
    # None of the app's first three was tried as often as a trial may be: all wait for a probe that completes.
    held = sorted(item.trial.id for item in failing)
    assert (found.left, found.held, found.void, found.complete) == (held, held, [], 0)

    record = NightRecord(
        night=1, date="2026-11-28", bench="virtual", matrix="paper", seed=1, dataset="x", begun="x", until=None,
        void=found.void, parked=found.parked, left=found.left,
    )  # fmt: skip
    ids = [item.trial.id for item in run.chosen]
    cases = ElementTree.fromstring(as_junit(record, ids).partition("\n")[2]).iter("testcase")
    skipped = Counter(each.get("message") for case in cases for each in case)
    assert skipped == {"parked": len(logged_out), "left for the next night": len(failing)}


def test_a_trial_that_was_tried_as_often_as_it_may_be_is_void_and_one_that_nothing_holds_too(run: Run) -> None:
    first, second, third = of_app(run, "whatsapp")[:3]
    for _ in range(IN_A_ROW):
        fail(run, first, "selector_not_found")
    fail(run, second, "noisy")
    tried = {first.trial.id: FURTHER_ATTEMPTS + 1, second.trial.id: 1}
    found = of_trials(run, tried, ended_early=False)
    assert first.trial.id in found.void
    assert (second.trial.id in found.left, third.trial.id in found.held) == (True, True)
    early = of_trials(run, tried, ended_early=True)
    assert (early.void, len(early.left)) == ([], len(run.chosen))


def test_a_trial_that_failed_while_no_key_is_open_is_void(run: Run) -> None:
    item = run.chosen[0]
    fail(run, item, "noisy")
    found = of_trials(run, {item.trial.id: 1}, ended_early=False)
    assert (found.void, len(found.left), found.held) == ([item.trial.id], len(run.chosen) - 1, [])
