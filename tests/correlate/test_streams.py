"""STUN over TCP and in IP fragments: put in order, and what is not there known."""

import random

import pytest

from correlate import stun
from correlate.stun.framing import framing
from correlate.trace import blocks
from correlate.trace.streams import MAX_WAITING_BYTES, Hole, Stream
from tests.correlate.packets import (
    ACK,
    SYN,
    address,
    attribute,
    channel,
    datagram,
    fragments,
    message,
    pcap,
    segment,
    trace,
)

A, TURN = ("192.168.1.10", 40000), ("198.51.100.2", 3478)
PEER, DATA, USERNAME = 0x0012, 0x0013, 0x0006
ALLOCATE, INDICATION = 0x0003, 0x0017
SEEN = message(INDICATION, address(PEER, "192.168.7.7"))


def examined(folder, packets, snaplen=262_144):
    return stun.examine(trace(folder, packets, snaplen))


def over_tcp(*parts, seq=1000, src=A, dst=TURN):
    """A connection from its SYN on, with these payloads one behind the other."""
    packets, at = [segment(src, dst, seq, flags=SYN)], seq + 1
    for part in parts:
        packets.append(segment(src, dst, at, part))
        at += len(part)
    return packets


def peers(found):
    return [(each.frame, str(end)) for each in found.messages for _, end, _ in each.addresses]


def test_a_message_over_tcp_has_the_frame_and_the_time_of_the_segment_that_completes_it(tmp_path):
    found = examined(tmp_path, over_tcp(message(ALLOCATE), SEEN[:10], SEEN[10:25], SEEN[25:]))
    assert [(each.frame, each.type, each.transport) for each in found.messages] == [(2, 3, "tcp"), (5, 0x17, "tcp")]
    (first, last) = found.messages
    assert last.time_ns - first.time_ns == 3 * 10_000_000
    assert (str(last.src), last.src_port, str(last.dst), last.dst_port) == ("192.168.1.10", 40000, "198.51.100.2", 3478)
    assert (peers(found), found.missing) == ([(5, "192.168.7.7")], ())


@pytest.mark.parametrize("seed", range(8))
def test_segments_in_any_order_and_sent_again_are_one_stream(tmp_path, seed):
    rng = random.Random(seed)
    stream = (
        message(ALLOCATE) + channel(0x4001, b"\x80" * 41, pad=4) + SEEN + channel(0x4001, b"\x80" * 7, pad=4) + SEEN
    )
    cuts = sorted(rng.sample(range(1, len(stream)), 6))
    starts = list(zip([0, *cuts], [*cuts, len(stream)], strict=True))
    seq = 2**32 - 60
    packets = [segment(A, TURN, seq + 1 + low, stream[low:high]) for low, high in starts]
    packets += [segment(A, TURN, seq + 1 + max(low - 3, 0), stream[max(low - 3, 0) : high]) for low, high in starts[:3]]
    rng.shuffle(packets)
    found = examined(tmp_path, [segment(A, TURN, seq, flags=SYN), *packets])
    assert sorted(each.type for each in found.messages) == [3, 0x17, 0x17]
    assert [each.frame for each in found.messages] == sorted(each.frame for each in found.messages)
    assert [text for _, text in peers(found)] == ["192.168.7.7"] * 2
    assert found.missing == ()
    streamed = list(stun.read(blocks(tmp_path / "wire.pcap", block_bytes=200)))
    assert [each[1:] for each in streamed] == [each[1:] for each in found.messages]


def test_messages_behind_unpadded_channel_data_are_found_as_well(tmp_path):
    found = examined(tmp_path, over_tcp(message(ALLOCATE) + channel(0x4001, b"\x80" * 9) + SEEN))
    assert peers(found) == [(2, "192.168.7.7")]


def test_each_frame_behind_its_length_is_ice_tcp(tmp_path):
    framed = [len(each).to_bytes(2) + each for each in (message(1), b"\x80" * 33, SEEN)]
    found = examined(tmp_path, over_tcp(b"".join(framed)))
    assert ([each.type for each in found.messages], found.connections[0].framing) == ([1, 0x17], "rfc4571")
    assert found.missing == ()


def test_a_lost_segment_is_missing_and_what_begins_behind_it_is_read(tmp_path):
    packets = over_tcp(message(ALLOCATE), channel(0x4001, b"\x80" * 60), SEEN[:16], SEEN[16:], SEEN)
    del packets[4]
    found = examined(tmp_path, packets)
    assert peers(found) == [(5, "192.168.7.7")]
    (missing,) = found.missing
    assert missing.why == "TCP from 192.168.1.10 port 40000 to 198.51.100.2 port 3478: 16 bytes were not captured"


