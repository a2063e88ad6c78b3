"""What a run knows of the night before it begins, from its dataset's journal and from the bench's file of accounts."""

from dataclasses import replace
from pathlib import Path

import pytest

from lab.definitions import Caps
from lab.run.accounts import Accounts
from lab.run.breaker import Held
from lab.run.description import create
from lab.run.night_clock import NightClock
from lab.run.options import Options
from lab.run.plan import prepare
from lab.run.tonight import Tonight, none_parked

SCENARIOS = str(Path(__file__).parents[3] / "scenarios")


@pytest.fixture
def run(tmp_path, at):
    run = prepare(Options(matrix="smoke", dataset=str(tmp_path / "d"), scenarios=SCENARIOS))
    create(run)
    return replace(run, lab=at.lab)


def test_a_dataset_that_is_begun_knows_of_nothing(run):
    tonight = Tonight.of(run)
    assert (tonight.clock.now_s(), tonight.breaker.parked(), tonight.accounts.told()) == (0.0, {}, "")
    assert tonight.queue(list(run.planned)).next().item == run.planned[0]


def test_the_next_run_goes_on_with_clock_breaker_and_calls(run):
    first, second, *_ = run.planned
    for number, item in enumerate((first, second, first)):
        with run.dataset.attempt(item.trial.id) as folder:
            folder.night_s, folder.calls = 60.0 * number, 1
            folder.void("callee_never_rang", "silent")
    capped = replace(run, spec=run.spec.model_copy(update={"caps": Caps(per_hour=3)}))
    tonight = Tonight.of(capped)
    assert tonight.clock.now_s() == 120.0
    assert tonight.breaker.held(second.trial, 120.0) == Held(("whatsapp",), "callee_never_rang")
    assert tonight.accounts.wait("whatsapp").seconds == 3600 - 120
    assert tonight.begun == (first.trial.id, second.trial.id)


def test_an_app_that_is_parked_is_known_to_the_dataset_and_on_real_phones_to_every_other(run, tmp_path, at):
    item = run.planned[0]
    real = replace(run, spec=at.real)
    Tonight.of(real).park("whatsapp", "logged_out", item.trial.id, "it shows Log in")
    held = Held(("whatsapp",), "logged_out", parked=True)
    assert none_parked(run) == none_parked(real) == (False, "whatsapp: logged_out")
    assert Tonight.of(run).breaker.held(item.trial, 0.0) == held
    other = prepare(Options(matrix="smoke", dataset=str(tmp_path / "other"), scenarios=SCENARIOS))
    create(other)
    assert Tonight.of(replace(other, lab=at.lab, spec=at.real)).breaker.held(item.trial, 0.0) == held
    assert Tonight.of(replace(other, lab=at.lab)).breaker.held(item.trial, 0.0) is None
    assert Accounts(at.lab, at.real, NightClock(False)).parked == {"whatsapp": "logged_out"}
