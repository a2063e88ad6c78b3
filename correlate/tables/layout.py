"""A table as data, and its CSV and Markdown."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Cell = str | int | float | None


@dataclass(frozen=True)
class Table:
    """`name` is the file name without suffix; every row has a value for every column, None for an empty cell."""

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[Mapping[str, Cell], ...]
    notes: tuple[str, ...]
    provenance: str

    def shown(self) -> list[list[str]]:
        """The cells as text, row by row."""
        return [[text(row.get(column)) for column in self.columns] for row in self.rows]


def table(
    name: str, title: str, columns: str, rows: Sequence[Mapping[str, Cell]], notes: Sequence[str], provenance: str
) -> Table:
    """A `Table` whose `columns` are given as words."""
    return Table(name, title, tuple(columns.split()), tuple(rows), tuple(notes), provenance)


def text(cell: Cell) -> str:
    """A cell as people read it: at most four decimals, nothing for None."""
    if cell is None:
        return ""
    if isinstance(cell, float):
        return f"{cell:.4f}".rstrip("0").rstrip(".") if abs(cell) >= 5e-5 else "0"
    return str(cell)


def as_csv(of: Table) -> str:
    """Header and rows; the last column is the provenance."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*of.columns, "provenance"])
    writer.writerows([*row, of.provenance] for row in of.shown())
    return out.getvalue()


def as_markdown(of: Table) -> str:
    """Title, provenance, the table, notes."""
    lines = [f"# {of.title}", "", f"provenance: {of.provenance}", ""]
    lines.append("| " + " | ".join(column.replace("_", " ") for column in of.columns) + " |")
    lines.append("|" + " --- |" * len(of.columns))
    lines += ["| " + " | ".join(_escape(cell) for cell in row) + " |" for row in of.shown()]
    if not of.rows:
        lines += ["", "No rows: nothing was recorded that belongs here."]
    lines += ["", *(f"- {note}" for note in of.notes)] if of.notes else []
    return "\n".join(lines) + "\n"


def _escape(cell: str) -> str:
    plain = cell.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
    return " ".join(plain.split())