def test_a_segment_that_is_cut_in_media_loses_nothing_and_in_a_message_it_does(tmp_path):
    media = channel(0x4001, b"\x80" * 400)
    long = message(INDICATION, attribute(0x8022, bytes(300)), address(PEER, "192.168.7.7"))
    whole = examined(tmp_path, over_tcp(message(ALLOCATE), media, SEEN), snaplen=140)
    assert (peers(whole), whole.missing) == ([(4, "192.168.7.7")], ())
    cut = examined(tmp_path, over_tcp(message(ALLOCATE), long, SEEN), snaplen=140)
    assert peers(cut) == [(4, "192.168.7.7")]
    assert [each.why.rpartition(": ")[2] for each in cut.missing] == ["236 bytes of a segment are cut"]


def test_a_connection_without_stun_is_named_and_nothing_of_it_is_missing(tmp_path):
    web = ("198.51.100.9", 443)
    packets = [
        *over_tcp(b"\x16\x03\x01" + bytes(400), dst=web),
        *over_tcp(b"GET / HTTP/1.1\r\n\r\n", src=("192.168.1.10", 2)),
    ]
    found = examined(tmp_path, packets, snaplen=140)
    assert {(each.ends[1], each.framing, each.is_tls) for each in found.connections} == {
        (40000, "other", True),
        (2, "other", False),
    }
    assert (found.messages, found.missing) == ((), ())


def test_a_new_connection_of_the_same_ports_is_another_stream(tmp_path):
    packets = [*over_tcp(message(ALLOCATE), seq=7), *over_tcp(SEEN, seq=9_000_000)]
    found = examined(tmp_path, packets)
    assert [each.frame for each in found.messages] == [2, 4]
    assert [each.framing for each in found.connections] == ["stun", "stun"]


