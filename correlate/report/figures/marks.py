"""What a panel is drawn of. Coordinates are in units of the panel, y downwards, rounded to a tenth."""

from typing import NamedTuple


class Label(NamedTuple):
    """A text whose base line begins, ends (`end`) or has its middle (`middle`) at x."""

    x: float
    y: float
    text: str
    css: str = ""
    anchor: str = "start"


class Path(NamedTuple):
    """A line, an arrow or an area."""

    d: str
    css: str
    title: str = ""


class Dot(NamedTuple):
    """A circle; `trial` is what it links to, if anything."""

    x: float
    y: float
    css: str
    title: str
    trial: str = ""


class Box(NamedTuple):
    """A rectangle with at most a text in its middle; `trial` is what it links to, if anything."""

    x: float
    y: float
    width: float
    height: float
    css: str
    title: str = ""
    trial: str = ""
    text: str = ""
    text_css: str = ""


Mark = Label | Path | Dot | Box
