"""STUN over TCP and in fragments is the same however it was cut, ordered and sent again (RFC 8656 2.1, RFC 4571 2).

What is in a stream is told by `plain`, message by message; when, by counting which of its bytes are there.
"""

import random

import pytest

from correlate import stun
from correlate.trace import Trace
from tests.correlate import plain, wire
from tests.correlate.transports import (
    ORDERS,
    TRANSPORTS,
    Carried,
    Stream,
    allocate,
    connected,
    framed,
    other,
    padded,
    request_of_ice,
    servers,
)  # fmt: skip
from tests.correlate.wire import ethernet

WHOLE = [name for name in ORDERS if "gap" not in name]
SEEDS = range(15)
STEP_NS = 1_000_000


def units(rng, rfc4571):
    """The units of a stream: those that open it first."""
    client = ("192.168.1.10", 5000)
    first = request_of_ice(rng) if rfc4571 else allocate(rng, client)[0]
    more = [request_of_ice, *([] if rfc4571 else [other, lambda rng: wire.channel(0x4001, request_of_ice(rng))])]
    return [first, *(rng.choice(more)(rng) for _ in range(rng.randrange(1, 8)))]


def capture(path, frames):
    path.write_bytes(wire.pcap((number * 1_000, frame) for number, frame in enumerate(frames)))
    return path


def over_tcp(path):
    """Type, transaction, channel, container, attributes of each message over TCP; its time since the first frame."""
    found = [row for row in stun.rows(Trace.read(path)) if row["transport"] == "tcp"]
    messages = [
        (
            row["type"], bytes.fromhex(row["transaction"]), row["channel"], row["nested"],
            tuple((each["type"], bytes.fromhex(each["value"])) for each in row["attributes"]),
        )
        for row in found
    ]  # fmt: skip
    return messages, [row["time_ns"] - 1_760_000_000 * 10**9 for row in found]


def sent(rng, order, rfc4571):
    """Frames of a connection, what its stream holds, and of which segment each message ends in what is there."""
    parts = units(rng, rfc4571)
    wrap = framed if rfc4571 else padded
    ends, at = [], 0
    for part in parts:
        ends += [at + len(wrap(part))] * len(plain.messages(part))
        at += len(wrap(part))
    cut = rng.randrange(1, len(parts))
    stream = Stream(*(b"".join(map(wrap, some)) for some in (parts[:1], parts[1 : cut + 1], parts[cut + 1 :])), b"")
    segments = []

    def kept(rng, whole, span):
        segments.extend(order(rng, whole, span))
        return segments

    carried = Carried((), True, b"")
    frames = connected(rng, servers(rng, six=bool(rng.randrange(2)), known=True), carried, stream, kept)
    messages = [message for part in parts for message in plain.messages(part)]
    return frames, messages, [completes(segments, end) for end in ends]


def completes(segments, end):
    """The segment with which all bytes before `end` are there."""
    there = bytearray(end)
    for number, (at, data) in enumerate(segments):
        there[at : min(at + len(data), end)] = b"\1" * max(0, min(at + len(data), end) - at)
        if all(there):
            return number
    raise AssertionError("the stream is not whole")


@pytest.mark.parametrize("rfc4571", [False, True], ids=["TURN", "RFC 4571"])
@pytest.mark.parametrize("order", WHOLE)
def test_a_stream_holds_the_same_messages_in_whatever_order_its_segments_come(order, rfc4571, tmp_path):
    for seed in SEEDS:
        rng = random.Random(f"{order}/{rfc4571}/{seed}")
        frames, messages, completed = sent(rng, ORDERS[order], rfc4571)
        found, times_ns = over_tcp(capture(tmp_path / "capture", frames))
        assert found == messages, seed
        # Behind the handshake; the answer, which is empty, comes second.
        placed = [number + 2 + (number > 0) for number in completed]
        assert [time_ns // STEP_NS for time_ns in times_ns] == placed, seed


def test_a_last_message_in_channel_data_needs_no_padding(tmp_path):
    """Where the connection ends or the capture does, nobody waits for it."""
    opening, message = allocate(random.Random(1), ("192.168.1.10", 5000))[0], request_of_ice(random.Random(1))
    data = wire.channel(0x4001, message + b"\0")
    both = servers(random.Random(1), six=False, known=True)
    frames = [ethernet(wire.tcp(*both, 1, opening)), ethernet(wire.tcp(*both, 1 + len(opening), data))]
    messages, _ = over_tcp(capture(tmp_path / "capture", frames))
    assert [each[0] for each in messages] == [0x0003, 0x0001]


@pytest.mark.parametrize("name", [name for name in TRANSPORTS if "fragments" in name and "lost" not in name])
def test_a_datagram_holds_the_same_messages_in_whatever_order_its_fragments_come(name, tmp_path):
    for seed in SEEDS:
        rng = random.Random(f"{name}/{seed}")
        held = [request_of_ice(rng) for _ in range(rng.randrange(1, 5))]
        carried = Carried(tuple(held), bool(rng.randrange(2)), held[0])
        frames = TRANSPORTS[name](rng, carried)
        rows = stun.rows(Trace.read(capture(tmp_path / "capture", frames)))
        found = [(row["type"], row["transaction"]) for row in rows if row["type"] == 0x0001]
        assert found == [(0x0001, each[8:20].hex()) for each in held], seed


@pytest.mark.parametrize("order", [name for name in ORDERS if "gap" in name])
def test_behind_a_gap_no_message_is_made_up(order, tmp_path):
    """What is told of a stream with a gap was in it."""
    for seed in SEEDS:
        rng = random.Random(f"{order}/{seed}")
        parts = [*units(rng, False), request_of_ice(rng)]
        lead, unit, behind = (b"".join(map(padded, some)) for some in (parts[:2], parts[2:3], parts[3:]))
        stream, both = Stream(lead, unit, behind, b""), servers(rng, six=False, known=True)
        frames = connected(rng, both, Carried((), True, b""), stream, ORDERS[order])
        found, _ = over_tcp(capture(tmp_path / "capture", frames))
        messages = [message for part in parts for message in plain.messages(part)]
        assert len(found) <= len(messages)
        assert [each for each in found if each not in messages] == [], seed
