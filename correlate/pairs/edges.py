"""Media at the edges of the captures: sent or received on one side while the other's capture may not have run."""

from typing import Protocol

from correlate.dataset.clocks import ClockLine
from correlate.pairs.media import MediaUnits


class Side(Protocol):
    """What is looked at of a vantage."""

    @property
    def clock(self) -> ClockLine: ...
    @property
    def window_ns(self) -> tuple[int, int]: ...
    @property
    def media_units(self) -> MediaUnits: ...


def edge_packets(a: Side, b: Side) -> tuple[int, int] | None:
    """Media packets that `a` sent or `b` received, and that `b` sent or `a` received, where the other capture does not
    reach, give or take the bounds of both clocks; None where a clock was never compared."""
    if not (a.clock.known and b.clock.known):
        return None
    return _beyond(a, b, "tx") + _beyond(b, a, "rx"), _beyond(b, a, "tx") + _beyond(a, b, "rx")


def _beyond(side: Side, other: Side, direction: str) -> int:
    bound_ns = side.clock.bound_ns + other.clock.bound_ns
    begin_ns, end_ns = (other.clock.to_controller(time_ns) for time_ns in other.window_ns)

    def is_covered(time_ns: int) -> bool:
        return begin_ns + bound_ns <= side.clock.to_controller(time_ns) <= end_ns - bound_ns

    media = side.media_units
    times: list[int] = media.time_ns[media.sent == (direction == "tx")].tolist()
    if not times or all(is_covered(time_ns) for time_ns in (min(times), max(times))):
        return 0
    return sum(not is_covered(time_ns) for time_ns in times)
