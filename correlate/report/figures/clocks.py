"""How far may the clocks be off? The bounds of every trial, and whether a difference of durations is above them."""

from collections.abc import Sequence

from correlate.findings.cases import Case
from correlate.report.figures.axes import Scale, decades, hline, x_axis
from correlate.report.figures.figure import Figure, Panel, figure
from correlate.report.figures.marks import Dot, Label, Mark, Path
from correlate.report.figures.rate import JITTER
from correlate.tables.layout import Row
from correlate.tables.statistics import summary
from correlate.tables.study import Study

COLUMNS = "trial what bound_ms within_bound drawn"
WHAT = {
    "caller's times": "caller's times", "callee's times": "callee's times", "difference of durations": "durations",
}  # fmt: skip
WIDTH, LEFT, RIGHT, TOP, ROW = 340, 106, 326, 12, 44


def clocks(study: Study) -> Figure:
    """The figure `clocks`."""
    rows = [row for case in study.cases for row in _rows(case)]
    drawn = [row for row in rows if row["drawn"] == "yes"]
    panels = [_panel(drawn, decades([float(row["bound_ms"] or 1) for row in drawn], LEFT, RIGHT))] if drawn else []
    return figure(
        "clocks",
        "How far may the clocks be off?",
        "A dot a trial: how far times may be off against the controller's, in milliseconds, by powers of ten. A "
        "difference below its bound (hollow) may be none.",
        panels, _says(study, rows), COLUMNS, rows,
    )  # fmt: skip


def _rows(case: Case) -> list[Row]:
    caller, callee = case.duration["caller"], case.duration["callee"]
    within = caller.longest_relay.duration_within_bound
    bounds = zip(WHAT, (caller.bound_ns, callee.bound_ns, caller.duration_bound_ns), (None, None, within), strict=True)
    return [
        {
            "trial": case.trial,
            "what": what,
            "bound_ms": None if bound_ns is None else bound_ns / 1e6,
            "within_bound": None if is_within is None else "yes" if is_within else "no",
            "drawn": "yes" if bound_ns else "no",
        }
        for what, bound_ns, is_within in bounds
    ]


def _panel(rows: Sequence[Row], scale: Scale) -> Panel:
    bottom = TOP + ROW * len(WHAT)
    marks: list[Mark] = [*x_axis(scale, TOP, bottom, "bound, ms")]
    for place, (what, label) in enumerate(WHAT.items()):
        y = TOP + ROW * (place + 0.5)
        marks += [
            Label(0, y + 4, label, "fg-t"),
            *([Path(hline(0, RIGHT, TOP + ROW * place), "fg-ax")] if place else []),
        ]
        mine = [row for row in rows if row["what"] == what]
        marks += [
            Dot(scale.at(float(row["bound_ms"] or 1)), round(y + 2 * JITTER[turn % len(JITTER)], 1),
                "fg-o" if row["within_bound"] == "yes" else "fg-d",
                f"{row['trial']}: {row['bound_ms']:.2f} ms", str(row["trial"]))
            for turn, row in enumerate(mine)
        ]  # fmt: skip
    desc = "Strips of dots, one a trial, by how far times may be off"
    return Panel("bounds", "Bounds of the clocks", desc, WIDTH, bottom + 36, marks)


def _says(study: Study, rows: Sequence[Row]) -> list[str]:
    if not study.cases:
        return ["No trial counts yet."]
    found = []
    for what in WHAT:
        known = [float(row["bound_ms"] or 0) for row in rows if row["what"] == what and row["bound_ms"] is not None]
        if known:
            found.append(f"{what}: median bound {summary(known).median:.2f} ms, at most {max(known):.2f} ms")
    compared = [row for row in rows if row["within_bound"] is not None]
    within = sum(row["within_bound"] == "yes" for row in compared)
    unknown = {row["trial"] for row in rows if row["bound_ms"] is None}
    says = [f"{'; '.join(found)}."] if found else []
    if compared:
        says.append(
            f"In {within} of {len(compared)} trials the clocks cannot tell the difference of durations from none."
        )
    zero = sum(row["bound_ms"] == 0 for row in rows)
    says += [f"{zero} bounds are zero, which this axis has no place for."] if zero else []
    if unknown:
        says.append(f"In {len(unknown)} of {len(study.cases)} trials a clock was never compared.")
    return says
