"""One time line for two captures: what a machine's clock showed, as the controller's time, with a bound."""

from __future__ import annotations

from dataclasses import dataclass

from correlate.dataset import record


@dataclass(frozen=True)
class Reading:
    """An offset (that clock minus the controller's) at the controller's `at_ns`, right to within `bound_ns`."""

    offset_ns: int
    bound_ns: int
    at_ns: int


@dataclass(frozen=True)
class Clock:
    """A clock that was compared with the controller's before and after a trial.

    Its times are mapped as if it drifted evenly between the readings; the bounds hold also where all of the drift came
    in one step. Where `known` is false nobody compared it: its times are its own, and no bound holds.
    """

    before: Reading
    after: Reading
    known: bool = True

    @property
    def bound_ns(self) -> int:
        """How far `to_controller` may be off between the two readings."""
        return max(self.before.bound_ns, self.after.bound_ns) + self.drift_ns

    @property
    def elapsed_bound_ns(self) -> int:
        """How far a duration between the two readings may be off by this clock."""
        return self.before.bound_ns + self.after.bound_ns + self.drift_ns

    @property
    def drift_ns(self) -> int:
        """How much the offset changed from one reading to the other."""
        return abs(self.after.offset_ns - self.before.offset_ns)

    def to_controller(self, time_ns: int) -> int:
        """The controller's time, in ns, when this clock showed `time_ns`: linear between the readings, exact."""
        shown_ns = time_ns - self.before.offset_ns - self.before.at_ns
        span_ns = self.after.at_ns - self.before.at_ns
        drift_ns = self.after.offset_ns - self.before.offset_ns
        if span_ns <= 0 or span_ns + drift_ns <= 0:
            return time_ns - self.before.offset_ns
        return self.before.at_ns + shown_ns * span_ns // (span_ns + drift_ns)


UNKNOWN = Clock(Reading(0, 0, 0), Reading(0, 0, 0), known=False)


def of(recorded: record.Clock | None) -> Clock:
    """A clock of trial.json; None was never compared."""
    if recorded is None:
        return UNKNOWN
    before, after = (Reading(each.offset_ns, each.bound_ns, each.at_ns) for each in (recorded.before, recorded.after))
    return Clock(before, after)
