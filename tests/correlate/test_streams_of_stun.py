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
    """Frames of a connection; each message in its stream with where its unit begins and ends; segments."""
    parts = units(rng, rfc4571)
    wrap = framed if rfc4571 else padded
    told, at = [], 0
    for part in parts:
        told += [(message[:5], (at, at + len(wrap(part)))) for message in plain.messages(part)]
        at += len(wrap(part))
    cut = rng.randrange(1, len(parts))
    stream = Stream(*(b"".join(map(wrap, some)) for some in (parts[:1], parts[1 : cut + 1], parts[cut + 1 :])), b"")
    segments = []

    def kept(rng, whole, span):
        segments.extend(order(rng, whole, span))
        return segments

    carried = Carried((), True, b"")
    frames = connected(rng, servers(rng, six=bool(rng.randrange(2)), known=True), carried, stream, kept)
    return frames, told, segments


def completes(segments, begin, end):
    """The frame with which all these bytes of the stream are there: behind a handshake, an answer second."""
    there = bytearray(end)
    for number, (at, data) in enumerate(segments):
        stop = min(at + len(data), end)
        there[at:stop] = b"\1" * max(0, stop - at)
        if all(there[begin:]):
            return number + 2 + (number > 0)
    raise AssertionError("the stream is not whole")


@pytest.mark.parametrize("rfc4571", [False, True], ids=["TURN", "RFC 4571"])
@pytest.mark.parametrize("order", WHOLE)
def test_a_stream_holds_the_same_messages_in_whatever_order_its_segments_come(order, rfc4571, tmp_path):
    for seed in SEEDS:
        rng = random.Random(f"{order}/{rfc4571}/{seed}")
        frames, told, segments = sent(rng, ORDERS[order], rfc4571)
        found, times_ns = over_tcp(capture(tmp_path / "capture", frames))
        placed = [(completes(segments, *span), message) for message, span in told]
        placed.sort(key=lambda each: each[0])
        assert found == [message for _, message in placed], seed
        # Of RFC 4571 the length before a message may come when the message is there.
        if not rfc4571 or "out" not in order:
            assert [time_ns // STEP_NS for time_ns in times_ns] == [number for number, _ in placed], seed


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
        # A frame that comes twice may tell twice what is in it.
        assert list(dict.fromkeys(found)) == [(0x0001, each[8:20].hex()) for each in held], seed


def is_begun(one, whole):
    """Whether a message is another one as far as it goes; the head of what it was in may be lost."""
    kinds = one[0] == whole[0] and one[2:4] in (whole[2:4], (None, None))
    pairs = zip(one[4], whole[4], strict=False)
    attributes = all(a[0] == b[0] and b[1].startswith(a[1]) for a, b in pairs)
    return kinds and whole[1].startswith(one[1]) and len(one[4]) <= len(whole[4]) and attributes


@pytest.mark.parametrize("order", [name for name in ORDERS if "gap" in name])
def test_behind_a_gap_no_message_is_made_up(order, tmp_path):
    """What is told of a stream with a gap was in it."""
    for seed in range(150):
        rng = random.Random(f"{order}/{seed}")
        parts = [*units(rng, False), request_of_ice(rng)]
        lead, unit, behind = (b"".join(map(padded, some)) for some in (parts[:2], parts[2:3], parts[3:]))
        stream, both = Stream(lead, unit, behind, b""), servers(rng, six=False, known=True)
        frames = connected(rng, both, Carried((), True, b""), stream, ORDERS[order])
        found, _ = over_tcp(capture(tmp_path / "capture", frames))
        messages = [message for part in parts for message in plain.messages(part)]
        assert len(found) <= len(messages)
        assert all(any(is_begun(one, whole) for whole in messages) for one in found), seed
