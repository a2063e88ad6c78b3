"""Quartiles that fit the paper's tables, and intervals."""

import pytest

from correlate.tables.statistics import count, normalised, rank_sum, summary, why, wilson


def test_weibull_quartiles_give_the_cell_of_table_7():
    found = summary([1, 1, 1, 1, 1, 2])
    assert (found.n, found.median, found.iqr, found.minimum, found.maximum) == (6, 1.0, 0.25, 1.0, 2.0)


def test_no_value_has_no_summary():
    assert summary([]).n == 0
    assert summary([]).median is None


def test_six_of_six_has_a_lower_bound_of_only_061():
    low, high = wilson(6, 6)
    assert (round(low, 4), high) == (0.6097, 1.0)
    assert wilson(0, 6)[0] == 0.0
    assert wilson(0, 0) is None


@pytest.mark.parametrize(("caller", "callee", "value"), [(3, 1, 0.5), (1, 3, 0.5), (2, 2, 0.0), (0, 0, None)])
def test_a_difference_is_normalised_by_the_sum(caller, callee, value):
    assert normalised(caller, callee) == value


def test_one_value_has_no_spread():
    found = summary([3.0])
    assert (found.n, found.median, found.iqr, found.minimum, found.maximum) == (1, 3.0, None, 3.0, 3.0)


@pytest.mark.parametrize(
    ("verdicts", "n", "undecided", "reason"),
    [
        ([True, False, True], 2, 0, ""),
        ([True, None, False], 1, 1, "1 of 3 trials undecided: nobody looked"),
        ([False, None], 0, 1, "1 of 2 trials undecided: nobody looked"),
        ([None, None], 0, 2, "2 of 2 trials undecided: nobody looked"),
        ([], None, 0, "no trial that could be read"),
    ],
)
def test_what_cannot_be_decided_counts_in_the_whole_and_without_a_case_there_is_no_count(
    verdicts, n, undecided, reason
):
    counted = count(verdicts, lambda verdict: verdict)
    assert (counted["n"], counted["total"], counted["undecided"]) == (n, len(verdicts), undecided)
    assert (counted["wilson_low"] is None, counted["wilson_high"] is None) == (n is None, n is None)
    assert why(counted, "nobody looked") == reason


def test_an_interval_runs_from_none_of_the_undecided_to_all_of_them():
    """3 of 6 hold and 2 are undecided: from the lower end of 3/6 to the upper one of 5/6."""
    counted = count([True, True, True, False, None, None], lambda verdict: verdict)
    assert (counted["wilson_low"], counted["wilson_high"]) == (wilson(3, 6)[0], wilson(5, 6)[1])
    assert (round(counted["wilson_low"], 4), round(counted["wilson_high"], 4)) == (0.1876, 0.9699)


def test_what_is_all_undecided_may_be_anything():
    counted = count([None, None], lambda verdict: verdict)
    assert (counted["n"], counted["wilson_low"], counted["wilson_high"]) == (0, 0.0, 1.0)


APART = ([1, 2, 3], [4, 5, 6])


@pytest.mark.parametrize(
    ("strata", "p", "least"),
    [
        ([APART], 0.1, 0.1),
        ([APART, APART], 0.005, 0.005),
        ([APART, ([1, 4, 5], [2, 3, 6])], 0.17, 0.005),
        ([([1, 1, 1], [1, 1, 1])] * 2, 1.0, 0.005),
        ([([1, 1], [1, 2])], 1.0, 1 / 3),
        ([([1, 2], [])], 1.0, 1.0),
        ([], 1.0, 1.0),
    ],
)
def test_the_rank_sum_is_exact_within_each_stratum_and_says_the_least_that_it_can_give(strata, p, least):
    """Three against three can never be below 0.1; twice three against three can."""
    assert rank_sum(strata) == (pytest.approx(p), pytest.approx(least))
