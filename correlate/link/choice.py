"""The score: which of many callee legs is the partner? A conditional logit, learned without the tested app.

Given that exactly one candidate is the partner, P(j) = exp(w x_j) / sum_k exp(w x_k), where x are the features of
`features` (McFadden 1974). Weights maximise the probability of the true partners under a ridge, by Newton's method. Of
the wrong partners some are drawn: the most likely ones each by itself, of the others an even sample, which stands in
the sum for all of them (stratified sampling of alternatives, Ben-Akiva and Lerman 1985, 9.3). The ridge makes weights
small, so all are multiplied by one number that is learned without it (temperature scaling, Guo et al. 2017). w x is a
log likelihood ratio up to a constant.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from correlate.link.features import NAMES, Crowd, Ids, Matrix, Pairing
from correlate.link.population import Column, Hour, Index, number

LIKELY, EVEN = 40, 60
RIDGE = 1.0
STEPS = 30
CONVERGED = 1e-7
SHARPER = np.geomspace(0.1, 10.0, 25)
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
    """(features, queries, candidates), standardised; candidate 0 is the true partner. `weight` is the logarithm of how
    many candidates each stands for, -inf where it is none. `middle` and `spread` undo the standardising; the spread of
    what never varies is 1."""

    features: NDArray[np.float64]
    weight: Matrix
    middle: Column
    spread: Column


def examples(pairing: Pairing, crowd: Crowd, seed: str) -> Examples:
    """True partners and wrong ones of all calls, in the hours of a crowd."""
    chance = np.random.default_rng(number(f"{seed}/negatives"))
    made, weights = [], []
    for hour, ids in crowd:
        for query in range(hour.queries):
            rows, weight = _drawn(pairing, hour, query, ids, chance)
            made.append(pairing.features(hour, query, ids, rows))
            weights.append(weight)
    features, weight = np.stack(made, axis=1), np.stack(weights)
    there = features[:, np.isfinite(weight)]
    middle, spread = there.mean(axis=1), there.std(axis=1)
    spread = np.where(spread < 1e-12, 1.0, spread)
    return Examples((features - middle[:, None, None]) / spread[:, None, None], weight, middle, spread)


def _drawn(pairing: Pairing, hour: Hour, query: int, ids: Ids, chance: np.random.Generator) -> tuple[Index, Column]:
    """1 + LIKELY + EVEN candidates, the true partner first, and their weights; padded with the true partner."""
    likely = pairing.likely(hour, query, ids, LIKELY)
    is_rest = np.ones(len(hour), np.bool_)
    is_rest[likely] = is_rest[query] = False
    rest = np.flatnonzero(is_rest)
    even = chance.choice(rest, size=min(EVEN, len(rest)), replace=False)
    each = np.log(len(rest) / max(len(even), 1)) if len(rest) else 0.0
    rows = np.full(1 + LIKELY + EVEN, query, np.int64)
    rows[1 : 1 + len(likely) + len(even)] = np.concatenate([likely, even])
    weight = np.full(len(rows), -np.inf)
    weight[: 1 + len(likely)] = 0.0
    weight[1 + len(likely) : 1 + len(likely) + len(even)] = each
    return rows, weight


def learn(given: Examples, used: NDArray[np.bool_]) -> Score:
    """The score by the features in `used`. The same examples give the same weights."""
    features, weights = given.features[used], np.zeros(len(NAMES))
    found = _newton(features, given.weight)
    sharper = _sharper(_scores(features, found), given.weight)
    weights[used] = found * sharper / given.spread[used]
    return Score(given.middle, weights)


def _sharper(scores: Matrix, weight: Matrix) -> float:
    """The factor of scores under which the true partners are most likely, its logarithm a standard normal variable
    before anything is known: where all partners are found, larger would always be better."""
    found = [_likelihood(factor * scores + weight)[0] - np.log(factor) ** 2 / 2 for factor in SHARPER]
    return float(SHARPER[int(np.argmax(found))])


def _newton(x: NDArray[np.float64], weight: Matrix) -> Column:
    weights = np.zeros(len(x))
    value, p = _objective(x, weight, weights)
    for _ in range(STEPS):
        weighted = x * p
        mean = weighted.sum(axis=2)
        gradient = (x[:, :, 0] - mean).sum(axis=1) - RIDGE * weights
        curve = weighted.reshape(len(x), -1) @ x.reshape(len(x), -1).T - mean @ mean.T + RIDGE * np.eye(len(x))
        step = np.linalg.solve(curve, gradient)
        # The objective is concave: a step that overshoots is halved until it is none.
        while (found := _objective(x, weight, weights + step))[0] < value and np.abs(step).max() > 1e-9:
            step = step / 2
        weights, before, (value, p) = weights + step, value, found
        if abs(value - before) < CONVERGED * (1 + abs(before)):
            break
    return weights


def _objective(x: NDArray[np.float64], weight: Matrix, weights: Column) -> tuple[float, Matrix]:
    """What is maximised, and the probability of each candidate."""
    likelihood, shares = _likelihood(_scores(x, weights) + weight)
    return likelihood - RIDGE / 2 * float(weights @ weights), shares


def _scores(x: NDArray[np.float64], weights: Column) -> Matrix:
    found: Matrix = (weights @ x.reshape(len(x), -1)).reshape(x.shape[1:])
    return found


def _likelihood(logits: Matrix) -> tuple[float, Matrix]:
    """The logarithm of the probability of all true partners, and the probability of each candidate."""
    top = logits.max(axis=1)
    shares = np.exp(logits - top[:, None])
    total = shares.sum(axis=1)
    return float((logits[:, 0] - top - np.log(total)).sum()), shares / total[:, None]


def posterior(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """The probability of each candidate (last axis), when exactly one of them is the partner."""
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    shares: NDArray[np.float64] = weights / weights.sum(axis=-1, keepdims=True)
    return shares
