"""What the nights so far say of each cell, and whether a further night is told. Counts alone; words: `alarms`.

Every number of the procedure stands here; docs/alarms.md says what follows from them, measured with this code.
"""

from collections import deque
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from math import log
from typing import Literal, NamedTuple

from lab.night.evidence import intraclass_correlation, log_bayes_factor, upper_bound
from lab.night.history import Kind

TELLS, BUYS = 2000, 100
"""A Bayes factor above the first is told; one above the second buys trials."""
BOUGHT = 24
"""So many trials of the cell, in the next night."""
WINDOW, BEFORE = 5, 7
"""The last one to five nights are compared with all before, of which there are at least seven."""
LEARNING = 10
"""In so many first nights nobody knows how alike the trials of a night are: flips alone are told."""
LOW, HIGH = 0.1, 0.9
"""Rates between them tell what a night's own luck is."""
SETTLED = 0.03
"""A rate that is nearer to 0 or 1 has no luck of the night; from there to beyond `HIGH` or `LOW` in one is a flip."""
SILENT = 0.10
"""A cell is closed enough to be opened by one trial where its zeros exclude this rate: 29 of them."""
AGAIN, CONFIRMED = 12, 2
"""A sighting asks for so many fresh trials in the same night, and is told where it is seen in so many of them."""
CLOSED = 0.05
"""A cell is closed where zeros of the same versions exclude this rate: 59 of them."""

LOUD: tuple[Kind, ...] = ("opened", "not_seen_any_more", "rose", "fell")
"""What is an alarm. After it the history of that cell begins anew. The others are notes."""


class Seen(NamedTuple):
    """The decided trials of a cell in one night; `again`: the fresh ones. `versions`: the app's, None: not known."""

    yes: int
    of: int
    again_yes: int = 0
    again_of: int = 0
    versions: Hashable = None


class Change(NamedTuple):
    """The last `nights` are `yes` in `of`; the `nights_before` were `yes_before` in `of_before`."""

    nights: int
    yes: int
    of: int
    nights_before: int
    yes_before: int
    of_before: int
    log_factor: float


@dataclass(frozen=True)
class Found:
    """What is told of a cell. `zeros`: so many trials in a row, of the same versions, were without a yes."""

    kind: Kind
    cell: str
    change: Change
    zeros: int


class Ask(NamedTuple):
    """A cell that needs so many further trials."""

    cell: str
    trials: int
    when: Literal["tonight", "next night"]


@dataclass
class Series:
    """A cell since its history began. `squares`: the sum of yes^2 / of; `last`: the newest nights, the newest first.

    `is_silent`: no yes but sightings that fresh trials did not confirm. `is_gone`: told as not seen any more, and not
    yet as closed. `zeros`: as `Found.zeros`, of `versions`.
    """

    yes: int = 0
    of: int = 0
    nights: int = 0
    squares: float = 0.0
    last: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=WINDOW))
    is_silent: bool = True
    is_gone: bool = False
    zeros: int = 0
    versions: Hashable = None

    @property
    def share(self) -> float:
        return self.yes / self.of

    def says_the_same(self, seen: Seen) -> bool:
        """Whether a further night can tell nothing: no trial, or never before and not now, or always and now too."""
        yes, of = seen.yes + seen.again_yes, seen.of + seen.again_of
        return (not of) or (not self.yes and not yes and not self.is_gone) or (self.yes == self.of and yes == of)

    def add(self, yes: int, of: int) -> None:
        self.yes, self.of, self.nights = self.yes + yes, self.of + of, self.nights + 1
        self.squares += yes * yes / of
        self.last.appendleft((yes, of))

    def begin_anew(self, nights: int) -> None:
        """Forgets all but the last `nights`."""
        kept = list(self.last)[:nights]
        self.yes = self.of = self.nights = 0
        self.squares = 0.0
        self.last.clear()
        for yes, of in reversed(kept):
            self.add(yes, of)
        self.is_silent = self.yes == 0

    def zeros_with(self, seen: Seen) -> int:
        """How many zeros in a row there are with a further night. Versions that nobody knows are never the same."""
        if seen.yes + seen.again_yes:
            return 0
        is_same = seen.versions is not None and seen.versions == self.versions
        return seen.of + seen.again_of + (self.zeros if is_same else 0)


_NOTHING = Series()


