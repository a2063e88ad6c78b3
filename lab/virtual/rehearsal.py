"""A rehearsal: faults that strike the virtual bench by trial, night clock and step, and what becomes of them.

A fault is an event at a seam that hardware has, or a state of one, which outlives the attempt and ends by the night
clock. Whether a fault strikes in an attempt hangs on the seed, the trial, the attempt's number and how often the bench
made it before, never on what drives the bench.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from lab.definitions.faults import Fault
from lab.virtual.handset.exchange import Call
from lab.virtual.world import World

MINUTE_NS = 60_000_000_000

Strikes = Mapping[str, Callable[[Fault], None]]
States = Mapping[str, Callable[[Fault, bool], None]]
"""Begins a state where it is given true, and ends it where false."""


@dataclass
class _Armed:
    """One fault of the plan: how often it may still begin, since when it strikes, and how long its state holds."""

    fault: Fault
    number: int
    left: float
    since_ns: int | None = None
    holds: bool = False

    def over(self, night_ns: int) -> bool:
        """Whether its time is over, by the night clock."""
        minutes = self.fault.for_minutes
        return self.since_ns is not None and minutes is not None and night_ns >= self.since_ns + minutes * MINUTE_NS


class Rehearsal:
    """The plan of one bench; a listener of its exchange. `strikes` and `states` say how each fault is made."""

    def __init__(self, world: World, strikes: Strikes, states: States) -> None:
        self._world, self._strikes, self._states = world, strikes, states
        self._plan: list[_Armed] = []
        self._seed = 0
        self._numbers: dict[str, int] = {}
        self._made: Counter[tuple[str, int]] = Counter()
        self._trial, self._attempt = "", 0
        self._steps: set[str] = set()
        self._struck: dict[str, list[int]] = {}

    def plan(self, seed: int, faults: list[Fault], night_ns: int = 0, trials: Sequence[str] = ()) -> None:
        """Take the faults, once. Raises ValueError the second time.

        A night that is taken up again goes on at `night_ns`, and its next new trial comes after those that were begun,
        `trials`. What might have struck before has: it comes again only where it lasts for ever or comes by chance.
        """
        if self._plan:
            raise ValueError("there is a plan already")
        self._seed = seed
        self._numbers = {trial: number for number, trial in enumerate(trials, 1)}
        if trials:
            self._world.night_was(night_ns)
        for number, fault in enumerate(faults):
            due = fault.at.trial <= len(trials) and fault.at.minutes * MINUTE_NS <= night_ns
            is_over = due and not fault.for_ever and fault.probability is None
            self._plan.append(_Armed(fault, number, 0 if is_over else _beginnings(fault)))
        self._world.flushers.append(self._end_states)

    def begin(self, trial: str, attempt: int) -> None:
        """An attempt begins; without a trial the bench only gets ready."""
        self._trial, self._attempt = trial, attempt
        self._steps.clear()
        if trial:
            self._numbers.setdefault(trial, len(self._numbers) + 1)
            self._made[trial, attempt] += 1
            self.reached("begun")

    def end(self) -> None:
        """It is over: nothing comes to a step any more."""
        self._trial = ""

    def truth(self) -> dict[str, list[int]]:
        """A field of the truth: the faults that struck in attempts at this trial, by their place in the plan, from 0.
        Without a plan there is none."""
        return {"faults": self._struck.get(self._trial, [])} if self._plan else {}

    def reached(self, step: str) -> None:
        """The attempt has come to a step, which counts the first time."""
        if not self._trial or step in self._steps:
            return
        self._steps.add(step)
        for armed in self._plan:
            if armed.fault.at.step == step and self._due(armed):
                armed.left -= 1
                self._world.after(round(armed.fault.at.after_s * 1e9), partial(self._strike, armed))

    def placed(self, call: Call) -> None:
        self.reached("placed")

    def rung(self, call: Call) -> None:
        self.reached("ringing")

    def answered(self, call: Call) -> None:
        self.reached("answered")

    def ended(self, call: Call) -> None:
        self.reached("ended")

    def _due(self, armed: _Armed) -> bool:
        fault, night_ns = armed.fault, self._world.night_ns
        if armed.holds or armed.left < 1 or self._numbers[self._trial] < fault.at.trial:
            return False
        if night_ns < fault.at.minutes * MINUTE_NS or (not fault.lasts and armed.over(night_ns)):
            return False
        return fault.probability is None or self._draw(armed.number) < fault.probability

    def _draw(self, number: int) -> float:
        again = self._made[self._trial, self._attempt] - 1
        return random.Random(f"{self._seed}/faults/{number}/{self._trial}/{self._attempt}/{again}").random()

    def _strike(self, armed: _Armed) -> None:
        fault = armed.fault
        self._struck.setdefault(self._trial, []).append(armed.number)
        if not fault.lasts:
            armed.since_ns = self._world.night_ns if armed.since_ns is None else armed.since_ns
            self._strikes[fault.what](fault)
            return
        armed.since_ns, armed.holds = self._world.night_ns, True
        self._states[fault.what](fault, True)

    def _end_states(self, _now_ns: int) -> None:
        for armed in self._plan:
            if armed.holds and armed.over(self._world.night_ns):
                armed.holds = False
                self._states[armed.fault.what](armed.fault, False)


def _beginnings(fault: Fault) -> float:
    """How often a fault may begin."""
    if fault.times is not None:
        return fault.times
    often = fault.probability is not None or (not fault.lasts and (fault.for_ever or fault.for_minutes is not None))
    return float("inf") if often and not (fault.lasts and fault.for_ever) else 1
