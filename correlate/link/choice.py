"""The score: which of many callee legs is the partner? A conditional logit, learned without the tested app.

Given that exactly one candidate is the partner, P(j) = exp(w x_j) / sum_k exp(w x_k), where x are the features of
`features` (McFadden 1974). Weights maximise the probability of the true partners under a ridge, by Newton's method;
negatives are drawn evenly, which leaves the weights consistent. w x is a log likelihood ratio up to a constant.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from correlate.link.features import NAMES, Ids, Matrix, Pairing
from correlate.link.legs import Call
from correlate.link.population import Column, hours, number

NEGATIVES = 150
RIDGE = 1.0
STEPS = 30
CONVERGED = 1e-7
DECIMALS = 9
"""Scores are rounded so that equal legs have equal scores, whatever the order of the additions."""


@dataclass(frozen=True)
class Score:
    """Weights of features less `middle`; features that are not used have weight zero."""

    middle: Column
    weights: Column


def scored(scores: Sequence[Score], features: Matrix) -> Matrix:
    """(scores, calls): each call's score under each; higher means more likely the partner."""
    weights = np.stack([score.weights for score in scores])
    constant = np.array([[score.middle @ score.weights] for score in scores])
    found: Matrix = np.round(weights @ features - constant, DECIMALS)
    return found


@dataclass(frozen=True)
class Examples:
    """(features, queries, candidates), standardised; candidate 0 is the true partner, and `spare` marks candidates that
    are none. `middle` and `spread` undo the standardising; the spread of what never varies is 1."""

    features: NDArray[np.float64]
    spare: NDArray[np.bool_]
    middle: Column
    spread: Column


def examples(calls: Sequence[Call], load: float, seed: str) -> Examples:
    """True partners and drawn negatives of all calls, in hours at `load`."""
    pairing, chance = Pairing(calls), np.random.default_rng(number(f"{seed}/negatives"))
    made, spare = [], []
    for hour in hours(calls, load, seed):
        ids = Ids(calls, hour)
        for query in range(hour.queries):
            count = min(NEGATIVES, len(hour) - 1)
            others = chance.choice(len(hour) - 1, size=count, replace=False)
            rows = np.concatenate([[query], others + (others >= query)]).astype(np.int64)
            padding = np.full(NEGATIVES - count, query, np.int64)
            made.append(pairing.features(hour, query, ids, np.concatenate([rows, padding])))
            spare.append(np.arange(NEGATIVES + 1) > count)
    features, none = np.stack(made, axis=1), np.stack(spare)
    there = features[:, ~none]
    middle, spread = there.mean(axis=1), there.std(axis=1)
    spread = np.where(spread < 1e-12, 1.0, spread)
    return Examples((features - middle[:, None, None]) / spread[:, None, None], none, middle, spread)


def learn(given: Examples, used: NDArray[np.bool_]) -> Score:
    """The score by the features in `used`. The same examples give the same weights."""
    weights = np.zeros(len(NAMES))
    weights[used] = _newton(given.features[used], given.spare) / given.spread[used]
    return Score(given.middle, weights)


def _newton(x: NDArray[np.float64], spare: NDArray[np.bool_]) -> Column:
    weights = np.zeros(len(x))
    value, p = _objective(x, spare, weights)
    for _ in range(STEPS):
        weighted = x * p
        mean = weighted.sum(axis=2)
        gradient = (x[:, :, 0] - mean).sum(axis=1) - RIDGE * weights
        curve = weighted.reshape(len(x), -1) @ x.reshape(len(x), -1).T - mean @ mean.T + RIDGE * np.eye(len(x))
        step = np.linalg.solve(curve, gradient)
        # The objective is concave: a step that overshoots is halved until it is none.
        while (found := _objective(x, spare, weights + step))[0] < value and np.abs(step).max() > 1e-9:
            step = step / 2
        weights, before, (value, p) = weights + step, value, found
        if abs(value - before) < CONVERGED * (1 + abs(before)):
            break
    return weights


def _objective(x: NDArray[np.float64], spare: NDArray[np.bool_], weights: Column) -> tuple[float, Matrix]:
    """What is maximised, and the probability of each candidate."""
    logits = (weights @ x.reshape(len(x), -1)).reshape(spare.shape)
    logits[spare] = -np.inf
    top = logits.max(axis=1)
    shares = np.exp(logits - top[:, None])
    total = shares.sum(axis=1)
    likelihood = logits[:, 0] - top - np.log(total)
    return float(likelihood.sum() - RIDGE / 2 * weights @ weights), shares / total[:, None]


def posterior(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """The probability of each candidate (last axis), when exactly one of them is the partner."""
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    shares: NDArray[np.float64] = weights / weights.sum(axis=-1, keepdims=True)
    return shares
