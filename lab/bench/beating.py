"""What a bench holds its phones by: when each lease is beaten, so that others see that somebody is there.

It is beaten when an attempt begins, when the recovery ladder has ended, in pauses each minute, and in what takes longer
than that each five minutes: always by the thread that drives the bench, from where it waits. A thread of its own would
need shells of its own, and would have an emulated bench play the same trial in other bytes each time. That a phone does
not answer is told by what drives it; who holds it is asked for as soon as it answers, and before anything else where it
was not seen for as long as a lease lasts.
"""

from collections.abc import Callable

from lab.clocks.bench_time import BenchClock
from lab.errors import PhoneTrouble
from lab.phone.held import STALE_S, Hold

PAUSE_S, ATTEMPT_S = 60.0, 300.0
"""How long is slept without a beat between attempts, and in one."""


class Holds:
    """The phones of a bench that are held; `now_ns` is its clock."""

    def __init__(self, now_ns: Callable[[], int]) -> None:
        self._now_ns = now_ns
        self._seen_ns: dict[Hold, int] = {}
        self._silent: set[Hold] = set()
        self._beaten_ns = 0

    def __bool__(self) -> bool:
        return bool(self._seen_ns)

    def add(self, hold: Hold) -> None:
        """A phone that was taken just now."""
        self._seen_ns[hold] = self._beaten_ns = self._now_ns()

    def beat(self) -> None:
        """Beat all. Raises `BenchBusy` where somebody else has taken one, and `PhoneTrouble` where one does not answer
        and may have been taken since it did."""
        for hold in self._seen_ns:
            self._beat(hold)
            self._beaten_ns = self._now_ns()

    def anew(self) -> None:
        """Bench time may begin anew: from now on it is as if all had been beaten just now."""
        for hold in self._seen_ns:
            self._seen_ns[hold] = self._beaten_ns = self._now_ns()

    def beat_after(self, seconds: float) -> None:
        """Beat those that answered the last time, unless that was within so many seconds. Raises `BenchBusy`."""
        if not self or self._now_ns() - self._beaten_ns < round(seconds * 1e9):
            return
        for hold in self._seen_ns:
            # Whose phone is away waits for it in the ladder, not here, by a deadline each time.
            if hold not in self._silent:
                try:
                    self._beat(hold)
                except PhoneTrouble:
                    continue
        self._beaten_ns = self._now_ns()

    def require(self, name: str) -> None:
        """Before a phone is changed that was away: raises as `beat` where it may have been taken."""
        for hold in self._seen_ns:
            if hold.name == name and self._may_be_lost(hold):
                self._beat(hold)

    def _beat(self, hold: Hold) -> None:
        try:
            hold.beat()
        except PhoneTrouble:
            self._silent.add(hold)
            if self._may_be_lost(hold):
                raise
            return
        self._silent.discard(hold)
        self._seen_ns[hold] = self._now_ns()

    def _may_be_lost(self, hold: Hold) -> bool:
        return self._now_ns() - self._seen_ns[hold] > STALE_S * 1_000_000_000


class BeatingClock:
    """Bench time, in which phones are held: sleeping beats them where the last beat is `every_s` ago."""

    def __init__(self, clock: BenchClock, holds: Holds, every_s: float) -> None:
        self._clock, self._holds, self._every_s = clock, holds, every_s

    def now_ns(self) -> int:
        return self._clock.now_ns()

    def sleep(self, seconds: float) -> None:
        """Raises `BenchBusy`, as `Holds.beat_after`."""
        while self._holds and seconds > self._every_s:
            self._clock.sleep(self._every_s)
            self._holds.beat_after(self._every_s)
            seconds -= self._every_s
        self._clock.sleep(seconds)
        self._holds.beat_after(self._every_s)
