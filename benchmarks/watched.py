"""How long each step of a run takes in real time, against what it may take at most.

A step is what an attempt or the ladder says that it does. It may take what it asks for, each question up to its
deadline, and where something does not answer, what follows: a look at both phones, and hanging up.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from lab.bench import rungs
from lab.clocks import deadlines
from lab.clocks.real_time import elapsed
from lab.run.progress import Progress

BUSY_S = 10.0
"""What computing may cost a step on a machine with two busy cores."""
RUNG = re.compile(r"; (r\d): ")
LONG = {
    "fetch": (deadlines.PHONE_HASH, deadlines.PHONE_COPY),
    "stop_capture": (deadlines.CAPTURE_EXIT, deadlines.LAPTOP_START),
    "capture_ready": (deadlines.LAPTOP_START, deadlines.CAPTURE_READY, deadlines.RECORDS),
}
"""What steps ask for that is more than the longest of all other questions."""


def question_s() -> float:
    """The longest that a question to a phone or the laptop may take which is no copy of a file."""
    waits = (deadlines.PHONE_AGENT, deadlines.SHELL_LINE, deadlines.RECORDS, deadlines.NETSTATS, deadlines.EVENTS)
    return max(wait.s for wait in waits)


def budget_s(name: str) -> float:
    """What a step, or a rung by its name, may take at most. A question that a rung has begun to ask is waited for."""
    budgets = {rung.name: rung.budget_s + question_s() for rung in rungs.RUNGS if rung is not rungs.R8}
    # The pauses themselves are bench time; what is done after each is not.
    budgets[rungs.R8.name] = len(rungs.PAUSES_S) * sum(budgets.values())
    if name in budgets:
        return budgets[name] + BUSY_S
    asked_s = sum(wait.s for wait in LONG.get(name, ())) or question_s()
    follows_s = 4 * deadlines.PHONE_AGENT.s + 2 * deadlines.SHELL_LINE.s
    return asked_s + follows_s + BUSY_S


class Watched(Progress):
    """Notes when each step begins; prints nothing. Deadlines are scaled while a trial runs, and not while a bench is
    opened, whose programs start in their own time."""

    def __init__(self, scale: float = 1.0, least_s: float = 0.0) -> None:
        super().__init__(Console(file=io.StringIO(), width=200))
        self._scaled = scale, least_s
        self._step, self._since_s = "begun", elapsed()
        self.longest: dict[str, float] = {}
        self.over: list[str] = []

    @contextmanager
    def trial(self, trial: str) -> Iterator[None]:
        with super().trial(trial), deadlines.scaled(*self._scaled):
            yield

    def step(self, trial: str, name: str) -> None:
        super().step(trial, name)
        self._next(name)

    def say(self, text: str, styled: str = "", style: str = "") -> None:
        super().say(text, styled, style)
        found = RUNG.search(text)
        self._next(found[1] if found else "said")

    def end(self) -> None:
        """The run is over, and with it its last step."""
        self._next("end")

    def _next(self, name: str) -> None:
        before, now_s = self._step, elapsed()
        took_s, self._step, self._since_s = now_s - self._since_s, name, now_s
        self.longest[before] = max(self.longest.get(before, 0.0), round(took_s, 2))
        if took_s > (most_s := budget_s(before)):
            self.over.append(f"{before} took {took_s:.1f} s, its budget is {most_s:.1f} s")
