"""Scales, their ticks and lines, and how wide a text is: shared by all figures."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from correlate.report.figures.marks import Label, Mark, Path

MAX_WIDTH = 340
CHARACTER = 7.2
"""Width of a character at the figures' 12 units, on the safe side."""
BOLD = 7.8
LINE = 16
"""From one base line to the next."""


def number(value: float) -> str:
    """A coordinate with at most one decimal."""
    return f"{round(value, 1):.1f}".removesuffix(".0") if round(value, 1) else "0"


def amount(value: float) -> str:
    """A value of an axis or a sentence, with the digits it takes."""
    return f"{value:g}" if abs(value) < 1e6 else f"{value:.0f}"


def fitted(text: str, width: float, character: float = CHARACTER) -> str:
    """The text, cut with an ellipsis where it would be wider."""
    most = max(1, int(width / character))
    return text if len(text) <= most else f"{text[: most - 1]}…"


def words(name: str) -> str:
    """A name as words."""
    return name.replace("_", " ")


def points(xy: Iterable[tuple[float, float]]) -> str:
    """A path through points."""
    return "M" + "L".join(f"{number(x)} {number(y)}" for x, y in xy)


def hline(x1: float, x2: float, y: float) -> str:
    """A horizontal line."""
    return f"M{number(x1)} {number(y)}H{number(x2)}"


def vline(x: float, y1: float, y2: float) -> str:
    """A vertical line."""
    return f"M{number(x)} {number(y1)}V{number(y2)}"


@dataclass(frozen=True)
class Scale:
    """Values from `low` to `high` at the places from `start` to `end`, by their logarithm where `is_log`."""

    low: float
    high: float
    start: float
    end: float
    is_log: bool = False

    def holds(self, value: float) -> bool:
        """Whether the value lies on the axis."""
        return self.low <= value <= self.high

    def at(self, value: float) -> float:
        """Its place."""
        low, high, value = (math.log10(each) if self.is_log else each for each in (self.low, self.high, value))
        return round(self.start + (self.end - self.start) * (value - low) / (high - low), 1)

    @property
    def ticks(self) -> list[float]:
        """Powers of ten, or at most six round values."""
        if self.is_log:
            first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
            every = max(1, math.ceil((last - first) / 5))
            return [10.0**power for power in range(first, last + 1, every)]
        step = _step(self.high - self.low)
        lowest, highest = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [round(each * step, 10) for each in range(lowest, highest + 1)]


def _step(span: float) -> float:
    """A round step of which at most five make the span."""
    rough = span / 5
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))


def linear(values: Sequence[float], start: float, end: float, least: float = 1.0) -> Scale:
    """A scale that holds the values and zero, with round ends."""
    low, high = min([0.0, *values]), max([0.0, *values])
    if high - low < least:
        high = low + least if high >= -low else high
        low = low if high - low >= least else high - least
    step = _step(high - low)
    return Scale(math.floor(low / step) * step, math.ceil(high / step) * step, start, end)


def decades(values: Sequence[float], start: float, end: float) -> Scale:
    """A logarithmic scale of whole decades that holds the values, all above zero."""
    low = math.floor(math.log10(min(values)))
    high = math.ceil(math.log10(max(values)))
    return Scale(10.0**low, 10.0 ** max(high, low + 1), start, end, is_log=True)


def short(value: float) -> str:
    """A power of ten or a round value as people read it on an axis."""
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            return f"{value / limit:g}{unit}"
    return f"{value:g}"


def x_axis(scale: Scale, y1: float, y2: float, name: str) -> Iterator[Mark]:
    """Grid lines from y1 down to y2, the values below them, and below these at the right the axis' name."""
    for tick in scale.ticks:
        yield Path(vline(scale.at(tick), y1, y2), "fg-ax")
        yield Label(scale.at(tick), y2 + 15, short(tick), anchor="middle")
    yield Label(max(scale.start, scale.end), y2 + 15 + LINE, name, anchor="end")


def y_axis(scale: Scale, x1: float, x2: float, signed: bool = False) -> Iterator[Mark]:
    """Grid lines from x1 to x2, and the values left of them."""
    for tick in scale.ticks:
        yield Path(hline(x1, x2, scale.at(tick)), "fg-ax")
        text = f"{tick:+g}" if signed and tick else short(tick)
        yield Label(x1 - 6, scale.at(tick) + 4, text.replace("-", "−"), anchor="end")


def apart(places: Sequence[float], least: float, low: float, high: float) -> list[float]:
    """The places moved so that they are `least` apart and in order, within `low` and `high` where there is room."""
    order = sorted(range(len(places)), key=lambda index: places[index])
    moved, floor = list(places), low
    for index in order:
        moved[index] = floor = max(floor, places[index])
        floor += least
    ceiling = high
    for index in reversed(order):
        moved[index] = min(moved[index], ceiling)
        ceiling = moved[index] - least
    return [round(each, 1) for each in moved]
