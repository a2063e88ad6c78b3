"""A table as data, its CSV, and its Markdown: every cell in the one, the paper's shape in the other."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from correlate.columns import inert
from correlate.dataset.record import Provenance
from correlate.tables.provenance import MEANINGS

MAX_TEXT = 300
DOES_NOT = "does not discriminate"
FLAGS = {"yes": "TRUE", "no": "FALSE", DOES_NOT: "FALSE"}
FLAGGED = ("inferred", "holds", "paper_claims", "discriminates")
"""The columns that are a yes or a no: in a CSV TRUE and FALSE, which every tool takes for booleans."""

Cell = str | int | float | None
Row = dict[str, Cell]


@dataclass(frozen=True)
class Table:
    """`name` is the file name without suffix; every row has a value for every column, None for an empty cell."""

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[Mapping[str, Cell], ...]
    notes: tuple[str, ...]
    provenance: Provenance

    def shown(self) -> list[list[str]]:
        """The cells as text, row by row."""
        return [[text(row.get(column)) for column in self.columns] for row in self.rows]


@dataclass(frozen=True)
class Line:
    """One line of a cell that people read: ours, the paper's beside it, what is to be said of the two, and the trials
    that are behind ours (`statistics.sorted_out`); empty where it counts none."""

    ours: str
    paper: str = ""
    remark: str = ""
    trials: str = ""

    def __str__(self) -> str:
        beside = f"(paper: {self.paper})" if self.paper else ""
        remark = f"[{self.remark}]" if self.remark else ""
        return " ".join(part for part in (self.ours, beside, remark) if part)


@dataclass(frozen=True)
class Grid:
    """A table in a shape to read: each cell holds lines. A folded one is shown on request, under its caption."""

    columns: tuple[str, ...]
    rows: tuple[tuple[tuple[Line, ...], ...], ...]
    caption: str = ""
    is_folded: bool = False


def table(
    name: str,
    title: str,
    columns: str,
    rows: Sequence[Mapping[str, Cell]],
    notes: Sequence[str],
    provenance: Provenance,
) -> Table:
    """A `Table` whose `columns` are given as words."""
    return Table(name, title, tuple(columns.split()), tuple(rows), tuple(notes), provenance)


def grid(columns: str, rows: Iterable[Sequence[str | Line | Sequence[Line]]], caption: str = "") -> Grid:
    """A `Grid` whose columns are given with `|` between; a cell may be a text, a line or lines."""
    return Grid(tuple(columns.split("|")), tuple(tuple(_lines(cell) for cell in row) for row in rows), caption)


def plain(of: Table) -> Grid:
    """Every column and every row as they are."""
    return grid("|".join(column.replace("_", " ") for column in of.columns), of.shown())


def text(cell: Cell) -> str:
    """A cell as people read it: at most four decimals, nothing for None."""
    if cell is None:
        return ""
    if isinstance(cell, float):
        return f"{cell:.4f}".rstrip("0").rstrip(".") if abs(cell) >= 5e-5 else "0"
    return str(cell)


def plain_text(given: str) -> str:
    """A text of a phone or a tool in one line: nothing that a terminal or a page would act on, and not too long."""
    line = " ".join("".join(c if c.isprintable() else " " for c in given).split())
    return line if len(line) <= MAX_TEXT else f"{line[:MAX_TEXT]}…"


def as_csv(of: Table) -> str:
    """Header and rows; the last column is the provenance."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*of.columns, "provenance"])
    for row in of.shown():
        named = zip(of.columns, row, strict=True)
        cells = (FLAGS.get(cell, cell) if column in FLAGGED else cell for column, cell in named)
        writer.writerow([*map(inert, cells), of.provenance])
    return out.getvalue()


def as_markdown(of: Table, grids: Sequence[Grid] = (), scope: str = "") -> str:
    """Title, provenance, what intervals speak of (`scope`), the grids (without any: the plain one), notes."""
    lines = [f"# {of.title}", "", f"provenance: {MEANINGS[of.provenance].label}", "", *([scope, ""] if scope else [])]
    for number, each in enumerate(grids or [plain(of)]):
        lines += ["", *_block(each)] if number and not each.is_folded else _block(each)
    if not of.rows:
        lines += ["", "No rows: nothing was recorded that belongs here."]
    lines += ["", *(f"- {note}" for note in of.notes)] if of.notes else []
    return "\n".join(lines) + "\n"


def _block(of: Grid) -> list[str]:
    head = "| " + " | ".join(of.columns) + " |"
    rows = [["<br>".join(escaped(str(line)) for line in cell) for cell in row] for row in of.rows]
    body = [head, "|" + " --- |" * len(of.columns), *("| " + " | ".join(row) + " |" for row in rows)]
    if of.is_folded:
        return ["", "<details>", f"<summary>{escaped(of.caption)}</summary>", "", *body, "", "</details>"]
    return [f"**{escaped(of.caption)}**", "", *body] if of.caption else body


def _lines(cell: str | Line | Sequence[Line]) -> tuple[Line, ...]:
    if isinstance(cell, str):
        return (Line(cell),)
    return (cell,) if isinstance(cell, Line) else tuple(cell)


def escaped(cell: str) -> str:
    safe = cell.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("](", "]\\(")
    return " ".join(safe.split())
