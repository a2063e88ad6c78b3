"""The paper's statistics: quartiles as its tables show them, its fractions n/total and intervals for them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import comb, sqrt
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from correlate.tables.layout import Cell, Row

T = TypeVar("T")

BOUND = (
    "wilson: 95% interval, from the lower end of n/total, as if no undecided trial held, to the upper end of "
    "(n + undecided)/total, as if all did"
)
TRIALS = "trials"
"""A row's key, no column, of the trials behind its n and total (`sorted_out`)."""
Z_95 = 1.959963984540054


@dataclass(frozen=True)
class Summary:
    """Median (IQR) [min, max] of `n` values; all None for no value. One value has no spread: its IQR is None."""

    n: int
    median: float | None
    iqr: float | None
    minimum: float | None
    maximum: float | None


def summary(values: Sequence[float]) -> Summary:
    """Quartiles by `numpy.quantile(method="weibull")`, the one method that fits Table 7 (1 (0.25) [1, 2], n = 6)."""
    if not values:
        return Summary(0, None, None, None, None)
    low, median, high = (float(value) for value in np.quantile(values, (0.25, 0.5, 0.75), method="weibull"))
    return Summary(len(values), median, high - low if len(values) > 1 else None, float(min(values)), float(max(values)))


def wilson(hits: int, total: int) -> tuple[float, float] | None:
    """The 95% Wilson score interval of `hits` in `total`; None where nothing was tried."""
    if total == 0:
        return None
    share = hits / total
    middle = share + Z_95**2 / (2 * total)
    half = Z_95 * sqrt(share * (1 - share) / total + Z_95**2 / (4 * total**2))
    scale = 1 + Z_95**2 / total
    low = 0.0 if hits == 0 else (middle - half) / scale
    return low, 1.0 if hits == total else (middle + half) / scale


def bounds(hits: int, undecided: int, total: int) -> tuple[float, float] | None:
    """The 95% interval where some are undecided: the lower end as if none of them held, the upper as if all did."""
    least, most = wilson(hits, total), wilson(hits + undecided, total)
    return None if least is None or most is None else (least[0], most[1])


def rank_sum(strata: Iterable[tuple[Sequence[float], Sequence[float]]]) -> tuple[float, float]:
    """The exact two-sided p of Wilcoxon's rank-sum test of two groups, ranked and permuted within each stratum; of
    equal values the mean rank. And the least p that groups of these sizes can give where no values are equal: above a
    level nothing can be told at it. (1, 1) without two groups to compare."""
    spread, observed, least = np.ones(1), 0, 2.0
    for one, other in strata:
        ranks = _ranks([*one, *other])
        spread, observed = np.convolve(spread, _sums(ranks, len(one))), observed + sum(ranks[: len(one)])
        least /= comb(len(ranks), len(one))
    share = spread / spread.sum()
    distance = np.abs(np.arange(len(share)) - float(share @ np.arange(len(share))))
    return float(share[distance >= distance[observed] - 1e-9].sum()), min(least, 1.0)


def _ranks(values: Sequence[float]) -> list[int]:
    """Twice the rank of each value among all."""
    return [2 * sum(each < value for each in values) + sum(each == value for each in values) + 1 for value in values]


def _sums(ranks: Sequence[int], size: int) -> npt.NDArray[np.float64]:
    """How many subsets of this size have each sum."""
    counts = np.zeros((size + 1, sum(ranks) + 1))
    counts[0, 0] = 1
    for rank in ranks:
        counts[1:, rank:] += counts[:-1, : counts.shape[1] - rank].copy()
    of_size: npt.NDArray[np.float64] = counts[size]
    return of_size


def normalised(caller: float, callee: float) -> float | None:
    """|caller - callee| / (caller + callee) (sections 4.3 and 4.4); None where both are zero."""
    return abs(caller - callee) / (caller + callee) if caller + callee else None


def count(cases: Iterable[T], holds: Callable[[T], bool | None]) -> Row:
    """n of `total` cases hold, u are undecided: `n`, `total`, `undecided`, and the interval from the lower Wilson end
    of n/total to the upper one of (n + u)/total.

    What cannot be decided is no failure and leaves nothing out: it widens the interval. Without a case n and the
    interval are None.
    """
    verdicts = [holds(case) for case in cases]
    undecided = sum(verdict is None for verdict in verdicts)
    hits = sum(bool(verdict) for verdict in verdicts)
    low, high = bounds(hits, undecided, len(verdicts)) or (None, None)
    return {
        "n": hits if verdicts else None,
        "total": len(verdicts),
        "undecided": undecided,
        "wilson_low": low,
        "wilson_high": high,
    }


def sorted_out(verdicts: Iterable[tuple[str, bool | None]]) -> str:
    """The trials behind a number as one text: those that count, those that are undecided, the others; ids with a blank
    between, the three with a `/` between, which no id holds."""
    found: dict[bool | None, list[str]] = {True: [], None: [], False: []}
    for trial, verdict in verdicts:
        found[verdict if verdict is None else bool(verdict)].append(trial)
    return "/".join(" ".join(trials) for trials in found.values())


def joined(several: Iterable[str]) -> str:
    """The trials behind several numbers together, each once (`sorted_out`); empty where none of them counts any."""
    parts = [each.split("/") for each in several if each]
    return "/".join(" ".join(dict.fromkeys(" ".join(part).split())) for part in zip(*parts, strict=True))


def why(counts: Mapping[str, Cell], undecided: str) -> str:
    """Why a cell of `count` is null or a bound; empty where every case was decided."""
    if not counts["total"]:
        return "no trial that could be read"
    return f"{counts['undecided']} of {counts['total']} trials undecided: {undecided}" if counts["undecided"] else ""
