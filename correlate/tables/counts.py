"""n of N cases: how cells of tables and claims are counted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from correlate.findings.cases import Case
from correlate.tables.layout import Cell, Row
from correlate.tables.statistics import wilson


def count(cases: Iterable[Case], holds: Callable[[Case], bool | None]) -> Row:
    """n of N cases hold, with the Wilson interval of n/N.

    What cannot be decided counts in N, not in n, and stands in `undecided`; where nothing can be decided, n and
    the interval are None.
    """
    verdicts = [holds(case) for case in cases]
    undecided = sum(verdict is None for verdict in verdicts)
    hits = sum(bool(verdict) for verdict in verdicts)
    decided = len(verdicts) > undecided
    low, high = (wilson(hits, len(verdicts)) if decided else None) or (None, None)
    return {
        "n": hits if decided else None,
        "N": len(verdicts),
        "undecided": undecided,
        "wilson_low": low,
        "wilson_high": high,
    }


def why(counts: Mapping[str, Cell], undecided: str) -> str:
    """Why a cell of `count` is null or not as good as it looks; empty where every case was decided."""
    if not counts["N"]:
        return "no trial that could be read"
    return f"{counts['undecided']} of {counts['N']} trials undecided: {undecided}" if counts["undecided"] else ""
