"""Transports that are rarer, each as some client, network or capture has it; and such as nobody promises to read."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable

from tests.correlate import wire
from tests.correlate.transports import (
    A4,
    SERVER4,
    Carried,
    Frames,
    Segment,
    Stream,
    Transport,
    anywhere,
    connected,
    cuts,
    framed,
    inside,
    joined,
    on_a_flow,
    over_tcp,
    pieces,
    servers,
    split,
    streamed,
    whole,
)  # fmt: skip
from tests.correlate.wire import End, ethernet, ip, stun, tcp, udp

ETHERNET = 14


def wrapped(of: Transport, wrap: Callable[[bytes], bytes]) -> Transport:
    """A transport whose every frame is changed."""

    def frames(rng: random.Random, carried: Carried) -> Frames:
        return [wrap(frame) for frame in of(rng, carried)]

    return frames


def tagged(*tags: bytes) -> Callable[[bytes], bytes]:
    """Bytes between the MAC addresses and what the frame is (IEEE 802.1Q)."""
    return lambda frame: frame[:12] + b"".join(tags) + frame[12:]


def in_pppoe(frame: bytes) -> bytes:
    """RFC 2516 4."""
    body = (b"\0\x57" if frame[12:14] == b"\x86\xdd" else b"\0\x21") + frame[ETHERNET:]
    return frame[:12] + b"\x88\x64\x11\0\0\x07" + struct.pack(">H", len(body)) + body


def optioned(frame: bytes) -> bytes:
    return frame[:ETHERNET] + wire.with_options(frame[ETHERNET:])


def tunnelled(protocol: int, lead: bytes = b"") -> Callable[[bytes], bytes]:
    """In an IPv4 packet to a tunnel's other end: IP in IP (RFC 2003), 6in4 (RFC 4213), GRE (RFC 2784)."""
    return lambda frame: ethernet(ip(A4, "192.0.2.240", protocol, lead + frame[ETHERNET:]))


def in_mpls(frame: bytes) -> bytes:
    return frame[:12] + b"\x88\x47\0\x01\x01\x40" + frame[ETHERNET:]


def kept_alive(rng: random.Random, stream: bytes, span: tuple[int, int]) -> list[Segment]:
    """Between its segments it asks with a byte, which was acknowledged before, whether the other is there (RFC 9293
    3.8.4). The byte may be any."""
    found = list[Segment]()
    for at, data in cuts(stream, inside(rng, span)):
        found += [(at, data), *rng.choice([[], [(at + len(data) - 1, b"\0")]])]
    return found


def late(rng: random.Random, stream: bytes, span: tuple[int, int]) -> list[Segment]:
    """The capture begins at a message behind the first ones."""
    begin, _ = span
    return [(at, data) for at, data in cuts(stream, list(span)) if at >= begin]


def amid(rng: random.Random, stream: bytes, span: tuple[int, int]) -> list[Segment]:
    """The capture begins within a message before the units."""
    begin = rng.randrange(21, span[0])
    return [(at, data) for at, data in cuts(stream, [begin, *span]) if at >= begin]


def begun_before(order, *, known: bool) -> Transport:
    def frames(rng: random.Random, carried: Carried) -> Frames:
        both = servers(rng, six=False, known=known)
        stream = streamed(rng, carried, both[0], rfc4571=False)
        found = connected(rng, both, carried, stream, order, begun=False)
        return found[1:] if not carried.outbound else [found[0], *found[2:]]

    return frames


def fast_open(rng: random.Random, carried: Carried) -> Frames:
    """RFC 7413: the SYN holds the first bytes of a client, here all."""
    client, server = servers(rng, six=False, known=bool(rng.randrange(2)))
    outbound = Carried(carried.units, True, carried.needle)
    stream = streamed(rng, outbound, client, rfc4571=False)
    return [ethernet(tcp(client, server, rng.getrandbits(32), stream.whole, flags=2))]


