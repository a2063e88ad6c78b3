"""The statistics of a comparison, exact and without another library: Fisher's test, Newcombe's interval, the
procedure of Benjamini and Hochberg, Hodges and Lehmann's shift with its exact interval, and what a test can see."""

from bisect import bisect_left
from collections.abc import Sequence
from functools import cache
from math import comb, erfc, exp, inf, lgamma, log, sqrt
from statistics import NormalDist, median

from correlate.tables.statistics import bounds, rank_sum

LEVEL = 0.05
"""The level of every test and of what is outside of every interval."""
POWER = 0.8
"""A change that a test sees less often than this could hide."""
EXACT_UP_TO = 50
"""The largest group whose ranks are counted exactly; above it their normal approximation takes milliseconds."""

Interval = tuple[float, float]


@cache
def fisher(hits_a: int, total_a: int, hits_b: int, total_b: int) -> float:
    """The two-sided p of Fisher's exact test: the share of all tables with these margins that are no more likely than
    this one. 1 where a side has no trial."""
    hits, total = hits_a + hits_b, total_a + total_b
    tables = range(max(0, hits - total_b), min(hits, total_a) + 1)
    ways = [comb(total_a, k) * comb(total_b, hits - k) for k in tables]
    observed = ways[hits_a - tables.start]
    # Whole numbers: tables that are equally likely are equal, whatever the size.
    return min(1.0, sum(each for each in ways if each <= observed) / comb(total, hits))


def fisher_at_worst(a: tuple[int, int, int], b: tuple[int, int, int]) -> float:
    """The largest p of Fisher's test, whatever the undecided trials were; each side is (hits, undecided, total)."""
    (low_a, open_a, total_a), (low_b, open_b, total_b) = a, b
    ends_a, ends_b = (low_a, low_a + open_a), (low_b, low_b + open_b)
    if max(ends_a[0] * total_b, ends_b[0] * total_a) <= min(ends_a[1] * total_b, ends_b[1] * total_a):
        return 1.0
    # Nearest to each other: the side with the lower share as if all its undecided held, the other as if none did.
    is_lower = ends_a[1] * total_b < ends_b[0] * total_a
    return fisher(ends_a[is_lower], total_a, ends_b[not is_lower], total_b)


def newcombe(a: tuple[int, int, int], b: tuple[int, int, int]) -> Interval | None:
    """The 95% interval of share b less share a from both Wilson intervals (Newcombe 1998, method 10); each side is
    (hits, undecided, total). Undecided trials widen it: it holds the interval of each way to decide them. None
    where a side has no trial."""
    if bounds(*a) is None or bounds(*b) is None:
        return None
    (hits_a, open_a, total_a), (hits_b, open_b, total_b) = a, b
    low = _newcombe(hits_a + open_a, total_a, hits_b, total_b)[0]
    high = _newcombe(hits_a, total_a, hits_b + open_b, total_b)[1]
    return low, high


def _newcombe(hits_a: int, total_a: int, hits_b: int, total_b: int) -> Interval:
    share_a, share_b = hits_a / total_a, hits_b / total_b
    low_a, high_a = bounds(hits_a, 0, total_a) or (0.0, 1.0)
    low_b, high_b = bounds(hits_b, 0, total_b) or (0.0, 1.0)
    down, up = (
        sqrt((share_b - low_b) ** 2 + (high_a - share_a) ** 2),
        sqrt((high_b - share_b) ** 2 + (share_a - low_a) ** 2),
    )
    return share_b - share_a - down, share_b - share_a + up


def benjamini_hochberg(p: Sequence[float]) -> list[float]:
    """q of each p: the least false discovery rate at which it would be called a change (Benjamini, Hochberg 1995)."""
    order = sorted(range(len(p)), key=lambda index: p[index], reverse=True)
    q, least = [0.0] * len(p), 1.0
    for place, index in enumerate(order):
        least = min(least, p[index] * len(p) / (len(p) - place))
        q[index] = least
    return q


