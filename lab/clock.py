"""Bench time and real time, and how far one clock is from another.

Bench time is what phones and captures live in: wall time on a real bench, virtual time on the virtual one. A wait on a
phone's state takes bench time. Real time serves programs, sockets and files: a deadline there is real on every bench.
"""

from __future__ import annotations

import contextlib
import itertools
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

from correlate.dataset.clocks import DRIFT_LIMIT_PPM, Offset
from lab.errors import AttemptVoid, Interrupted

POLL_S = 0.2
"""How far apart a phone's or a running capture's state is looked at, in bench time."""


class Clock(Protocol):
    """Bench time, in nanoseconds since the epoch by the controller's clock."""

    def now_ns(self) -> int: ...

    def sleep(self, seconds: float) -> None: ...


class WallClock:
    """Bench time of a real bench: the controller's clock as it was when the bench was opened, and evenly on from there.

    A step of the controller's own clock moves nothing: what all others are compared with does not jump.
    """

    def __init__(self, stop: Stop) -> None:
        self._stop = stop
        self._zero_ns = time.time_ns() - time.monotonic_ns()

    def now_ns(self) -> int:
        return self._zero_ns + time.monotonic_ns()

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


GOAL_NS = 1_000_000
ROUNDS = 4
STEP_TRIES = 3


class Exchange(NamedTuple):
    """One question to a remote clock: asked and answered by the controller's clock, and what it showed in between."""

    sent_ns: int
    reading_ns: int
    received_ns: int


def measure_offset(
    clock: Clock, read_ns: Callable[[], int], reads: int = 50, *, whose: str = "the remote clock"
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


def _measured_once(clock: Clock, read_ns: Callable[[], int], reads: int) -> Offset | None:
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