class Watch:
    """All cells of one bench and matrix, a night after the other: `look` at tonight, then `learn` it."""

    def __init__(self) -> None:
        self.nights = 0
        self._series: dict[str, Series] = {}

    def look(self, tonight: Mapping[str, Seen]) -> tuple[list[Found], list[Ask]]:
        """What is told of tonight, at most one thing of a cell, and the trials that are asked for. Changes nothing."""
        rho = self.rho_known()
        found: list[Found] = []
        asked: list[Ask] = []
        for cell, seen in tonight.items():
            series = self._series.get(cell, _NOTHING)
            if not series.says_the_same(seen):
                _look_at(cell, seen, series, rho, found, asked)
        return found, asked

    def learn(self, tonight: Mapping[str, Seen], told: Mapping[str, tuple[Kind, int]]) -> None:
        """Adds a night with what was told of its cells: the kind, and since how many nights it is so."""
        self.nights += 1
        for cell, seen in tonight.items():
            of = seen.of + seen.again_of
            if not of:
                continue
            series = self._series.setdefault(cell, Series())
            kind, nights = told.get(cell, (None, 1))
            series.zeros, series.versions = series.zeros_with(seen), seen.versions
            series.add(seen.yes + seen.again_yes, of)
            if seen.yes + seen.again_yes and kind not in ("seen_once", "unconfirmed"):
                series.is_silent = False
            if kind in LOUD:
                series.begin_anew(nights)
            if kind in LOUD or kind == "closed":
                series.is_gone = kind == "not_seen_any_more"

    def rho_known(self) -> float | None:
        """`rho`; None in the first ten nights."""
        return self.rho() if self.nights >= LEARNING else None

    def rho(self) -> float:
        """How alike the trials of one night are, from all cells whose rate lies between the ends."""
        return intraclass_correlation(
            (each.yes, each.of, each.nights, each.squares)
            for each in self._series.values()
            if each.nights > 1 and LOW <= each.share <= HIGH
        )


def _look_at(cell: str, seen: Seen, series: Series, rho: float | None, found: list[Found], asked: list[Ask]) -> None:
    yes, of = seen.yes + seen.again_yes, seen.of + seen.again_of
    change = Change(1, yes, of, series.nights, series.yes, series.of, 0.0)
    kind: Kind | None = None
    moved = _flip(series, yes, of) or _moved(series, yes, of, rho)
    if moved is not None and moved.log_factor > log(TELLS):
        kind, change = _kind(cell, series, moved), moved
    elif moved is not None and moved.log_factor > log(BUYS):
        asked.append(Ask(cell, BOUGHT, "next night"))
    if _opens_by_one(cell, series) and yes:
        if seen.again_of < AGAIN:
            asked.append(Ask(cell, AGAIN - seen.again_of, "tonight"))
        kind = kind or _confirmed(seen)
    zeros = series.zeros_with(seen)
    if kind is None and series.is_gone and not yes and upper_bound(zeros) < CLOSED:
        kind = "closed"
    if kind is not None:
        found.append(Found(kind, cell, change, zeros))


def _flip(series: Series, yes: int, of: int) -> Change | None:
    """From one end to the other in one night, which is no luck of a night; None without."""
    if not series.of:
        return None
    before, now = series.share, yes / of
    if not (before <= SETTLED and now >= HIGH) and not (before >= 1 - SETTLED and now <= LOW):
        return None
    factor = log_bayes_factor(yes, of, series.yes, series.of)
    return Change(1, yes, of, series.nights, series.yes, series.of, factor) if factor > log(TELLS) else None


def _moved(series: Series, yes: int, of: int, rho: float | None) -> Change | None:
    """Of the last one to five nights those that differ most from all before; None where nothing can."""
    if rho is None or series.nights < BEFORE or not 0 < series.yes + yes < series.of + of:
        return None
    shared = rho if SETTLED < series.share < 1 - SETTLED else 0.0
    best: Change | None = None
    for nights, a, n in _windows(series, yes, of):
        b, m = series.yes + yes - a, series.of + of - n
        factor = log_bayes_factor(a, n, b, m) / (1 + (n / nights - 1) * shared)
        if best is None or factor > best.log_factor:
            best = Change(nights, a, n, series.nights + 1 - nights, b, m, factor)
    return best


def _windows(series: Series, yes: int, of: int) -> Iterator[tuple[int, int, int]]:
    """How many nights, and yes and trials in them, for each window that has seven nights before it."""
    a, n = yes, of
    yield 1, a, n
    for nights, (each_yes, each_of) in enumerate(series.last, 2):
        if nights > WINDOW or series.nights + 1 - nights < BEFORE:
            return
        a, n = a + each_yes, n + each_of
        yield nights, a, n


def _opens_by_one(cell: str, series: Series) -> bool:
    """Whether one verified trial opens this cell."""
    return is_seen(cell) and series.is_silent and (series.is_gone or upper_bound(series.of) < SILENT)


def _confirmed(seen: Seen) -> Kind:
    if seen.again_yes >= CONFIRMED:
        return "opened"
    return "seen_once" if seen.again_of >= AGAIN else "unconfirmed"


def _kind(cell: str, series: Series, change: Change) -> Kind:
    before = change.yes_before / change.of_before
    if change.yes / change.of > before:
        return "opened" if is_seen(cell) and (series.is_silent or before < SETTLED) else "rose"
    return "not_seen_any_more" if is_seen(cell) and change.yes == 0 else "fell"


def is_seen(cell: str) -> bool:
    """Whether a cell is of something that was seen, which opens and closes."""
    return cell.startswith("seen/")


def zeros_that_close() -> int:
    """So many trials without a yes close a cell."""
    return next(zeros for zeros in count(1) if upper_bound(zeros) < CLOSED)


def told(found: Iterable[Found]) -> dict[str, tuple[Kind, int]]:
    """What `learn` is given."""
    return {each.cell: (each.kind, each.change.nights) for each in found}
