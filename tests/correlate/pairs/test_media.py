"""Which datagrams of a capture are media."""

import struct
from ipaddress import ip_address

import numpy as np
import pytest

from correlate.pairs import addresses, media, window
from correlate.pairs.connections import connections
from correlate.pairs.window import Amounts
from correlate.stun import DATA, USERNAME
from tests.correlate.conftest import T0_NS, channel, frame, stun, xored

PHONE, RELAY = ("100.64.0.7", 5000), ("192.0.2.50", 3478)
OWN = addresses.own_addresses([ip_address(PHONE[0])], [])


def units(of):
    return media.units(of, OWN, connections(of, OWN))


@pytest.fixture
def captured(tmp_path):
    """The window of a capture of raw IP packets, at these times in s or a nanosecond apart, cut at so many bytes."""

    def of(*packets, at_s=None, snaplen=262_144):
        data = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262_144, 101)
        for number, packet in enumerate(packets):
            head, since_ns = packet[:snaplen], number if at_s is None else round(at_s[number] * 1e9)
            data += struct.pack("<IIII", *divmod(T0_NS + since_ns, 10**9), len(head), len(packet)) + head
        (tmp_path / "capture.pcap").write_bytes(data)
        return window.read(tmp_path / "capture.pcap", None)

    return of


@pytest.fixture
def found(captured):
    """The media of the one flow in such a capture."""

    def of(*packets, **keys):
        (flow,) = units(captured(*packets, **keys)).by_conversation(1)
        return flow

    return of


