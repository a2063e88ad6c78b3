"""What changed between two datasets: each unit of comparison judged, with its difference, interval, p and q."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite
from statistics import median
from typing import Literal

from correlate.report.compare import statistics
from correlate.report.compare.gives_away import GIVES_AWAY
from correlate.report.compare.statistics import LEVEL, Interval
from correlate.report.compare.units import ClaimUnit, Share, ValuesUnit

MIN_DIFFERENCE = 0.1
"""The least difference of two shares, and of two medians relative to the larger, that is called a change."""
MIN_VALUES = 4
"""With fewer values a side no test can reach LEVEL: both sets are shown instead."""

Outcome = Literal["changed", "perhaps", "alike", "undecided", "untested"]
"""`perhaps`: may have changed, too few trials to tell. `undecided`: nothing to compare on a side. `untested`: not the
same, but of cells or of few values, which have no test."""
Leak = Literal["opened", "closed", ""]


@dataclass(frozen=True)
class ClaimChange:
    """A claim of an app: `difference` is B's share less A's and `interval` its 95% interval; both, as `p` and `q`, are
    None where nothing was tested. `reason` says why the outcome is undecided or untested."""

    unit: ClaimUnit
    outcome: Outcome
    difference: float | None = None
    interval: Interval | None = None
    p: float | None = None
    q: float | None = None
    leak: Leak = ""
    reason: str = ""


@dataclass(frozen=True)
class ValuesChange:
    """A measure of an app: `shift` is how far B's values lie above A's (Hodges-Lehmann); the rest as in
    `ClaimChange`."""

    unit: ValuesUnit
    outcome: Outcome
    shift: float | None = None
    interval: Interval | None = None
    p: float | None = None
    q: float | None = None
    reason: str = ""


Change = ClaimChange | ValuesChange


def judge_claims(units: Sequence[ClaimUnit]) -> list[ClaimChange]:
    """In the order given. The q are of all claims that are tested, one an app."""
    first = [_of_claim(unit) for unit in units]
    q = iter(statistics.benjamini_hochberg([each.p for each in first if each.p is not None]))
    judged = [each if each.p is None else _decided(replace(each, q=next(q))) for each in first]
    fell = {
        (each.unit.claim, each.unit.app)
        for each in judged
        if each.outcome == "changed" and each.difference is not None and each.difference < 0
    }
    return [replace(each, leak=_leak(each, fell)) if each.outcome == "changed" else each for each in judged]


def difference(a: Share, b: Share) -> tuple[float, Interval] | None:
    """Share b less share a of the decided trials, and the interval, which undecided ones widen; None where a side has
    no decided trial."""
    interval = statistics.newcombe(a.bounds, b.bounds)
    if interval is None or not a.decided or not b.decided:
        return None
    return b.hits / b.decided - a.hits / a.decided, interval


def _of_claim(unit: ClaimUnit) -> ClaimChange:
    if unit.unit == "cells":
        return _of_cells(unit)
    found = difference(unit.a, unit.b)
    if found is None:
        return ClaimChange(unit, "undecided", reason=_why(unit))
    return ClaimChange(unit, "alike", *found, p=statistics.fisher_at_worst(unit.a.bounds, unit.b.bounds))


def _of_cells(unit: ClaimUnit) -> ClaimChange:
    if not unit.a.decided or not unit.b.decided:
        return ClaimChange(unit, "undecided", reason=_why(unit))
    if all(cell.a == cell.b for cell in unit.cells):
        return ClaimChange(unit, "alike")
    return ClaimChange(unit, "untested", reason="cells are no sample, so there is no test")


def _why(unit: ClaimUnit) -> str:
    whys = []
    for name, share in (("A", unit.a), ("B", unit.b)):
        if not share.total:
            whys.append(f"{name} has no {unit.unit[:-1]} that it speaks of")
        elif not share.decided:
            whys.append(f"all {share.total} {unit.unit} of {name} are undecided")
    return ", ".join(whys)


def _decided(change: ClaimChange) -> ClaimChange:
    """With its outcome: a change is one at this q, whatever the undecided trials were, and large enough to speak of."""
    size = abs(change.difference or 0)
    if change.q is not None and change.q < LEVEL and size >= MIN_DIFFERENCE:
        return replace(change, outcome="changed")
    a, b = change.unit.a, change.unit.b
    interval = statistics.newcombe((a.hits, 0, a.decided), (b.hits, 0, b.decided))
    seems = interval is not None and not interval[0] <= 0 <= interval[1] and size >= MIN_DIFFERENCE
    return replace(change, outcome="perhaps" if seems else "alike")


def _leak(change: ClaimChange, fell: set[tuple[str, str]]) -> Leak:
    gives = GIVES_AWAY[change.unit.claim]
    if gives.direction == "neither" or change.difference is None:
        return ""
    is_more = (change.difference > 0) is (gives.direction == "more")
    if is_more and (gives.unless, change.unit.app) in fell:
        return ""
    return "opened" if is_more else "closed"


def judge_values(units: Sequence[ValuesUnit]) -> list[ValuesChange]:
    """In the order given. The q are of all measures that are tested."""
    first = [_of_values(unit) for unit in units]
    q = iter(statistics.benjamini_hochberg([each.p for each in first if each.p is not None]))
    return [each if each.p is None else _with_outcome(replace(each, q=next(q))) for each in first]


def _of_values(unit: ValuesUnit) -> ValuesChange:
    if not unit.a or not unit.b:
        return ValuesChange(unit, "undecided", reason=f"{'B' if unit.a else 'A'} has no value")
    if min(len(unit.a), len(unit.b)) < MIN_VALUES:
        if sorted(unit.a) == sorted(unit.b):
            return ValuesChange(unit, "alike")
        return ValuesChange(unit, "untested", reason=f"a side has fewer than {MIN_VALUES} values, so there is no test")
    shift, interval = statistics.hodges_lehmann(unit.a, unit.b)
    return ValuesChange(unit, "alike", shift, interval, statistics.mann_whitney_p(unit.a, unit.b))


def _with_outcome(change: ValuesChange) -> ValuesChange:
    largest = max(abs(median(change.unit.a)), abs(median(change.unit.b)))
    if change.interval is None or abs(change.shift or 0) < MIN_DIFFERENCE * largest or not change.shift:
        return change
    if change.q is not None and change.q < LEVEL:
        return replace(change, outcome="changed")
    seems = all(map(isfinite, change.interval)) and not change.interval[0] <= 0 <= change.interval[1]
    return replace(change, outcome="perhaps" if seems else "alike")
