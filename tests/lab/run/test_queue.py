"""The order of a run's trials, and what typical failures of a night cost through the queue and the breaker."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.definitions import PlannedTrial, Trial
from lab.run.breaker import Breaker, Held
from lab.run.causes import CERTAIN_REASONS
from lab.run.queue import Entry, Outcome, Pause, Queue

DONE = Outcome(complete=True)
ORDERS = 40
CELLS = [(a, s, d, r) for r in range(6) for a in range(3) for s in range(5) for d in range(2)]
ITEMS = [
    PlannedTrial(Trial(f"app{a}", "voice", f"to_{d}", f"s{s}", r + 1), index, direct=False)
    for index, (a, s, d, r) in enumerate(CELLS)
]


def drain(queue: Queue, outcomes: Callable[[Entry], Outcome]) -> list[int]:
    made = []
    while isinstance(entry := queue.next(), Entry):
        made.append(entry.item.index)
        queue.ended(entry, outcomes(entry))
    return made


def test_what_is_void_is_made_again_at_the_end_and_four_times_at_most():
    voids = iter(["noisy", "no_effect", "noisy", "no_effect"])
    queue = Queue(ITEMS[:3], Breaker(), lambda: 0.0)
    made = drain(queue, lambda entry: Outcome(reason=next(voids)) if entry.item.index == 0 else DONE)
    assert made == [0, 1, 2, 0, 0, 0]
    assert queue.void == [ITEMS[0].trial.id]
    assert list(queue.left()) == []


def test_what_may_not_be_tried_again_is_void_at_once():
    queue = Queue(ITEMS[:2], Breaker(), lambda: 0.0)
    assert drain(queue, lambda entry: Outcome(reason="parked", again=False)) == [0, 1]
    assert len(queue.void) == 2


def test_while_others_are_made_nothing_is_probed_before_its_time():
    queue = Queue(ITEMS[:4], Breaker(), lambda: 0.0)
    for _ in range(3):
        queue.ended(queue.next(), Outcome(reason="no_effect"))
    assert queue.next(others=True) is None
    assert isinstance(queue.next(), Entry)


def test_an_app_that_may_not_call_yet_waits_while_another_calls_and_is_left_where_that_is_too_long():
    waits = {"app0": Pause(60.0, "calls are 60 s apart")}
    queue = Queue([ITEMS[0], ITEMS[10]], Breaker(), lambda: 0.0, waits.get, 3600.0)
    assert ITEMS[10].trial.app == "app1"
    assert queue.next().item is ITEMS[10]
    assert queue.next() == Pause(60.0, "calls are 60 s apart")
    waits["app0"] = Pause(3601.0, "80 calls in a day are the most")
    assert queue.next() is None
    assert list(queue.left()) == [(ITEMS[0].trial.id, waits["app0"])]


def test_a_trial_that_is_given_back_comes_after_all_others():
    queue = Queue(ITEMS[:2], Breaker(), lambda: 0.0)
    queue.give_back(queue.next())
    assert drain(queue, lambda entry: DONE) == [1, 0]


def test_the_trials_of_a_parked_app_are_left_and_never_made():
    queue = Queue(ITEMS[:11], Breaker(), lambda: 0.0)
    parks = Outcome(reason="logged_out", certain=True, again=False)
    made = drain(queue, lambda entry: parks if entry.item.trial.app == "app0" else DONE)
    assert made == [0, 10]
    assert {why for _, why in queue.left()} == {Held(("app0",), "logged_out", parked=True)}
    assert len(list(queue.left())) == 10
    assert queue.void == []


class Night:
    """A made-up night: an attempt takes 2 min, one that fails before its call half a minute."""

    def __init__(self, fails: Callable[[Night, tuple[int, ...]], tuple[str, int] | None], seed: int) -> None:
        self.random, self._fails = random.Random(seed), fails
        self.minute, self.calls, self.limited_from = 0.0, {0: 0, 1: 0, 2: 0}, 0.0
        self.wasted, self.wasted_calls, self.done = 0, 0, 0
        order = ITEMS[:]
        self.random.shuffle(order)
        self.made = drain(Queue(order, Breaker(), lambda: self.minute * 60.0), self.outcome)

    def outcome(self, entry: Entry) -> Outcome:
        cell = CELLS[entry.item.index]
        found = self._fails(self, cell)
        called = 1 if found is None else found[1]
        self.minute += 2.0 if called else 0.5
        self.calls[cell[0]] += called
        if found is None:
            self.done += 1
            return DONE
        self.wasted, self.wasted_calls = self.wasted + 1, self.wasted_calls + called
        certain = found[0] in CERTAIN_REASONS
        return Outcome(reason=found[0], certain=certain, again=not certain, calls=called)


def rate_limited(night: Night, cell: tuple[int, ...]) -> tuple[str, int] | None:
    """The first app, for an hour after 20 calls."""
    if cell[0] or night.calls[0] < 20:
        return None
    night.limited_from = night.limited_from or night.minute
    return ("callee_never_rang", 1) if night.minute < night.limited_from + 60 else None


def where(fails: Callable[[Night, tuple[int, ...]], bool], reason: str, calls: int):
    return lambda night, cell: (reason, calls) if fails(night, cell) else None


# What fails, how; at most so many attempts are wasted on the mean of 40 orders, and at least so many trials complete.
NIGHTS = {
    "logged out, recognised": (where(lambda night, cell: cell[0] == 0, "logged_out", 0), 6, 120),
    "logged out, not recognised": (where(lambda night, cell: cell[0] == 0, "selector_not_found", 0), 8, 120),
    "a selector gone from minute 150": (
        where(lambda night, cell: cell[0] == 0 and night.minute > 150, "selector_not_found", 0), 11, 140,
    ),
    "never rings, one direction": (
        where(lambda night, cell: cell[0] == 0 and cell[2] == 0, "callee_never_rang", 1), 8, 149,
    ),
    "rate-limited for 60 min": (rate_limited, 8, 180),
    "one cell wrong": (where(lambda night, cell: cell[:2] == (0, 2), "wrong_scenario", 1), 8, 168),
    "10 % of attempts flake": (
        where(lambda night, cell: night.random.random() < 0.1, "marker_not_captured", 1), 23, 180,
    ),
    "one app flakes in 50 %": (
        where(lambda night, cell: cell[0] == 1 and night.random.random() < 0.5, "dropped_while_talking", 1), 27, 143,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NIGHTS)
def test_a_night_wastes_no_more_than_this_and_the_page_has_the_figures(name):
    fails, wasted, done = NIGHTS[name]
    nights = [Night(fails, seed) for seed in range(ORDERS)]
    mean = [sum(each) / ORDERS for each in zip(*((n.wasted, n.wasted_calls, n.done) for n in nights), strict=True)]
    assert mean[0] <= wasted
    assert round(mean[2]) >= done
    page = (Path(__file__).parents[3] / "docs" / "retries.md").read_text()
    row = next(line for line in page.splitlines() if line.startswith(f"| {name} |"))
    assert row.endswith(f"| {mean[0]:.1f} / {mean[1]:.1f} | {mean[2]:.0f} |")
