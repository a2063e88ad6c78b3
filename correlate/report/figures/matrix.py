"""Who gives away what: apps beside what the two networks can tell, with the chance level where there is one."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from correlate.findings.cases import Case
from correlate.report.figures.axes import BOLD, fitted
from correlate.report.figures.figure import Figure, Panel, chunks, figure
from correlate.report.figures.marks import Box, Label, Mark
from correlate.report.verdict import ENOUGH_WRONG_PAIRS
from correlate.tables import predicates
from correlate.tables.control import of_cases
from correlate.tables.layout import Row
from correlate.tables.statistics import bounds
from correlate.tables.study import Study

COLUMNS = "phase what app n total undecided wilson_low wilson_high wrong_pairs_n wrong_pairs discriminates level trial"
PHASES = {False: "before anyone answers", True: "in conversations", None: "in every call"}
WHEN = {"before anyone answers": "unanswered", "in conversations": "in conversations", "in every call": "every call"}
LEFT, CELL, GAP = 120, 72, 4
PER_PANEL = 3

Holds = Callable[[Case], bool | None]


@dataclass(frozen=True)
class What:
    """One row: what is given away, in which phase (`PHASES`); `holds` decides a trial. One that `relates` the two sides
    has a chance level; `needs` is what the app's analysis must have."""

    what: str
    phase: bool | None
    holds: Holds
    relates: bool = False
    needs: str = ""
    is_of_service: bool = False


def _seen(side: str) -> Holds:
    def holds(case: Case) -> bool | None:
        found = case.endpoints[side].exposed.values()
        return True if True in found else None if None in found else False

    return holds


def _matched(case: Case) -> bool | None:
    if case.duration["caller"].longest_relay.identity is None:
        return None
    difference_s = predicates.duration_difference_s(case, "longest_relay")
    return None if difference_s is None else difference_s <= predicates.MATCHED_S


ROWS = (
    *(What(f"{side}'s address", phase, _seen(side)) for phase in (False, True) for side in ("caller", "callee")),
    What("direct path", True, lambda case: predicates.routed(case, "p2p")),
    *(What("same user ids", phase, predicates.shares_user_ids, relates=True) for phase in (False, True)),
    What("voice or video", False, predicates.tells_service, needs="unanswered_service", is_of_service=True),
    What("voice or video", True, predicates.tells_service, is_of_service=True),
    What("same servers", None, predicates.shares_a_server, relates=True),
    What("same duration", None, _matched, relates=True),
    What("who called", None, predicates.tells_role, needs="role"),
)


def matrix(study: Study) -> Figure:
    """The figure `matrix`."""
    answered, service = study.speaking_of("answered"), study.speaking_of("answered", "service")
    rows = [
        _row(study, service if what.is_of_service else study if phase is None else answered, what, app)
        for phase in PHASES
        for what in ROWS
        if what.phase is phase
        for app in study.apps
    ]
    drawn = [row for row in rows if row["total"]]
    panels = [_panel(of, list(apps), index) for index, apps in enumerate(chunks(study.apps, PER_PANEL), 1)
              for of in [[row for row in rows if row["app"] in apps]] if drawn]  # fmt: skip
    says = list(_says(study, rows)) if drawn else ["No trial counts yet."]
    return figure(
        "matrix",
        "What does each app give away?",
        "Filled: in every trial that counts; tinted: in some; empty: in none; dashed: nobody can tell. Below the "
        "count, in brackets: how often legs of two different calls show the same, which is chance (grey: no more than "
        "chance). With a question mark: undecided trials.",
        panels, says, COLUMNS, rows,
    )  # fmt: skip


def _row(study: Study, of: Study, what: What, app: str) -> Row:
    """`of` are the trials that are proven to be what the row speaks of; wrong pairs of others are left out."""
    cases = [case for case in of.select(app=app) if what.phase is None or case.is_conversation is what.phase]
    has_rule = not what.needs or bool(getattr(study.rules[app], what.needs))
    holds: Holds = what.holds if has_rule else lambda case: None
    counted = predicates.tally(cases, holds)
    n, undecided = int(counted["n"] or 0), int(counted["undecided"] or 0)
    hits, total, tells = of_cases(study, cases, holds) if what.relates and cases else (0, 0, None)
    level = _level(n, undecided, len(cases))
    if level in ("always", "sometimes") and tells is False and total >= ENOUGH_WRONG_PAIRS:
        level = "chance"
    first = next((case.trial for case in cases if not predicates.is_void(case) and holds(case)), None)
    interval = bounds(n, undecided, len(cases)) or (None, None)
    return {
        "phase": PHASES[what.phase],
        "what": what.what,
        "app": app,
        **{key: counted[key] for key in ("n", "total", "undecided")},
        "wilson_low": interval[0],
        "wilson_high": interval[1],
        "wrong_pairs_n": hits if total else None,
        "wrong_pairs": total if what.relates else None,
        "discriminates": None if tells is None or not total else "yes" if tells else "no",
        "level": level,
        "trial": first or next((case.trial for case in cases), None),
    }


