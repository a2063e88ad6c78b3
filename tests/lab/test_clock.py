from __future__ import annotations

import random

import pytest

from lab.clock import Stop, WallClock, measure_offset, wait_until
from lab.errors import Interrupted


class ClockWithLatency:
    """A controller's clock and a remote one that is `offset_ns` ahead; each exchange costs asymmetric latencies."""

    def __init__(self, seed: int, offset_ns: int) -> None:
        self._chance = random.Random(seed)
        self._now_ns, self._offset_ns = 1_700_000_000_000_000_000, offset_ns

    def now_ns(self) -> int:
        return self._now_ns

    def sleep(self, seconds: float) -> None:
        self._now_ns += round(seconds * 1e9)

    def read_remote_ns(self) -> int:
        self._now_ns += self._chance.randrange(250_000, 2_000_000)
        reading = self._now_ns + self._offset_ns
        self._now_ns += self._chance.randrange(50_000, 400_000)
        return reading // 1000 * 1000


@pytest.mark.parametrize("offset_ns", [-1_508_000_000, 0, 3_217_000_123])
def test_the_true_offset_lies_within_the_bound(offset_ns: int) -> None:
    for seed in range(100):
        clock = ClockWithLatency(seed, offset_ns)
        measured = measure_offset(clock, clock.read_remote_ns)
        assert 0 < measured.bound_ns < 1_000_000
        assert abs(measured.offset_ns - offset_ns) <= measured.bound_ns


def test_the_error_of_asymmetric_round_trips_is_seen() -> None:
    clock = ClockWithLatency(1, 0)
    assert measure_offset(clock, clock.read_remote_ns).offset_ns > 50_000


def test_an_offset_needs_at_least_one_reading() -> None:
    clock = ClockWithLatency(1, 0)
    with pytest.raises(ValueError, match="reads must be greater than 0"):
        measure_offset(clock, clock.read_remote_ns, reads=0)


def test_a_wait_looks_every_fifth_of_a_second_until_its_deadline() -> None:
    clock = ClockWithLatency(1, 0)
    looked: list[int] = []
    start = clock.now_ns()
    assert not wait_until(clock, lambda: bool(looked.append(clock.now_ns() - start)), 1.0)
    assert looked == [0, 200_000_000, 400_000_000, 600_000_000, 800_000_000, 1_000_000_000]


def test_a_wait_ends_when_what_it_waits_for_holds() -> None:
    clock = ClockWithLatency(1, 0)
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


def test_a_held_stop_waits_until_things_are_put_back_in_order() -> None:
    stop = Stop()
    stop.request()
    with stop.held():
        stop.check()
    with pytest.raises(Interrupted):
        stop.check()
