"""TCP segments against scapy's bytes, and the numbers of a connection as they pass a wire."""

import random
from ipaddress import ip_address

import numpy as np
import pytest

from lab.virtual.network.addresses import Endpoint
from lab.virtual.network.media import Packets
from lab.virtual.network.tcp import ACK, FIN, PSH, SYN, Numbers, numbered, segment, segments, syn_options, written

ENDS = {
    4: (Endpoint(ip_address("192.0.2.1"), 4000), Endpoint(ip_address("198.51.100.9"), 443)),
    6: (Endpoint(ip_address("2001:db8::1"), 4000), Endpoint(ip_address("2001:db8::9"), 443)),
}
STARTS = {4: 20, 6: 40}
LINK = bytes(range(12)) + b"\x08\x00"


def by_scapy(version: int, flags: str, body: bytes, options: list[tuple[str, object]]) -> bytes:
    """The segment with the sequence number 0xFFFFFFFE; all but a SYN acknowledge 9."""
    from scapy.layers.inet import IP, TCP
    from scapy.layers.inet6 import IPv6

    here, there = ENDS[version]
    ends = {"src": str(here.address), "dst": str(there.address)}
    ip = IPv6(**ends, hlim=55) if version == 6 else IP(**ends, id=7, flags="DF", ttl=55)
    window = 65_535 if "S" in flags else 502
    tcp = TCP(
        sport=4000, dport=443, seq=0xFFFFFFFE, ack=0 if flags == "S" else 9, flags=flags, window=window, options=options
    )
    return bytes(ip / tcp / body)


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("link", [b"", LINK], ids=["raw", "ethernet"])
@pytest.mark.parametrize("body", [b"abcd", b"abc", b""])
def test_a_segment_with_its_numbers_is_what_scapy_builds(version, link, body):
    found = segment(link, *ENDS[version], PSH | ACK, body, identification=7, hop_limit=55)
    row = np.frombuffer(found, dtype=np.uint8)[None, :]
    start = len(link) + STARTS[version]
    row = numbered(row, np.array([len(found)]), start, np.array([0xFFFFFFFE]), np.array([9]))
    assert row.tobytes() == link + by_scapy(version, "PA", body, [])


def test_a_first_syn_has_options_and_acknowledges_nothing():
    found = segment(b"", *ENDS[4], SYN, syn_options(1388), identification=7, hop_limit=55)
    row = np.frombuffer(found, dtype=np.uint8)[None, :]
    row = numbered(row, np.array([len(found)]), 20, np.array([0xFFFFFFFE]), np.array([9]))
    options = [("MSS", 1388), ("SAckOK", b""), ("NOP", None), ("WScale", 8), ("NOP", None), ("NOP", None)]
    assert row.tobytes() == by_scapy(4, "S", b"", options)


@pytest.mark.parametrize("version", [4, 6])
def test_rows_are_the_segments_one_by_one(version):
    payload = np.zeros((2, 8), dtype=np.uint8)
    payload[0, :5], payload[1] = 7, 9
    sizes, start = np.array([5, 1000]), 14 + STARTS[version]
    rows = segments(
        LINK, *ENDS[version], payload, sizes, flags=PSH | ACK, identifications=np.array([7, 8]), hop_limit=55
    )
    rows = numbered(rows, sizes + start + 20, start, np.array([1, 6]), np.array([3, 3]))
    for number, size in enumerate(sizes.tolist()):
        body = payload[number].tobytes()[:size].ljust(size, b"\0")
        whole = segment(LINK, *ENDS[version], PSH | ACK, body, identification=7 + number, hop_limit=55)
        one = np.frombuffer(whole, dtype=np.uint8)[None, :]
        one = numbered(one, np.array([len(whole)]), start, np.array([1 + 5 * number]), np.array([3]))
        length = min(len(whole), rows.shape[1])
        assert rows[number].tobytes()[:length] == one.tobytes()[:length]


