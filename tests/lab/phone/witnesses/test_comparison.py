"""Two readings compared: what is new, and what cannot be known."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.phone.witnesses.comparison import since
from lab.phone.witnesses.facts import (
    CameraEvent,
    Missing,
    ModeChange,
    PhoneDate,
    Reading,
    RecorderEvent,
    SimState,
    TelecomCall,
    TelecomEvent,
)

NS, T0 = 1_000_000_000, 1_778_259_600
UID = 10_166
BEFORE_DATE, AFTER_DATE = PhoneDate(T0, 7_200, 1_000.0), PhoneDate(T0 + 100, 7_200, 1_100.4)
DAY_S = 86_400


def mode(at_s: float, name: str = "MODE_NORMAL", package: str = "a") -> ModeChange:
    return ModeChange(round((T0 + at_s) * 1000) * 1_000_000, name, package, 7, 7)


def rec(at_s: float, event: str = "start") -> RecorderEvent:
    return RecorderEvent(round((T0 + at_s) * 1000) * 1_000_000, event, 1, UID, "VOICE_COMMUNICATION", "a")


def cam(at_s: int, event: str, device: str = "0") -> CameraEvent:
    return CameraEvent((T0 + at_s) * NS, event, device, "a" if device else "")


def call(number: int, at_s: int = -500, **other: object) -> TelecomCall:
    made = TelecomCall(number, True, True, "a", (TelecomEvent((T0 + at_s) * NS, "CREATED", ""),), None)
    return replace(made, **other)


IDLE = (SimState(0, 0),)
BEFORE = Reading(BEFORE_DATE, "MODE_NORMAL", (), (), (), (), IDLE)
AFTER = replace(BEFORE, date=AFTER_DATE)


def told(before: dict[str, object], after: dict[str, object]):
    return since(replace(BEFORE, **before), replace(AFTER, **after), UID, ())


def test_nothing_new_is_nothing_and_not_missing():
    found = told({"modes": (mode(-9),)}, {"modes": (mode(-9),)})
    assert (found.uid, found.modes, found.recorders, found.cameras, found.calls, found.sims) == (
        UID,
        (),
        (),
        (),
        (),
        IDLE,
    )
    assert (found.cameras_open, found.events) == ((), ())


def test_what_only_the_later_reading_has_is_new_and_the_ring_may_have_lost_older_lines():
    old = tuple(mode(-100 + index) for index in range(20))
    new = (mode(5, "MODE_RINGTONE"), mode(9, "MODE_IN_COMMUNICATION"), mode(60))
    assert told({"modes": old}, {"modes": old[3:] + new}).modes == new
    assert told({"recorders": (rec(-5),)}, {"recorders": (rec(-5), rec(3), rec(4, "stop"))}).recorders == (
        rec(3),
        rec(4, "stop"),
    )


def test_equal_lines_are_counted():
    found = told({"modes": (mode(-1), mode(-1))}, {"modes": (mode(-1), mode(-1), mode(3), mode(3))})
    assert found.modes == (mode(3), mode(3))
    assert told({"modes": (mode(-1),)}, {"modes": (mode(-1), mode(-1))}).modes == (mode(-1),)


@pytest.mark.parametrize("name", ["modes", "recorders", "cameras"])
def test_a_ring_that_lost_what_it_had_last_is_missing(name):
    make = {"modes": mode, "recorders": rec, "cameras": lambda at_s: cam(at_s, "CONNECT")}[name]
    found = getattr(told({name: (make(-9), make(-8))}, {name: (make(5), make(6))}), name)
    assert isinstance(found, Missing)
    assert found.why.endswith("ran over: it has no longer what it had at the earlier reading")


@pytest.mark.parametrize(("name", "kept", "make"), [("modes", 20, mode), ("recorders", 50, rec)])
def test_a_ring_that_was_empty_and_is_full_may_have_lost_lines_too(name, kept, make):
    assert len(getattr(told({}, {name: tuple(make(index) for index in range(kept - 1))}), name)) == kept - 1
    assert isinstance(getattr(told({}, {name: tuple(make(index) for index in range(kept))}), name), Missing)


def test_a_witness_that_is_missing_once_is_missing_and_the_others_are_not():
    gone = Missing("gone")
    for before, after in ((gone, ()), ((), gone)):
        found = told({"modes": before}, {"modes": after})
        assert (found.modes, found.recorders, found.calls) == (gone, (), ())
    assert told({"cameras": gone}, {}).cameras == gone
    assert told({"calls": gone}, {}).calls == gone
    assert told({"sims": gone}, {}).sims == gone
    assert told({}, {"sims": gone}).sims == gone


@pytest.mark.parametrize(
    ("after", "why"),
    [
        (PhoneDate(T0 + 103, 7_200, 1_100.4), "the phone's clock was set by +3 s between the readings"),
        (PhoneDate(T0 + 90, 7_200, 1_100.4), "the phone's clock was set by -10 s between the readings"),
        (PhoneDate(T0 + 100, 3_600, 1_100.4), "the phone's zone changed between the readings"),
        (PhoneDate(T0 + 100, 7_200, 30.0), "the phone was started again between the readings"),
        (PhoneDate(T0 - 1, 7_200), "the phone's clock ran backwards between the readings"),
        (Missing("no date"), "no date"),
    ],
)
def test_where_the_clock_cannot_be_trusted_all_that_it_stamped_is_missing(after, why):
    found = since(BEFORE, replace(AFTER, date=after), UID, ())
    missing = Missing(why)
    assert (found.modes, found.recorders, found.cameras, found.calls, found.events) == (missing,) * 5
    assert (found.sims, found.cameras_open) == (IDLE, ())
    assert since(replace(BEFORE, date=Missing("none")), AFTER, UID, ()).modes == Missing("none")


@pytest.mark.parametrize("after", [PhoneDate(T0 + 102, 7_200, 1_100.4), PhoneDate(T0 + 99, 7_200, 1_100.9)])
def test_dates_are_cut_to_seconds_which_is_no_step(after):
    assert since(BEFORE, replace(AFTER, date=after), UID, ()).modes == ()


def test_a_new_line_from_before_the_earlier_reading_is_a_clock_that_was_set():
    assert told({}, {"modes": (mode(-2),)}).modes == (mode(-2),)
    assert told({}, {"modes": (mode(-2.5),)}).modes == Missing(
        "the log of modes has a line from before the earlier reading, which had it not: was the clock set?"
    )


@pytest.mark.parametrize(
    ("name", "line", "shown"),
    [
        ("modes", mode(3, "MODE_SINGING"), "MODE_SINGING"),
        ("recorders", rec(3, "paused"), "paused"),
        ("cameras", cam(3, "BORROW"), "BORROW"),
    ],
)
def test_a_word_that_is_not_known_counts_only_where_it_is_new(name, line, shown):
    found = getattr(told({}, {name: (line,)}), name)
    assert isinstance(found, Missing)
    assert found.why.endswith(f"has a line that is not known: {shown!r}")
    assert getattr(told({name: (line,)}, {name: (line,)}), name) == ()


def test_a_client_of_a_camera_that_was_open_is_known():
    before, new = (cam(-9, "CONNECT", "1"), cam(-8, "ADD", "")), (cam(9, "DISCONNECT", "1"), cam(9, "USER_SWITCH", ""))
    found = told({"cameras": before}, {"cameras": before + new})
    assert (found.cameras, found.cameras_open) == ((cam(9, "DISCONNECT", "1"),), (("1", "a"),))
    closed = (*before, cam(-1, "DISCONNECT", "1"))
    assert told({"cameras": closed}, {"cameras": closed}).cameras_open == ()


def test_a_call_of_telecom_is_new_by_its_number():
    found = told({"calls": (call(6), call(7))}, {"calls": (call(7), call(8, 5), call(9, 50))})
    assert [one.number for one in found.calls] == [8, 9]
    live = call(7, cause="LOCAL")
    assert told({"calls": (call(7),)}, {"calls": (live,)}).calls == ()
    assert [one.number for one in told({}, {"calls": (call(1, 5),)}).calls] == [1]


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        ((call(7),), (call(2, 5),), "the numbers of Telecom's calls start anew: was the phone started again?"),
        ((call(7),), (call(9, 5),), "Telecom's history ran over: it has no longer what it had at the earlier reading"),
        ((call(7),), (), "Telecom's history ran over: it has no longer what it had at the earlier reading"),
        (
            (),
            tuple(call(n) for n in range(10)),
            "Telecom's history ran over: it has no longer what it had at the earlier",
        ),
        ((call(7),), (call(7, 5),), "Telecom's call TC@7 is another one than before: was the phone started again?"),
    ],
)
def test_a_history_of_calls_that_is_not_whole_is_missing(before, after, why):
    found = told({"calls": before}, {"calls": after}).calls
    assert isinstance(found, Missing)
    assert found.why.startswith(why)


def test_a_call_of_another_day_is_the_same_though_its_day_is_read_anew():
    assert told({"calls": (call(7, -500),)}, {"calls": (call(7, -500 + DAY_S),)}).calls == ()


def test_a_sim_that_was_in_a_call_once_is_not_idle():
    assert told({"sims": (SimState(0, 2), SimState(1, 0))}, {"sims": (SimState(0, 0), SimState(1, 1))}).sims == (
        SimState(0, 2),
        SimState(1, 1),
    )


@given(st.lists(st.integers(-100_000, 0), max_size=30), st.lists(st.integers(1_000, 100_000), max_size=25))
def test_a_ring_tells_all_that_is_new_or_that_it_is_missing(old, new):
    before = tuple(mode(at_ms / 1000) for at_ms in sorted(old))[-20:]
    later = tuple(mode(at_ms / 1000) for at_ms in sorted(new))
    found = told({"modes": before}, {"modes": (before + later)[-20:]}).modes
    assert found == later if len(later) < 20 else isinstance(found, Missing)
