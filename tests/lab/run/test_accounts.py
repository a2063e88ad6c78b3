"""Caps on calls: what counts, how long is waited, and what is kept for other runs."""

from __future__ import annotations

import json

import pytest

from lab.definitions import Caps
from lab.errors import BadInput, TrialsFailed
from lab.run.accounts import Accounts
from lab.run.queue import Pause

DAY_S = 86_400.0


class Clock:
    """A night clock that stands where it is put, and a bench clock that moves it."""

    def __init__(self, at_s: float = 1000.0) -> None:
        self.at_s = at_s

    def now_s(self) -> float:
        return self.at_s

    def sleep(self, seconds: float) -> None:
        self.at_s += seconds


def capped(spec, **caps):
    return spec.model_copy(update={"caps": Caps(**caps)})


def wait_s(accounts: Accounts, app: str = "whatsapp") -> float | None:
    pause = accounts.wait(app)
    return None if pause is None else pause.seconds


def rig(spec):
    return spec.model_copy(update={"kind": "rig"})


def test_real_phones_and_a_virtual_bench_have_caps_and_a_rig_where_its_file_asks(at):
    assert at.real.caps_in_force == Caps(per_hour=12, per_day=80, apart_s=60.0, wait_hours=1.0)
    assert at.emulated.caps_in_force == Caps(per_hour=12, per_day=80, apart_s=60.0, wait_hours=24.0)
    assert rig(at.emulated).caps_in_force is None
    assert capped(rig(at.emulated), per_hour=3).caps_in_force.per_hour == 3
    assert capped(at.real, per_hour=3).caps_in_force.per_hour == 3


def test_two_calls_of_one_account_are_60_s_apart(at):
    accounts = Accounts(at.lab, at.real, clock := Clock())
    assert wait_s(accounts) is None
    accounts.placed("whatsapp")
    clock.at_s += 20
    assert accounts.wait("whatsapp") == Pause(
        40.0, "whatsapp: 40 s until the next call, calls of one account are 60 s apart"
    )
    assert wait_s(accounts, "messenger") is None
    clock.at_s += 40
    assert wait_s(accounts) is None


def test_what_is_left_is_whole_milliseconds_and_never_what_numbers_have_left_behind_their_comma(at):
    assert 16371.351 + 60.0 - 16431.351 > 0
    accounts = Accounts(at.lab, at.real, clock := Clock(16431.351), [("whatsapp", 16371.351)])
    emulated = Accounts(at.lab, at.emulated, clock, [("whatsapp", 16371.351)])
    assert (wait_s(accounts), wait_s(emulated)) == (None, None)
    clock.at_s = 16431.3497
    assert wait_s(emulated) == 0.001


def test_the_hour_and_the_day_count_back_from_now(at):
    calls = [("whatsapp", 1000.0 + 60 * number) for number in range(12)]
    accounts = Accounts(at.lab, capped(at.emulated), clock := Clock(1000.0 + 720), calls)
    assert wait_s(accounts) == 3600 - 720
    clock.at_s = 1000.0 + 3600
    assert wait_s(accounts) is None
    many = [("whatsapp", 1000.0 + 600 * number) for number in range(80)]
    day = Accounts(at.lab, capped(at.emulated), clock := Clock(1000.0 + 48_000), many)
    assert day.wait("whatsapp") == Pause(
        DAY_S - 48_000, "whatsapp: 640 min until the next call, 80 calls in a day are the most"
    )


def test_benches_side_by_side_have_each_their_accounts(at):
    calls = [("whatsapp", 1000.0 + 30 * number) for number in range(24)]
    two = Accounts(at.lab, at.emulated, clock := Clock(1000.0 + 700), calls, benches=2)
    # The last but one was placed at 660 s; 24 calls in an hour are the most of two.
    assert wait_s(two) == 3600 - 700
    clock.at_s = 1000.0 + 3600
    assert wait_s(two) is None
    assert wait_s(Accounts(at.lab, at.emulated, clock, calls[-1:], benches=2)) is None


def test_without_caps_nothing_is_waited_for_and_calls_are_told_all_the_same(at):
    accounts = Accounts(at.lab, rig(at.emulated), Clock())
    for app in ("whatsapp", "snapchat", "whatsapp"):
        accounts.placed(app)
    assert wait_s(accounts) is None
    assert accounts.told() == "calls placed: 1 in snapchat, 2 in whatsapp"
    assert Accounts(at.lab, at.emulated, Clock()).told() == ""
    assert not at.file.with_name("virtual.accounts.json").exists()


def test_on_real_phones_another_run_knows_the_calls_and_what_is_parked(at):
    first = Accounts(at.lab, at.real, clock := Clock())
    first.placed("whatsapp")
    first.park("messenger", "logged_out")
    kept = json.loads(at.file.with_name("virtual.accounts.json").read_text())
    assert kept["calls"] == [{"app": "whatsapp", "at_s": 1000.0}]
    second = Accounts(at.lab, at.real, clock)
    assert (wait_s(second), second.parked, second.told()) == (60.0, {"messenger": "logged_out"}, "")
    second.unpark("messenger")
    assert Accounts(at.lab, at.real, clock).parked == {}
    clock.at_s += DAY_S + 1
    second.placed("whatsapp")
    kept = json.loads(at.file.with_name("virtual.accounts.json").read_text())
    assert kept["calls"] == [{"app": "whatsapp", "at_s": 1000.0 + DAY_S + 1}]


def test_a_file_that_does_not_fit_is_refused_by_its_name(at):
    path = at.file.with_name("virtual.accounts.json")
    path.write_text('{"ledger": 2}')
    with pytest.raises(BadInput, match=rf"^{path}: "):
        Accounts(at.lab, at.real, Clock())


def test_a_command_waits_up_to_an_hour_and_says_for_what_and_no_longer(at):
    said: list[str] = []
    accounts = Accounts(at.lab, capped(at.emulated, per_day=1), clock := Clock())
    accounts.placed("whatsapp")
    with pytest.raises(TrialsFailed, match="1440 min until the next call, 1 calls in a day are the most; nobody was"):
        accounts.wait_for("whatsapp", clock, said.append)
    hourly = Accounts(at.lab, capped(at.emulated, per_hour=1), clock)
    hourly.placed("whatsapp")
    before_s = clock.at_s
    hourly.wait_for("whatsapp", clock, said.append)
    assert clock.at_s - before_s == 3600.0
    assert said == ["whatsapp: 60 min until the next call, 1 calls in an hour are the most"]