def hodges_lehmann(a: Sequence[float], b: Sequence[float]) -> tuple[float, Interval]:
    """How far b lies above a, the median of all differences, and its 95% interval from the distribution of the
    Mann-Whitney statistic: exact up to EXACT_UP_TO a side. Infinite where groups of these sizes cannot tell; both need
    a value."""
    differences = sorted(y - x for y in b for x in a)
    beyond = _beyond(len(a), len(b))
    if not beyond:
        return median(differences), (-inf, inf)
    return median(differences), (differences[beyond - 1], differences[-beyond])


def _beyond(size_a: int, size_b: int) -> int:
    """The largest c with P(U <= c - 1) <= 2.5%: the interval goes from the c-th smallest to the c-th largest
    difference; 0 where there is none."""
    if max(size_a, size_b) > EXACT_UP_TO:
        spread = sqrt(size_a * size_b * (size_a + size_b + 1) / 12)
        return max(0, int(size_a * size_b / 2 - NormalDist().inv_cdf(1 - LEVEL / 2) * spread))
    below, limit = 0, comb(size_a + size_b, size_a) * LEVEL / 2
    for c, ways in enumerate(mann_whitney(size_a, size_b)):
        below += ways
        if below > limit:
            return c
    return 0


@cache
def mann_whitney(size_a: int, size_b: int) -> tuple[int, ...]:
    """In how many orders of two groups U = 0, 1, ... of the pairs have b below a: the coefficients of the Gaussian
    binomial."""
    ways = [1] + [0] * (size_a * size_b)
    for step in range(1, size_b + 1):
        for u in range(size_a * size_b, size_a + step - 1, -1):
            ways[u] -= ways[u - size_a - step]
        for u in range(step, size_a * size_b + 1):
            ways[u] += ways[u - step]
    return tuple(ways)


def mann_whitney_p(a: Sequence[float], b: Sequence[float]) -> float:
    """The two-sided p of the Mann-Whitney test, mean ranks for equal values: exact up to EXACT_UP_TO a side, above by
    the normal approximation."""
    if max(len(a), len(b)) <= EXACT_UP_TO:
        return min(1.0, rank_sum([(a, b)])[0])
    size, values = len(a) + len(b), [*a, *b]
    above = sum((y > x) + (y == x) / 2 for y in b for x in a) - len(a) * len(b) / 2
    ties = sum(values.count(each) ** 3 - values.count(each) for each in set(values))
    spread = sqrt(len(a) * len(b) / 12 * (size + 1 - ties / (size * (size - 1))))
    return erfc(abs(above) / spread / sqrt(2)) if spread else 1.0


def power(total_a: int, share_a: float, total_b: int, share_b: float, level: float = LEVEL) -> float:
    """How often Fisher's test at this level sees the change from one share to the other."""
    of_a, of_b = _binomial(total_a, share_a), _binomial(total_b, share_b)
    return sum(
        chance_a * chance_b
        for hits_a, chance_a in enumerate(of_a)
        for hits_b, chance_b in enumerate(of_b)
        if chance_a * chance_b > 0 and fisher(hits_a, total_a, hits_b, total_b) < level
    )


def hidden(total_a: int, total_b: int, level: float = LEVEL) -> float:
    """How large a change from all trials to fewer could hide: in steps of a point the largest that Fisher's test at
    this level sees in less than POWER of all comparisons; 1 where it cannot see any."""
    seen = bisect_left(range(total_b + 1), level, key=lambda hits: fisher(total_a, total_a, hits, total_b))
    for points in range(1, 101):
        if sum(_binomial(total_b, 1 - points / 100)[:seen]) >= POWER - 1e-12:
            return (points - 1) / 100
    return 1.0


def _binomial(total: int, share: float) -> list[float]:
    if share in (0.0, 1.0):
        return [float(hits == share * total) for hits in range(total + 1)]
    ways = (lgamma(total + 1) - lgamma(hits + 1) - lgamma(total - hits + 1) for hits in range(total + 1))
    return [exp(way + hits * log(share) + (total - hits) * log(1 - share)) for hits, way in enumerate(ways)]
