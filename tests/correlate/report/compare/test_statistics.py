"""The statistics of a comparison, against enumeration of all that could have been; their coverage, exactly."""

import re
from collections import Counter
from itertools import combinations, product
from math import comb, inf
from pathlib import Path
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from correlate.report.compare import statistics
from correlate.report.compare.statistics import (
    benjamini_hochberg,
    fisher,
    fisher_at_worst,
    hidden,
    hodges_lehmann,
    mann_whitney,
    mann_whitney_p,
    newcombe,
    power,
)

DOCUMENT = Path(__file__).parents[4] / "docs/compare.md"
CHANGES = ((1.0, 0.0), (1.0, 0.5), (1.0, 0.75), (1.0, 0.9), (0.5, 0.1))
TESTS = 60
few = st.integers(0, 5)


def tables(most):
    return [
        (hits_a, total_a, hits_b, total_b)
        for total_a, total_b in product(range(1, most + 1), repeat=2)
        for hits_a, hits_b in product(range(total_a + 1), range(total_b + 1))
    ]


def test_fishers_p_is_the_share_of_all_ways_to_deal_out_the_hits_that_are_no_more_likely():
    for hits_a, total_a, hits_b, total_b in tables(5):
        dealt = Counter(
            sum(place < total_a for place in places)
            for places in combinations(range(total_a + total_b), hits_a + hits_b)
        )
        as_rare = sum(ways for ways in dealt.values() if ways <= dealt[hits_a])
        expected = as_rare / comb(total_a + total_b, hits_a + hits_b)
        assert fisher(hits_a, total_a, hits_b, total_b) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("table", "p"),
    [((12, 12, 7, 12), 0.0373), ((12, 12, 5, 12), 0.00458), ((12, 12, 3, 12), 0.000337), ((36, 36, 26, 36), 0.000948)],
)
def test_fishers_p_of_known_tables(table, p):
    assert fisher(*table) == pytest.approx(p, rel=5e-3)


@given(few, few, few, few, few, few)
def test_with_undecided_trials_p_is_the_largest_of_all_ways_to_decide_them(hits_a, open_a, no_a, hits_b, open_b, no_b):
    total_a, total_b = hits_a + open_a + no_a, hits_b + open_b + no_b
    worst = fisher_at_worst((hits_a, open_a, total_a), (hits_b, open_b, total_b))
    every = [
        fisher(hits_a + more_a, total_a, hits_b + more_b, total_b)
        for more_a, more_b in product(range(open_a + 1), range(open_b + 1))
    ]
    assert worst >= max(every) - 1e-12
    assert worst in (1.0, pytest.approx(max(every)))


def test_undecided_trials_make_p_larger_where_they_could_be_otherwise():
    """12 of 12 and 0 of 12 beside 6 undecided each: as 6 of 12 and 6 of 12 they would be alike."""
    assert fisher_at_worst((12, 0, 12), (0, 0, 12)) == pytest.approx(2 / comb(24, 12))
    assert fisher_at_worst((12, 0, 12), (0, 7, 12)) == fisher(12, 12, 7, 12)
    assert fisher_at_worst((6, 6, 12), (0, 6, 12)) == 1.0


def test_newcombes_interval_is_that_of_his_paper():
    """Newcombe 1998, method 10, 56 of 70 less 48 of 80."""
    low, high = newcombe((48, 0, 80), (56, 0, 70))
    assert (round(low, 4), round(high, 4)) == (0.0524, 0.3339)
    assert newcombe((0, 0, 0), (1, 0, 2)) is None


def test_an_interval_with_undecided_trials_holds_those_of_all_ways_to_decide_them():
    low, high = newcombe((2, 3, 6), (1, 2, 5))
    ways = [newcombe((2 + a, 0, 6), (1 + b, 0, 5)) for a, b in product(range(4), range(3))]
    assert low == min(way[0] for way in ways)
    assert high == max(way[1] for way in ways)


@pytest.mark.parametrize(("total", "least", "mean"), [(6, 0.90, 0.945), (12, 0.91, 0.95)])
def test_newcombes_interval_covers_the_difference_as_often_as_it_says(total, least, mean):
    """Exactly: over all outcomes, for shares in steps of a tenth; 95% on the whole, and at worst some points less."""
    intervals = {(a, b): newcombe((a, 0, total), (b, 0, total)) for a, b in product(range(total + 1), repeat=2)}
    covered = []
    for share_a, share_b in product([each / 10 for each in range(1, 10)], repeat=2):
        of_a, of_b = (statistics._binomial(total, share) for share in (share_a, share_b))
        covered.append(
            sum(
                of_a[a] * of_b[b]
                for (a, b), (low, high) in intervals.items()
                if low - 1e-9 <= share_b - share_a <= high + 1e-9
            )
        )
    assert min(covered) >= least
    assert sum(covered) / len(covered) >= mean


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_q_is_below_a_level_exactly_where_the_step_up_procedure_rejects(p):
    for level in (0.01, 0.05, 0.2):
        ordered = sorted(p)
        steps = [k for k in range(1, len(p) + 1) if ordered[k - 1] <= level * k / len(p)]
        rejected = [each <= ordered[max(steps) - 1] if steps else False for each in p]
        assert [each <= level * (1 + 1e-12) for each in benjamini_hochberg(p)] == rejected


