"""A figure: the question that it answers, its panels as SVG, and what it draws as rows."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from correlate.report.anchors import trial_anchor
from correlate.report.figures.axes import number
from correlate.report.figures.marks import Box, Dot, Label, Mark, Path
from correlate.tables.layout import Cell

Row = Mapping[str, Cell]


@dataclass(frozen=True)
class Panel:
    """One drawing of at most 340 units of width, never scaled. `title` and `desc` are what a screen reader says."""

    name: str
    title: str
    desc: str
    width: float
    height: float
    marks: Sequence[Mark]


@dataclass(frozen=True)
class Figure:
    """`html` is the panels and the sentences for the page, without heading; `columns` and `rows` are what is drawn and
    what was left out of the drawing; `svgs` are the panels by name, empty where there is nothing to draw."""

    name: str
    question: str
    how_to_read: str
    html: Markup
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    svgs: tuple[tuple[str, Markup], ...]


def figure(
    name: str,
    question: str,
    how_to_read: str,
    panels: Iterable[Panel],
    says: Iterable[str],
    columns: str,
    rows: Iterable[Row],
) -> Figure:
    """A `Figure` of these panels with the sentences `says` below; `columns` are given as words."""
    svgs = tuple((each.name, svg(name, each)) for each in panels)
    html = _template().module.figure([drawn for _, drawn in svgs], list(says))  # type: ignore[attr-defined]
    text = Markup(str(html).strip())  # noqa: S704 (the macro escapes)
    return Figure(name, question, how_to_read, text, tuple(columns.split()), tuple(rows), svgs)


def svg(name: str, panel: Panel) -> Markup:
    """One panel of a figure as an SVG element whose ids begin with both names."""
    html = _template().module.panel(f"fg-{slug(name)}-{slug(panel.name)}", panel)  # type: ignore[attr-defined]
    return Markup(str(html).strip())  # noqa: S704 (the macro escapes)


def hexed(head: str, trial: str, lines: Sequence[Sequence[tuple[str, bool]]]) -> Markup:
    """Lines of bytes, of which some parts are marked, below a heading that links to their trial."""
    html = _template().module.hex(head, trial, lines)  # type: ignore[attr-defined]
    return Markup(str(html).strip())  # noqa: S704 (the macro escapes)


def slug(text: str) -> str:
    """A name as a part of an id and of a file name."""
    return re.sub(r"[^A-Za-z0-9_]+", "-", text)[:80]


def chunks(items: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """The items, at most `size` at a time."""
    for low in range(0, len(items), size):
        yield items[low : low + size]


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("correlate.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"anchor": trial_anchor}
    environment.filters["n"] = number
    environment.tests |= {
        "label": lambda mark: isinstance(mark, Label),
        "path": lambda mark: isinstance(mark, Path),
        "dot": lambda mark: isinstance(mark, Dot),
        "box": lambda mark: isinstance(mark, Box),
    }
    return environment.get_template("figures.html")
