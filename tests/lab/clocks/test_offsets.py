from __future__ import annotations

import itertools
import random
import statistics

import pytest

from benchmarks.clocks import KINDS, START_NS, Simulated, measured, path
from lab.clocks.offsets import Exchange, agreed, measure_offset
from lab.errors import AttemptVoid


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


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.startswith("waiting")])
def test_of_a_thousand_offsets_over_5_ms_round_trips_at_least_99_percent_lie_within_a_bound_under_1_ms(
    kind: str,
) -> None:
    row = measured(kind, 5.0, count=1000)
    assert row.inside >= 990
    assert max(row.bounds_ns) < 1_000_000


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not kind.startswith("waiting")])
def test_a_path_that_is_never_quick_widens_the_bound_and_the_truth_stays_inside(kind: str) -> None:
    row = measured(kind, 5.0, count=200)
    assert row.inside == 200
    assert 1_200_000 < min(row.bounds_ns) <= max(row.bounds_ns) < 2_600_000


def test_the_bound_is_half_of_the_fastest_way_there_and_the_fastest_way_back() -> None:
    """Ahead by 1 s: the first was there in 101 ns, the second back in 99 ns; drift and rounding make up the rest."""
    offset = agreed([Exchange(0, 1_000_000_101, 1_000), Exchange(1_000, 1_000_001_901, 2_000)])
    assert offset is not None
    assert (offset.offset_ns, offset.bound_ns, offset.at_ns) == (1_000_000_001, 102, 1_000)


@pytest.mark.parametrize(("round_trip_ms", "least_ns"), [(0.2, 400_000_000), (5.0, 1_000_000)])
def test_readings_that_are_cut_to_seconds_are_known_to_a_second_or_by_its_turn(
    round_trip_ms: float, least_ns: int
) -> None:
    row = measured("waiting, even", round_trip_ms, unit_ns=1_000_000_000, count=100)
    assert row.inside == 100
    assert least_ns < statistics.median(row.bounds_ns)
    assert max(row.bounds_ns) < 501_000_000


def test_exchanges_that_no_one_offset_explains_are_a_step() -> None:
    assert agreed([Exchange(0, 5_000_500, 1_000), Exchange(1_000, 5_001_501, 2_000)]) is not None
    assert agreed([Exchange(0, 5_000_500, 1_000), Exchange(1_000, 5_004_501, 2_000)]) is None


def test_a_clock_that_goes_back_is_a_step_even_where_round_trips_could_hide_it() -> None:
    assert agreed([Exchange(0, 500_001, 1_000_000), Exchange(1_000_000, 500_000, 2_000_000)]) is None


def test_a_clock_that_steps_while_it_is_measured_is_measured_anew() -> None:
    clock = Simulated("step", *path("waiting, even", 5.0))
    clock.step_ns, clock.step_at_ns = 100_000_000, START_NS + 100_000_000
    offset = clock.measure()
    assert clock.holds(offset)
    assert offset.at_ns - START_NS > 200_000_000


def test_a_clock_that_never_settles_voids_the_attempt() -> None:
    clock = ClockWithLatency(1, 0)
    steps = itertools.count(0, 1_000_000_000)
    with pytest.raises(AttemptVoid, match="the clock of alpha stepped in each of 3 measurements") as void:
        measure_offset(clock, lambda: clock.read_remote_ns() + next(steps), whose="the clock of alpha")
    assert void.value.reason == "clock_stepped"


@pytest.mark.parametrize(("kind", "asked"), [("waiting, even", 50), ("constant, even", 200)])
def test_more_is_asked_only_where_the_bound_is_wide(kind: str, asked: int) -> None:
    clock, reads = Simulated("asked", *path(kind, 5.0)), itertools.count()
    measure_offset(clock, lambda: next(reads) * 0 + clock.read_ns())
    assert next(reads) == asked


def test_the_error_of_asymmetric_round_trips_is_seen() -> None:
    clock = ClockWithLatency(1, 0)
    assert measure_offset(clock, clock.read_remote_ns).offset_ns > 50_000


def test_an_offset_needs_at_least_one_reading() -> None:
    clock = ClockWithLatency(1, 0)
    with pytest.raises(ValueError, match="reads must be greater than 0"):
        measure_offset(clock, clock.read_remote_ns, reads=0)
