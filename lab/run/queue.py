"""The queue of a run: which trial is made next, and which are made again, later or not at all.

It has no effects: what an attempt came to is told to it, and times are seconds of the night clock.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from lab.definitions import PlannedTrial
from lab.run.breaker import Breaker, Held

FURTHER_ATTEMPTS = 3
"""How often a void attempt is tried again in one run."""


@dataclass(eq=False)
class Entry:
    """A trial that is to be made; `tries` is how many of its attempts were void in this run."""

    item: PlannedTrial
    tries: int = 0


@dataclass(frozen=True)
class Pause:
    """Nothing may be made before so many seconds have passed, and why."""

    seconds: float
    why: str


@dataclass(frozen=True)
class Outcome:
    """What an attempt came to: complete, or void for a `reason`; or, with neither, it was not made at all.

    `certain`: the app is parked, and the trial is held with it. `again`: it may be tried again. `calls` is how many
    were placed.
    """

    complete: bool = False
    reason: str | None = None
    certain: bool = False
    again: bool = True
    calls: int = 0


class Queue:
    """Trials in order; one that is to be made again comes after all others. `wait` is how long nobody may be called in
    an app: a trial that may not within `most_wait_s` is left."""

    def __init__(
        self,
        items: Sequence[PlannedTrial],
        breaker: Breaker,
        now_s: Callable[[], float],
        wait: Callable[[str], Pause | None] = lambda app: None,
        most_wait_s: float = 0.0,
    ) -> None:
        self._todo = deque(Entry(item) for item in items)
        self._breaker, self._now_s, self._wait, self._most_wait_s = breaker, now_s, wait, most_wait_s
        self.void: list[str] = []

    def next(self, *, others: bool = False) -> Entry | Pause | None:
        """What is to be made now, which is taken out, or how long nothing may be; None where nothing is left that may
        be made, or nothing while `others` are being made."""
        for last in (False,) if others else (False, True):
            pauses: list[Pause] = []
            for entry in self._todo:
                trial = entry.item.trial
                if self._breaker.held(trial, self._now_s(), last=last) is not None:
                    continue
                if (pause := self._wait(trial.app)) is None:
                    self._todo.remove(entry)
                    self._breaker.begun(trial, last=last)
                    return entry
                if pause.seconds <= self._most_wait_s:
                    pauses.append(pause)
            if pauses:
                return min(pauses, key=lambda pause: pause.seconds)
        return None

    def ended(self, entry: Entry, outcome: Outcome) -> None:
        """An entry was made: what is void comes again at the end, unless it may not or has too often."""
        trial = entry.item.trial
        if outcome.complete:
            self._breaker.completed(trial, self._now_s())
        elif outcome.reason is None:
            self._breaker.given_back(trial)
        else:
            now_s = self._now_s()
            self._breaker.failed(trial, outcome.reason, now_s, certain=outcome.certain, calls=outcome.calls)
            entry.tries += 1
            if outcome.certain or (outcome.again and entry.tries <= FURTHER_ATTEMPTS):
                self._todo.append(entry)
            else:
                self.void.append(trial.id)

    def give_back(self, entry: Entry) -> None:
        """An entry is to be made by somebody else, after all others."""
        self._breaker.given_back(entry.item.trial)
        self._todo.append(entry)

    def left(self) -> Iterator[tuple[str, Held | Pause]]:
        """The trials that were not made and why, by app."""
        for entry in self._todo:
            trial = entry.item.trial
            why = self._breaker.held(trial, self._now_s()) or self._wait(trial.app)
            if why is not None:
                yield trial.id, why
