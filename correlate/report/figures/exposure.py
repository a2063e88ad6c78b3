"""Whose address does the other side's network see? The paper's Table 3, its shares in brackets."""

from collections.abc import Iterator, Mapping

from correlate.findings.cases import Case
from correlate.report.figures.axes import fitted, words
from correlate.report.figures.figure import Figure, Panel, figure
from correlate.report.figures.marks import Box, Label, Mark
from correlate.tables.condensed import summed
from correlate.tables.endpoints import DISCLOSURES, table3
from correlate.tables.layout import Cell, Row
from correlate.tables.predicates import is_void
from correlate.tables.study import Study

MEASURES = tuple(name for name in DISCLOSURES if name != "no_disclosure")
COLUMNS = "app scenario direction side role n total undecided paper_n paper_total agreement trial"
LEFT, CELL, HEIGHT = 118, 55, 36


def exposure(study: Study) -> Figure:
    """The figure `exposure`."""
    by_scenario = study.speaking_of("scenario")
    rows = [_row(by_scenario, row) for row in _shown(by_scenario)]
    panels = [_panel(app, [row for row in rows if row["app"] == app]) for app in study.apps
              if any(row["app"] == app and row["total"] for row in rows)]  # fmt: skip
    says = list(_says(rows)) if panels else ["No trial counts yet, so nobody can tell whose address is seen."]
    return figure(
        "exposure",
        "Whose address does the other side's network see?",
        "Each cell counts trials in which that address of one side is in the other side's capture; the paper's count "
        "in brackets below, undecided trials with a question mark. Filled: in every trial; tinted: in some; empty: in "
        "none; dashed: nobody can tell.",
        panels, says, COLUMNS, rows,
    )  # fmt: skip


def _shown(study: Study) -> list[Mapping[str, Cell]]:
    """The rows of Table 3: of all directions, or direction by direction where these differ or the paper has them."""
    found: list[Mapping[str, Cell]] = []
    rows = [dict(row) for row in table3(study).rows if row["measure"] in MEASURES]
    for app in study.apps:
        for scenario in dict.fromkeys(row["scenario"] for row in rows):
            mine = [row for row in rows if (row["app"], row["scenario"]) == (app, scenario)]
            whole = summed(mine)
            is_mixed = any(row["n"] not in (None, 0, row["total"]) for row in whole)
            is_split = is_mixed or any(row["paper_n"] is not None for row in mine)
            found += mine if is_split else whole
    return found


def _row(study: Study, row: Mapping[str, Cell]) -> Row:
    measure = str(row["measure"])
    side, column = DISCLOSURES[measure]
    cases = study.select(app=str(row["app"]), scenario=str(row["scenario"]))
    cases = [case for case in cases if row["direction"] in ("all", case.direction)]
    keys = ("app", "scenario", "direction", "n", "total", "undecided", "paper_n", "paper_total", "agreement")
    return {key: row[key] for key in keys} | {
        "side": side,
        "role": measure.removeprefix(f"{side}_"),
        "trial": _first(cases, side, column),
    }


def _first(cases: list[Case], side: str, column: str) -> str | None:
    """The first trial that shows the address, else the first one."""
    seen = (case.trial for case in cases if not is_void(case) and getattr(case.endpoints[side], column))
    return next(seen, next((case.trial for case in cases), None))


def _panel(app: str, rows: list[Row]) -> Panel:
    marks: list[Mark] = [Label(0, 14, fitted(app, LEFT + 4 * CELL), "fg-b")]
    for index, side in enumerate(("caller", "callee")):
        marks.append(Label(LEFT + (2 * index + 1) * CELL, 30, side, "fg-t", "middle"))
        marks += [Label(LEFT + (2 * index + place + 0.5) * CELL, 46, role, "", "middle")
                  for place, role in enumerate(("public", "private"))]  # fmt: skip
    top = 54.0
    for scenario, direction in dict.fromkeys((str(row["scenario"]), str(row["direction"])) for row in rows):
        both = direction != "all"
        marks.append(Label(0, top + (15 if both else 22), fitted(words(scenario), LEFT - 4), "fg-t"))
        if both:
            marks.append(Label(0, top + 30, fitted(words(direction), LEFT - 4)))
        mine = [row for row in rows if (row["scenario"], row["direction"]) == (scenario, direction)]
        height = max(HEIGHT, *(14 * len(_lines(row)) + 8 for row in mine))
        for place, row in enumerate(mine):
            marks += _cell(row, LEFT + place * CELL, top, height)
        top += height + 4
    desc = "Rows: scenarios; columns: public and private address of caller and callee; cells: trials that show it"
    return Panel(app, f"{app}: whose address the other side's network sees", desc, LEFT + 4 * CELL, top, marks)


def _cell(row: Row, x: float, y: float, height: float) -> Iterator[Mark]:
    n, total, undecided = int(row["n"] or 0), int(row["total"] or 0), int(row["undecided"] or 0)
    css, text_css = "fg-none", ""
    if not total or undecided == total or (undecided and not n):
        css = "fg-open"
    elif n:
        css, text_css = ("fg-all", "fg-on") if n == total else ("fg-some", "fg-t")
    title = f"{row['side']}'s {row['role']} address, {words(str(row['scenario']))}: {n} of {total} trials"
    title += f", {undecided} undecided" if undecided else ""
    title += f"; the paper: {row['paper_n']} of {row['paper_total']}" if row["paper_n"] is not None else ""
    yield Box(x + 2, y, CELL - 4, height, css, title, str(row["trial"] or ""))
    lines = _lines(row)
    first = y + height / 2 - 7 * len(lines) + 11
    for number, text in enumerate(lines):
        yield Label(x + CELL / 2, first + 14 * number, text, text_css, "middle")


def _lines(row: Row) -> list[str]:
    """What a cell says: our count, the paper's, how many trials are undecided."""
    undecided = int(row["undecided"] or 0)
    ours = [f"{row['n']}/{row['total']}"] if undecided < int(row["total"] or 0) else [] if row["total"] else ["–"]
    paper = [f"[{row['paper_n']}/{row['paper_total']}]"] if row["paper_n"] is not None else []
    return [*ours, *paper, *([f"{undecided} ?"] if undecided else [])]


def _says(rows: list[Row]) -> Iterator[str]:
    for app in dict.fromkeys(str(row["app"]) for row in rows):
        mine = [row for row in rows if row["app"] == app and row["total"]]
        compared = [row for row in mine if row["paper_n"] is not None]
        differ = sum(str(row["agreement"]).startswith("differs") for row in compared)
        undecided = sum(int(row["undecided"] or 0) for row in mine)
        beside = (
            f"{differ} of {len(compared)} cells that the paper has differ from its" if compared
            else "the paper has no cell to compare with"
        )  # fmt: skip
        seen = sum(int(row["n"] or 0) > 0 for row in mine)
        yield f"{app}: an address is seen in {seen} of {len(mine)} cells; {beside}; {undecided} verdicts undecided."
