"""How strong counts speak: log Bayes factors, the luck that the trials of one night share, and what zeros prove."""

from collections.abc import Iterable
from functools import lru_cache
from math import lgamma, log, pi

CONFIDENCE = 0.95


def _log_beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)


@lru_cache(maxsize=1 << 17)
def log_bayes_factor(yes: int, of: int, yes_before: int, of_before: int) -> float:
    """The natural log of: how much likelier these counts are where `yes` in `of` has a rate of its own than where it
    has that of `yes_before` in `of_before`. Either rate is unknown, with Jeffreys' prior, Beta(1/2, 1/2)."""
    own = _log_beta(yes + 0.5, of - yes + 0.5) - log(pi)
    both = _log_beta(yes + yes_before + 0.5, of + of_before - yes - yes_before + 0.5)
    return own - both + _log_beta(yes_before + 0.5, of_before - yes_before + 0.5)


def upper_bound(zeros: int) -> float:
    """The rate that so many trials without a yes exclude, one-sided, at 95% (Clopper and Pearson); 1 without any."""
    return 1 - (1 - CONFIDENCE) ** (1 / zeros) if zeros else 1.0


def intraclass_correlation(cells: Iterable[tuple[int, int, int, float]]) -> float:
    """How alike the trials of one night are, beyond their cell's rate: rho, from 0 to 1.

    Of each cell: yes and trials of all its nights together, the number of nights, and the sum of yes^2 / trials over
    them. One Pearson chi2 / df is pooled over all cells; it is 1 + (n - 1) rho, n being the trials of a night.
    """
    chi2, freedom, trials, nights = 0.0, 0, 0, 0
    for yes, of, number, squares in cells:
        chi2 += (squares - yes * yes / of) / (yes / of * (1 - yes / of))
        freedom, trials, nights = freedom + number - 1, trials + of, nights + number
    if not freedom or trials <= nights:
        return 0.0
    return min(1.0, max(0.0, (chi2 / freedom - 1) / (trials / nights - 1)))
