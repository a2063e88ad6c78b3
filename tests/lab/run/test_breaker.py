"""When a key opens, when it is probed, what is parked, and that the journal alone tells all of it."""

from __future__ import annotations

import json

import pytest

from correlate.dataset.record import JournalLine
from lab.definitions import Trial
from lab.run.breaker import Breaker, Held
from lab.run.causes import CERTAIN_REASONS

MIN = 60.0


def trial(direction="there", scenario="rejects", app="whatsapp", repetition=1) -> Trial:
    return Trial(app, "voice", direction, scenario, repetition)


ONE = trial()


def fail(breaker: Breaker, *trials: Trial, reason: str = "no_effect", at_s: float = 0.0, **more) -> None:
    for each in trials:
        breaker.begun(each)
        breaker.failed(each, reason, at_s, **more)


def test_three_failures_in_a_row_of_one_reason_hold_the_app():
    breaker = Breaker()
    fail(breaker, ONE, ONE)
    assert breaker.held(ONE, 0.0) is None
    fail(breaker, trial("back", "cancels"))
    assert breaker.held(trial("there", "hangs_up"), 0.0) == Held(("whatsapp",), "no_effect")
    assert breaker.held(trial(app="messenger"), 0.0) is None


def test_failures_of_different_reasons_hold_nothing():
    breaker = Breaker()
    for reason in ("no_effect", "dialog", "no_effect", "dialog", "no_effect"):
        fail(breaker, ONE, reason=reason)
    assert breaker.held(ONE, 0.0) is None


def test_what_has_worked_tonight_gets_six_and_what_worked_in_another_night_three():
    breaker = Breaker()
    breaker.completed(ONE, 0.0)
    fail(breaker, *[ONE] * 5, at_s=10.0)
    assert breaker.held(ONE, 10.0) is None
    fail(breaker, ONE, at_s=10.0)
    assert breaker.held(ONE, 10.0) == Held(("whatsapp",), "no_effect")
    later = Breaker()
    later.completed(ONE, 0.0)
    fail(later, *[ONE] * 3, at_s=13 * 3600.0)
    assert later.held(ONE, 13 * 3600.0) == Held(("whatsapp",), "no_effect")


@pytest.mark.parametrize(
    ("good", "bad", "key"),
    [
        (trial("back"), trial("there"), ("whatsapp", "direction", "there")),
        (trial(scenario="cancels"), trial(scenario="rejects"), ("whatsapp", "scenario", "rejects")),
    ],
)
def test_where_the_rest_of_the_app_works_only_the_direction_or_the_scenario_is_held(good, bad, key):
    breaker = Breaker()
    for _ in range(6):
        fail(breaker, bad)
        breaker.completed(good, 0.0)
    assert breaker.held(bad, 0.0) == Held(key, "no_effect")
    assert breaker.held(good, 0.0) is None


def test_it_is_probed_with_one_trial_after_45_then_90_then_180_minutes_and_no_more():
    breaker = Breaker()
    fail(breaker, ONE, ONE, ONE)
    at_s, waits = 0.0, []
    for wait_min in (45, 90, 180):
        assert breaker.held(ONE, at_s + wait_min * MIN - 1) is not None
        at_s += wait_min * MIN
        assert breaker.held(ONE, at_s) is None
        breaker.begun(ONE)
        assert breaker.held(trial("back"), at_s) is not None  # one at a time
        breaker.failed(ONE, "dialog", at_s)
        waits.append(wait_min)
    assert breaker.held(ONE, at_s + 10_000 * MIN, last=True) is not None


def test_at_the_end_it_is_probed_once_without_waiting():
    breaker = Breaker()
    fail(breaker, ONE, ONE, ONE)
    assert breaker.held(ONE, 0.0, last=True) is None
    breaker.begun(ONE, last=True)
    breaker.failed(ONE, "no_effect", 0.0)
    assert breaker.held(ONE, 0.0, last=True) is not None


def test_a_probe_that_completes_gives_all_of_its_keys_back():
    breaker = Breaker()
    fail(breaker, ONE, ONE, ONE)
    breaker.begun(ONE)
    breaker.completed(ONE, 45 * MIN)
    assert breaker.held(ONE, 45 * MIN) is None
    # It has worked: from here on it takes six.
    fail(breaker, *[ONE] * 5, at_s=46 * MIN)
    assert breaker.held(ONE, 46 * MIN) is None