def _level(n: int, undecided: int, total: int) -> str:
    if not total:
        return "no trial"
    if undecided == total:
        return "undecided"
    if n == total:
        return "always"
    return "sometimes" if n else "undecided" if undecided else "never"


CSS = {
    "always": ("fg-all", "fg-on"), "sometimes": ("fg-some", "fg-t"), "never": ("fg-none", ""),
    "undecided": ("fg-open", ""), "no trial": ("fg-open", ""), "chance": ("fg-chance", "fg-t"),
}  # fmt: skip


def _panel(rows: list[Row], apps: list[str], index: int) -> Panel:
    marks: list[Mark] = [
        Label(LEFT + (column + 0.5) * CELL, 14, fitted(app, CELL, BOLD), "fg-b", "middle")
        for column, app in enumerate(apps)
    ]
    top = 24.0
    for phase in PHASES.values():
        marks.append(Label(0, top + 14, phase, "fg-b"))
        top += 22
        for what in dict.fromkeys(str(row["what"]) for row in rows if row["phase"] == phase):
            cells = [row for row in rows if (row["phase"], row["what"]) == (phase, what)]
            height = 14 * max(len(_lines(row)) for row in cells) + 8
            marks.append(Label(0, top + height / 2 + 4, what))
            for column, row in enumerate(cells):
                marks += _cell(row, LEFT + column * CELL, top, height)
            top += height + GAP
    desc = "Rows: what is given away; columns: apps; cells: in how many trials"
    return Panel(f"apps-{index}", f"What {', '.join(apps)} give away", desc, LEFT + len(apps) * CELL, top, marks)


def _cell(row: Row, x: float, y: float, height: float) -> Iterator[Mark]:
    css, text_css = CSS[str(row["level"])]
    yield Box(x + 2, y, CELL - 4, height, css, _title(row), str(row["trial"] or ""))
    lines = _lines(row)
    first = y + height / 2 - 7 * len(lines) + 11
    for number, text in enumerate(lines):
        yield Label(x + CELL / 2, first + 14 * number, text, text_css, "middle")


def _lines(row: Row) -> list[str]:
    """What a cell says: the count, how often wrong pairs show the same, how many trials are undecided."""
    if not row["total"]:
        return ["–"]
    undecided = int(row["undecided"] or 0)
    lines = [f"{row['n']}/{row['total']}"] if undecided < int(row["total"]) else []
    if row["wrong_pairs_n"] is not None and lines:
        lines.append(f"({100 * int(row['wrong_pairs_n']) / int(row['wrong_pairs'] or 1):.0f} %)")
    return [*lines, f"{undecided} ?"] if undecided else lines


def _title(row: Row) -> str:
    text = f"{row['app']}, {row['phase']}: {row['what']} in {row['n'] or 0} of {row['total']} trials"
    text += f", {row['undecided']} undecided" if row["undecided"] else ""
    if row["wrong_pairs_n"] is not None:
        text += f"; {row['wrong_pairs_n']} of {row['wrong_pairs']} wrong pairs"
    return f"{text}: no more than chance" if row["level"] == "chance" else text


def _says(study: Study, rows: list[Row]) -> Iterator[str]:
    for app in study.apps:
        mine = [row for row in rows if row["app"] == app]
        if all(row["level"] == "no trial" for row in mine):
            yield f"{app}: no trial counts yet."
            continue
        level = {key: [_named(row) for row in mine if row["level"] == key] for key in CSS}
        said = [f"gives away in every trial: {', '.join(level['always'])}"] if level["always"] else []
        said += [f"in some: {', '.join(level['sometimes'])}"] if level["sometimes"] else []
        said += [f"no more than chance: {', '.join(level['chance'])}"] if level["chance"] else []
        said += [f"undecided: {', '.join(level['undecided'])}"] if level["undecided"] else []
        yield f"{app}: {'; '.join(said) or 'gives nothing away that was looked for'}."


def _named(row: Row) -> str:
    return f"{row['what']} ({WHEN[str(row['phase'])]})"