def a_port_used_again(rng: random.Random, carried: Carried) -> Frames:
    """Another connection between the same ends was closed before."""
    both = servers(rng, six=False, known=bool(rng.randrange(2)))
    earlier = Carried((stun(wire.BINDING, [], rng.randbytes(12)),), carried.outbound, b"")
    first = connected(rng, both, earlier, streamed(rng, earlier, both[0], rfc4571=False), joined)
    closed = [ethernet(tcp(*both, rng.getrandbits(32), flags=0x14))]
    stream = streamed(rng, carried, both[0], rfc4571=False)
    return [*first, *closed, *connected(rng, both, carried, stream, rng.choice([whole, split]))]


def amid_media(rng: random.Random, carried: Carried) -> Frames:
    """The media of a whole call go over the connection, a segment as full as can be."""
    both = servers(rng, six=False, known=bool(rng.randrange(2)))
    stream = streamed(rng, carried, both[0], rfc4571=False)
    before, behind = (
        b"".join(wire.channel(0x4001, wire.rtp(rng, rng.randrange(60, 160)), padded=True) for _ in range(count))
        for count in (rng.randrange(1, 120), rng.randrange(1, 120))
    )
    mixed = Stream(stream.lead + before, stream.unit, behind, stream.back)
    places = range(1_380, len(mixed.whole), 1_380)
    return connected(rng, both, carried, mixed, lambda _, whole, span: cuts(whole, [len(stream.lead), *places]))


def data_connection(rng: random.Random, carried: Carried) -> Frames:
    """RFC 6062 4.3: after a ConnectionBind a connection holds what the peer sends over TCP, here RFC 4571."""
    both = servers(rng, six=False, known=bool(rng.randrange(2)))
    number, transaction = wire.attribute(0x002A, rng.randbytes(4)), rng.randbytes(12)
    bind, bound = stun(0x000B, [number], transaction), stun(0x010B, [], transaction)
    first, back = (bind, bound) if carried.outbound else (bound, bind)
    before = b"".join(framed(wire.rtp(rng, 60)) for _ in range(rng.randrange(0, 3)))
    stream = Stream(first + before, framed(carried.whole), b"", back)
    return connected(rng, both, carried, stream, rng.choice([whole, split, anywhere]))


def behind_dtls(rng: random.Random, carried: Carried) -> Frames:
    """RFC 7983: DTLS, STUN and media share a connection of RFC 4571."""
    both = servers(rng, six=False, known=bool(rng.randrange(2)))
    stream = streamed(rng, carried, both[0], rfc4571=True)
    record = b"\x16\xfe\xfd" + bytes(8) + struct.pack(">H", 90) + rng.randbytes(90)
    mixed = Stream(stream.lead + framed(record) * rng.choice([1, 3]), stream.unit, stream.behind, stream.back)
    return connected(rng, both, carried, mixed, rng.choice([whole, anywhere]))


def unpadded_before(rng: random.Random, carried: Carried) -> Frames:
    """Some clients did not pad ChannelData over TCP (RFC 8656 12.5 says to)."""
    both = servers(rng, six=False, known=bool(rng.randrange(2)))
    stream = streamed(rng, carried, both[0], rfc4571=False)
    short = wire.channel(0x4001, wire.rtp(rng, rng.choice([41, 42, 43])))
    return connected(rng, both, carried, Stream(stream.lead + short, stream.unit, stream.behind, stream.back), whole)


def behind(lead: Callable[[random.Random], bytes], *, known: bool) -> Transport:
    """A connection that begins with something else, in either way."""

    def frames(rng: random.Random, carried: Carried) -> Frames:
        both = servers(rng, six=False, known=known)
        stream = streamed(rng, carried, both[0], rfc4571=False)
        mixed = Stream(lead(rng) + stream.lead, stream.unit, stream.behind, lead(rng) + stream.back)
        return connected(rng, both, carried, mixed, rng.choice([whole, anywhere]))

    return frames