def test_a_probe_that_says_nothing_leaves_it_to_be_probed():
    breaker = Breaker()
    fail(breaker, ONE, ONE, ONE)
    breaker.begun(ONE)
    breaker.given_back(ONE)
    assert breaker.held(ONE, 45 * MIN) is None


def test_an_attempt_that_went_on_when_it_opened_is_no_probe():
    breaker, other = Breaker(), trial("back")
    breaker.begun(other)
    fail(breaker, ONE, ONE, ONE)
    breaker.failed(other, "no_effect", 10 * MIN)
    assert breaker.held(ONE, 45 * MIN) is None


def test_a_certain_reason_parks_the_app_at_once_and_no_probe_comes_until_it_is_unparked():
    breaker = Breaker()
    fail(breaker, ONE, reason="logged_out", certain=True)
    assert breaker.held(trial("back"), 1e9, last=True) == Held(("whatsapp",), "logged_out", parked=True)
    assert breaker.parked() == {"whatsapp": "logged_out"}
    breaker.unpark("whatsapp")
    assert breaker.held(ONE, 0.0) is None


def test_twenty_four_calls_that_came_to_nothing_are_enough_where_the_last_two_failed():
    breaker = Breaker()
    for number in range(12):
        fail(breaker, ONE, reason="dialog", calls=1)
        fail(breaker, ONE, reason="no_effect", calls=int(number < 11))
    breaker.completed(ONE, 0.0)
    fail(breaker, ONE, reason="dialog", calls=1)
    assert breaker.held(ONE, 0.0) is None  # only one has failed since the last that worked
    fail(breaker, ONE, reason="no_effect")
    assert breaker.held(ONE, 0.0) == Held(("whatsapp",), "24 calls came to nothing")
    assert breaker.held(ONE, 12 * 3600.0 + 1) is None  # another night


def lines(*events: dict) -> list[JournalLine]:
    whole = ({"seq": 0, "sha256": "0" * 64, **event} for event in events)
    return [JournalLine.model_validate_json(json.dumps(event)) for event in whole]


def of_journal(*events: dict, now_s: float = 0.0) -> Breaker:
    breaker = Breaker()
    breaker.replay(lines(*events), {ONE.id: ONE}, now_s, CERTAIN_REASONS)
    return breaker


BEGUN = {"event": "attempt", "trial": ONE.id, "attempt": 0}
VOID = {"event": "void", "trial": ONE.id, "attempt": 0, "reason": "no_effect", "night_s": 0.0}
DONE = {"event": "completed", "trial": ONE.id, "attempt": 0, "night_s": 0.0}


@pytest.mark.parametrize(
    ("events", "held"),
    [
        ([BEGUN, VOID] * 3, True),
        ([BEGUN, VOID] * 2, False),
        ([BEGUN, VOID, BEGUN, VOID, BEGUN, DONE, BEGUN, VOID], False),
        ([BEGUN, VOID | {"spoilt": 1}] * 3, False),
        ([BEGUN, {"event": "interrupted", "trial": ONE.id}] * 3, False),
        ([BEGUN, VOID | {"trial": "another-1"}] * 3, False),
        ([BEGUN, VOID] * 3 + [{"event": "unparked", "app": "whatsapp"}], False),
        ([BEGUN, VOID | {"reason": "banned"}, {"event": "parked", "app": "whatsapp", "reason": "banned"}], True),
        ([{"event": "parked", "app": "whatsapp", "reason": "banned"}, {"event": "unparked", "app": "whatsapp"}], False),
    ],
)
def test_another_run_knows_from_the_journal_what_is_held(events, held):
    assert (of_journal(*events).held(ONE, 0.0) is not None) is held


def test_of_another_night_only_what_is_parked_is_known():
    now_s = 13 * 3600.0
    assert of_journal(*[BEGUN, VOID] * 3, now_s=now_s).held(ONE, now_s) is None
    parked = of_journal({"event": "parked", "app": "whatsapp", "reason": "banned"}, now_s=now_s)
    assert parked.held(ONE, now_s) == Held(("whatsapp",), "banned", parked=True)


def test_another_run_may_probe_once_more_what_was_probed_in_vain():
    breaker = of_journal(*[BEGUN, VOID] * 6)
    assert breaker.held(ONE, 0.0) is not None
    assert breaker.held(ONE, 0.0, last=True) is None
