"""Figures as files: each panel as an SVG that stands alone, and of each figure what it draws as CSV."""

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path

from correlate.columns import inert
from correlate.dataset import Dataset
from correlate.dataset.durable import write_text
from correlate.dataset.record import Provenance
from correlate.errors import BadDataset
from correlate.report.figures.axes import number
from correlate.report.figures.figure import Figure, slug
from correlate.report.figures.style import alone
from correlate.tables.layout import Cell

FOOT = 18
"""Units below a panel that stands alone, for what made its traffic."""

EDGE = 6

_HEAD = re.compile(r'<svg class="fg" viewBox="0 0 ([0-9.]+) ([0-9.]+)" width="[0-9.]+" height="[0-9.]+"')


def write(dataset: Dataset, figures: Sequence[Figure], provenance: Provenance, out: Path) -> list[Path]:
    """NAME.csv of each figure and NAME-PANEL.svg of each of its panels, into the folder `out`, which may be there; in
    order. The same figures give the same bytes. Raises `BadDataset` for a folder of the dataset, all of which its
    manifest lists."""
    if out.resolve().is_relative_to(dataset.path.resolve()):
        raise BadDataset(f"{out}: lies within the dataset, whose manifest lists every file; name another folder")
    texts = {f"{slug(each.name)}.csv": as_csv(each, provenance) for each in figures}
    texts |= {
        f"{slug(each.name)}-{slug(name)}.svg": standing_alone(str(svg), provenance)
        for each in figures
        for name, svg in each.svgs
    }
    for name, text in texts.items():
        write_text(out / name, str(dataset.journal.clean(text)))
    return [out / name for name in texts]


def as_csv(figure: Figure, provenance: Provenance) -> str:
    """The figure's columns and rows; the last column is the provenance."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*figure.columns, "provenance"])
    for row in figure.rows:
        writer.writerow([*(_cell(row.get(column)) for column in figure.columns), provenance])
    return text.getvalue()


def _cell(value: Cell) -> str:
    """Numbers as they are, so that what is read back is what was drawn."""
    return "" if value is None else inert(value) if isinstance(value, str) else repr(value)


def standing_alone(svg: str, provenance: Provenance) -> str:
    """The SVG as a file: with its own style, with what made its traffic below, and without links into the page."""
    found = _HEAD.match(svg)
    assert found is not None, "made by figure.svg"
    width, height = number(float(found[1]) + 2 * EDGE), number(float(found[2]) + FOOT + 2 * EDGE)
    size = f'viewBox="-{EDGE} -{EDGE} {width} {height}" width="{width}" height="{height}"'
    body = re.sub(r'<a href="#[^"]*">', "<g>", svg[found.end() :]).replace("</a>", "</g>").removesuffix("</svg>")
    foot = f'<text x="0" y="{number(float(found[2]) + FOOT - 5)}">provenance: {provenance}</text>'
    head, rest = body.split("</desc>", 1)
    style = f"<style>{alone()}</style>"
    return f'<svg xmlns="http://www.w3.org/2000/svg" class="fg" {size}{head}</desc>{style}{rest}{foot}</svg>\n'
