"""Bench time: evenly on whatever the controller's clock does, waits by looks, sleeps that a stop interrupts."""

from __future__ import annotations

import time

import pytest

from lab.clocks.bench_time import WallClock, epoch_ns, wait_until
from lab.clocks.stop import Stop
from lab.errors import Interrupted


class VirtualTime:
    """Bench time that moves only by sleeping."""

    def __init__(self) -> None:
        self._now_ns = 1_700_000_000_000_000_000

    def now_ns(self) -> int:
        return self._now_ns

    def sleep(self, seconds: float) -> None:
        self._now_ns += round(seconds * 1e9)


def test_a_step_of_the_controllers_own_clock_moves_no_bench_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = WallClock(Stop())
    before_ns = clock.now_ns()
    monkeypatch.setattr(time, "time_ns", lambda: before_ns + 60_000_000_000)
    assert 0 <= clock.now_ns() - before_ns < 10_000_000_000


def test_the_fastest_of_some_readings_tells_the_wall_clock_from_the_steady_one() -> None:
    assert epoch_ns([(100, 5_000, 300), (1_000, 5_650, 1_100), (2_000, 6_999, 2_900)]) == 4_600


def test_a_wait_looks_every_fifth_of_a_second_until_its_deadline() -> None:
    clock = VirtualTime()
    looked: list[int] = []
    start = clock.now_ns()
    assert not wait_until(clock, lambda: bool(looked.append(clock.now_ns() - start)), 1.0)
    assert looked == [0, 200_000_000, 400_000_000, 600_000_000, 800_000_000, 1_000_000_000]


def test_a_wait_ends_when_what_it_waits_for_holds() -> None:
    clock = VirtualTime()
    end = clock.now_ns() + 500_000_000
    assert wait_until(clock, lambda: clock.now_ns() >= end, 10.0)
    assert clock.now_ns() - end == 100_000_000


def test_a_requested_stop_interrupts_the_next_sleep() -> None:
    stop = Stop()
    clock = WallClock(stop)
    clock.sleep(0.001)
    stop.request()
    with pytest.raises(Interrupted, match="interrupted"):
        clock.sleep(60)
