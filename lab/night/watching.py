"""What a night sees of its trials while they run, and its log."""

import re
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol, TextIO

from rich.console import Console

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


class Listener(Protocol):
    """What goes on with each attempt of a run: a clock, a count."""

    def completed(self, run: Run, trial: str) -> None: ...

    def voided(self, run: Run, trial: str) -> None: ...


class NightProgress(Progress):
    """Progress of one run of a night: `calls` by app that were placed, by trial how many `attempts` were begun, and by
    reason how many were void. The `listeners` are told of each that ended."""

    def __init__(self, console: Console, run: Run, *listeners: Listener) -> None:
        super().__init__(console)
        self._run, self._listeners = run, listeners
        self.calls: Counter[str] = Counter()
        self.attempts: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()

    def attempt(self, trial: str, retry: int) -> None:
        self.attempts[trial] += 1
        super().attempt(trial, retry)

    def step(self, trial: str, name: str) -> None:
        if name == "place_call":
            self.calls[trial.partition("-")[0]] += 1
        super().step(trial, name)

    def completed(self, trial: str) -> None:
        for listener in self._listeners:
            listener.completed(self._run, trial)
        super().completed(trial)

    def void(self, trial: str, reason: str, text: str) -> None:
        for listener in self._listeners:
            listener.voided(self._run, trial)
        self.reasons[reason] += 1
        super().void(trial, reason, text)
