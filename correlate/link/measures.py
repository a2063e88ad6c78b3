"""How well does a score link? Ranks with ties by expectation, rates at a false positive rate, entropy, intervals."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.float64]
RESAMPLES = 1000


def place(true: float, others: Column) -> tuple[int, int]:
    """How many others are above the true partner's score, and how many are equal to it."""
    return int((others > true).sum()), int((others == true).sum())


def rank(above: int, tied: int) -> float:
    """The true partner's rank, from 1, expected when ties are broken by chance."""
    return above + tied / 2 + 1


def precision_at(k: int, above: int, tied: int) -> float:
    """The chance that the true partner is among the first `k` when ties are broken by chance."""
    return min(max((k - above) / (tied + 1), 0.0), 1.0)


def entropy_bits(shares: Column) -> float:
    """Shannon entropy of probabilities; 2 to its power is the size of the anonymity set."""
    positive = shares[shares > 0]
    return float(-(positive * np.log2(positive)).sum()) + 0.0


def true_positives(true: Column, negatives: Column, false_positive_rate: float) -> Column:
    """For each true pair the chance that it is accepted at a threshold that accepts this share of the negatives.

    Where the threshold falls among equal scores, as many of these are accepted by chance as the rate allows: accepted
    true pairs are 1, rejected ones 0, those at the threshold the share between.
    """
    allowed = false_positive_rate * len(negatives)
    position = max(len(negatives) - 1 - int(allowed), 0)
    threshold = np.partition(negatives, position)[position]
    above, tied = int((negatives > threshold).sum()), int((negatives == threshold).sum())
    share = min(max((allowed - above) / tied, 0.0), 1.0)
    accepted: Column = np.where(true > threshold, 1.0, np.where(true == threshold, share, 0.0))
    return accepted


def interval(values: Sequence[float] | Column, seed: int) -> tuple[float, float]:
    """The 95% percentile bootstrap interval of the mean over trials. The same seed gives the same interval."""
    column = np.asarray(values, np.float64)
    low, high = np.quantile(_drawn(seed, len(column)) @ column / len(column), (0.025, 0.975))
    return float(low), float(high)


@lru_cache(maxsize=8)
def _drawn(seed: int, count: int) -> Column:
    """(RESAMPLES, count): how often each value is drawn in each resample."""
    rows = np.random.default_rng(seed).integers(count, size=(RESAMPLES, count))
    flat = (rows + count * np.arange(RESAMPLES)[:, None]).reshape(-1)
    return np.bincount(flat, minlength=RESAMPLES * count).reshape(RESAMPLES, count).astype(np.float64)
