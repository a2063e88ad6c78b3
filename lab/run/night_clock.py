"""The night clock: what pauses, caps and the breaker take their time from, in seconds.

On real phones it is the wall clock. On an emulated bench, whose bench time begins anew with each trial, it is a counter
that goes on by the bench time of attempts and of pauses, and from run to run as the journal has it.
"""

import threading
from collections.abc import Iterable

from correlate.dataset.record import JournalLine
from lab.clocks.real_time import wall_ns


class NightClock:
    """Several threads may read it and let it go on."""

    def __init__(self, emulated: bool, lines: Iterable[JournalLine] = ()) -> None:
        self._emulated, self._going_on = emulated, threading.Lock()
        self._s = max((line.night_s for line in lines if line.night_s is not None), default=0.0)

    def now_s(self) -> float:
        """Seconds: since the first trial of the dataset on an emulated bench, else since the epoch."""
        return round(self._s if self._emulated else wall_ns() / 1e9, 3)

    def went_on(self, from_ns: int | None, to_ns: int) -> float:
        """So much bench time has passed, or none where it did not begin; the new reading."""
        with self._going_on:
            self._s += 0.0 if from_ns is None else max(0, to_ns - from_ns) / 1e9
        return self.now_s()