def fragments(packet, sizes):
    """The fragments of an IPv4 packet, with so many bytes behind the header each."""
    at, out = 0, []
    for size in sizes:
        more = 0x2000 if 20 + at + size < len(packet) else 0
        head = struct.pack(">BBHHH", 0x45, 0, 20 + size, 7, more | at // 8) + packet[8:20]
        out.append(head + packet[20 + at : 20 + at + size])
        at += size
    return out


def test_a_fragmented_datagram_is_one_with_the_payload_of_all_its_fragments(found):
    whole = frame(*PHONE, *RELAY, b"\x80" + bytes(1491))
    first, *later = fragments(whole, [800, 400, 300])
    assert [len(each) for each in later] == [420, 320]
    of = found(first, *later, frame(*RELAY, *PHONE, bytes(100)), *later)
    assert of.tx == Amounts(packets=1, payload_bytes=1492, frame_bytes=820)
    assert of.rx == Amounts(packets=1, payload_bytes=100, frame_bytes=128)
    assert (of.first.number, of.last.number) == (1, 4)


def test_a_datagram_that_was_cut_behind_its_header_counts_with_its_whole_payload(found):
    packets = [frame(*PHONE, *RELAY, bytes(100)), frame(*RELAY, *PHONE, bytes(60))]
    assert found(*packets, snaplen=28).tx == Amounts(packets=1, payload_bytes=100, frame_bytes=128)


RTP = b"\x80" + bytes(99)
CHECK = stun(0x0001, (USERNAME, b"abcd:efgh"))


@pytest.mark.parametrize(
    ("payload", "media_bytes"),
    [
        (RTP, 100),
        (stun(0x0001), None),
        (channel(0x4000, RTP), 104),
        (channel(0x4000, CHECK), None),
        (channel(0x4000, CHECK) + channel(0x4001, RTP), len(CHECK) + 108),
        (channel(0x4000, RTP) + channel(0x4001, CHECK), len(CHECK) + 108),
        (stun(0x0016, xored(0x0012, "192.0.2.9"), (DATA, RTP)), 20 + 12 + 4 + 100),
        (stun(0x0017, xored(0x0012, "192.0.2.9"), (DATA, RTP)), 20 + 12 + 4 + 100),
        (stun(0x0016, xored(0x0012, "192.0.2.9"), (DATA, CHECK)), None),
        (stun(0x0016, xored(0x0012, "192.0.2.9"), (DATA, b"")), None),
        # A request with DATA is no indication.
        (stun(0x0001, (DATA, RTP)), None),
        (b"\x16\xfe\xfd" + bytes(50), 53),
        (b"\0", 1),
    ],
)
def test_media_is_what_turn_carries_and_stun_is_none_wherever_it_stands(found, payload, media_bytes):
    of = found(frame(*PHONE, *RELAY, payload))
    assert of.tx == (Amounts() if media_bytes is None else Amounts(1, media_bytes, 28 + media_bytes))


def test_of_turn_over_tcp_each_frame_that_carries_media_is_one(captured):
    server = ("192.0.2.50", 443)
    sent = (
        channel(0x4000, RTP) + channel(0x4000, CHECK + bytes(-len(CHECK) % 4)) + channel(0x4001, bytes(97)) + bytes(3)
    )
    indication = stun(0x0017, xored(0x0012, "192.0.2.9"), (DATA, RTP))
    of = captured(
        segment(PHONE, server, stun(0x0003) + sent[:50], 1),
        segment(PHONE, server, sent[50:], 71),
        # Sent again: its bytes are there, so they are no media a second time.
        segment(PHONE, server, sent[50:], 71),
        segment(server, PHONE, stun(0x0103) + indication, 1),
    )
    (found,) = units(of).by_conversation(1)
    assert (found.tx.packets, found.tx.payload_bytes) == (2, 104 + 104)
    assert (found.rx.packets, found.rx.payload_bytes) == (1, len(indication))
    # Both frames were completed by the second segment: its bytes count once.
    assert found.tx.frame_bytes == 40 + len(sent) - 50
    assert (found.first.number, found.last.number) == (2, 4)
    (path,) = connections(of, OWN).table
    assert (path.tx.packets, path.tx.payload_bytes) == (3, 20 + 50 + 2 * (len(sent) - 50))
    assert (path.local_port, str(path.remote), path.remote_port) == (5000, "192.0.2.50", 443)


@pytest.mark.parametrize(
    ("sent_s", "received_s", "is_dense"),
    [([0, 1, 2], [1, 2, 3], True), ([0, 1, 2], [1, 2], False), ([0, 1, 2], [8, 9, 10.1], False), ([], [], False)],
)
def test_dense_is_as_many_each_way_within_ten_seconds(sent_s, received_s, is_dense):
    times = (np.array([round(at * 1e9) for at in each], np.int64) for each in (sent_s, received_s))
    assert media.is_dense(*times, 3) is is_dense


def test_stun_is_no_media(found, build):
    of = found(frame(*PHONE, *RELAY, build.stun(build.BINDING)), frame(*PHONE, *RELAY, build.channel(0x4000, bytes(8))))
    assert (of.tx, of.rx) == (Amounts(packets=1, payload_bytes=12, frame_bytes=40), Amounts())


def segment(src, dst, payload, seq):
    ports = struct.pack(">HHIIBBHHH", src[1], dst[1], seq, 1, 0x50, 0x18, 8192, 0, 0)
    head = struct.pack(">BBHHHBBH", 0x45, 0, 40 + len(payload), 0, 0, 64, 6, 0)
    return head + ip_address(src[0]).packed + ip_address(dst[0]).packed + ports + payload


SENT, RECEIVED = frame(*PHONE, *RELAY, bytes(100)), frame(*RELAY, *PHONE, bytes(100))


@pytest.mark.parametrize(
    ("sent_s", "received_s", "answer_s"),
    [
        # Five within just a second flow; five in more than that do not, nor four.
        ([1, 1.25, 1.5, 1.75, 2], [0, 0.25, 0.5, 0.75, 1], 1),
        ([1, 1.25, 1.5, 1.75, 2.000001], [0, 0.25, 0.5, 0.75, 1], None),
        ([1, 1.25, 1.5, 2], [0, 0.25, 0.5, 0.75, 1], None),
        # From the later of the two ways on, and from the first of the five.
        ([1, 1.1, 1.2, 1.3, 1.4], [7, 7.1, 7.2, 7.3, 7.4], 7),
        ([7, 7.1, 7.2, 7.3, 7.4], [1, 1.1, 1.2, 1.3, 1.4], 7),
        # Single ones before do not count.
        ([0, 1, 2, 7, 7.1, 7.2, 7.3, 7.4], [0, 0.1, 0.2, 0.3, 0.4], 7),
        # Nobody answered.
        ([], [0, 0.1, 0.2, 0.3, 0.4], None),
    ],
)
def test_media_flow_both_ways_from_the_first_of_five_within_a_second_in_the_later_way(
    captured, sent_s, received_s, answer_s
):
    rows = sorted([*((at_s, SENT) for at_s in sent_s), *((at_s, RECEIVED) for at_s in received_s)])
    of = captured(*(packet for _, packet in rows), at_s=[at_s for at_s, _ in rows])
    answer = media.answered(units(of).within([0]))
    assert (answer and (answer.time_ns - T0_NS) / 1e9) == answer_s
    assert media.answered(units(of).within([])) is None
