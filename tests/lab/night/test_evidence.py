from __future__ import annotations

from fractions import Fraction
from math import exp, isclose, pi

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.night.evidence import intraclass_correlation, log_bayes_factor, upper_bound


def half(number: int) -> Fraction:
    """gamma(number + 1/2) / sqrt(pi), exactly."""
    product = Fraction(1)
    for step in range(number):
        product *= Fraction(2 * step + 1, 2)
    return product


def beta(yes: int, no: int) -> Fraction:
    """B(yes + 1/2, no + 1/2) / pi, exactly."""
    factorial = 1
    for each in range(1, yes + no + 1):
        factorial *= each
    return half(yes) * half(no) / factorial


def exact(yes: int, of: int, yes_before: int, of_before: int) -> Fraction:
    no, no_before = of - yes, of_before - yes_before
    return beta(yes, no) * beta(yes_before, no_before) / beta(yes + yes_before, no + no_before)


def test_one_yes_after_one_no_is_half_as_much_again_by_hand():
    # Own rates: 1/2 each of seeing what was seen; the same rate: B(3/2, 3/2) / pi = 1/8. So 1/4 / 1/8.
    assert isclose(exp(log_bayes_factor(1, 1, 0, 1)), 2.0, rel_tol=1e-12)
    assert isclose(exp(log_bayes_factor(1, 1, 1, 1)), 2 / 3, rel_tol=1e-12)


@pytest.mark.parametrize("counts", [(12, 12, 0, 12), (3, 3, 0, 24), (4, 12, 0, 168), (18, 60, 75, 84), (0, 36, 7, 300)])
def test_a_bayes_factor_is_that_of_exact_fractions(counts):
    assert isclose(exp(log_bayes_factor(*counts)), float(exact(*counts)), rel_tol=1e-9)


@settings(max_examples=50)
@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 300), st.integers(0, 300))
def test_yes_and_no_may_change_places(yes, no, yes_before, no_before):
    one = log_bayes_factor(yes, yes + no, yes_before, yes_before + no_before)
    other = log_bayes_factor(no, yes + no, no_before, yes_before + no_before)
    assert isclose(one, other, abs_tol=1e-8)


@settings(max_examples=50)
@given(st.integers(0, 40), st.integers(1, 40), st.integers(0, 300), st.integers(0, 300))
def test_one_yes_more_beyond_the_rate_before_never_speaks_less(yes, no, yes_before, no_before):
    of, of_before = yes + no, yes_before + no_before
    if yes * of_before >= yes_before * of:
        more = log_bayes_factor(yes + 1, of, yes_before, of_before)
        assert more >= log_bayes_factor(yes, of, yes_before, of_before) - 1e-8


def test_zeros_exclude_a_rate_as_clopper_and_pearson_say():
    # 0.95^59 = 0.0485 < 5 % < 0.0510 = 0.95^58
    assert (0.95**58 > 0.05 > 0.95**59, upper_bound(58) < 0.05, upper_bound(59) < 0.05) == (True, False, True)
    assert (upper_bound(28) < 0.1, upper_bound(29) < 0.1, upper_bound(0)) == (False, True, 1.0)


def test_rho_of_a_known_table():
    # Two nights of 12, rate 1/2. 9 and 3: chi2 = 2 * 9/3 = 6, df 1: 1 + 11 rho = 6. 6 and 6: chi2 = 0. Pooled: 3.
    wild, calm = (12, 24, 2, (81 + 9) / 12), (12, 24, 2, (36 + 36) / 12)
    assert isclose(intraclass_correlation([wild]), 5 / 11)
    assert isclose(intraclass_correlation([wild, calm]), 2 / 11)
    assert (intraclass_correlation([calm]), intraclass_correlation([])) == (0.0, 0.0)
    # 12 and 0 of 12 cannot be more alike; trials alone in their night tell nothing.
    assert intraclass_correlation([(12, 24, 2, 12.0)]) == 1.0
    assert intraclass_correlation([(1, 2, 2, 1.0)]) == 0.0


def test_rho_is_what_was_drawn():
    rng = np.random.default_rng(3)
    rate = rng.beta(0.5 * 4, 0.5 * 4, size=(400, 30))  # beta-binomial: rho = 1 / (4 + 1)
    yes = rng.binomial(12, rate)
    cells = [(int(each.sum()), 360, 30, float((each**2).sum()) / 12) for each in yes]
    assert abs(intraclass_correlation(cells) - 0.2) < 0.01
    even = rng.binomial(12, 0.4, size=(400, 30))
    assert intraclass_correlation([(int(e.sum()), 360, 30, float((e**2).sum()) / 12) for e in even]) < 0.01


def test_pi_is_the_beta_of_two_halves():
    assert isclose(exp(log_bayes_factor(0, 0, 3, 7)), 1.0)
    assert isclose(float(beta(0, 0)) * pi, pi)
