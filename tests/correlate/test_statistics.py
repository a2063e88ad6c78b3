"""Quartiles that fit the paper's tables, and intervals."""

import pytest

from correlate.tables.statistics import normalised, summary, wilson


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
