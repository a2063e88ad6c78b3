"""What each app gives away, as a matrix: a row a leak, a column an app. It has the verdict's own numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

from correlate.report.verdict import AppVerdict, Leak

NAMES = {
    "Does the callee's network see the caller?": "the caller's address",
    "Does the caller's network see the callee?": "the callee's address",
    "Do both traces show the same user ids?": "the same user ids on both sides",
    "Does the wire tell voice from video?": "voice or video",
    "Do the media go directly between the phones?": "a direct path between the phones",
    "Do both sides use the same servers at the same time?": "a server that both sides use at once",
    "Do packet counts tell who called?": "who called",
    "Does the longest relayed session last equally long on both sides?": "a session that lasts as long on both sides",
}
"""The verdict's questions, as what is given away where the answer is yes."""
WORDS = {"always": "always", "sometimes": "in some", "never": "not seen", "unknown": "not decided"}
AS_BY_CHANCE = "as by chance"


@dataclass(frozen=True)
class Cell:
    """One leak of one app. `look` is its class: `all`, `some`, `none`, `open`, or `chance` where two different calls
    show it as often; the same stands beside its numbers in `words`."""

    app: str
    leak: Leak

    @property
    def look(self) -> str:
        """The class of its cell."""
        looks = {"always": "all", "sometimes": "some", "never": "none", "unknown": "open", "chance": "chance"}
        return looks[self.leak.level]

    @property
    def words(self) -> str:
        """What the colour says, and what wrong pairs show."""
        said = WORDS.get(self.leak.level, AS_BY_CHANCE)
        said += f", {self.leak.undecided} undecided" if self.leak.undecided and self.leak.hits else ""
        hits, total = self.leak.wrong_pairs
        return f"{said}; wrong pairs {hits} of {total}" if total else said


@dataclass(frozen=True)
class Line:
    """One leak in one part of the trials, a cell an app."""

    name: str
    question: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Part:
    """The lines of one part of the trials: before anyone answers, in conversations, in every call."""

    name: str
    lines: tuple[Line, ...]


def matrix(found: Sequence[AppVerdict]) -> tuple[Part, ...]:
    """The parts in the verdict's order; every app is asked the same questions."""
    if not found:
        return ()
    return tuple(
        Part(
            phase.name,
            tuple(
                Line(
                    NAMES.get(leak.question, leak.what),
                    leak.question,
                    tuple(Cell(each.app, each.phases[of].leaks[number]) for each in found),
                )
                for number, leak in enumerate(phase.leaks)
            ),
        )
        for of, phase in enumerate(found[0].phases)
    )
