"""Media at the edges of the captures: sent or received on one side while the other's capture may not have run."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from correlate.dataset.clocks import ClockLine
from correlate.flows import Flows
from correlate.pairs.conversations import Conversation
from correlate.pairs.media import media_rows
from correlate.trace import Trace


class Side(Protocol):
    """What is looked at of a vantage."""

    @property
    def clock(self) -> ClockLine: ...
    @property
    def window_ns(self) -> tuple[int, int]: ...
    @property
    def trace(self) -> Trace: ...
    @property
    def flows(self) -> Flows: ...
    @property
    def of_call(self) -> Sequence[Conversation]: ...


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

    times = _media_times(side, direction)
    if not times or all(is_covered(time_ns) for time_ns in (min(times), max(times))):
        return 0
    return sum(not is_covered(time_ns) for time_ns in times)


def _media_times(side: Side, direction: str) -> list[int]:
    """The times of the media sent (`tx`) or received (`rx`) by one side."""
    rows = media_rows(side.trace.udp)
    rows = rows[np.isin(side.flows.of[rows], [each.flow for each in side.of_call])]
    is_a = np.zeros(len(side.flows.table), bool)
    for each in side.of_call:
        flow = side.flows.table[each.flow]
        is_a[each.flow] = (flow.a, flow.a_port) == (each.local, each.local_port)
    is_sent = side.flows.from_a[rows] == is_a[side.flows.of[rows]]
    times: list[int] = side.trace.udp.time_ns[rows[is_sent == (direction == "tx")]].tolist()
    return times
