"""How far a clock is ahead of the controller's, with a bound that holds."""

import itertools
from collections.abc import Callable, Sequence
from typing import NamedTuple

from correlate.dataset.clocks import DRIFT_LIMIT_PPM, Offset
from lab.clocks.bench_time import BenchClock
from lab.errors import AttemptVoid

GOAL_NS = 1_000_000
ROUNDS = 4
STEP_TRIES = 3


class Exchange(NamedTuple):
    """One question to a remote clock: asked and answered by the controller's clock, and what it showed in between."""

    sent_ns: int
    reading_ns: int
    received_ns: int


def measure_offset(
    clock: BenchClock, read_ns: Callable[[], int], reads: int = 50, *, whose: str = "the remote clock"
) -> Offset:
    """Compare a remote clock, which `read_ns` asks once, with the controller's by `reads` exchanges.

    Where these leave a bound above `GOAL_NS`, up to `ROUNDS` times as many are made: where a path's time is waiting,
    more exchanges find quicker ones. A clock that steps meanwhile is measured anew. Raises
    `AttemptVoid("clock_stepped")` when it steps `STEP_TRIES` times, and whatever `read_ns` raises.
    """
    if reads < 1:
        raise ValueError("reads must be greater than 0")
    for _ in range(STEP_TRIES):
        best = _measured_once(clock, read_ns, reads)
        if best is not None:
            return best
    raise AttemptVoid("clock_stepped", f"{whose} stepped in each of {STEP_TRIES} measurements; let it settle")


def _measured_once(clock: BenchClock, read_ns: Callable[[], int], reads: int) -> Offset | None:
    """The offset with the smallest bound of up to `ROUNDS` rounds; None as soon as the clock stepped."""
    exchanges: list[Exchange] = []
    found: list[Offset] = []
    sent_ns = clock.now_ns()
    while len(found) < ROUNDS and not (found and found[-1].bound_ns <= GOAL_NS):
        for _ in range(reads):
            reading_ns, received_ns = read_ns(), clock.now_ns()
            exchanges.append(Exchange(sent_ns, reading_ns, received_ns))
            sent_ns = received_ns
        offset = agreed(exchanges)
        if offset is None:
            return None
        found.append(offset)
    return min(found, key=lambda offset: offset.bound_ns)


def agreed(exchanges: Sequence[Exchange]) -> Offset | None:
    """The offset, in the middle of all exchanges, that every one of them allows; None where the clock stepped.

    A clock that was read after it was asked and before it answered is ahead by at least reading less answer and at
    most reading less question. The bound is half of what all these intervals have in common (Marzullo's intersection;
    RFC 5905, section 11.2.1): half of the fastest way there and the fastest way back, of different exchanges, and so
    never more than half of the smallest round trip. Added are the digits that readings lack, and the drift of
    `DRIFT_LIMIT_PPM` between an exchange and the middle.
    """
    cut_ns = _resolution_ns([each.reading_ns for each in exchanges])
    at_ns = (exchanges[0].sent_ns + exchanges[-1].received_ns) // 2
    went_back = any(after.reading_ns < before.reading_ns for before, after in itertools.pairwise(exchanges))
    lowest = max(each.reading_ns - each.received_ns - drift_ns(each, at_ns) for each in exchanges)
    highest = min(each.reading_ns + cut_ns - each.sent_ns + drift_ns(each, at_ns) for each in exchanges)
    if went_back or lowest > highest:
        return None
    return Offset((lowest + highest) // 2, (highest - lowest) // 2 + 1, at_ns)


def _resolution_ns(readings: Sequence[int]) -> int:
    """The value of the last digit that any reading has, from 1 ns to 1 s: they are cut there, not rounded."""
    unit_ns = 1_000_000_000
    while any(reading % unit_ns for reading in readings):
        unit_ns //= 10
    return unit_ns


def drift_ns(exchange: Exchange, at_ns: int) -> int:
    """How much two clocks that run on may drift between an exchange and `at_ns`, both by the asker's clock."""
    away_ns = max(at_ns - exchange.sent_ns, exchange.received_ns - at_ns)
    return away_ns * DRIFT_LIMIT_PPM // 1_000_000 + 1