def test_a_q_depends_on_the_others():
    assert benjamini_hochberg([0.01, 0.02, 0.9]) == pytest.approx([0.03, 0.03, 0.9])
    assert benjamini_hochberg([0.01, 0.5, 0.9]) == pytest.approx([0.03, 0.75, 0.9])
    assert benjamini_hochberg([]) == []


@pytest.mark.parametrize(("size_a", "size_b"), [(1, 1), (2, 3), (4, 4), (5, 3)])
def test_the_mann_whitney_counts_are_those_of_all_orders(size_a, size_b):
    counted = Counter(
        sum(y < x for x in chosen for y in set(range(size_a + size_b)) - set(chosen))
        for chosen in combinations(range(size_a + size_b), size_a)
    )
    assert mann_whitney(size_a, size_b) == tuple(counted[u] for u in range(size_a * size_b + 1))


@pytest.mark.parametrize("values", [(1, 2, 3, 4, 5, 6, 7), (1, 1, 2, 2, 2, 5, 9)])
def test_the_rank_test_is_exact_with_equal_values_too(values):
    def score(chosen):
        rest = [values[place] for place in set(range(7)) - set(chosen)]
        return abs(sum((y > values[x]) + (y == values[x]) / 2 for x in chosen for y in rest) - 6)

    every = list(combinations(range(7), 3))
    for chosen in every:
        a, b = [values[place] for place in chosen], [values[place] for place in set(range(7)) - set(chosen)]
        expected = sum(score(each) >= score(chosen) for each in every) / len(every)
        assert mann_whitney_p(a, b) == pytest.approx(expected)


def test_above_fifty_a_side_the_normal_approximation_stands_for_the_exact_test(monkeypatch):
    a, b = [each * 1.0 for each in range(40)], [each * 1.0 + 9.5 for each in range(40)]
    exact, (shift, interval) = mann_whitney_p(a, b), hodges_lehmann(a, b)
    monkeypatch.setattr(statistics, "EXACT_UP_TO", 39)
    assert mann_whitney_p(a, b) == pytest.approx(exact, rel=0.2)
    near_shift, near = hodges_lehmann(a, b)
    assert (shift, near_shift) == (9.5, 9.5)
    assert near == pytest.approx(interval, abs=0.5)
    assert mann_whitney_p([1.0] * 60, [1.0] * 60) == 1.0


@pytest.mark.parametrize(("size_a", "size_b"), [(4, 4), (5, 4), (6, 6)])
def test_the_interval_of_a_shift_misses_it_in_at_most_five_percent_and_none_that_is_narrower_does(size_a, size_b):
    """Over all orders of distinct values of one population; powers of two, so that no two differences are equal."""
    values = [2.0**place for place in range(size_a + size_b)]
    missed, narrower = 0, 0
    for chosen in combinations(range(len(values)), size_a):
        a = [values[place] for place in chosen]
        b = [value for value in values if value not in a]
        _, (low, high) = hodges_lehmann(a, b)
        differences = sorted(y - x for x in a for y in b)
        missed += not low <= 0 <= high
        inside = differences.index(low)
        narrower += not differences[inside + 1] <= 0 <= differences[-inside - 2]
    orders = comb(size_a + size_b, size_a)
    assert 0 < missed / orders <= 0.05 < narrower / orders


def test_a_shift_is_the_median_of_all_differences_and_not_the_difference_of_medians():
    a, b = [0.0, 1.0, 10.0, 11.0], [0.0, 2.0, 3.0, 30.0]
    shift, interval = hodges_lehmann(a, b)
    assert shift == median(y - x for x in a for y in b) == 0.5
    assert median(b) - median(a) == -3.0
    assert interval == (-11.0, 30.0)


def test_three_values_a_side_tell_nothing():
    assert hodges_lehmann([1, 2, 3], [11, 12, 13]) == (10, (-inf, inf))
    assert mann_whitney_p([1, 2, 3], [11, 12, 13]) == pytest.approx(0.1)
    assert hodges_lehmann([1, 2, 3, 4], [11, 12, 13, 14]) == (10, (7, 13))


def test_what_could_hide_is_what_is_seen_less_often_than_in_four_of_five():
    assert (hidden(3, 3), hidden(12, 12), hidden(36, 36)) == (1.0, 0.49, 0.21)
    assert power(12, 1.0, 12, 0.5) >= 0.8 > power(12, 1.0, 12, 0.51)
    assert hidden(36, 36, 0.05 / TESTS) == 0.35
    assert (hidden(400, 400), hidden(2000, 2000)) == (0.01, 0.0)


def test_the_power_table_of_the_document_is_what_the_tests_can_see():
    """A row a number of trials a side: Fisher at 5%, and at the strictest step among 60 tests."""
    table = DOCUMENT.read_text().partition("| trials a side |")[2]
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", table, re.MULTILINE)
    assert [int(total) for total, _ in rows] == [3, 12, 36]
    for total, cells in rows:
        expected = [
            f"{power(int(total), *change, int(total), after):.2f} / "
            f"{power(int(total), *change, int(total), after, 0.05 / TESTS):.2f}"
            for *change, after in CHANGES
        ]
        assert cells.split(" | ") == expected