def pseudo_tls(rng: random.Random) -> bytes:
    """A hello without TLS behind it, to get through firewalls."""
    body = b"\3\1" + rng.randbytes(32) + b"\0\0\4\0\5\0\x0a\1\0"
    handshake = b"\1" + len(body).to_bytes(3) + body
    return b"\x16\3\1" + struct.pack(">H", len(handshake)) + handshake


def in_tls(rng: random.Random, both: tuple[End, End]) -> Frames:
    """TURN over TLS: nothing of it shows."""
    lengths = [rng.randrange(60, 200) for _ in range(4)]
    records = [b"\x17\3\3" + struct.pack(">H", length) + rng.randbytes(length) for length in lengths]
    stream = Stream(pseudo_tls(rng), records[0], b"".join(records[1:]), b"\x16\3\3\0\x40" + rng.randbytes(64))
    return connected(rng, both, Carried((), True, b""), stream, rng.choice([whole, anywhere]))


def to_the_server_in_tls(rng: random.Random, carried: Carried) -> Frames:
    return in_tls(rng, servers(rng, six=False, known=True))


def to_the_apps_port_in_tls(rng: random.Random, carried: Carried) -> Frames:
    client, _ = servers(rng, six=False, known=False)
    return in_tls(rng, (client, ("198.51.100.30", 3478)))


def in_dtls(rng: random.Random, carried: Carried) -> Frames:
    """TURN over DTLS (RFC 7350) with the server of the call."""
    client, server = (A4, rng.randrange(40001, 60000)), (SERVER4, rng.choice([3478, 5349]))
    kinds = [(22, client, server), (22, server, client), (23, client, server), (23, server, client)]
    return [
        ethernet(udp(src, dst, struct.pack(">BHHHIH", kind, 0xFEFD, 0, 0, number, 90) + rng.randbytes(90)))
        for number, (kind, src, dst) in enumerate(kinds)
    ]


def proxied(rng: random.Random) -> bytes:
    return b"CONNECT turn.example.net:443 HTTP/1.1\r\nHost: turn.example.net:443\r\n\r\n"


def socks(rng: random.Random) -> bytes:
    """RFC 1928."""
    return b"\5\1\0\5\1\0\3\x10turn.example.net\x0d\x96"


def of_microsoft(unit: bytes) -> bytes:
    """[MS-TURN] 2.1: over TCP a type (2: control), a reserved byte, the length."""
    return b"\2\0" + struct.pack(">H", len(unit)) + unit


def framed_by_microsoft(rng: random.Random, carried: Carried) -> Frames:
    both = servers(rng, six=False, known=bool(rng.randrange(2)))
    stream = streamed(rng, carried, both[0], rfc4571=False)
    mixed = Stream(of_microsoft(stream.lead), of_microsoft(carried.whole), b"", of_microsoft(stream.back))
    return connected(rng, both, carried, mixed, rng.choice([whole, anywhere]))


def behind_a_header(size: int, first: bytes) -> Transport:
    """UDP in which a header of somebody's own stands before STUN, as Microsoft's multiplexed channels have one."""

    def frames(rng: random.Random, carried: Carried) -> Frames:
        header = (first + rng.randbytes(size))[:size]
        return on_a_flow(rng, Carried((header, *carried.units), carried.outbound, carried.needle))

    return frames


def tcp_in_fragments(rng: random.Random, carried: Carried) -> Frames:
    """IP fragments of TCP segments; none is lost."""
    found = Frames()
    for frame in over_tcp(whole, rfc4571=False)(rng, carried):
        packet = frame[ETHERNET:]
        sizes = [8 * rng.randrange(3, 6)] if packet[0] == 0x45 and len(packet) > 100 else []
        found += [ethernet(part) for part in wire.fragments(packet, sizes, rng.randrange(1, 2**16))]
    return found


