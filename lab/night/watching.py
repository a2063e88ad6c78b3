"""What a night sees of its trials while they run, and its log."""

import re
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import TextIO

from rich.console import Console

from lab.night.until import NightClock
from lab.run.plan import Run
from lab.run.progress import Progress
from lab.run.terminal import Steady

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Logged(Steady):
    """Standard output that ends nothing where nobody reads it, and beside it night.log, without the bench's secrets."""

    def __init__(self, stream: TextIO, log: TextIO, clean: Callable[[str], str]) -> None:
        super().__init__(stream, "standard output")
        self._log, self._clean = log, clean

    def write(self, text: str) -> int:
        with suppress(OSError):  # A full disk costs the log, not the night.
            self._log.write(_CONTROL.sub("", self._clean(text)))
            self._log.flush()
        return super().write(text)


class NightProgress(Progress):
    """Progress of one run of a night: `calls` by app that were placed, the trials that were `attempted`, and by reason
    how many attempts were void. It advances the night's clock."""

    def __init__(self, console: Console, run: Run, clock: NightClock) -> None:
        super().__init__(console)
        self._run, self._clock = run, clock
        self.calls: Counter[str] = Counter()
        self.attempted: set[str] = set()
        self.reasons: Counter[str] = Counter()

    def step(self, trial: str, name: str) -> None:
        self.attempted.add(trial)
        if name == "place_call":
            self.calls[trial.partition("-")[0]] += 1
        super().step(trial, name)

    def completed(self, trial: str) -> None:
        self._clock.completed(self._run, trial)
        super().completed(trial)

    def void(self, trial: str, reason: str, text: str) -> None:
        self._clock.voided(self._run, trial)
        self.reasons[reason] += 1
        super().void(trial, reason, text)