@pytest.mark.parametrize(
    ("data", "how"),
    [
        (message(1), "stun"),
        (b"\x00\x14" + message(1), "rfc4571"),
        (channel(0x4001, b"\x80" * 20) + channel(0x4001, b"\x80" * 8), "stun"),
        (channel(0x4001, SEEN), "stun"),
        (
            b"".join(len(each).to_bytes(2) + each for each in (b"\x80" * 20, b"\x16\xfe\xfd" + bytes(9), b"\x90" * 8)),
            "rfc4571",
        ),
        (b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n", "other"),
        (b"\x17\x03\x03\x00\x20" + bytes(32), "other"),
    ],
)
def test_the_first_bytes_tell_how_a_stream_is_framed(data, how):
    assert framing(data, frozenset(), final=True) == how
    assert framing(data, frozenset(), final=False) in (how, None)
    assert framing(data[:2], frozenset(), final=False) is None


def test_a_stream_gives_what_waits_when_too_much_waits():
    stream = Stream()
    stream.open(0)
    stream.add(1, b"abc", 3, 1, 10)
    late = bytes(MAX_WAITING_BYTES // 4)
    for number in range(4):
        stream.add(10 + number * len(late), late, len(late), 2 + number, 20)
    assert (stream.end, stream.waits_since) == (3, 2)
    stream.add(10 + 4 * len(late), b"z", 1, 6, 30)
    assert (stream.holes, stream.waits_since) == ([Hole(3, 9, is_cut=False, size=6)], None)
    assert stream.end == 9 + 4 * len(late) + 1


LONG = message(INDICATION, attribute(0x8022, bytes(1500)), address(PEER, "192.168.7.7"))


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_a_datagram_in_fragments_is_read_once_all_are_there_whatever_their_order(tmp_path, order):
    parts = fragments(TURN, A, LONG, 600)
    packets = [*(parts[number] for number in order), datagram(TURN, A, message(1))]
    found = examined(tmp_path, packets)
    frame = order.index(0) + 1
    assert [(each.frame, each.type) for each in found.messages] == [(frame, 0x17), (4, 1)]
    assert (peers(found), found.missing) == ([(frame, "192.168.7.7")], ())
    for size in (1, 700, 1 << 20):
        streamed = list(stun.read(blocks(tmp_path / "wire.pcap", block_bytes=size)))
        assert [each[1:] for each in streamed] == [each[1:] for each in found.messages]


def test_a_fragment_that_is_not_there_is_missing(tmp_path):
    first, _, last = fragments(TURN, A, LONG, 600)
    found = examined(tmp_path, [first, last])
    assert ([each.type for each in found.messages], peers(found)) == ([0x17], [])
    assert [(each.frame, each.why) for each in found.missing] == [(1, "cut after 592 of 1536 bytes")]
    headless = examined(tmp_path, [last])
    assert [each.why for each in headless.missing] == ["a fragment of a datagram whose first one was not captured"]
    assert pcap([first])[-20:] == first[-20:]


def test_classic_messages_count_where_stun_was_seen_or_on_its_port(tmp_path):
    """RFC 3489: a type of it, the datagram's length, no cookie."""
    body = bytes(range(16)) + attribute(1, b"\x00\x01\x03\xe8" + bytes((192, 168, 7, 7)))
    classic = (0x0101).to_bytes(2) + (12).to_bytes(2) + body
    other, elsewhere = ("198.51.100.3", 19302), ("198.51.100.4", 5001)
    packets = [
        datagram(TURN, A, classic),
        datagram(other, A, classic),
        datagram(elsewhere, ("192.168.1.10", 9), classic),
        datagram(("198.51.100.9", 19302), ("192.168.1.10", 8), message(1)),
        datagram(TURN, A, classic + b"x"),
    ]
    found = examined(tmp_path, packets)
    assert [(each.frame, each.cookie) for each in found.messages] == [(1, False), (2, False), (4, True)]
    assert found.messages[0].transaction == bytes(range(16))
    assert peers(found) == [(1, "192.168.7.7"), (2, "192.168.7.7")]
    assert stun.row(found.messages[0])["cookie"] is False
    streamed = list(stun.read(blocks(tmp_path / "wire.pcap", block_bytes=1)))
    assert [each[1:] for each in streamed] == [each[1:] for each in found.messages]


def test_too_little_of_a_datagram_to_tell_what_it_is_is_missing(tmp_path):
    found = examined(tmp_path, [datagram(TURN, A, bytes(100)), datagram(TURN, A, b"\x80" * 27)], snaplen=32)
    assert [(each.frame, each.why) for each in found.missing] == [(1, "4 of 100 payload bytes do not tell what it is")]


def test_a_syn_that_is_sent_again_changes_nothing(tmp_path):
    packets = over_tcp(message(ALLOCATE), SEEN)
    found = examined(tmp_path, [packets[0], packets[0], *packets[1:], segment(A, TURN, 5000, flags=ACK)])
    assert [each.frame for each in found.messages] == [3, 4]


def test_a_port_that_is_used_again_after_something_else_is_read_in_blocks_of_any_size(tmp_path):
    packets = [
        *over_tcp(b"GET / HTTP/1.1\r\n\r\n" + bytes(40_000), bytes(40_000), seq=7),
        *over_tcp(message(ALLOCATE), SEEN, seq=9_000_000),
    ]
    found = examined(tmp_path, packets)
    assert [each.frame for each in found.messages] == [5, 6]
    for size in (1, 300, 80_000):
        streamed = list(stun.read(blocks(tmp_path / "wire.pcap", block_bytes=size)))
        assert [each[1:] for each in streamed] == [each[1:] for each in found.messages]


def test_a_hole_of_any_size_costs_little_and_what_is_behind_it_is_read(tmp_path):
    packets = [
        *over_tcp(message(ALLOCATE), seq=7),
        segment(A, TURN, 7 + 1_000_000_000, SEEN),
        segment(A, TURN, 90, b"x"),
    ]
    found = examined(tmp_path, packets)
    assert peers(found) == [(3, "192.168.7.7")]
    assert [each.why.rpartition(": ")[2] for each in found.missing] == [
        "999999916 bytes were not captured",
        "62 bytes were not captured",
    ]
    stream = Stream()
    stream.open(0)
    stream.add(3_000_000, b"abc", 3, 5, 50)
    stream.give_up()
    assert (stream.holes, len(stream.data)) == ([Hole(0, 1 << 17, is_cut=False, size=2_999_999)], (1 << 17) + 3)
    stream.add(3_000_003, b"def", 3, 6, 60)
    assert bytes(stream.data[-6:]) == b"abcdef"


def test_a_segment_far_behind_the_others_is_of_no_stream_and_said(tmp_path):
    packets = [*over_tcp(message(ALLOCATE), seq=3_000_000), segment(A, TURN, 1_000, SEEN)]
    found = examined(tmp_path, packets)
    assert [(each.frame, each.why.rpartition(": ")[2]) for each in found.missing] == [
        (3, "a segment is far from all others")
    ]