def fragments_of_two(rng: random.Random, carried: Carried) -> Frames:
    """Two datagrams in fragments, mixed."""
    first, parts = pieces(rng, carried)
    other = Carried((stun(wire.BINDING, [wire.attribute(0x8022, bytes(200))], rng.randbytes(12)),), True, b"")
    others, more = pieces(rng, other)
    mixed = [*parts, *more]
    return [*first, *others, *rng.sample(mixed, len(mixed))]


UDP_OR_TCP = (on_a_flow, over_tcp(whole, rfc4571=False))


def either(rng: random.Random, carried: Carried) -> Frames:
    return rng.choice(UDP_OR_TCP)(rng, carried)


ODD: dict[str, Transport] = {
    "in a VLAN": wrapped(either, tagged(b"\x81\0\0\x2a")),
    "in QinQ": wrapped(either, tagged(b"\x88\xa8\0\x07", b"\x81\0\0\x2a")),
    "in PPPoE": wrapped(either, in_pppoe),
    "with IP options": wrapped(on_a_flow, optioned),
    "TURN over TCP, with IP options": wrapped(over_tcp(split, rfc4571=False), optioned),
    "TURN over TCP over IPv6 with an extension header": wrapped(over_tcp(split, rfc4571=False, six=True), optioned),
    "fragments of two datagrams": fragments_of_two,
    "TURN over TCP, kept alive": over_tcp(kept_alive, rfc4571=False),
    "TURN over TCP, in the SYN": fast_open,
    "TURN over TCP, amid media": amid_media,
    "TURN over TCP, a port used again": a_port_used_again,
    "TURN over TCP, begun before": begun_before(late, known=True),
    "TURN over TCP, begun before, amid a message": begun_before(amid, known=True),
    "TURN over TCP, ChannelData unpadded": unpadded_before,
    "TURN over TCP, behind a hello": behind(pseudo_tls, known=True),
    "TURN over TLS": to_the_server_in_tls,
    "RFC 6062 data connection": data_connection,
    "RFC 4571, behind DTLS": behind_dtls,
}
BEYOND: dict[str, Transport] = {
    "TCP in fragments": tcp_in_fragments,
    "TURN over TCP, begun before, unknown server": begun_before(amid, known=False),
    "TURN over TCP, behind a hello, unknown server": behind(pseudo_tls, known=False),
    "TURN over DTLS": in_dtls,
    "TURN over TCP, behind an HTTP proxy": behind(proxied, known=False),
    "TURN over TCP, behind SOCKS": behind(socks, known=False),
    "TCP, as Microsoft frames it": framed_by_microsoft,
    "UDP, behind Microsoft's channel header": behind_a_header(12, b"\xff\x10\0\0"),
    "UDP, behind a header of 4 bytes": behind_a_header(4, b"\xc1"),
    "in IP in IP": wrapped(either, tunnelled(4)),
    "in GRE": wrapped(either, tunnelled(47, b"\0\0\x08\0")),
    "in MPLS": wrapped(either, in_mpls),
}
"""Nobody promises to read these; it is good to know what is said of them."""
OF_APP: dict[str, Transport] = {"TURN over TLS, on a port of the app's": to_the_apps_port_in_tls}
"""What an app's rules make a part of its call."""
MARKED: dict[str, Transport] = {
    "UDP, on a flow of its own, begun": on_a_flow,
    "TURN over TCP, begun": over_tcp(split, rfc4571=False, begun=True),
    "RFC 4571, begun": over_tcp(split, rfc4571=True, begun=True),
}
EARLY = dict(zip(MARKED, (2, 4, 4), strict=True))
"""How many frames these have before the units: the first messages, over TCP with a handshake before them."""
UNCLEAR = ("begun before", "unpadded", "hello", "data connection", "over TLS", "over DTLS")
"""In the names of transports of which it may be said that their bytes are not understood."""
