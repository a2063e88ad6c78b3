"""How far the durations of both sides differ, a dot a trial (the paper's Table 6 and Figure 6)."""

from collections.abc import Iterator, Sequence

import numpy as np

from correlate.findings.cases import Case
from correlate.report.figures.axes import LINE, Scale, fitted, hline, linear, x_axis, y_axis
from correlate.report.figures.figure import Figure, Panel, figure
from correlate.report.figures.marks import Dot, Label, Mark, Path
from correlate.tables.layout import Row
from correlate.tables.predicates import MATCHED_S, is_void
from correlate.tables.statistics import summary
from correlate.tables.study import Study

RULE = "longest_relay"
COLUMNS = "app trial answered caller_s callee_s difference_s bound_ms within_bound same_session drawn"
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 264, 250, 44, 250, 30, 200
FAR = 4.0
"""A difference more than so many times the 90th percentile is no reason to squeeze all others."""
ANSWERED = {True: "yes", False: "no", None: "undecided"}
DOTS = {"yes": "fg-d", "no": "fg-o", "undecided": "fg-u"}


def durations(study: Study) -> Figure:
    """The figure `duration`."""
    of = study.speaking_of("service")
    rows = [row for case in of.cases if (row := _row(case))]
    drawable = [row for row in rows if row["difference_s"] is not None]
    x = linear([float(row["caller_s"] or 0) for row in drawable], LEFT, RIGHT)
    y = linear(_near([float(row["difference_s"] or 0) for row in drawable]), BOTTOM, TOP)
    for row in rows:
        row["drawn"] = "yes" if row in drawable and y.holds(float(row["difference_s"] or 0)) else "no"
    panels = [
        _panel(app, mine, x, y)
        for app in of.apps
        if (mine := [row for row in rows if row["app"] == app and row["drawn"] == "yes"])
    ]
    says = [_say(app, [row for row in rows if row["app"] == app]) for app in of.apps]
    return figure(
        "duration",
        "Do both sides' longest sessions with a server last equally long?",
        "A dot a trial: to the right the caller's duration, upwards the caller's less the callee's. Filled: answered; "
        "hollow: not answered; dashed: nobody can tell. A dot on the dashed line lasted equally long on both sides.",
        panels, says if panels else ["No trial has such a session on both sides."], COLUMNS, rows,
    )  # fmt: skip


def _row(case: Case) -> Row | None:
    """None for a trial of which nothing can be told."""
    if is_void(case):
        return None
    timings = [case.duration[side].longest_relay for side in ("caller", "callee")]
    caller_ns, callee_ns = (each.duration_ns for each in timings)
    is_whole = caller_ns is not None and callee_ns is not None
    bound_ns, within = case.duration["caller"].duration_bound_ns, timings[0].duration_within_bound
    return {
        "app": case.app,
        "trial": case.trial,
        "answered": ANSWERED[case.is_conversation],
        "caller_s": None if caller_ns is None else caller_ns / 1e9,
        "callee_s": None if callee_ns is None else callee_ns / 1e9,
        "difference_s": ((caller_ns or 0) - (callee_ns or 0)) / 1e9 if is_whole else None,
        "bound_ms": None if bound_ns is None else bound_ns / 1e6,
        "within_bound": None if within is None else "yes" if within else "no",
        "same_session": timings[0].identity,
        "drawn": "no",
    }


def _near(values: Sequence[float]) -> list[float]:
    """The values without those that lie far from all others."""
    if not values:
        return []
    limit = max(MATCHED_S, FAR * float(np.quantile(np.abs(values), 0.9)))
    return [each for each in values if abs(each) <= limit]


def _panel(app: str, rows: Sequence[Row], x: Scale, y: Scale) -> Panel:
    marks: list[Mark] = [Label(0, 14, fitted(f"{app} (n {len(rows)})", WIDTH), "fg-b")]
    marks += [*x_axis(x, TOP, BOTTOM, "caller's duration, s"), *y_axis(y, LEFT, RIGHT, signed=True)]
    marks += [Path(hline(LEFT, RIGHT, y.at(0)), "fg-zero"), Label(0, BOTTOM + 15 + LINE, "difference, s")]
    marks += [
        Dot(x.at(float(row["caller_s"] or 0)), y.at(float(row["difference_s"] or 0)), DOTS[str(row["answered"])],
            _title(row), str(row["trial"]))
        for row in rows
    ]  # fmt: skip
    title = f"{app}: how far the durations of both sides differ"
    desc = f"A dot for each of {len(rows)} trials: the caller's duration, and by how much it is above the callee's"
    return Panel(app, title, desc, WIDTH, HEIGHT, marks)


def _title(row: Row) -> str:
    bound = "clocks never compared" if row["bound_ms"] is None else f"bound {row['bound_ms']:.1f} ms"
    return f"{row['trial']}: {row['difference_s']:+.3f} s, {bound}"


def _say(app: str, rows: Sequence[Row]) -> str:
    found = [abs(float(row["difference_s"])) for row in rows if row["difference_s"] is not None]
    if not found:
        return f"{app}: no trial has such a session on both sides."
    within = sum(each <= MATCHED_S for each in found)
    parts = [f"median difference {summary(found).median:.2f} s, {within} of {len(found)} trials within {MATCHED_S:g} s"]
    parts += _rest(rows, len(found))
    return f"{app}: {'; '.join(parts)}."


def _rest(rows: Sequence[Row], found: int) -> Iterator[str]:
    outside = [row for row in rows if row["difference_s"] is not None and row["drawn"] == "no"]
    if outside:
        farthest = max((float(row["difference_s"] or 0) for row in outside), key=abs)
        yield f"{len(outside)} outside of the axis, the farthest {farthest:+.1f} s"
    if found < len(rows):
        yield f"{len(rows) - found} without such a session on both sides"
    if unsame := sum(row["same_session"] is None for row in rows if row["difference_s"] is not None):
        yield f"{unsame} whose longest sessions are not known to be the same one"
