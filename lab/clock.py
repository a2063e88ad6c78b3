"""Bench time and real time, and how far one clock is from another.

Bench time is what phones and captures live in: wall time on a real bench, virtual time on the virtual one. A wait on a
phone's state takes bench time. Real time serves programs, sockets and files: a deadline there is real on every bench.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from lab.errors import Interrupted

POLL_S = 0.2
"""How far apart a phone's or a running capture's state is looked at, in bench time."""


class Clock(Protocol):
    """Bench time, in nanoseconds since the epoch by the controller's clock."""

    def now_ns(self) -> int: ...

    def sleep(self, seconds: float) -> None: ...


class WallClock:
    """Bench time of a real bench: the controller's own clock."""

    def __init__(self, stop: Stop) -> None:
        self._stop = stop

    def now_ns(self) -> int:
        return time.time_ns()

    def sleep(self, seconds: float) -> None:
        self._stop.wait(seconds)
        self._stop.check()


def elapsed() -> float:
    """Seconds of real time since an arbitrary start; never goes back."""
    return time.monotonic()


class Deadline:
    """A real deadline for a program, a socket or a file."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = elapsed() + seconds

    def left(self) -> float:
        """Seconds left, at least 0."""
        return max(0.0, self._end - elapsed())

    def passed(self) -> bool:
        return self.left() == 0.0


def wait_until(clock: Clock, holds: Callable[[], bool], within_s: float) -> bool:
    """Look at `holds` every 0.2 s of bench time until it is true; False when `within_s` have passed."""
    deadline_ns = clock.now_ns() + round(within_s * 1e9)
    while not holds():
        if clock.now_ns() >= deadline_ns:
            return False
        clock.sleep(POLL_S)
    return True


@dataclass(frozen=True)
class Offset:
    """How far a clock is ahead of the controller's: at `at_ns` the truth is within `bound_ns` of `offset_ns`."""

    offset_ns: int
    bound_ns: int
    at_ns: int


READING_RESOLUTION_NS = 1_000
"""`$EPOCHREALTIME` is cut to microseconds: a reading is up to this much behind the clock it reads."""


def measure_offset(clock: Clock, read_ns: Callable[[], int], reads: int = 50) -> Offset:
    """Compare a remote clock with the controller's by the exchange with the smallest round trip.

    `read_ns` asks the remote clock once. The remote clock was read at some instant of the exchange, so the offset from
    the middle of the exchange is wrong by at most half the round trip (RFC 5905, section 8), plus half the resolution.
    """
    best: Offset | None = None
    before = clock.now_ns()
    for _ in range(reads):
        reading = read_ns() + READING_RESOLUTION_NS // 2
        after = clock.now_ns()
        middle = (before + after) // 2
        bound = (after - before + 1) // 2 + READING_RESOLUTION_NS // 2
        if best is None or bound < best.bound_ns:
            best = Offset(reading - middle, bound, middle)
        before = after
    if best is None:
        raise ValueError("reads must be greater than 0")
    return best


class Stop:
    """Ctrl-C and SIGTERM, told politely: the run ends at the next wait, with everything put back in order.

    While `held`, a signal is noted but does not interrupt, so that hanging up and stopping captures is never cut short.
    """

    def __init__(self) -> None:
        self._event = threading.Event()
        self._held = 0

    def request(self, *_signal: object) -> None:
        """A signal handler: ask for the end of the run."""
        self._event.set()

    @property
    def requested(self) -> bool:
        return self._event.is_set()

    def check(self) -> None:
        """Raise `Interrupted` where the end was asked for and nothing holds it back."""
        if self.requested and not self._held:
            raise Interrupted("interrupted; what is verified is kept, the trial that ran is run again next time")

    def wait(self, seconds: float) -> None:
        """Sleep in real time; a signal ends the sleep."""
        self._event.wait(seconds) if not self._held else time.sleep(seconds)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1

    @contextlib.contextmanager
    def on_signals(self) -> Iterator[None]:
        """Catch SIGINT and SIGTERM for as long as the block runs (main thread only)."""
        before = {number: signal.signal(number, self.request) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM raise `KeyboardInterrupt`, as SIGINT does; once one was raised, neither disturbs what follows."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except (KeyboardInterrupt, Interrupted):
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        raise
    else:
        signal.signal(signal.SIGTERM, before)
