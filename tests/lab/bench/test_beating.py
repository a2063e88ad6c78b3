"""When the phones of a bench are beaten, and what is done where one does not answer or is somebody else's."""

import pytest

from lab.bench.beating import ATTEMPT_S, PAUSE_S, BeatingClock, Holds
from lab.errors import BenchBusy, PhoneTrouble
from tests.lab.phone.handset import VirtualTime


class Phone:
    """A hold of a phone that is `away`, or `taken` by somebody else; when it was asked for is in `beaten_s`."""

    def __init__(self, name, clock):
        self.name, self._clock, self._zero_ns = name, clock, clock.now_ns()
        self.away = self.taken = False
        self.beaten_s = []

    def beat(self):
        self.beaten_s.append(round((self._clock.now_ns() - self._zero_ns) / 1e9, 3))
        if self.away:
            raise PhoneTrouble(f"{self.name}: no whole answer")
        if self.taken:
            raise BenchBusy(f"{self.name} is held by lab@bench2")


@pytest.fixture
def bench():
    clock = VirtualTime()
    holds, phones = Holds(clock.now_ns), [Phone("pixel6", clock), Phone("pixel6pro", clock)]
    for phone in phones:
        holds.add(phone)
    return clock, holds, phones


def test_a_pause_beats_both_phones_each_minute_and_ends_when_it_should(bench):
    clock, holds, phones = bench
    began_ns = clock.now_ns()
    BeatingClock(clock, holds, PAUSE_S).sleep(210.0)
    assert [phone.beaten_s for phone in phones] == [[60.0, 120.0, 180.0]] * 2
    assert (clock.now_ns() - began_ns) / 1e9 == 210.0


def test_a_long_attempt_beats_from_between_its_polls_and_a_short_one_never(bench):
    clock, holds, (phone, _) = bench
    in_attempt = BeatingClock(clock, holds, ATTEMPT_S)
    for _ in range(1499):
        in_attempt.sleep(0.2)
    assert phone.beaten_s == []
    in_attempt.sleep(0.2)
    in_attempt.sleep(0.2)
    assert phone.beaten_s == [300.0]
    in_attempt.sleep(3600.0)
    assert phone.beaten_s[1:] == [pytest.approx(300.2 + 300 * number) for number in range(1, 13)]


def test_a_phone_that_is_away_is_left_to_whoever_drives_it_and_not_asked_in_pauses(bench):
    clock, holds, (phone, other) = bench
    phone.away = True
    pauses = BeatingClock(clock, holds, PAUSE_S)
    pauses.sleep(180.0)
    assert (phone.beaten_s, other.beaten_s) == ([60.0], [60.0, 120.0, 180.0])
    holds.beat()
    phone.away = False
    holds.beat()
    pauses.sleep(60.0)
    assert phone.beaten_s == [60.0, 180.0, 180.0, 240.0]


def test_a_phone_that_was_away_for_as_long_as_a_lease_lasts_is_asked_for_before_anything_else(bench):
    clock, holds, (phone, other) = bench
    phone.away = True
    BeatingClock(clock, holds, PAUSE_S).sleep(900.0)
    holds.require("pixel6")
    holds.beat()
    clock.sleep(0.001)
    for asked in (lambda: holds.require("pixel6"), holds.beat):
        with pytest.raises(PhoneTrouble, match=r"^pixel6: no whole answer"):
            asked()
    holds.require("pixel6pro")
    assert other.beaten_s[-1] == 900.0
    phone.away, phone.taken = False, True
    with pytest.raises(BenchBusy, match=r"^pixel6 is held by lab@bench2"):
        holds.require("pixel6")


def test_a_phone_that_is_somebody_elses_ends_a_pause(bench):
    clock, holds, (_, other) = bench
    other.taken = True
    with pytest.raises(BenchBusy, match=r"^pixel6pro is held by lab@bench2"):
        BeatingClock(clock, holds, PAUSE_S).sleep(900.0)
    assert other.beaten_s == [60.0]


def test_bench_time_that_begins_anew_makes_no_beat_due(bench):
    clock, holds, (phone, _) = bench
    phone.away = True
    clock.sleep(100_000.0)
    holds.anew()
    holds.beat()
    holds.beat_after(60.0)
    assert phone.beaten_s == [100_000.0]
