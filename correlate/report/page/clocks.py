"""How far the clocks of the trials were off, and how well that is known: each by its name in the records."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median

from correlate.dataset.record import TrialRecord
from correlate.tables.statistics import sorted_out

NS_PER_MS = 1e6


@dataclass(frozen=True)
class Told:
    """A clock in all trials that have it: how far off it was and how far off that may be, in ms; None where it was
    never compared. `trials` are those that compared it, and those that did not (`statistics.sorted_out`)."""

    name: str
    compared: int
    total: int
    trials: str
    offset_ms: float | None
    bound_ms: float | None
    worst_bound_ms: float | None
    drift_ppm: float | None


def clocks(records: Mapping[str, TrialRecord]) -> tuple[Told, ...]:
    """Every clock in the order of the records: the median of the largest offset, median and largest bound of the two
    readings, and the largest drift either way."""
    names = dict.fromkeys(name for record in records.values() for name in record.clocks)
    return tuple(_told(name, records) for name in names)


def _told(name: str, records: Mapping[str, TrialRecord]) -> Told:
    there = {trial: record.clocks[name] for trial, record in records.items() if name in record.clocks}
    known = [clock for clock in there.values() if clock is not None]
    offsets = [max(abs(clock.before.offset_ns), abs(clock.after.offset_ns)) / NS_PER_MS for clock in known]
    bounds = [max(clock.before.bound_ns, clock.after.bound_ns) / NS_PER_MS for clock in known]
    drifts = [abs(clock.drift_ppm) for clock in known if clock.drift_ppm is not None]
    return Told(
        name.replace("_", " "),
        len(known),
        len(there),
        sorted_out((trial, clock is not None) for trial, clock in there.items()),
        _middle(offsets),
        _middle(bounds),
        max(bounds, default=None),
        max(drifts, default=None),
    )


def _middle(values: Iterable[float]) -> float | None:
    listed = list(values)
    return median(listed) if listed else None
