"""How well does a score link? Ranks with ties by expectation, rates at a false positive rate, entropy, intervals."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Column = NDArray[Any]
Matrix = NDArray[np.float64]
RESAMPLES = 1000


def place(scores: Matrix, true: int) -> tuple[Column, Column]:
    """Under each score (row): how many others are above that of candidate `true`, and how many are equal to it."""
    own = scores[:, true, None]
    return np.count_nonzero(scores > own, axis=1), np.count_nonzero(scores == own, axis=1) - 1


def rank(above: Column, tied: Column) -> Column:
    """The true partners' ranks, from 1, expected when ties are broken by chance: `above` others have a higher score
    than the true partner, `tied` an equal one."""
    return above + tied / 2 + 1


def precision_at(k: int, above: Column, tied: Column) -> Column:
    """The chance that the true partner is among the first `k` when ties are broken by chance."""
    chance: Column = np.clip((k - above) / (tied + 1), 0.0, 1.0)
    return chance


def entropy_bits(shares: Matrix) -> Column:
    """Shannon entropy of probabilities (last axis); 2 to its power is the size of the anonymity set."""
    bits: Column = -(shares * np.log2(np.where(shares > 0, shares, 1.0))).sum(axis=-1) + 0.0
    return bits


class Threshold:
    """The score that a stated share of `count` scores of wrong pairs may pass; these come in parts, in any order.

    Only the scores above the lowest that the threshold can still have are kept.
    """

    def __init__(self, count: int, false_positive_rate: float) -> None:
        self._allowed = false_positive_rate * count
        self._least = min(int(self._allowed) + 1, count)
        self._value = -np.inf
        self._tied = 0
        self._above = np.zeros(0)

    def add(self, scores: Column) -> None:
        """Some of the scores of wrong pairs."""
        self._tied += int(np.count_nonzero(scores == self._value))
        self._above = np.concatenate([self._above, scores[scores > self._value]])
        if len(self._above) > 2 * self._least:
            self._raise()

    def _raise(self) -> None:
        """As many scores as it takes are above: then the threshold is at least the lowest of these."""
        above, position = self._above, len(self._above) - self._least
        if position >= 0:
            self._value = np.partition(above, position)[position]
            self._tied, self._above = int((above == self._value).sum()), above[above > self._value]

    def accepted(self, true: Column) -> Column:
        """For each true pair the chance that it passes.

        Where the threshold falls among equal scores, as many of these pass by chance as the rate allows: true pairs
        above it are 1, those below 0, those at it the share between.
        """
        self._raise()
        share = min(max((self._allowed - len(self._above)) / self._tied, 0.0), 1.0)
        accepted: Column = np.where(true > self._value, 1.0, np.where(true == self._value, share, 0.0))
        return accepted


def interval(
    values: Sequence[float] | Column, seed: int, ends: tuple[float, float] = (0.0, 1.0)
) -> tuple[float, float]:
    """The 95% interval of the mean of trials' values, each between `ends`, by the Bayesian bootstrap (Rubin 1981).

    Half a trial at each end is added to those that there are, so that it has width where all are alike; of zeros and
    ones it is Jeffreys' interval (Brown, Cai and DasGupta 2001, 4.3). The same seed gives the same interval, and the
    mean lies in it.
    """
    column = np.asarray(values, np.float64)
    means = _weights(seed, len(column)) @ np.append(column, ends)
    low, high = np.quantile(means, (0.025, 0.975))
    mean = float(column.mean())
    return min(float(low), mean), max(float(high), mean)


@lru_cache(maxsize=8)
def _weights(seed: int, count: int) -> Column:
    """(RESAMPLES, count + 2): weights of values in each resample, uniform among all that sum to one, and the ends'."""
    chance = np.random.default_rng(seed)
    drawn = np.hstack([chance.standard_exponential((RESAMPLES, count)), chance.standard_gamma(0.5, (RESAMPLES, 2))])
    found: Column = drawn / drawn.sum(axis=1, keepdims=True)
    return found