def taken(numbers: Numbers, frames: list[tuple[int, bool, int]]) -> list[tuple[bool, int, int]]:
    times, outgoing, consumes = (np.array(column) for column in zip(*frames, strict=True))
    kept, sequence, acknowledged = numbers.take(times, outgoing.astype(bool), consumes)
    return list(zip(kept.tolist(), sequence.tolist(), acknowledged.tolist(), strict=True))


OUT, IN = True, False


def test_each_side_counts_its_own_bytes_and_acknowledges_what_has_reached_it():
    numbers = Numbers(random.Random(1), lag_ns=50)
    found = taken(numbers, [(0, OUT, 1), (60, IN, 1), (61, OUT, 0), (62, OUT, 30), (100, IN, 10), (112, IN, 5)])
    first, other = found[0][1], found[1][1]
    assert found == [
        (True, first, other),
        (True, other, first + 1),
        (True, first + 1, other + 1),
        (True, first + 1, other + 1),
        # Sent by the server before the thirty bytes were there, and when they were.
        (True, other + 1, first + 1),
        (True, other + 11, first + 31),
    ]


def test_a_bare_acknowledgement_passes_only_if_it_says_something_new():
    numbers = Numbers(random.Random(1), lag_ns=50)
    taken(numbers, [(0, OUT, 1), (60, IN, 1), (61, OUT, 0)])
    found = taken(numbers, [(70, IN, 10), (80, OUT, 0), (90, OUT, 0), (95, IN, 10), (100, OUT, 4), (101, OUT, 0)])
    assert [kept for kept, _, _ in found] == [True, True, False, True, True, False]


def test_it_does_not_matter_in_how_many_portions_the_segments_pass():
    frames = [(number * 10, number % 3 == 0, number % 4) for number in range(40)]
    whole = taken(Numbers(random.Random(3), lag_ns=35), frames)
    numbers = Numbers(random.Random(3), lag_ns=35)
    assert [
        one for at in (0, 7, 8, 20) for one in taken(numbers, frames[at : {0: 7, 7: 8, 8: 20, 20: 40}[at]])
    ] == whole


def test_sequence_numbers_wrap_at_32_bits():
    draw = random.Random()
    draw.getrandbits = lambda bits: (1 << bits) - 1  # type: ignore[method-assign]
    found = taken(Numbers(draw, 10), [(0, OUT, 3), (20, IN, 1)])
    assert found == [(True, 0xFFFFFFFF, 0xFFFFFFFF), (True, 0xFFFFFFFF, 2)]


def test_what_is_written_is_the_same_stream_and_each_message_ends_in_one_segment():
    sizes = np.array([40, 60, 140, 1000, 80] * 60)
    rows = np.random.Generator(np.random.PCG64(1)).integers(1, 255, (300, 100), dtype=np.uint8)
    rows *= np.arange(100) < sizes[:, None]
    times = np.arange(300, dtype=np.int64) * 20
    stream, at = written(Packets(times - 5, sizes, rows), times, random.Random(1))

    def octets(packets: Packets) -> bytes:
        pairs = zip(packets.rows, packets.sizes.tolist(), strict=True)
        return b"".join(row.tobytes()[:size].ljust(size, b"\0") for row, size in pairs)

    assert octets(stream.packets) == octets(Packets(times, sizes, rows))
    assert (int(stream.ended.sum()), int(stream.ended_bytes.sum())) == (300, int(sizes.sum()))
    assert np.array_equal(at - 5, stream.packets.sent_ns)
    assert bool((np.diff(at) >= 0).all())
    alone, joined, within = ((stream.ended == count).sum() for count in (1, 2, 0))
    assert alone > 220 > 30 > joined > 5 < within < 30


def test_a_fin_consumes_one_number():
    assert segment(b"", *ENDS[4], FIN | ACK, b"", identification=7, hop_limit=55)[33] == 0x11
