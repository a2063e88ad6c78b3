"""Trials shared out among benches: each is made once, whatever becomes of a bench."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace

import pytest

from lab.clocks.stop import Stop
from lab.definitions import PlannedTrial, Trial
from lab.errors import BadInput, BenchUnhealthy, ControllerTrouble, Interrupted, PhoneTrouble
from lab.run.breaker import Breaker
from lab.run.queue import Outcome, Pause, Queue
from lab.run.side_by_side import share

WAIT_S = 10.0


class Shared:
    """Benches a, b, ... that make trials 0, 1, ...: `acts` says what making one does, by bench and trial."""

    def __init__(self, trials: int, benches: str, **acts) -> None:
        self.stop, self.made, self.told, self._acts = Stop(), [], [], acts
        each = [Trial("whatsapp", "voice", "lte_to_fixed", f"s{trial}", 1) for trial in range(trials)]
        planned = [PlannedTrial(trial, index, direct=False) for index, trial in enumerate(each)]
        self._queue = Queue(planned, Breaker(), lambda: 0.0, self._wait, 60.0)
        self.waits: list[Pause] = []
        self._benches = [SimpleNamespace(name=name, stop=self.stop) for name in benches]

    def run(self, require=lambda: None) -> None:
        share(self._queue, self._benches, require, self._make, self.told.append, self._rest)

    def _wait(self, app: str) -> Pause | None:
        return self.waits[-1] if self.waits else None

    def _rest(self, bench, pause: Pause) -> None:
        self.made.append((bench.name, pause.why))
        self.waits.pop()

    def _make(self, bench, entry) -> Outcome:
        trial = entry.item.index
        self.made.append((bench.name, trial))
        for act in (self._acts.get(f"{bench.name}{trial}"), self._acts.get(f"any{trial}")):
            if act is not None and isinstance(outcome := act(), Outcome):
                return outcome
        return Outcome(complete=True)

    def trials(self) -> list[int]:
        return [trial for _, trial in self.made]


def raising(error: Exception):
    def act() -> None:
        raise error

    return act


def test_one_bench_makes_all_trials_in_their_order():
    shared = Shared(4, "a")
    shared.run()
    assert (shared.made, shared.told) == ([("a", 0), ("a", 1), ("a", 2), ("a", 3)], [])


def test_a_void_trial_is_made_again_after_all_others():
    voids = iter([Outcome(reason="noisy")])
    shared = Shared(3, "a", any0=lambda: next(voids, None))
    shared.run()
    assert shared.trials() == [0, 1, 2, 0]


def test_what_the_breaker_holds_is_not_probed_while_another_bench_may_yet_give_it_back():
    failed, done, early = [], threading.Event(), []

    def fail_once(trial: int):
        def act() -> Outcome | None:
            if trial not in failed:
                failed.append(trial)
                return Outcome(reason="no_effect")
            early.append(not done.is_set())
            return None

        return act

    def work_late() -> None:
        while len(failed) < 3:
            time.sleep(0.01)
        time.sleep(0.2)  # Nobody can see that the other bench waits.
        done.set()

    shared = Shared(4, "ab", any0=work_late, **{f"any{trial}": fail_once(trial) for trial in (1, 2, 3)})
    shared.run()
    assert early == [False, False, False]


def test_where_nothing_may_be_made_yet_a_bench_rests():
    shared = Shared(2, "a")
    shared.waits.append(Pause(20.0, "20 s"))
    shared.run()
    assert shared.made == [("a", "20 s"), ("a", 0), ("a", 1)]


def test_benches_make_trials_at_the_same_time_and_each_trial_once():
    met = threading.Barrier(2, timeout=WAIT_S)  # Passed by nobody who is alone.
    shared = Shared(6, "ab", **{f"any{trial}": met.wait for trial in range(6)})
    shared.run()
    assert sorted(shared.trials()) == [0, 1, 2, 3, 4, 5]
    assert [sorted(shared.trials()[first : first + 2]) for first in (0, 2, 4)] == [[0, 1], [2, 3], [4, 5]]
    assert {name for name, _ in shared.made} == {"a", "b"}


def test_where_this_machine_cannot_go_on_no_bench_does():
    shared = Shared(6, "ab", **{f"any{trial}": raising(ControllerTrouble("no file handles")) for trial in range(6)})
    with pytest.raises(ControllerTrouble):
        shared.run()
    assert len(shared.made) <= 2
    assert shared.told == []


def test_the_trial_of_a_bench_that_is_lost_is_made_by_another_one_after_all_others():
    both, died = threading.Barrier(2, timeout=WAIT_S), []

    def die_once() -> None:
        if not died:
            died.append(True)
            both.wait()
            raise PhoneTrouble("pixel6 is gone")

    shared = Shared(4, "ab", any0=die_once, any1=both.wait)
    shared.run()
    assert shared.trials()[-1] == 0
    assert sorted(shared.trials()) == [0, 0, 1, 2, 3]
    (lost,) = {name for name, trial in shared.made[:2] if trial == 0}
    assert [name for name, _ in shared.made if name == lost] == [lost]
    assert shared.told == ["a bench is lost, 1 of 2 left: pixel6 is gone"]


def test_a_bench_that_has_nothing_left_to_do_waits_for_the_last_trial_of_the_others():
    others_idle, died = threading.Event(), []

    def die_late() -> None:
        if not died:
            died.append(True)
            # Nobody can see that the other bench waits; after this time it had gone, if it did not.
            others_idle.wait(0.2)
            raise BenchUnhealthy("killed")

    shared = Shared(2, "ab", any1=die_late)
    shared.run()
    assert sorted(shared.trials()) == [0, 1, 1]
    assert shared.told == ["a bench is lost, 1 of 2 left: killed"]


def test_a_trial_that_no_bench_can_bear_ends_the_run_once_all_others_are_made():
    shared = Shared(5, "abc", any1=raising(BenchUnhealthy("burnt")))
    with pytest.raises(BenchUnhealthy, match=r"^burnt$"):
        shared.run()
    assert sorted(shared.trials()) == [0, 1, 1, 1, 2, 3, 4]
    assert shared.trials()[-1] == 1
    assert sorted(shared.told) == ["a bench is lost, 1 of 3 left: burnt", "a bench is lost, 2 of 3 left: burnt"]


@pytest.mark.parametrize("error", [BadInput("nobody was called"), OSError("disk full"), KeyError("a bug")])
def test_any_other_error_ends_the_run_and_lets_the_other_benches_end_their_trials(error):
    failed = threading.Event()

    def fail() -> None:
        failed.set()
        raise error

    def slow() -> None:
        failed.wait(WAIT_S)
        time.sleep(0.1)  # Nobody can see that no further trial is to be begun.

    shared = Shared(6, "ab", any1=fail, **{f"any{trial}": slow for trial in (0, 2, 3, 4, 5)})
    with pytest.raises(type(error)) as raised:
        shared.run()
    assert raised.value is error
    assert sorted(shared.trials())[:2] == [0, 1]
    assert len(shared.made) <= 3
    assert shared.told == []


def test_what_must_hold_before_a_trial_is_no_trouble_of_a_bench():
    shared, full = Shared(6, "ab"), BenchUnhealthy("no room")
    with pytest.raises(BenchUnhealthy) as raised:
        shared.run(require=raising(full))
    assert raised.value is full
    assert (shared.made, shared.told) == ([], [])


def test_once_the_end_was_asked_for_a_bench_that_fails_is_interrupted_and_not_lost():
    shared = Shared(3, "a")

    def fail_at_the_end() -> None:
        shared.stop.request()
        raise BenchUnhealthy("ended by the signal")

    shared._acts["any0"] = fail_at_the_end
    with pytest.raises(Interrupted):
        shared.run()
    assert (shared.trials(), shared.told) == ([0], [])


def test_an_error_counts_more_than_the_interruption_of_the_others():
    both = threading.Barrier(2, timeout=WAIT_S)

    def interrupted() -> None:
        both.wait()
        raise Interrupted("interrupted")

    def fail() -> None:
        both.wait()
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        Shared(2, "ab", any0=interrupted, any1=fail).run()
