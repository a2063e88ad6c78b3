"""What is called a change, a leak that opened, and what merely may have changed."""

import random

import pytest

from correlate.report.compare.changes import judge_claims, judge_values
from correlate.report.compare.sentences import sentence
from correlate.report.compare.units import Cell, ClaimUnit, Share, ValuesUnit


def claim(name, a, b, app="maple", unit="trials"):
    """A claim of (hits, undecided, total) in A and in B, in one scenario."""
    shares = (Share(*a), Share(*b))
    return ClaimUnit(name, app, unit, *shares, (Cell("caller_cancels", *shares),))


def values(a, b):
    return ValuesUnit("media rate", "maple", "voice", "conversation", "bytes/s", tuple(a), tuple(b))


def judged(*units):
    return [(each.outcome, each.leak) for each in judge_claims(units)]


ALL, NONE = (12, 0, 12), (0, 0, 12)


@pytest.mark.parametrize(
    ("name", "a", "b", "leak"),
    [
        ("caller_exposed_before_answer", NONE, ALL, "opened"),
        ("caller_exposed_before_answer", ALL, NONE, "closed"),
        ("no_disclosure_before_answer", ALL, NONE, "opened"),
        ("no_disclosure_before_answer", NONE, ALL, "closed"),
        ("three_udp_servers", NONE, ALL, ""),
        ("three_udp_servers", ALL, NONE, ""),
    ],
)
def test_a_leak_opens_in_the_direction_in_which_its_claim_gives_away(name, a, b, leak):
    assert judged(claim(name, a, b)) == [("changed", leak)]


def test_public_addresses_alone_in_the_place_of_all_of_them_open_nothing():
    public, every = "only_public_addresses_exposed", "all_addresses_exposed"
    assert judged(claim(public, NONE, ALL), claim(every, ALL, NONE)) == [("changed", ""), ("changed", "closed")]
    assert judged(claim(public, NONE, ALL), claim(every, NONE, NONE)) == [("changed", "opened"), ("alike", "")]
    assert judged(claim(public, NONE, ALL), claim(every, ALL, NONE, app="birch"))[0] == ("changed", "opened")


@pytest.mark.parametrize(
    ("a", "b", "outcome"),
    [
        ((12, 0, 12), (6, 0, 12), "changed"),
        ((12, 0, 12), (8, 0, 12), "perhaps"),
        ((12, 0, 12), (11, 0, 12), "alike"),
        ((3, 0, 3), (0, 0, 3), "perhaps"),
        ((12, 0, 12), (6, 6, 12), "alike"),
        ((12, 0, 12), (0, 7, 12), "changed"),
        ((12, 0, 12), (0, 9, 12), "perhaps"),
        ((12, 0, 12), (0, 12, 12), "undecided"),
        ((12, 0, 12), (0, 0, 0), "undecided"),
        ((500, 0, 1000), (590, 0, 1000), "alike"),
        ((500, 0, 1000), (610, 0, 1000), "changed"),
    ],
)
def test_what_one_claim_alone_is_called(a, b, outcome):
    """p is 0.014, 0.093 and 1 for the first three; 9 points of 1,000 are significant and too few to speak of."""
    assert judged(claim("shared_server", a, b))[0][0] == outcome


def test_a_change_among_many_tests_is_held_to_more():
    borderline = claim("shared_server", (12, 0, 12), (6, 0, 12))
    others = [claim("same_user_ids", ALL, ALL, app=f"app{number}") for number in range(9)]
    first = judge_claims([borderline])[0]
    assert (first.outcome, round(first.p, 4), first.q) == ("changed", 0.0137, first.p)
    among = judge_claims([borderline, *others])[0]
    assert (among.outcome, among.q) == ("perhaps", pytest.approx(10 * first.p))


def test_cells_are_compared_and_not_tested():
    unit = claim("medians_below_1_4_s", (3, 0, 4), (4, 0, 4), unit="cells")
    (change,) = judge_claims([unit])
    assert (change.outcome, change.p, change.reason) == (
        "untested", None, "cells are no sample, so there is no test",
    )  # fmt: skip
    assert judged(claim("medians_below_1_4_s", (3, 1, 4), (3, 1, 4), unit="cells")) == [("alike", "")]
    assert judged(claim("medians_below_1_4_s", (3, 1, 4), (0, 4, 4), unit="cells")) == [("undecided", "")]


def test_a_change_is_said_in_one_sentence():
    (change,) = judge_claims([claim("caller_exposed_before_answer", ALL, NONE)])
    assert sentence(change) == (
        "maple: caller exposed before answer changed: 12 of 12 in A, 0 of 12 in B; difference -100 points "
        "(95%: -100 to -66), q 7.4e-07"
    )
    (change,) = judge_claims([claim("shared_server", (3, 1, 4), (0, 0, 3))])
    assert sentence(change) == (
        "maple: shared server may have changed (too few trials to tell): 3 of 3 (1 more undecided) in A, 0 of 3 in B; "
        "difference -100 points (95%: -100 to -3), q 0.14"
    )


LOW = [1.0 + each / 100 for each in range(8)]


@pytest.mark.parametrize(
    ("a", "b", "outcome"),
    [
        (LOW, [each + 1 for each in LOW], "changed"),
        (LOW, [each + 0.08 for each in LOW], "alike"),
        (LOW, LOW, "alike"),
        (LOW, [], "undecided"),
        (LOW, [5.0, 6.0, 7.0], "untested"),
        ([5.0, 6.0], [6.0, 5.0], "alike"),
        ([0.0] * 8, [0.0] * 8, "alike"),
        ([0.0] * 8, [1.0] * 8, "changed"),
    ],
)
def test_what_the_values_of_a_measure_are_called(a, b, outcome):
    """Eight a hundredth above each other and 0.08 higher: p is 0.0002, but less than a tenth of the median."""
    assert judge_values([values(a, b)])[0].outcome == outcome


def test_values_that_are_too_few_for_a_test_are_printed():
    (change,) = judge_values([values([3.0, 1.0, 2.0], [9.0, 8.0, 7.5, 10.25])])
    assert (change.p, change.q, change.shift) == (None, None, None)
    assert sentence(change) == (
        "maple, voice, conversation: media rate is not the same: A: 1 2 3; B: 7.5 8 9 10.25; a side has fewer than 4 "
        "values, so there is no test"
    )
    (change,) = judge_values([values([1, 2, 3, 4], [11, 12, 13, 14])])
    assert sentence(change) == (
        "maple, voice, conversation: media rate changed: 4 values in A, 4 in B; B lies 10 bytes/s above A "
        "(95%: 7 to 13), q 0.029"
    )


def test_of_two_nights_that_are_alike_at_most_one_comparison_in_twenty_tells_a_change():
    """60 claims of 36 trials, a third of which hold always, a third never, and a third in half of all trials."""
    chance, shares = random.Random(7), [0.0, 0.5, 1.0] * 20
    told = 0
    for _ in range(80):
        units = []
        for number, share in enumerate(shares):
            a, b = (sum(chance.random() < share for _ in range(36)) for _ in "ab")
            units.append(claim("shared_server", (a, 0, 36), (b, 0, 36), app=f"app{number}"))
        told += any(outcome == "changed" for outcome, _ in judged(*units))
    assert told / 80 <= 0.05
