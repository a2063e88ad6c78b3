"""Bench time that is wall time: events happen when their time has come, operations cost what they really cost."""

import asyncio
import time
from collections.abc import Callable

from lab.virtual.world import Timer, World

READINGS = 16
LOOK_NS = 50_000_000
"""What browsers do is no event of the heap: whoever waits for it looks this often."""


async def pause(seconds: float) -> None:
    """Let real time pass, before something real is looked at again."""
    await asyncio.sleep(seconds)


class RealWorld(World):
    """The controller's clock as it was when the world was made, and evenly on from there."""

    def __init__(self) -> None:
        readings = [(time.monotonic_ns(), time.time_ns(), time.monotonic_ns()) for _ in range(READINGS)]
        # As the controller does: of the fastest reading, since this process may have to wait within one.
        before, wall, after = min(readings, key=lambda each: each[2] - each[0])
        self._zero_ns = wall - (before + after) // 2
        super().__init__()

    @property
    def now_ns(self) -> int:
        return self._zero_ns + time.monotonic_ns()

    @now_ns.setter
    def now_ns(self, value: int) -> None:
        """Nobody moves it."""

    def begin(self, key: str, start_ns: int) -> None:
        """Start an attempt: it starts now, whatever instant it was to have."""
        super().begin(key, start_ns)
        self.started_ns = self.now_ns

    def at(self, when_ns: int, action: Callable[[], None]) -> Timer:
        timer = super().at(when_ns, action)
        left_ns = max(0, timer.when_ns - self.now_ns)
        # The loop's clock may be a little early: then the timer is due by its own time.
        asyncio.get_running_loop().call_later(left_ns / 1e9, lambda: super(RealWorld, self).advance_to(timer.when_ns))
        return timer

    def advance_to(self, when_ns: int) -> None:
        """Do what is due by now: time passes by itself."""
        super().advance_to(min(when_ns, self.now_ns))

    async def pass_until(self, when_ns: int) -> None:
        await pause(max(0, when_ns - self.now_ns) / 1e9)
        self.advance_to(self.now_ns)

    def next_event_ns(self) -> int:
        due_ns, soon_ns = super().next_event_ns(), self.now_ns + LOOK_NS
        return soon_ns if due_ns is None else min(due_ns, soon_ns)

    def spend(self, low_ns: int, high_ns: int, operation: str) -> None:
        """Nothing: it takes time by itself."""
