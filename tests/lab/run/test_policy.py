from __future__ import annotations

import itertools
import threading

from lab.run.policy import Policy

PHONES = ("pixel6", "pixel6pro")
LATE = "late_end"
TRIALS = itertools.count()


def attempts(policy: Policy, outcomes: str, reason: str = LATE, app: str = "whatsapp", phones=PHONES) -> list[bool]:
    """Attempts in turn, each of a trial of its own: `v` is refuted by `reason`, `.` is complete. What was void."""
    said = []
    for outcome in outcomes:
        void = outcome == "v" and policy.voids(app, phones, reason)
        policy.ended(f"{app}-{next(TRIALS)}", app, phones, reason if void else None)
        said += [void] if outcome == "v" else []
    return said


def test_a_reason_that_voids_more_than_a_twentieth_becomes_a_flag_and_says_so():
    policy = Policy(bench="pixels")
    assert attempts(policy, "." * 17 + "vvv") == [True, True, True]
    assert attempts(policy, "v..v") == [False, False]
    assert policy.tell() == [
        f"late_end voided 3 of 20 attempts of whatsapp on {phone}: flagged from now on (2 kept since); "
        "invoke calibrate --bench pixels"
        for phone in PHONES
    ]


def test_exactly_a_twentieth_is_no_flag_and_neither_are_few_attempts_nor_two_voids():
    policy = Policy()
    # 3 of 60 is a twentieth.
    assert attempts(policy, "." * 57 + "vvv") == [True] * 3
    assert policy.tell() == []
    assert attempts(Policy(), "vvv" + "." * 16 + "v") == [True] * 4
    policy = Policy()
    assert attempts(policy, "vv" + "." * 18) == [True] * 2
    assert policy.tell() == []
    assert attempts(policy, "vv") == [True, False]


def test_before_twenty_attempts_nothing_is_a_flag():
    policy = Policy()
    assert attempts(policy, "v" * 19) == [True] * 19
    assert policy.tell() == []
    assert attempts(policy, "vv") == [True, False]


def test_the_retries_of_two_trials_are_two_trials():
    """Somebody who plays with a phone voids all attempts of what runs meanwhile."""
    policy = Policy()
    attempts(policy, "." * 30)
    for trial in "a", "b":
        for _ in range(4):
            assert policy.voids("whatsapp", PHONES, LATE)
            policy.ended(trial, "whatsapp", PHONES, LATE)
    assert policy.tell() == []
    assert policy.voids("whatsapp", PHONES, LATE)
    policy.ended("c", "whatsapp", PHONES, LATE)
    assert len(policy.tell()) == 2


def test_each_reason_app_and_phone_is_counted_apart():
    policy = Policy()
    attempts(policy, "." * 17 + "vvv")
    assert policy.voids("whatsapp", PHONES, "second_call")
    assert policy.voids("messenger", PHONES, LATE)
    assert policy.voids("whatsapp", ("other", "another"), LATE)
    assert not policy.voids("whatsapp", ("other", "pixel6"), LATE)


def test_what_no_witness_voided_is_never_a_flag():
    policy = Policy()
    for index in range(40):
        policy.ended(f"trial-{index}", "whatsapp", PHONES, "noisy")
    assert policy.tell() == []


def test_who_only_observes_voids_nothing_and_says_what_would_have_been():
    policy = Policy(observe_only=True)
    assert attempts(policy, "...v.v") == [False, False]
    assert policy.tell() == [
        f"observed only: late_end would have voided 2 of 6 attempts of whatsapp on {phone}" for phone in PHONES
    ]


def test_without_flags_a_reason_goes_on_to_void_and_is_told():
    policy = Policy(bench="virtual", flags=False)
    assert attempts(policy, "." * 17 + "vvvv") == [True] * 4
    assert policy.tell() == [
        f"late_end voided 3 of 20 attempts of whatsapp on {phone}: more than 5%; it goes on to void, "
        "as in a trial that is run alone"
        for phone in PHONES
    ]


def test_several_benches_may_ask_at_once():
    policy = Policy(observe_only=True)
    threads = [threading.Thread(target=attempts, args=(policy, "v." * 500)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert policy.tell()[0] == "observed only: late_end would have voided 2000 of 4000 attempts of whatsapp on pixel6"
