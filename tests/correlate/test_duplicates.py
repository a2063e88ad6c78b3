"""One packet that a capture shows twice, and what looks like it and is none."""

import random
import struct
from ipaddress import ip_address

import pytest

from correlate.trace import Trace, duplicates
from correlate.trace.duplicates import Repeats
from tests.correlate.corpus import pieces_of
from tests.correlate.test_pcapng import block, interface, section

PHONE, SERVER = "192.0.2.1", "198.51.100.7"
PHONE6, SERVER6 = "2001:db8::1", "2001:db8::2"
MEDIA = b"\x80\x60" + bytes(range(100))
MS = 1_000_000


def udp(payload=MEDIA, sport=40000, dport=3478, checksum=0):
    return struct.pack(">HHHH", sport, dport, 8 + len(payload), checksum) + payload


def v4(body=None, src=PHONE, dst=SERVER, number=7, ttl=64, checksum=0, tos=0, options=b"", fragment=0):
    body = udp() if body is None else body
    first, size = 0x45 + len(options) // 4, 20 + len(options) + len(body)
    head = struct.pack(">BBHHHBBH", first, tos, size, number, fragment, ttl, 17, checksum)
    return head + ip_address(src).packed + ip_address(dst).packed + options + body


def v6(body=None, src=PHONE6, dst=SERVER6, hops=64, label=0, extensions=b"", following=17):
    body = udp() if body is None else body
    head = struct.pack(">IHBB", 6 << 28 | label, len(extensions) + len(body), following, hops)
    return head + ip_address(src).packed + ip_address(dst).packed + extensions + body


