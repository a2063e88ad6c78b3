"""Is an equal duration any sign? True pairs beside wrong pairs: the control that a match by duration needs."""

from collections.abc import Sequence, Set

from correlate.report.figures.axes import LINE, Scale, fitted, number, vline, x_axis, y_axis
from correlate.report.figures.figure import Figure, Panel, figure
from correlate.report.figures.marks import Label, Mark, Path
from correlate.tables.layout import Row
from correlate.tables.predicates import MATCHED_S, duration_difference_s, is_void
from correlate.tables.study import Study

RULE = "longest_relay"
COLUMNS = "app pair caller_trial callee_trial difference_s drawn"
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 326, 250, 40, 220, 30, 200
MOST_S = 10.0
Y = Scale(0, 100, BOTTOM, TOP)
X = Scale(0, MOST_S, LEFT, RIGHT)


def control(study: Study) -> Figure:
    """The figure `control`."""
    of = study.speaking_of("service")
    rows = [*_true(of), *_wrong(study, {case.trial for case in of.cases})]
    panels = [panel for app in of.apps if (panel := _panel(app, [row for row in rows if row["app"] == app]))]
    says = [say for app in of.apps if (say := _say(app, [row for row in rows if row["app"] == app]))]
    return figure(
        "control",
        "Do two different calls last equally long as often?",
        f"The share of pairs whose longest sessions differ by at most so many seconds (up to {MOST_S:g}). Thick: the "
        "two legs of one call; thin: legs of two different calls of the same kind, which is chance.",
        panels, says or ["No pair of sessions can be compared yet."], COLUMNS, rows,
    )  # fmt: skip


def _true(study: Study) -> list[Row]:
    cases = [case for case in study.cases if not is_void(case)]
    found = [(case, duration_difference_s(case, RULE)) for case in cases]
    return [_row(case.app, "true", case.trial, case.trial, each) for case, each in found if each is not None]


def _wrong(study: Study, trials: Set[str]) -> list[Row]:
    """The wrong pairs of these trials."""
    found = [
        (each, duration_difference_s(each.as_case, RULE))
        for each in study.crossed
        if {each.caller.trial, each.callee.trial} <= trials and not is_void(each.caller) and not is_void(each.callee)
    ]
    return [
        _row(each.caller.app, "wrong", each.caller.trial, each.callee.trial, difference_s)
        for each, difference_s in found
        if difference_s is not None
    ]


def _row(app: str, pair: str, caller: str, callee: str, difference_s: float) -> Row:
    drawn = "yes" if difference_s <= MOST_S else "beyond"
    return {"app": app, "pair": pair, "caller_trial": caller, "callee_trial": callee, "difference_s": difference_s,
            "drawn": drawn}  # fmt: skip


def _values(rows: Sequence[Row], pair: str) -> list[float]:
    return sorted(float(row["difference_s"] or 0) for row in rows if row["pair"] == pair)


def share(values: Sequence[float], limit: float) -> float:
    """How many per cent of the values are at most the limit."""
    return 100 * sum(each <= limit for each in values) / len(values)


def _panel(app: str, rows: Sequence[Row]) -> Panel | None:
    true, wrong = _values(rows, "true"), _values(rows, "wrong")
    if not true:
        return None
    marks: list[Mark] = [Label(0, 14, fitted(app, WIDTH), "fg-b")]
    marks += [*x_axis(X, TOP, BOTTOM, "difference, s"), *y_axis(Y, LEFT, RIGHT)]
    marks += [Label(0, BOTTOM + 15 + LINE, "% of pairs"), Path(vline(X.at(MATCHED_S), TOP, BOTTOM), "fg-zero")]
    ends = []
    for values, css in ((wrong, "fg-l"), (true, "fg-lk")):
        if values:
            marks.append(Path(steps(values), css, f"{len(values)} pairs"))
            ends.append(Y.at(share(values, MOST_S)))
    places = _places(ends)
    for values, name, css, y in zip(
        (wrong, true), ("wrong pairs", "true pairs"), ("fg-t", "fg-hot"), places, strict=False
    ):
        if values:
            marks += [
                Label(RIGHT + 6, y, name, css),
                Label(RIGHT + 6, y + 14, f"{share(values, MATCHED_S):.0f} % ≤ {MATCHED_S:g} s", css),
            ]
    desc = f"Cumulative shares of {len(true)} true and {len(wrong)} wrong pairs by the difference of their durations"
    return Panel(app, f"{app}: true pairs beside wrong pairs", desc, WIDTH, HEIGHT, marks)


def _places(ends: Sequence[float]) -> list[float]:
    """Where the names of the lines stand, wrong pairs' first: at their ends, and not on each other."""
    if len(ends) < 2:
        return [TOP + 8.0, TOP + 8.0] if not ends or ends[0] < TOP + 8 else [ends[0], ends[0]]
    true = max(min(ends[1], BOTTOM - 60), TOP + 4)
    return [max(ends[0], true + 34), true]


def steps(values: Sequence[float]) -> str:
    """The empirical distribution of sorted values as a path: up at each value, along to the next, to the axis' end."""
    path = f"M{number(X.start)} {number(Y.start)}"
    for index, value in enumerate(values):
        if value > MOST_S or (index + 1 < len(values) and X.at(values[index + 1]) == X.at(value)):
            continue
        path += f"H{number(X.at(value))}V{number(Y.at(100 * (index + 1) / len(values)))}"
    return f"{path}H{number(X.end)}"


def _say(app: str, rows: Sequence[Row]) -> str:
    true, wrong = _values(rows, "true"), _values(rows, "wrong")
    if not true:
        return ""
    said = f"{app}: within {MATCHED_S:g} s are {share(true, MATCHED_S):.0f} % of {len(true)} true pairs"
    if not wrong:
        return f"{said}; there is no wrong pair to compare with."
    beyond = sum(each > MOST_S for each in (*true, *wrong))
    rest = f"; {beyond} pairs differ by more than {MOST_S:g} s" if beyond else ""
    return f"{said} and {share(wrong, MATCHED_S):.0f} % of {len(wrong)} wrong pairs, which is chance{rest}."
