"""What became of every planned trial? A square each."""

from collections import Counter
from collections.abc import Iterator, Sequence

from correlate.dataset.record import PlanEntry
from correlate.findings.cases import SERVICES
from correlate.report.figures.axes import LINE, fitted, number, words
from correlate.report.figures.figure import Figure, Panel, chunks, figure
from correlate.report.figures.marks import Box, Label, Mark, Path
from correlate.report.figures.sources import Sources
from correlate.tables.layout import Row
from correlate.tables.predicates import is_void
from correlate.tables.study import Study

COLUMNS = "trial app service direction scenario repetition state why void_attempts read"
STATES = {
    "counts": ("fg-good", "count"),
    "undecided": ("fg-u", "are undecided in part"),
    "left out": ("fg-o", "are left out"),
    "void": ("fg-open", "are void"),
    "missing": ("fg-none", "are not complete"),
}
LEFT, SIDE, STEP, GROUP, HEAD = 116, 12, 14, 54, 72
PER_LINE = 3
PER_PANEL = 4


def trials(study: Study, sources: Sources) -> Figure:
    """The figure `trials`."""
    rows = _rows(study, sources)
    panels = [
        _panel(app, list(groups), [row for row in rows if row["app"] == app], study.scenarios, index)
        for app in study.apps
        for index, groups in enumerate(chunks(_groups(rows, app), PER_PANEL), 1)
    ]
    return figure(
        "trials",
        "What became of every planned trial?",
        "A square a trial, by scenario, service and direction. Filled: it counts. With a sign: × left out, ? undecided "
        "in part, – void. Empty: not complete.",
        panels, list(_says(rows)), COLUMNS, rows,
    )  # fmt: skip


def _rows(study: Study, sources: Sources) -> list[Row]:
    voids = Counter(void.trial for void in sources.voids)
    why_void = {void.trial: f"{void.reason}: {void.text}" for void in sources.voids}
    states, read = _states(study), {case.trial for case in study.read}
    rows: list[Row] = []
    for entry in study.info.plan:
        state, why = states.get(entry.id, ("void" if voids[entry.id] else "missing", why_void.get(entry.id, "")))
        rows.append({**_row(entry, state, why, voids[entry.id]), "read": "yes" if entry.id in read else "no"})
    return rows


def _row(entry: PlanEntry, state: str, why: str, voids: int) -> Row:
    keys = ("app", "service", "direction", "scenario", "repetition")
    return {"trial": entry.id, **{key: getattr(entry, key) for key in keys}, "state": state, "why": why,
            "void_attempts": voids}  # fmt: skip


def _states(study: Study) -> dict[str, tuple[str, str]]:
    """Trial -> what it is and why, of the complete ones."""
    of = study.speaking_of("answered", "scenario", "service")
    found = {trial: ("left out", reason) for trial, reason in (*of.unread.items(), *of.out.items())}
    for case in of.read:
        if case.trial in of.out:
            continue
        lacks = of.lacking.get(case.trial)
        if is_void(case):
            found[case.trial] = ("void", case.contradiction)
        elif lacks:
            found[case.trial] = ("undecided", "not proven: what some cells need")
        elif case.is_conversation is None:
            found[case.trial] = ("undecided", "whether it was answered is not known")
        else:
            found[case.trial] = ("counts", "")
    return found


def _groups(rows: Sequence[Row], app: str) -> list[str]:
    """Voice before video, direction by direction."""
    found = {(str(row["service"]), str(row["direction"])) for row in rows if row["app"] == app}
    order = {service: number for number, service in enumerate(SERVICES)}
    return [" ".join(each) for each in sorted(found, key=lambda each: (order.get(each[0], len(order)), each))]


def _panel(app: str, groups: list[str], rows: Sequence[Row], scenarios: list[str], index: int) -> Panel:
    marks: list[Mark] = [Label(0, 14, fitted(app, LEFT + GROUP * PER_PANEL), "fg-b")]
    for place, group in enumerate(groups):
        service, direction = group.split(" ", 1)
        x = LEFT + GROUP * place
        marks.append(Label(x, 30, fitted(service, GROUP - 2), "fg-t"))
        ends = direction.replace("_to_", " → ", 1).replace("_", " ").rsplit(" → ", 1)
        marks += [Label(x, 46 + LINE * turn, fitted(line, GROUP - 2)) for turn, line in enumerate(_arrows(ends))]
    top = float(HEAD)
    for scenario in scenarios:
        mine = [row for row in rows if row["scenario"] == scenario]
        cells = [[row for row in mine if f"{row['service']} {row['direction']}" == group] for group in groups]
        if not any(cells):
            continue
        lines = max(-(-len(cell) // PER_LINE) for cell in cells)
        marks.append(Label(0, top + 11, fitted(words(scenario), LEFT - 4), "fg-t"))
        for place, cell in enumerate(cells):
            for turn, row in enumerate(cell):
                x, y = LEFT + GROUP * place + STEP * (turn % PER_LINE), top + STEP * (turn // PER_LINE)
                marks += _square(row, x, y)
        top += STEP * lines + 6
    desc = f"A square for each of {len(rows)} planned trials"
    return Panel(f"{app}-{index}", f"{app}: all planned trials", desc, LEFT + GROUP * PER_PANEL, top, marks)


def _arrows(ends: Sequence[str]) -> list[str]:
    """`lte →` and `fixed`."""
    return [f"{each} →" for each in ends[:-1]] + list(ends[-1:])


def _square(row: Row, x: float, y: float) -> Iterator[Mark]:
    state = str(row["state"])
    title = f"{row['trial']}: {state}" + (f", {row['why']}" if row["why"] else "")
    title += f"; {row['void_attempts']} void attempts" if row["void_attempts"] else ""
    yield Box(x, y, SIDE, SIDE, STATES[state][0], title, str(row["trial"]) if row["read"] == "yes" else "")
    signs = {
        "left out": f"M{number(x + 3)} {number(y + 3)}l6 6m0 -6l-6 6",
        "void": f"M{number(x + 3)} {number(y + 6)}h6",
        "undecided": f"M{number(x + 4)} {number(y + 4)}q2 -2 4 0t-2 3m0 2v1",
    }
    if state in signs:
        yield Path(signs[state], "fg-l")


def _says(rows: Sequence[Row]) -> Iterator[str]:
    counted = Counter(str(row["state"]) for row in rows)
    if not rows:
        yield "No trial is planned."
        return
    parts = [f"{counted[state]} {said}" for state, (_, said) in STATES.items() if counted[state]]
    retried = sum(int(row["void_attempts"] or 0) for row in rows)
    yield f"Of {len(rows)} planned trials: {', '.join(parts)}; {retried} void attempts before or instead of them."
