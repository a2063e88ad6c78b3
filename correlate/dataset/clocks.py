"""`clocks` of trial.json: what a machine's clock shows and the controller's time, one told from the other."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

from correlate.dataset import record

DRIFT_LIMIT_PPM = 500
"""No clock that runs on gains or loses more against another: Linux slews by at most 500 ppm (MAXFREQ of its ntp.c, and
adjtime(3)), oscillators are wrong by some tens. What changes faster is a step."""


@dataclass(frozen=True)
class Offset:
    """How far a clock is ahead of the controller's: at the controller's `at_ns` the truth is within `bound_ns` of
    `offset_ns`."""

    offset_ns: int
    bound_ns: int
    at_ns: int


@dataclass(frozen=True)
class ClockLine:
    """A clock that was compared with the controller's before and after a trial.

    It is taken to drift evenly between the readings and beyond; the bounds hold between them, also where all of the
    change came at once. Where `known` is false nobody compared it: its times are its own, and no bound holds.
    """

    before: Offset
    after: Offset
    known: bool = field(default=True, kw_only=True)

    @property
    def span_ns(self) -> int:
        """From one reading to the other."""
        return self.after.at_ns - self.before.at_ns

    @property
    def change_ns(self) -> int:
        """How much further ahead it is after the trial than before it."""
        return self.after.offset_ns - self.before.offset_ns

    @property
    def drift_ppm(self) -> float:
        """0 where nothing lies between the readings."""
        return self.change_ns * 1e6 / self.span_ns if self.span_ns > 0 else 0.0

    @property
    def bound_ns(self) -> int:
        """How far `offset_ns` and `to_controller` may be off between the two readings."""
        return max(self.before.bound_ns, self.after.bound_ns) + abs(self.change_ns)

    @property
    def elapsed_bound_ns(self) -> int:
        """How far a duration between the two readings may be off by this clock."""
        return self.before.bound_ns + self.after.bound_ns + abs(self.change_ns)

    @property
    def stepped(self) -> bool:
        """Whether the change is more than both bounds and any drift allow."""
        drifted_ns = max(0, self.span_ns) * DRIFT_LIMIT_PPM // 1_000_000
        return abs(self.change_ns) > self.before.bound_ns + self.after.bound_ns + drifted_ns

    @property
    def _spans_ns(self) -> tuple[int, int]:
        """From one reading to the other by the controller's clock and by this one, alike where one did not go on: then
        the first offset holds throughout."""
        span_ns, shown_ns = self.span_ns, self.span_ns + self.change_ns
        return (span_ns, shown_ns) if span_ns > 0 and shown_ns > 0 else (1, 1)

    def offset_ns(self, at_ns: int) -> int:
        """How far ahead it is at an instant of the controller, rounded down."""
        span_ns, shown_ns = self._spans_ns
        return self.before.offset_ns + (at_ns - self.before.at_ns) * (shown_ns - span_ns) // span_ns

    def to_controller(self, time_ns: int) -> int:
        """The controller's time when this clock shows `time_ns`, rounded down.

        The inverse of `at_ns + offset_ns(at_ns)`, which it gives back to within the two roundings: `at_ns`, or at most
        (s - 1) / c ns less, rounded up, where this clock goes on by c while the controller's goes on by s.
        """
        span_ns, shown_ns = self._spans_ns
        since_ns = time_ns - self.before.offset_ns - self.before.at_ns
        return self.before.at_ns + since_ns * span_ns // shown_ns

    def shifted(self, by_ns: int) -> ClockLine:
        """The same clock, for which all that it stamped was `by_ns` later in the controller's time."""
        before, after = (
            Offset(each.offset_ns - by_ns, each.bound_ns, each.at_ns + by_ns) for each in (self.before, self.after)
        )
        return ClockLine(before, after, known=self.known)

    def recorded(self) -> record.Clock:
        """A clock of trial.json."""
        before, after = (record.Reading(**asdict(each)) for each in (self.before, self.after))
        return record.Clock(before=before, after=after, drift_ppm=round(self.drift_ppm, 3))


UNKNOWN = ClockLine(Offset(0, 0, 0), Offset(0, 0, 0), known=False)


def of(recorded: record.Clock | None) -> ClockLine:
    """A clock of trial.json; None was never compared."""
    if recorded is None:
        return UNKNOWN
    return ClockLine(*(Offset(each.offset_ns, each.bound_ns, each.at_ns) for each in (recorded.before, recorded.after)))
