"""One comparison as data, made of two datasets."""

from collections.abc import Iterable
from dataclasses import dataclass

from correlate.dataset import Dataset
from correlate.report.compare import reading
from correlate.report.compare.changes import Change, ClaimChange, Outcome, ValuesChange, judge_claims, judge_values
from correlate.report.compare.moved import Moved, moved
from correlate.report.compare.reading import Side
from correlate.report.compare.statistics import LEVEL, hidden
from correlate.report.compare.units import claim_units, values_units

NOTHING_CHANGED, LEAK_OPENED, SOMETHING_CHANGED = 0, 6, 7
"""Exit codes; two datasets that cannot be compared are `NotComparable`, 2."""


@dataclass(frozen=True)
class Source:
    """One of the two: its folder as it was named, what it is, when its first and last trial began (UTC, empty where
    nobody wrote it down), how many trials are compared, are of kinds that the other has not, and could not be read."""

    path: str
    bench: str
    matrix: str
    seed: int
    provenance: str
    first_day: str
    last_day: str
    trials: int
    alone: int
    unread: int


@dataclass(frozen=True)
class Hidden:
    """Of how many trials a side, and how large a change from all of them to fewer could hide there."""

    trials_a: int
    trials_b: int
    change: float


@dataclass(frozen=True)
class Comparison:
    """A beside B. `left_out` says of each app that is not compared why; `hidden` is of the fewest and of the most
    trials with which a claim was tested."""

    a: Source
    b: Source
    claims: tuple[ClaimChange, ...]
    values: tuple[ValuesChange, ...]
    moved: tuple[Moved, ...]
    left_out: dict[str, str]
    hidden: tuple[Hidden, ...]

    @property
    def exit_code(self) -> int:
        """0 nothing changed, 6 a leak opened, 7 something else changed."""
        if any(each.leak == "opened" for each in self.claims):
            return LEAK_OPENED
        return SOMETHING_CHANGED if self.of("changed") else NOTHING_CHANGED

    def of(self, outcome: Outcome) -> list[Change]:
        """The claims and measures with this outcome."""
        every: list[Change] = [*self.claims, *self.values]
        return [each for each in every if each.outcome == outcome]


def compare(a: Dataset, b: Dataset) -> Comparison:
    """What changed from A to B, by their findings; nothing is written. Raises `NotComparable`, and `BadDataset` where
    one is no dataset or has no findings that fit."""
    both = reading.read(a, b)
    claims, values = judge_claims(claim_units(both)), judge_values(values_units(both))
    sources = (_source(both.a), _source(both.b))
    return Comparison(*sources, tuple(claims), tuple(values), tuple(moved(both)), both.left_out, _hidden(claims))


def _source(side: Side) -> Source:
    study = side.study
    first, last = study.days or ("", "")
    info, path, unread = study.info, str(side.dataset.path), len(study.unread)
    about = (path, info.bench, info.matrix, info.seed, study.provenance)
    return Source(*about, first, last, len(study.cases), side.alone, unread)


def _hidden(claims: Iterable[ClaimChange]) -> tuple[Hidden, ...]:
    """At the level that the strictest step of the procedure asks for: any other asks for no more."""
    tested = [(each.unit.a.decided, each.unit.b.decided) for each in claims if each.p is not None]
    if not tested:
        return ()
    ends = dict.fromkeys((min(tested, key=min), max(tested, key=min)))
    return tuple(Hidden(*each, hidden(*each, LEVEL / len(tested))) for each in ends)