@pytest.fixture
def read(tmp_path):
    """A trace of (time in ns, packet), raw IP; `keep` cuts each at so many bytes."""

    def read(*timed, keep=1 << 16):
        path = tmp_path / "one.pcap"
        parts = [struct.pack("<IHHIIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 101)]
        for time_ns, packet in timed:
            data = packet[:keep]
            parts.append(struct.pack("<IIII", *divmod(time_ns, 10**9), len(data), len(packet)) + data)
        path.write_bytes(b"".join(parts))
        return Trace.read(path)

    return read


def twice(trace):
    """Frames that show a packet again."""
    return trace.udp.frame[duplicates.repeated(trace)].tolist()


HOP_BY_HOP = b"\x11\0\1\4\0\0\0\0"
SAME = {
    "nothing": (v4(), v4()),
    "TTL": (v4(), v4(ttl=63)),
    "IP checksum": (v4(checksum=0x1234), v4(checksum=0x4321)),
    "UDP checksum": (v4(udp(checksum=1)), v4(udp(checksum=2))),
    "behind options": (v4(options=b"\1" * 8), v4(options=b"\1" * 8, ttl=1)),
    "IPv6": (v6(), v6()),
    "hop limit": (v6(), v6(hops=63)),
    "UDP checksum of IPv6": (v6(udp(checksum=1)), v6(udp(checksum=2))),
    "behind an extension": (v6(extensions=HOP_BY_HOP, following=0), v6(extensions=HOP_BY_HOP, following=0, hops=1)),
    "one byte": (v4(udp(b"x")), v4(udp(b"x"))),
}
OTHERS = {
    "identification": (v4(), v4(number=8)),
    "the last byte": (v4(), v4(udp(MEDIA[:-1] + b"x"))),
    "a byte in the middle": (v4(), v4(udp(MEDIA[:50] + b"x" + MEDIA[51:]))),
    "type of service": (v4(), v4(tos=4)),
    "options": (v4(options=b"\1" * 8), v4(options=b"\1" * 7 + b"\0")),
    "length": (v4(), v4(udp(MEDIA + b"x"))),
    "source port": (v4(), v4(udp(sport=40001))),
    "destination port": (v4(), v4(udp(dport=3479))),
    "source": (v4(), v4(src="192.0.2.2")),
    "destination": (v4(), v4(dst="198.51.100.8")),
    "direction": (v4(udp(sport=1, dport=1)), v4(udp(sport=1, dport=1), src=SERVER, dst=PHONE)),
    "flow label": (v6(), v6(label=1)),
    "extension": (v6(extensions=HOP_BY_HOP, following=0), v6(extensions=HOP_BY_HOP[:-1] + b"\1", following=0)),
    "version": (v4(), v6()),
}


@pytest.mark.parametrize("what", SAME)
def test_a_machine_may_change_these_and_it_is_the_same_packet(read, what):
    one, other = SAME[what]
    assert twice(read((0, one), (1000, other))) == [2]


@pytest.mark.parametrize("what", OTHERS)
def test_what_differs_by_any_other_byte_was_sent_twice(read, what):
    one, other = OTHERS[what]
    assert twice(read((0, one), (1000, other))) == []


@pytest.mark.parametrize(
    ("apart_ns", "found"), [(0, [2]), (2 * MS, [2]), (2 * MS + 1, []), (-2 * MS, [2]), (-2 * MS - 1, [])]
)
def test_within_two_milliseconds_either_way_it_is_one_packet(read, apart_ns, found):
    assert twice(read((10 * MS, v4()), (10 * MS + apart_ns, v4()))) == found


def test_of_three_copies_two_are_repeats_and_a_chain_of_them_goes_on(read):
    assert twice(read(*[(at * MS, v4()) for at in (0, 1, 2)])) == [2, 3]
    assert twice(read(*[(at * MS, v4()) for at in (0, 2, 4, 7)])) == [2, 3]


def test_packets_that_begin_alike_are_told_apart_whatever_their_order(read):
    one, other, third = (v4(udp(MEDIA + bytes([n])), number=n) for n in range(3))
    assert twice(read((0, one), (1, other), (2, third), (3, one), (4, third), (5, other))) == [4, 5, 6]
    assert twice(read((0, one), (1, other), (2, third))) == []


def test_other_packets_in_between_do_not_hide_it(read):
    others = [(n, v4(udp(bytes([n]) + MEDIA))) for n in range(1, 100)]
    assert twice(read((0, v4()), *others, (500, v4()), (600, v6()), (700, others[49][1]))) == [101, 103]


def test_what_both_frames_have_is_compared_where_they_are_cut(read, tmp_path):
    assert twice(read((0, v4()), (1, v4()), keep=60)) == [2]
    assert twice(read((0, v4()), (1, v4(number=8)), keep=60)) == []
    path = tmp_path / "two.pcapng"
    frames = [(0, bytes(12) + b"\x08\0" + v4(), 80), (1, v4(ttl=63), 80), (1, v4(udp(b"y" + MEDIA[1:])), 80)]
    blocks = [section(), interface(), interface(link_type=101)]
    for number, data, keep in frames:
        head = struct.pack("<IIIII", number, 0, 1, keep, len(data))
        blocks.append(block(6, head + data[:keep]))
    path.write_bytes(b"".join(blocks))
    trace = Trace.read(path)
    assert (len(trace.udp), twice(trace)) == (3, [2])


def test_a_fragment_that_is_not_the_first_and_an_empty_datagram_are_not_looked_at(read):
    first, later = (v4(part, fragment=place) for place, part in pieces_of(udp(bytes(64))))
    assert twice(read((0, first), (0, later), (1, first), (1, later))) == [3]
    assert twice(read((0, v4(udp(b""))), (0, v4(udp(b""))))) == []


def test_packets_without_a_time_are_not_looked_at(tmp_path):
    path = tmp_path / "simple.pcapng"
    simple = block(3, struct.pack("<I", len(v4())) + v4())
    path.write_bytes(section() + interface(link_type=101) + simple * 2)
    assert twice(Trace.read(path)) == []


def test_a_flood_of_packets_that_begin_alike_costs_no_time(read):
    trace = read(*[(0, v4(udp(MEDIA + bytes([n % 251, n % 241])), number=n)) for n in range(30_000)])
    assert twice(trace) == []


@pytest.mark.parametrize("seed", range(20))
def test_what_chance_puts_together_is_found_as_by_comparing_each_with_each(read, seed):
    rng = random.Random(seed)
    kinds = [v4, v6, lambda body: v4(body, src=SERVER, dst=PHONE), lambda body: v4(body, number=rng.randrange(2))]
    timed, at_ns = [], 0
    for _ in range(120):
        at_ns += rng.choice([0, 100_000, 3 * MS])
        again = rng.random() < 0.3 and timed
        payload = rng.choice([MEDIA, MEDIA[:20], MEDIA[:30] + b"x"])
        timed.append((at_ns, rng.choice(timed[-4:])[1] if again else rng.choice(kinds)(udp(payload))))
    expected = []
    for number, (at_ns, packet) in enumerate(timed, 1):
        before = [other for then, other in timed[: number - 1] if at_ns - then <= 2 * MS and other == packet]
        expected += [number] if before else []
    found = twice(read(*timed))
    assert set(found) <= set(expected)
    assert len(found) > 10
    # No more than LOOKED_BACK packets that begin alike come within two milliseconds of each other, as a rule.
    assert len(set(expected) - set(found)) <= len(expected) // 10


def counted(trace, own=(PHONE,)):
    addresses = [ip_address(text) for text in own]
    repeated, sent = duplicates.repeated(trace), duplicates.sent_by(trace.udp, addresses)
    return duplicates.repeats(trace.udp, repeated, sent)


def received(**keys):
    return v4(udp(sport=3478, dport=40000), src=SERVER, dst=PHONE, **keys)


def test_both_directions_are_counted_by_the_addresses_of_the_phone(read):
    trace = read((0, v4()), (1, received()), (2, received()), (3, v4(number=8)), (4, received(ttl=3)))
    assert counted(trace) == Repeats(2, 0, 3, 2, 3)
    assert counted(trace, [SERVER]) == Repeats(3, 2, 2, 0, 3)
    assert counted(trace, []) == Repeats(0, 0, 5, 2, 3)
    assert counted(trace, [f"64:ff9b::{PHONE}"]) == Repeats(2, 0, 3, 2, 3)
    told = "0 of 2 datagrams that the phone sent and 2 of 3 that it received are there a second time"
    assert str(counted(trace)) == f"{told}, the first in frame 3"
    none = counted(read((0, v4())))
    assert (none, none.found, none.flagged) == (Repeats(1, 0, 0, 0, None), False, False)
    assert str(none) == "0 of 1 datagrams that the phone sent and 0 of 0 that it received are there a second time"


@pytest.mark.parametrize("group", ["224.0.0.251", "239.255.255.250", "255.255.255.255"])
def test_discovery_that_is_sent_twice_to_a_group_does_not_count(read, group):
    assert counted(read((0, v4(dst=group)), (1, v4(dst=group)), (2, v4()))) == Repeats(1, 0, 0, 0, None)
    assert counted(read((0, v6(dst="ff02::fb")), (1, v6(dst="ff02::fb"))), [PHONE6]) == Repeats(0, 0, 0, 0, None)


def test_later_fragments_are_no_datagrams(read):
    first, later = (v4(part, fragment=place) for place, part in pieces_of(udp(bytes(64))))
    assert counted(read((0, first), (0, later), (1, first), (1, later))) == Repeats(2, 1, 0, 0, 3)


@pytest.mark.parametrize(
    ("sent", "sent_twice", "received", "received_twice", "flagged"),
    [
        (100, 1, 0, 0, True), (101, 1, 0, 0, False), (700, 7, 0, 0, True), (701, 7, 0, 0, False),
        (1000, 9, 1000, 9, False), (10_000, 0, 100, 1, True), (100, 1, 10_000, 0, True), (0, 0, 0, 0, False),
        (500, 0, 500, 0, False),
    ],
)  # fmt: skip
def test_from_one_per_cent_of_one_direction_on_it_is_flagged(sent, sent_twice, received, received_twice, flagged):
    assert Repeats(sent, sent_twice, received, received_twice, 1).flagged is flagged
    assert Repeats(sent, sent_twice, received, received_twice, 1).found is bool(sent_twice or received_twice)


def doubled(build, call, name, many):
    """The call with the first `many` media datagrams that one side sends shown twice, 0.1 ms apart."""
    side = getattr(call, name)
    local = {"caller": A, "callee": B}[name]
    media = [each for each in side.packets if each[1:3] == local and each[3:5] == RELAY and each[5][:1] == b"\x80"]
    side.packets += [(each[0] + 0.0001, *each[1:]) for each in media[:many]]
    return call


A, B, RELAY = ("100.64.0.7", 5000), ("192.168.137.20", 6000), ("192.0.2.50", 3478)


def call_of(build, **keys):
    call = build.call(**keys)
    for side, local in ((call.caller, A), (call.callee, B)):
        side.relay(local, RELAY, 0.0, mapped=side.probed[0])
        side.talk(local, RELAY, 1.0, 11.0, 199, 150)
    return call


def test_a_side_that_is_captured_twice_has_no_volume_and_all_else_counts_once(build, measure):
    once = measure(call_of(build))
    found = measure(doubled(build, call_of(build, repetition=2), "callee", 199))
    caller, callee = found["volume"]["caller"], found["volume"]["callee"]
    assert [side["captured_twice"] for side in (caller, callee)] == [False, True]
    assert [(side["tx_duplicates"], side["rx_duplicates"]) for side in (caller, callee)] == [(0, 0), (199, 0)]
    empty = ("longest_relay", "best_match", "p2p", "media_union", "media", "relayed", "crosswise", "tcp", "quic")
    volumes = [column for column in callee if column.startswith(empty)]
    assert (len(volumes), [column for column in volumes if callee[column] is not None]) == (38, [])
    told = "captured twice on bravo: 199 of 399 datagrams that the phone sent and 0 of 151 that it received are there a"
    assert callee["reasons"]["media_tx_packets"] == f"{told} second time, the first in frame 7"
    assert callee["reason"].startswith("longest_relay, best_match, p2p, media, relayed, crosswise, tcp, quic: captured")
    # What compares both sides is unknown on both, the rest of the other side stays.
    assert caller["crosswise_tx_less_rx_packets"] is None
    assert caller["reasons"]["crosswise_edge_packets"].startswith("captured twice on bravo: ")
    assert (caller["media_tx_packets"], caller["media_rx_packets"]) == (199, 150)
    for name in ("endpoints", "servers", "duration", "service", "signalling"):
        for column, value in once[name]["callee"].items():
            if column not in ("trial", "evidence", "phone"):
                assert found[name]["callee"][column] == value, column


@pytest.mark.parametrize(("many", "captured_twice"), [(2, False), (3, True)])
def test_below_one_per_cent_the_count_is_said_and_all_is_counted(build, measure, many, captured_twice):
    """Of 199 media, an Allocate, two others and the repeats themselves: 2 of 204, 3 of 205."""
    call = doubled(build, call_of(build), "caller", many)
    call.caller.put(20.0, *A, "198.51.100.9", 9999, b"not of the call")
    call.caller.put(20.1, *A, "198.51.100.9", 9999, b"nor this one")
    volume = measure(call)["volume"]["caller"]
    assert (volume["tx_duplicates"], volume["captured_twice"]) == (many, captured_twice)
    assert volume["media_tx_packets"] == (None if captured_twice else 199 + many)


@pytest.mark.parametrize(
    ("count", "twice", "servers"), [(1, False, []), (1, True, []), (2, False, [RELAY[0]]), (2, True, [RELAY[0]])]
)
def test_one_datagram_shown_twice_is_not_two_channel_messages(build, measure, count, twice, servers):
    """Two ChannelData messages make a server of the call."""
    call = build.call()
    for number in range(count):
        call.caller.put(1.0 + number, *A, *RELAY, build.channel(0x4001, bytes([number])))
    call.caller.packets += [(each[0] + 0.001, *each[1:]) for each in call.caller.packets if twice]
    assert [each["address"] for each in measure(call)["servers"]["caller"]["servers"]] == servers
