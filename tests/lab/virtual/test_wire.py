"""A wire lets frames pass in the order of their instants, whoever put them and however time moves."""

import numpy as np
import pytest

from lab.virtual.network.ledger import Ledger
from lab.virtual.network.meaning import Meaning
from lab.virtual.network.passing import Batch
from lab.virtual.network.wire import Wire
from lab.virtual.world import World

NOISE = Meaning("noise", outgoing=True)


class Recorder:
    """A capture that remembers what it was handed."""

    def __init__(self, snaplen: int = 64) -> None:
        self.snaplen = snaplen
        self.frames: list[tuple[int, int, bytes]] = []
        self.ticks: list[int] = []

    def take(self, frames) -> None:
        for time, length, row in zip(frames.times_ns, frames.lengths, frames.rows, strict=True):
            self.frames.append((int(time), int(length), row.tobytes()[:length]))

    def tick(self, now_ns: int) -> None:
        self.ticks.append(now_ns)


@pytest.fixture
def wire() -> Wire:
    world = World()
    ledger = Ledger(world)
    world.begin("1/t/0", 1000)
    ledger.begin("t", 0)
    ledger.phone("a", [])
    made = Wire("a", "raw", "rmnet1", world, ledger)
    world.flushers.append(made.flush)
    return made


def batch(times: list[int], sent: list[int], text: bytes, group: str = "media") -> Batch:
    count = len(times)
    rows = np.frombuffer(text * count, dtype=np.uint8).reshape(count, len(text))
    sizes = np.full(count, len(text))
    return Batch(np.array(times), np.array(sent), sizes, sizes - 1, rows, NOISE, group)


def test_frames_pass_in_the_order_of_their_instants_and_ties_as_they_were_put(wire):
    seen = Recorder()
    wire.attach(seen)
    wire.put(1300, b"late", 4, NOISE)
    wire.put(1200, b"tie1", 4, NOISE)
    wire.put_batch(batch([1100, 1200], [1000, 1100], b"bulk"))
    wire.put(1200, b"tie2", 4, NOISE)
    wire.world.advance_to(2000)
    assert [(time, text) for time, _, text in seen.frames] == [
        (1100, b"bulk"),
        (1200, b"tie1"),
        (1200, b"bulk"),
        (1200, b"tie2"),
        (1300, b"late"),
    ]


def test_nothing_passes_before_its_instant(wire):
    seen = Recorder()
    wire.attach(seen)
    wire.put(1300, b"later", 5, NOISE)
    wire.put_batch(batch([1250, 1350], [1000, 1000], b"x"))
    wire.world.advance_to(1299)
    assert [time for time, _, _ in seen.frames] == [1250]
    wire.world.advance_to(1300)
    assert [time for time, _, _ in seen.frames] == [1250, 1300]
    wire.world.advance_to(1350)
    assert [time for time, _, _ in seen.frames] == [1250, 1300, 1350]


def test_a_frame_is_never_put_into_the_past(wire):
    seen = Recorder()
    wire.attach(seen)
    wire.put(5, b"x", 1, NOISE)
    wire.world.advance_to(1000)
    assert seen.frames == [(1000, 1, b"x")]


def test_a_capture_sees_frames_from_its_attaching_to_its_detaching(wire):
    seen = Recorder()
    wire.put(1000, b"before", 6, NOISE)
    wire.attach(seen)
    wire.put(1000, b"while", 5, NOISE)
    wire.put(1100, b"after", 5, NOISE)
    wire.world.advance_to(1050)
    wire.detach(seen)
    wire.world.advance_to(1200)
    assert [text for _, _, text in seen.frames] == [b"while"]


def test_a_cut_takes_back_what_would_have_been_sent_later_but_not_what_is_on_its_way(wire):
    seen = Recorder()
    wire.attach(seen)
    wire.put_batch(batch([1100, 1200, 1300], [1050, 1090, 1150], b"m"))
    wire.put_batch(batch([1400], [1390], b"o", group="other"))
    wire.world.advance_to(1100)
    wire.cut("media", 1100)
    wire.world.advance_to(2000)
    assert [(time, text) for time, _, text in seen.frames] == [(1100, b"m"), (1200, b"m"), (1400, b"o")]


def test_a_frame_that_is_not_admitted_is_in_no_capture_and_not_in_the_ledger(wire):
    seen = Recorder()
    wire.attach(seen)
    stun = Meaning("call", outgoing=True, stun=True)
    wire.admit = lambda meaning: not meaning.stun
    wire.put(1100, b"stun", 4, stun)
    wire.put(1100, b"else", 4, NOISE)
    wire.world.advance_to(1200)
    assert [text for _, _, text in seen.frames] == [b"else"]
    assert wire.ledger.rows("a") == []


def test_whole_lengths_are_kept_where_rows_are_cut_to_the_snaplen(wire):
    seen = Recorder(snaplen=4)
    wire.attach(seen)
    wire.put(1100, b"abcdefgh", 8, NOISE)
    wire.world.advance_to(1100)
    assert seen.frames == [(1100, 8, b"abcd")]


def test_starts_of_captures_are_counted_and_told(wire):
    told = []
    wire.on_attach = told.append
    wire.on_detach = lambda: told.append("detached")
    first, second = Recorder(), Recorder()
    wire.attach(first)
    wire.attach(first)
    wire.detach(first)
    wire.world.advance_to(1100)
    wire.attach(second)
    assert told == [0, "detached", 1]


def test_an_attempt_begins_without_frames_and_captures_of_the_one_before(wire):
    seen = Recorder()
    wire.attach(seen)
    wire.put(1100, b"old", 3, NOISE)
    wire.begin()
    wire.world.advance_to(1200)
    assert seen.frames == []
