"""The night clock: a counter on an emulated bench, the wall clock on real phones."""

import json

from correlate.dataset.record import JournalLine
from lab.clocks.real_time import wall_ns
from lab.run.night_clock import NightClock


def line(seq: int, **said) -> JournalLine:
    event = {"seq": seq, "sha256": "0" * 64, "event": "void", "trial": "a-1", "attempt": 0, **said}
    return JournalLine.model_validate_json(json.dumps(event))


def test_on_an_emulated_bench_it_goes_on_by_bench_time_and_from_where_the_journal_has_it():
    clock = NightClock(True, [line(0, night_s=7.5), line(1), line(2, night_s=60.25)])
    assert clock.now_s() == 60.25
    assert clock.went_on(5_000_000_000, 95_500_000_000) == 150.75
    assert clock.went_on(None, 95_500_000_000) == 150.75  # an attempt that never began
    assert NightClock(True).now_s() == 0.0


def test_on_real_phones_it_is_the_wall_clock_whatever_the_journal_says():
    clock, before_s = NightClock(False, [line(0, night_s=5.0)]), wall_ns() / 1e9
    assert before_s - 1 <= clock.went_on(0, 10**15) <= before_s + 60
