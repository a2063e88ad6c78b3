"""What was not looked into, and the other phone's addresses below all decoding."""

from ipaddress import ip_address

import pytest

from correlate.pairs import addresses, window
from correlate.pairs.known_bytes import NO_CHANCE, hits
from correlate.pairs.unseen import unseen
from tests.correlate.packets import SYN, address, channel, datagram, ip, message, pcap, segment

A, TURN, WEB = ("192.168.1.10", 40000), ("198.51.100.2", 3478), ("198.51.100.2", 443)
ELSEWHERE, ELSEWHERE_5349 = ("198.51.100.77", 443), ("198.51.100.77", 5349)
OWN = addresses.own_addresses([ip_address(A[0])], [])
ALLOCATE = message(0x0003)
HELLO = b"\x16\x03\x01\x02\x00" + bytes(range(200))


@pytest.fixture
def seen(tmp_path):
    def of(*packets, snaplen=262_144):
        (tmp_path / "wire.pcap").write_bytes(pcap(packets, snaplen))
        return window.read(tmp_path / "wire.pcap", None)

    return of


def unseen_in(of, ports=()):
    return [(each.frame.number, each.what) for each in unseen(of, OWN, ports)]


@pytest.mark.parametrize(
    ("far", "ports", "why"),
    [
        (WEB, (), "TCP from 192.168.1.10 port 40000 to 198.51.100.2 port 443: encrypted (TLS)"),
        (ELSEWHERE, (), None),
        (ELSEWHERE_5349, (), None),
        (ELSEWHERE_5349, (5349,), "TCP from 192.168.1.10 port 40000 to 198.51.100.77 port 5349: encrypted (TLS)"),
        # Every phone has TLS on 443, whatever the app relays there.
        (ELSEWHERE, (443,), None),
        (WEB, (443,), "TCP from 192.168.1.10 port 40000 to 198.51.100.2 port 443: encrypted (TLS)"),
    ],
    ids=["a TURN server", "anybody else", "another port", "a relay port of the app", "port 443", "a TURN server's 443"],
)
def test_tls_is_unseen_where_stun_is_known_to_go_and_outside_elsewhere(seen, far, ports, why):
    of = seen(datagram(A, TURN, ALLOCATE), segment(A, far, 5, flags=SYN), segment(A, far, 6, HELLO))
    assert unseen_in(of, ports) == ([(3, why)] if why else [])


def test_a_plain_connection_to_a_turn_server_is_unseen_only_where_it_is_not_there(seen):
    first = [datagram(A, TURN, ALLOCATE), segment(A, WEB, 99, flags=SYN)]
    parts = [segment(A, WEB, 100 + 50 * number, b"plain text" * 5) for number in range(4)]
    assert unseen_in(seen(*first, *parts)) == []
    assert unseen_in(seen(*first, parts[0], parts[2], parts[1], parts[1], parts[3])) == []
    what = "TCP from 192.168.1.10 port 40000 to 198.51.100.2 port 443: a segment is cut or missing"
    assert unseen_in(seen(*first, parts[0], parts[2], parts[3])) == [(4, what)]
    assert unseen_in(seen(*first, *parts, snaplen=80)) == [(3, what)]


def test_a_connection_to_a_turn_server_that_was_joined_in_the_middle_is_unseen(seen):
    of = seen(datagram(A, TURN, ALLOCATE), segment(A, WEB, 7, b"\xee" * 40))
    assert [what.rpartition(": ")[2] for _, what in unseen_in(of)] == ["begins before the capture, and not with STUN"]


def test_a_direction_that_is_no_stun_is_unseen_where_what_comes_back_is(seen):
    of = seen(segment(A, ELSEWHERE, 5, b"\xee" * 40), segment(ELSEWHERE, A, 5, ALLOCATE))
    assert [what.rpartition(": ")[2] for _, what in unseen_in(of)] == ["does not begin as STUN, what comes back does"]


def test_a_message_that_is_cut_is_unseen_by_its_frame(seen):
    assert unseen_in(seen(datagram(A, TURN, message(1, bytes(80))), snaplen=60)) == [
        (1, "STUN: cut after 32 of 100 bytes")
    ]


THEIRS, THEIR_V6 = ip_address("192.168.7.7"), ip_address("2001:db8:7::7")
MIXED = (int(THEIRS) ^ 0x2112A442).to_bytes(4)


def found(of, *wanted):
    return [
        (str(each.address), each.form, each.frame.number, each.offset)
        for each in hits(of, wanted or (THEIRS, THEIR_V6))
    ]


