"""A call outside of any trial is counted and capped like those of trials."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from lab.clocks.real_time import wall_ns
from lab.definitions import Drawn
from lab.errors import TrialsFailed
from lab.run import calls
from lab.run.accounts import Accounts
from lab.run.night_clock import NightClock

PAIR = ("whatsapp", "pixel6", "pixel6pro")


class BegunError(Exception):
    """The bench was asked to begin."""


def begin(*_given) -> None:
    raise BegunError


def prepare(at, slept: list[float], said: list[str]) -> None:
    clock = SimpleNamespace(sleep=lambda seconds: (slept.append(round(seconds)), at.pass_s(seconds)))
    phones = {each.name: SimpleNamespace(spec=each) for each in at.real.phones}
    bench = SimpleNamespace(lab=at.lab, spec=at.real, pauses=clock, phones=phones, begin=begin)
    with calls.prepared(bench, PAIR, "voice", "introduce", 0, Drawn(1.0, None), calls.quiet, said.append):
        pass


@pytest.fixture
def passing(at, monkeypatch):
    """The place, with a wall clock that a test lets pass."""
    passed = [0.0]
    monkeypatch.setattr("lab.run.night_clock.wall_ns", lambda: wall_ns() + round(passed[0] * 1e9))
    return SimpleNamespace(lab=at.lab, real=at.real, pass_s=lambda seconds: passed.append(passed.pop() + seconds))


def test_a_second_call_waits_for_the_accounts_minute_and_says_so(passing):
    slept: list[float] = []
    said: list[str] = []
    with pytest.raises(BegunError):
        prepare(passing, slept, said)
    assert (slept, said) == ([], [])
    Accounts(passing.lab, passing.real, NightClock(False)).placed("whatsapp")
    with pytest.raises(BegunError):
        prepare(passing, slept, said)
    assert (slept, len(said)) == ([60], 1)
    assert said[0].endswith(" s until the next call, calls of one account are 60 s apart")


def test_nobody_is_called_in_an_app_that_is_parked(passing):
    Accounts(passing.lab, passing.real, NightClock(False)).park("whatsapp", "banned")
    with pytest.raises(TrialsFailed) as raised:
        prepare(passing, [], [])
    assert str(raised.value) == ("whatsapp is parked: banned; mend it, then invoke unpark whatsapp --bench virtual")
