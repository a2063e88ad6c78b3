"""Bench time: what phones and captures live in. Wall time on a real bench, virtual time on the virtual one.

A wait on a phone's state takes bench time; real time (`lab.clocks.real_time`) serves programs, sockets and files.
"""

import time
from collections.abc import Callable, Iterable
from typing import Protocol

from lab.clocks.stop import Stop

POLL_S = 0.2
"""How far apart a phone's or a running capture's state is looked at, in bench time."""


READINGS = 16
"""A process may have to wait between two readings of clocks: so many tries, of which the fastest counts."""


def epoch_ns(readings: Iterable[tuple[int, int, int]]) -> int:
    """What to add to the steady clock for the wall clock, in ns: by the fastest of some readings, each of the steady
    clock, the wall clock and the steady clock again."""
    _, found = min((after - before, wall - (before + after) // 2) for before, wall, after in readings)
    return found


class BenchClock(Protocol):
    """Bench time, in nanoseconds since the epoch by the controller's clock."""

    def now_ns(self) -> int: ...

    def sleep(self, seconds: float) -> None: ...


class WallClock:
    """Bench time of a real bench: the controller's clock as it was when the bench was opened, and evenly on from there.

    A step of the controller's own clock moves nothing: what all others are compared with does not jump.
    """

    def __init__(self, stop: Stop) -> None:
        self._stop = stop
        self._zero_ns = epoch_ns((time.monotonic_ns(), time.time_ns(), time.monotonic_ns()) for _ in range(READINGS))

    def now_ns(self) -> int:
        return self._zero_ns + time.monotonic_ns()

    def sleep(self, seconds: float) -> None:
        self._stop.wait(seconds)
        self._stop.check()


def wait_until(clock: BenchClock, holds: Callable[[], bool], within_s: float) -> bool:
    """Look at `holds` every 0.2 s of bench time until it is true; False when `within_s` have passed."""
    deadline_ns = clock.now_ns() + round(within_s * 1e9)
    while not holds():
        if clock.now_ns() >= deadline_ns:
            return False
        clock.sleep(POLL_S)
    return True
