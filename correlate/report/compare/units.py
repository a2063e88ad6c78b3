"""What is compared: of each claim how many trials satisfy it, pooled by app and in each scenario; of each measure its
values, pooled over repetitions, scenarios and directions."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from correlate.findings.cases import SERVICES, Case
from correlate.report.compare.reading import Both
from correlate.tables import predicates
from correlate.tables.cell_claims import CELL_CLAIMS
from correlate.tables.claim_list import CLAIMS, Claim
from correlate.tables.study import Study


@dataclass(frozen=True)
class Share:
    """How many of `total` trials satisfy a claim; `undecided` ones are among the total, not among `hits`."""

    hits: int
    undecided: int
    total: int

    @property
    def decided(self) -> int:
        """The trials that satisfy it or do not."""
        return self.total - self.undecided

    @property
    def bounds(self) -> tuple[int, int, int]:
        """As the statistics take it."""
        return self.hits, self.undecided, self.total


NONE = Share(0, 0, 0)


@dataclass(frozen=True)
class Cell:
    """A claim in one scenario of an app, in both datasets."""

    scenario: str
    a: Share
    b: Share


@dataclass(frozen=True)
class ClaimUnit:
    """A claim of an app's trials: all of them, and scenario by scenario. `unknown` says why nothing can be decided in
    either dataset; `unit` is what is counted."""

    claim: str
    app: str
    unit: str
    a: Share
    b: Share
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class ValuesUnit:
    """A measure of an app's trials of one service and phase, in `unit`; trials without a value are left out."""

    measure: str
    app: str
    service: str
    phase: str
    unit: str
    a: tuple[float, ...]
    b: tuple[float, ...]


@dataclass(frozen=True)
class Measure:
    """What is measured of a trial, None where it cannot be; in which phases."""

    name: str
    unit: str
    phases: tuple[str, ...]
    value: Callable[[Case], float | None]


BEFORE, TALK = "before answer", "conversation"


def _relayed_packets(case: Case) -> float | None:
    """Packets of all relayed sessions in both traces."""
    if predicates.is_above_mtu(case):
        return None
    known = [predicates.both_ways(each.relayed.tx_packets, each.relayed.rx_packets) for each in case.volume.values()]
    return None if None in known else sum(each or 0 for each in known)


MEASURES = (
    Measure(
        "duration difference of the longest relayed sessions", "s", (BEFORE, TALK),
        lambda case: predicates.duration_difference_s(case, "longest_relay"),
    ),
    Measure("packets of relayed sessions in both traces", "packets", (BEFORE, TALK), _relayed_packets),
    Measure(
        "packet difference of relayed sessions, normalised", "", (BEFORE,),
        lambda case: predicates.packet_difference(case, lambda volumes: volumes.relayed),
    ),
    Measure(
        "packet difference of the longest relayed session, normalised", "", (TALK,),
        lambda case: predicates.packet_difference(case, lambda volumes: volumes.longest_relay),
    ),
    Measure("media rate of the louder side", "bytes/s", (TALK,), predicates.media_bytes_per_s),
)  # fmt: skip
"""Tables 6 to 8 and section 4.5, trial by trial."""


def claim_units(both: Both) -> list[ClaimUnit]:
    """Every claim for every app of which either dataset has a trial that it speaks of."""
    a, b = both.a.study, both.b.study
    found = [_trials(claim, app, a, b) for claim in CLAIMS for app in both.apps]
    return [each for each in (*found, *_cells(a, b, both.apps)) if each.a.total or each.b.total]


def _trials(claim: Claim, app: str, a: Study, b: Study) -> ClaimUnit:
    cells = []
    for scenario in dict.fromkeys((*a.scenarios, *b.scenarios)):
        cell = Cell(scenario, *(_share(claim, app, scenario, study) for study in (a, b)))
        cells += [cell] if cell.a.total or cell.b.total else []
    pooled = (_sum(cell.a for cell in cells), _sum(cell.b for cell in cells))
    return ClaimUnit(claim.name, app, "trials", *pooled, tuple(cells))


def _share(claim: Claim, app: str, scenario: str, study: Study) -> Share:
    of = study.speaking_of("scenario", "service") if claim.is_of_service else study.speaking_of("scenario")
    has_rule = not claim.needs or bool(getattr(of.rules[app], claim.needs))
    verdicts = [
        claim.holds(case, of) if has_rule and not predicates.is_void(case) else None
        for case in of.select(app=app, scenario=scenario)
        if claim.applies(case, of)
    ]
    return Share(verdicts.count(True), verdicts.count(None), len(verdicts))


def _cells(a: Study, b: Study, apps: list[str]) -> Iterator[ClaimUnit]:
    for claim in CELL_CLAIMS:
        shares: tuple[dict[tuple[str, str], Share], ...] = ({}, {})
        for study, found in zip((a, b), shares, strict=True):
            for app, scenario, verdicts in claim.cells(claim.of(study)):
                found[app, scenario] = Share(verdicts.count(True), verdicts.count(None), len(verdicts))
        for app in apps:
            keys = dict.fromkeys(key for found in shares for key in found if key[0] == app)
            cells = tuple(Cell(key[1], *(found.get(key, NONE) for found in shares)) for key in keys)
            pooled = (_sum(cell.a for cell in cells), _sum(cell.b for cell in cells))
            yield ClaimUnit(claim.name, app, "cells", *pooled, cells)


def _sum(shares: Iterator[Share]) -> Share:
    known = list(shares)
    return Share(*(sum(getattr(each, name) for each in known) for name in ("hits", "undecided", "total")))


def values_units(both: Both) -> list[ValuesUnit]:
    """Every measure for every app, service and phase of which either dataset has a value."""
    studies = [side.study.speaking_of("scenario", "service") for side in (both.a, both.b)]
    found = []
    for app in both.apps:
        for phase in (BEFORE, TALK):
            for service in SERVICES:
                for measure in MEASURES:
                    if phase in measure.phases:
                        values = (_values(study, measure, app, service, phase) for study in studies)
                        found.append(ValuesUnit(measure.name, app, service, phase, measure.unit, *values))
    return [each for each in found if each.a or each.b]


def _values(study: Study, measure: Measure, app: str, service: str, phase: str) -> tuple[float, ...]:
    cases = study.select(app=app, service=service)
    fitting = (case for case in cases if case.is_conversation is (phase == TALK) and not predicates.is_void(case))
    return tuple(value for case in fitting if (value := measure.value(case)) is not None)