@pytest.mark.parametrize(
    ("payload", "form", "offset"),
    [
        (b"\xee" * 30 + THEIRS.packed, "4 bytes", 30),
        (b"\xee" * 9 + MIXED + b"\xee" * 200, "4 bytes XORed with the cookie", 9),
        (b"\xee" * 300 + ip_address("::ffff:192.168.7.7").packed, "16 bytes", 300),
        (b"\xee" * 300 + ip_address("64:ff9b::192.168.7.7").packed, "16 bytes", 300),
        (b"\x80" * 300 + b" 192.168.7.7:5000", "text", 301),
        (message(0x0801, b"\xee" * 200 + THEIRS.packed), "4 bytes", 220),
        (b"v=0\r\no=- 1 1 IN IP4 " + b"x" * 100 + THEIRS.packed, "4 bytes", 120),
    ],
    ids=["plain", "xored", "mapped", "nat64", "text in RTP", "deep in STUN", "deep in text"],
)
def test_an_address_as_bytes_is_found_in_udp_and_in_tcp(seen, payload, form, offset):
    for packet in (datagram(A, ELSEWHERE, payload), segment(A, ELSEWHERE, 1, payload)):
        of = seen(datagram(A, TURN, b"\xee" * 40), packet)
        assert ("192.168.7.7", form, 2, offset) in found(of)
        assert found(of, ip_address("192.168.7.8")) == []


def test_an_ipv6_address_is_found_as_bytes_and_as_text_in_both_cases_and_lengths(seen):
    packets = [b"\x80" * 90 + THEIR_V6.packed, b"c 2001:db8:7::7 5", b"C 2001:DB8:7::7", THEIR_V6.exploded.encode()]
    of = seen(*(datagram(A, ELSEWHERE, each) for each in packets))
    assert found(of) == [
        (str(THEIR_V6), form, n + 1, at)
        for n, (form, at) in enumerate([("16 bytes", 90), *[("text", 2)] * 2, ("text", 0)])
    ]


@pytest.mark.parametrize(
    "payload",
    [
        b"\x80" * 12 + THEIRS.packed,
        b"\x17\xfe\xfd" + bytes(10) + THEIRS.packed,
        b"\xee" * 62 + THEIRS.packed,
        channel(0x4001, b"\x90" * 12 + THEIRS.packed),
        b"a 192.168.7.77 b",
        b"a 1192.168.7.7 b",
        b"a 192.168.7.7.1 b",
    ],
    ids=["RTP", "DTLS", "behind the first 64", "RTP in ChannelData", "longer", "longer in front", "a fifth number"],
)
def test_four_bytes_in_media_or_deep_and_parts_of_longer_texts_are_no_hit(seen, payload):
    assert found(seen(*[datagram(A, ELSEWHERE, payload)] * 3)) == []


def test_tls_that_goes_on_from_segment_to_segment_is_no_hit(seen):
    parts = [segment(A, ELSEWHERE, 1, HELLO), segment(A, ELSEWHERE, 1 + len(HELLO), b"\xee" * 9 + THEIRS.packed)]
    assert found(seen(*parts)) == []
    assert found(seen(*parts[1:])) == [("192.168.7.7", "4 bytes", 1, 9)]


def test_what_is_neither_udp_nor_tcp_is_looked_at_too(seen):
    of = seen(ip("192.168.1.1", A[0], 1, b"\x03\x01" + bytes(6) + ip(A[0], "192.168.7.7", 50, b"\xee" * 8)))
    assert found(of) == [("192.168.7.7", "4 bytes", 1, 44)]


def test_a_hit_is_chance_where_many_places_count_unless_it_stands_there_twice(seen):
    noise = [datagram(A, ELSEWHERE, b"\xee" * 64)] * 20
    one = datagram(A, ELSEWHERE, b"\xee" * 20 + THEIRS.packed)
    (few,) = hits(seen(*noise, one), [THEIRS])
    assert (few.is_chance, few.expected) == (False, (20 * 64 + 24) / 2**32)
    assert str(few) == "192.168.7.7 as 4 bytes, frame 21 byte 20, 3e-07 by chance"
    long = message(0x0801, b"\xee" * 60_000)
    many = [datagram(A, ELSEWHERE, long)] * 75
    (rare,) = hits(seen(*many, one), [THEIRS])
    assert (rare.is_chance, rare.expected > NO_CHANCE) == (True, True)
    assert [each.is_chance for each in hits(seen(*many, one, one), [THEIRS])] == [False, False]


def test_packets_in_others_are_unseen(seen):
    inner = datagram(A, ELSEWHERE, message(1))
    of = seen(datagram(A, TURN, ALLOCATE), *[ip(A[0], TURN[0], 4, inner)] * 3)
    text = "3 frames with packets in IPv4 in IP, which is not followed: UDP in there is not seen"
    assert unseen_in(of) == [(2, text)]
    assert unseen_in(seen(datagram(A, TURN, ALLOCATE))) == []


def test_stun_that_an_icmp_error_quotes_shows_its_addresses(seen):
    quoted = datagram(A, ELSEWHERE, message(0x0017, address(0x0012, "2001:db8:7::7")))
    of = seen(ip("192.168.1.1", A[0], 1, b"\x03\x03" + bytes(6) + quoted), ip("192.168.1.1", A[0], 1, bytes(40)))
    (place,) = of.visible[THEIR_V6]
    assert (place.where, place.nested, place.frame.number) == ("XOR-PEER-ADDRESS", None, 1)
    assert (of.messages, unseen_in(of)) == ((), [])
