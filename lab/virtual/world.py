"""Bench time: one integer of nanoseconds, one heap of events, chance that is keyed and never shared.

Time moves only by `advance_to`: on an `advance` of the control channel, while a selector wait in the agent jumps from
event to event, and by the cost of an operation. Events are synchronous functions. What an attempt does depends on its
key and on the operations it receives, never on when in real time they arrive.
"""

import hashlib
import heapq
import itertools
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import numpy as np


@dataclass(order=True)
class Timer:
    """One event of the heap; `cancel` makes it do nothing."""

    when_ns: int
    sequence: int
    action: Callable[[], None] | None = field(compare=False)

    def cancel(self) -> None:
        self.action = None


class World:
    """Bench time and chance of one attempt.

    `flushers` are called with the new time after each move of time: the wires hand over the frames that are due.
    `settlers` are awaited by `settle` before the bench answers anybody: each waits until one stand-in has written and
    acknowledged what it was given.
    """

    def __init__(self) -> None:
        self.now_ns = 0
        self.started_ns = 0
        self.key = ""
        self.flushers: list[Callable[[int], None]] = []
        self.settlers: list[Callable[[], Awaitable[None]]] = []
        self._nights_ns = 0
        self._over = False
        self._heap: list[Timer] = []
        self._sequence = itertools.count()
        self._occurrences: Counter[str] = Counter()

    def begin(self, key: str, start_ns: int) -> None:
        """Start an attempt: time is `start_ns`, chance follows `key`, no event of an earlier attempt is left."""
        self._nights_ns = self.night_ns
        self.key, self.now_ns, self.started_ns = key, start_ns, start_ns
        self._over = False
        self._heap.clear()
        self._occurrences.clear()

    def end(self) -> None:
        """The attempt is over; time goes on, and all events but those of its background."""
        self._over = True

    @property
    def night_ns(self) -> int:
        """The night clock: all time that passed since the bench began, in attempts and between them."""
        return self._nights_ns + self.now_ns - self.started_ns

    def night_was(self, night_ns: int) -> None:
        """The night clock goes on from this reading: another process had it until now."""
        self._nights_ns = night_ns - (self.now_ns - self.started_ns)

    def at(self, when_ns: int, action: Callable[[], None]) -> Timer:
        """Have `action` done at an instant; never before now."""
        timer = Timer(max(when_ns, self.now_ns), next(self._sequence), action)
        heapq.heappush(self._heap, timer)
        return timer

    def after(self, delay_ns: int, action: Callable[[], None]) -> Timer:
        """Have `action` done in `delay_ns`."""
        return self.at(self.now_ns + delay_ns, action)

    def in_background(self, delay_ns: int, action: Callable[[], None]) -> None:
        """Have `action` done in `delay_ns`, unless the attempt is over then: nobody looks, and a pause may be a day."""
        self.after(delay_ns, lambda: None if self._over else action())

    def next_event_ns(self) -> int | None:
        """When the next event is due; None where there is none."""
        while self._heap and self._heap[0].action is None:
            heapq.heappop(self._heap)
        return self._heap[0].when_ns if self._heap else None

    def advance_to(self, when_ns: int) -> None:
        """Move time to `when_ns` (never back) through all events that are due, then flush the wires."""
        while self._heap and self._heap[0].when_ns <= when_ns:
            timer = heapq.heappop(self._heap)
            if timer.action is not None:
                self.now_ns = max(self.now_ns, timer.when_ns)
                timer.action()
        self.now_ns = max(self.now_ns, when_ns)
        for flush in self.flushers:
            flush(self.now_ns)

    async def pass_until(self, when_ns: int) -> None:
        """Let time pass until then, on behalf of something inside the bench that waits."""
        self.advance_to(when_ns)

    async def settle(self) -> None:
        """Return once every stand-in has written and acknowledged all that is due by now."""
        for wait in tuple(self.settlers):
            await wait()

    def chance(self, name: str) -> random.Random:
        """A generator keyed by the attempt and `name`: the same draws whatever else happened before."""
        return random.Random(f"{self.key}/{name}")

    def generator(self, name: str) -> np.random.Generator:
        """The same for arrays. Use integers and `Generator` methods only (numpy's log and exp vary with the CPU)."""
        digest = hashlib.blake2b(f"{self.key}/{name}".encode(), digest_size=16).digest()
        return np.random.Generator(np.random.PCG64(int.from_bytes(digest, "big")))

    def spend(self, low_ns: int, high_ns: int, operation: str) -> None:
        """Let an operation cost time between the two bounds, keyed by its text and by how often it came before."""
        self._occurrences[operation] += 1
        name = f"{self.key}/cost/{operation}/{self._occurrences[operation]}"
        # A digest, not a generator: thousands of operations a trial draw one number each.
        parts = int.from_bytes(hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest()) >> 44
        # The square of a uniform draw leans to the low bound with a tail, as round trips do.
        span = high_ns - low_ns
        self.advance_to(self.now_ns + low_ns + span * parts * parts // (1 << 40))
