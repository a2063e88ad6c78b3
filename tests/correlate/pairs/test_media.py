"""Which datagrams of a capture are media."""

import struct
from ipaddress import ip_address

import pytest

from correlate.pairs import addresses, media, window
from correlate.pairs.window import Amounts
from tests.correlate.conftest import T0_NS, frame

PHONE, RELAY = ("100.64.0.7", 5000), ("192.0.2.50", 3478)
OWN = addresses.own_addresses([ip_address(PHONE[0])], [])


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
        (flow,) = media.by_flow(captured(*packets, **keys), OWN)
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


def test_stun_is_no_media(found, build):
    of = found(frame(*PHONE, *RELAY, build.stun(build.BINDING)), frame(*PHONE, *RELAY, build.channel(0x4000, bytes(8))))
    assert (of.tx, of.rx) == (Amounts(packets=1, payload_bytes=12, frame_bytes=40), Amounts())


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
    answer = media.answered(of, OWN, [0])
    assert (answer and (answer.time_ns - T0_NS) / 1e9) == answer_s
    assert media.answered(of, OWN, []) is None
