"""What a night is told for: which cells opened, closed or moved, each in a sentence with what else moved.

Pure: history and tonight in, alarms out. How well it does: docs/alarms.md.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from lab.errors import one_line
from lab.night.history import Asked, Counts, Frame, Kind, Night, Told
from lab.night.moved import moves
from lab.night.watch import CLOSED, LOUD, Change, Found, Seen, Watch, zeros_that_close

SENTENCE = 4000
"""The most characters of a sentence."""

WORDS = {
    "caller_public": "the caller's public address",
    "caller_private": "the caller's private address",
    "callee_public": "the callee's public address",
    "callee_private": "the callee's private address",
    "user_ids": "a user id",
}
"""What is seen, by its name in a cell; any other name is shown with spaces."""


class Cell(NamedTuple):
    """The parts of a cell's key."""

    kind: str
    what: str
    app: str
    scenario: str

    @classmethod
    def of(cls, key: str) -> "Cell":
        return cls(*key.split("/"))


@dataclass(frozen=True)
class Alarm:
    """What is told of one cell."""

    kind: Kind
    cell: str
    sentence: str
    nights: int

    @property
    def is_loud(self) -> bool:
        """Whether it is an alarm; else a note, which wakes nobody."""
        return self.kind in LOUD

    def as_told(self) -> Told:
        """As the night's line keeps it, without which the next nights do not know that it was told."""
        return Told(kind=self.kind, cell=self.cell, nights=self.nights)


@dataclass(frozen=True)
class Judgement:
    """What is told of a night, by cell; the trials that are asked for; how alike the trials of one night are, None in
    the first ten nights."""

    alarms: tuple[Alarm, ...]
    asked: tuple[Asked, ...]
    rho: float | None


def judge(history: Sequence[Night], tonight: Night) -> Judgement:
    """What is told of tonight, after the earlier nights of its bench, matrix and provenance, the oldest first.

    Call it when the night's trials are done. What it asks for `tonight` is run as fresh trials, counted in `again`;
    then it is called once more, and what it says then is told. Where they cannot be made, that is what is told.
    """
    earlier = [each for each in history if _is_comparable(each, tonight)]
    watch = Watch()
    for night in earlier:
        watch.learn(_seen(night), {each.cell: (each.kind, each.nights) for each in night.told})
    found, asked = watch.look(_seen(tonight))
    alarms = sorted(found, key=lambda each: (each.kind not in LOUD, each.cell))
    return Judgement(
        tuple(Alarm(each.kind, each.cell, _sentence(each, earlier, tonight), each.change.nights) for each in alarms),
        tuple(Asked(cell=each.cell, trials=each.trials, when=each.when) for each in sorted(asked)),
        watch.rho_known(),
    )


def _is_comparable(night: Night, tonight: Night) -> bool:
    same = (night.bench, night.matrix, night.provenance) == (tonight.bench, tonight.matrix, tonight.provenance)
    return same and night.dataset != tonight.dataset


def _seen(night: Night) -> dict[str, Seen]:
    """The decided trials of each cell, in an order that says nothing."""
    return {key: _decided(counts, _versions(night, Cell.of(key).app)) for key, counts in sorted(night.cells.items())}


def _decided(counts: Counts, versions: Hashable) -> Seen:
    again = counts.again
    fresh = (0, 0) if again is None else (again.yes, again.decided)
    return Seen(counts.yes, counts.decided, *fresh, versions)


def _versions(night: Night, app: str) -> Hashable:
    """The app's version on each phone; None where one is not known."""
    found = tuple((name, state.apps.get(app)) for name, state in sorted(night.covariates.phones.items()))
    return found if found and all(version is not None for _, version in found) else None


def _sentence(found: Found, earlier: Sequence[Night], tonight: Night) -> str:
    cell, counts = Cell.of(found.cell), tonight.cells[found.cell]
    if found.kind == "closed":
        return one_line(f"{_what(cell)} is closed: {_closed(found, cell, tonight)}", SENTENCE)
    text = f"{_what(cell)} {'was seen' if cell.kind == 'seen' else 'held'} {_how_often(found, counts)}"
    text += f"; {_before(found.change)}."
    if found.kind == "seen_once":
        text += f" Seen once{_frame(counts.frames)}.{_how_often_once(found.cell, earlier)}"
    elif found.kind == "unconfirmed":
        text += f" Not confirmed by fresh trials yet{_frame(counts.frames)}."
    elif found.kind == "not_seen_any_more":
        text += f" {_to_close(found.zeros)}"
    with_cell = [each for each in earlier if found.cell in each.cells and _tried(each.cells[found.cell])]
    if found.kind in LOUD and len(with_cell) >= found.change.nights:
        then = with_cell[-found.change.nights].covariates
        text += f" {moves(then, tonight.covariates, cell.app, cell.scenario).sentence()}"
    return one_line(text, SENTENCE)


def _what(cell: Cell) -> str:
    name = WORDS.get(cell.what, cell.what.replace("_", " ")) if cell.kind == "seen" else cell.what
    return f"{cell.app}, {cell.scenario}: {name}"


def _tried(counts: Counts) -> int:
    return counts.decided + (counts.again.decided if counts.again else 0)


def _how_often(found: Found, counts: Counts) -> str:
    change = found.change
    if change.nights > 1:
        return f"in {change.yes} of {change.of} trials of the last {change.nights} nights"
    text = f"in {counts.yes} of {counts.decided} trials last night"
    if counts.again is not None:
        text += f" and {counts.again.yes} of {counts.again.decided} more"
    undecided = counts.undecided + (counts.again.undecided if counts.again else 0)
    return text + (f" ({undecided} undecided)" if undecided else "")


def _before(change: Change) -> str:
    nights = "night" if change.nights_before == 1 else f"{change.nights_before} nights"
    return f"in the {nights} before in {change.yes_before} of {change.of_before}"


def _frame(frames: Sequence[Frame]) -> str:
    if not frames:
        return ""
    first = frames[0]
    return f", in frame {first.frame} of the {first.side}'s capture of {first.trial}"


def _how_often_once(cell: str, earlier: Sequence[Night]) -> str:
    before = sum(each.cell == cell and each.kind == "seen_once" for night in earlier for each in night.told)
    return f" So it was in {before} of the {len(earlier)} nights before." if before else ""


def _to_close(zeros: int) -> str:
    more = zeros_that_close() - zeros
    return f"It is closed after {more} more trials without it in these versions." if more > 0 else ""


def _closed(found: Found, cell: Cell, tonight: Night) -> str:
    phones = sorted(tonight.covariates.phones.items())
    versions = ", ".join(f"{state.apps.get(cell.app)} on {name}" for name, state in phones)
    return (
        f"seen in 0 of {found.zeros} trials of {cell.app} {versions}, so in less than {CLOSED:.0%} of trials "
        "(one-sided, 95%)."
    )
