"""How datagrams of a TURN client reach its server, as frames: over UDP, in fragments, over TCP in every order.

A transport is a function of (rng, carried): the frames of its flow, with those that carry the units in the midst.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from tests.correlate import wire
from tests.correlate.wire import End, ethernet, stun, tcp, udp

A4, A4_PUBLIC, A6 = "192.168.1.10", "203.0.113.10", "2001:db8:a::10"
SERVER4, SERVER6 = "198.51.100.2", "2001:db8:5::2"
Frames = list[bytes]


@dataclass(frozen=True)
class Carried:
    """What is carried: the units of one datagram (messages, ChannelData), whether the phone sends it, and
    the bytes that hold the address."""

    units: tuple[bytes, ...]
    outbound: bool
    needle: bytes

    @property
    def whole(self) -> bytes:
        return b"".join(self.units)


def ends(rng: random.Random, six: bool = False) -> tuple[End, End]:
    return (A6 if six else A4, rng.randrange(40001, 60000)), (
        SERVER6 if six else SERVER4,
        rng.choice([3478, 3478, 443]),
    )


def allocate(rng: random.Random, client: End) -> tuple[bytes, bytes]:
    """An Allocate request and its response, as a TURN client sends them first."""
    transaction = rng.randbytes(12)
    request = [
        wire.attribute(0x0019, bytes([rng.choice([17, 6]), 0, 0, 0])),
        wire.attribute(wire.USERNAME, f"{rng.randrange(10**9)}:maple".encode()),
    ]
    six = ":" in client[0]
    mapped, relayed = (A6, SERVER6) if six else (A4_PUBLIC, SERVER4)
    response = [
        wire.attribute(wire.RELAYED, wire.xored(relayed, rng.randrange(49152, 65536), transaction)),
        wire.attribute(wire.XOR_MAPPED, wire.xored(mapped, client[1], transaction)),
        wire.attribute(0x000D, struct.pack(">I", 600)),
    ]
    return stun(wire.ALLOCATE, request, transaction), stun(wire.ALLOCATED, response, transaction)


def opened(rng: random.Random, client: End, server: End) -> Frames:
    request, response = allocate(rng, client)
    return [ethernet(udp(client, server, request)), ethernet(udp(server, client, response), outbound=False)]


def datagram(client: End, server: End, carried: Carried) -> bytes:
    way = (client, server) if carried.outbound else (server, client)
    return udp(*way, carried.whole)


def on_the_call(rng: random.Random, carried: Carried) -> Frames:
    """On the flow that carries the call's media."""
    return [ethernet(datagram((A4, 40000), (SERVER4, 3478), carried))]


def on_a_flow(rng: random.Random, carried: Carried) -> Frames:
    client, server = ends(rng)
    return [*opened(rng, client, server), ethernet(datagram(client, server, carried))]


def over_ipv6(rng: random.Random, carried: Carried) -> Frames:
    client, server = ends(rng, six=True)
    return [*opened(rng, client, server), ethernet(datagram(client, server, carried))]


def pieces(rng: random.Random, carried: Carried, six: bool = False) -> tuple[Frames, Frames]:
    """The frames that open a flow, and the fragments of one datagram."""
    client, server = ends(rng, six)
    packet = datagram(client, server, carried)
    room = len(packet) - (40 if six else 20)
    sizes, left = [], room
    for _ in range(rng.randrange(1, 4)):
        if left > 16:
            sizes.append(rng.randrange(8, left, 8))
            left -= sizes[-1]
    parts = wire.fragments(packet, sizes, rng.randrange(1, 2**16))
    return opened(rng, client, server), [ethernet(part) for part in parts]


def in_fragments(rng: random.Random, carried: Carried) -> Frames:
    first, parts = pieces(rng, carried)
    return [*first, *parts]


def in_reversed_fragments(rng: random.Random, carried: Carried) -> Frames:
    first, parts = pieces(rng, carried)
    return [*first, *parts[::-1]]


def in_shuffled_doubled_fragments(rng: random.Random, carried: Carried) -> Frames:
    first, parts = pieces(rng, carried)
    return [*first, *rng.sample([*parts, rng.choice(parts)], len(parts) + 1)]


def in_fragments_of_ipv6(rng: random.Random, carried: Carried) -> Frames:
    first, parts = pieces(rng, carried, six=True)
    return [*first, *rng.choice([parts, parts[::-1]])]


def with_a_lost_fragment(rng: random.Random, carried: Carried) -> Frames:
    """Without the one that holds the address, or its first bytes; the first one is there."""
    first, parts = pieces(rng, carried)
    whole = [carried.needle in part for part in parts]
    lost = max(1, whole.index(True) if any(whole) else len(parts) - 1)
    return [*first, *(part for number, part in enumerate(parts) if number != lost)]


Segment = tuple[int, bytes]
Order = Callable[[random.Random, bytes, tuple[int, int]], list[Segment]]
"""(stream, first and last byte of what is carried) -> segments, as (offset in the stream, bytes), as they come."""


def cuts(stream: bytes, where: list[int]) -> list[Segment]:
    places = sorted({0, len(stream), *where})
    return [(a, stream[a:b]) for a, b in pairwise(places)]


def inside(rng: random.Random, span: tuple[int, int], most: int = 5) -> list[int]:
    """The span's ends, and some places in it: rather in its first bytes, which say what it is."""
    begin, end = span
    some = [rng.randrange(begin + 1, end) for _ in range(rng.randrange(1, most))]
    return [begin, end, *some, *rng.choice([[], [begin + rng.randrange(1, 20)]])]


def whole(rng: random.Random, stream: bytes, span: tuple[int, int]) -> list[Segment]:
    return cuts(stream, list(span))


def split(rng: random.Random, stream: bytes, span: tuple[int, int]) -> list[Segment]:
    return cuts(stream, inside(rng, span))


def joined(rng: random.Random, stream: bytes, span: tuple[int, int]) -> list[Segment]:
    return cuts(stream, [])


def anywhere(rng: random.Random, stream: bytes, span: tuple[int, int]) -> list[Segment]:
    """As a window or an MSS cuts them: without regard to messages."""
    return cuts(stream, [rng.randrange(len(stream)) for _ in range(rng.randrange(1, 8))])


def disordered(rng: random.Random, stream: bytes, span: tuple[int, int]) -> list[Segment]:
    """But for the first, which frames the stream."""
    first, *rest = cuts(stream, [20, *inside(rng, span)])
    return [first, *rng.sample(rest, len(rest))]


def repeated(rng: random.Random, stream: bytes, span: tuple[int, int]) -> list[Segment]:
    """Some segments come twice, later ones in between; one comes again with more behind it (RFC 9293 3.8.1)."""
    found = cuts(stream, inside(rng, span))
    for _ in range(rng.randrange(1, 4)):
        one = rng.randrange(len(found))
        at, data = found[one]
        longer = stream[at : at + len(data) + rng.randrange(0, 40)]
        found.insert(rng.randrange(one + 1, len(found) + 1), (at, rng.choice([data, longer])))
    return found


def grown(rng: random.Random, stream: bytes, span: tuple[int, int]) -> list[Segment]:
    """What came before is sent again together with what is new, in one segment."""
    begin, _ = span
    return [*cuts(stream[:begin], [20]), (20, stream[20:])]


def overlapping(rng: random.Random, stream: bytes, span: tuple[int, int]) -> list[Segment]:
    found = cuts(stream, inside(rng, span))
    return [(back := max(0, at - rng.randrange(0, 12)), stream[back : at + len(data)]) for at, data in found]


def lost(rng: random.Random, stream: bytes, span: tuple[int, int]) -> list[Segment]:
    """The first bytes are there; those of the address, or a part of its message, are not."""
    found = cuts(stream, [20, *inside(rng, span)])
    within = [number for number, (at, data) in enumerate(found) if span[0] <= at and at + len(data) <= span[1]]
    lost = rng.choice(within)
    return [each for number, each in enumerate(found) if number != lost]


def lost_before(rng: random.Random, stream: bytes, span: tuple[int, int]) -> list[Segment]:
    """A segment before the one with the address is lost."""
    begin, _ = span
    found = cuts(stream, [20, rng.randrange(21, begin), *span])
    return [found[0], *found[2:]]


def framed(unit: bytes) -> bytes:
    """RFC 4571 2."""
    return struct.pack(">H", len(unit)) + unit


def padded(unit: bytes) -> bytes:
    """TURN over TCP: ChannelData is padded to four bytes (RFC 8656 12.5), STUN is as it is."""
    return unit + (bytes(-len(unit) % 4) if 0x40 <= unit[0] < 0x80 else b"")


def other(rng: random.Random) -> bytes:
    """A message or media in ChannelData, as both ways of a TURN connection have many."""
    data = wire.rtp(rng, rng.randrange(40, 200))
    peer = wire.attribute(wire.PEER, wire.xored(SERVER4, 50000, bytes(12)))
    indication = stun(rng.choice([wire.SEND, wire.DATA_INDICATION]), [peer, wire.attribute(wire.DATA, data)], bytes(12))
    return rng.choice([wire.channel(0x4001, data), wire.channel(0x4001, data), indication])


def request_of_ice(rng: random.Random) -> bytes:
    user = wire.attribute(wire.USERNAME, b"kSty:XpJs")
    return stun(wire.BINDING, [user, wire.attribute(0x0024, rng.randbytes(4))], rng.randbytes(12))


@dataclass(frozen=True)
class Stream:
    """What goes over a TCP connection: in the carried way bytes before the units, they, and what is behind them; in
    the other way an answer, or a question."""

    lead: bytes
    unit: bytes
    behind: bytes
    back: bytes

    @property
    def whole(self) -> bytes:
        return self.lead + self.unit + self.behind

    @property
    def span(self) -> tuple[int, int]:
        return len(self.lead), len(self.lead) + len(self.unit)


def streamed(rng: random.Random, carried: Carried, client: End, *, rfc4571: bool) -> Stream:
    """As a TURN client or ICE-TCP begins a connection, and some messages more on both sides of the units."""
    if rfc4571:
        opening, answer = framed(request_of_ice(rng)), framed(stun(wire.BOUND, [], rng.randbytes(12)))
        before, behind = ([framed(wire.rtp(rng, 60)) for _ in range(rng.randrange(0, 3))] for _ in range(2))
        unit = framed(carried.whole)
    else:
        opening, answer = allocate(rng, client)
        before, behind = ([padded(other(rng)) for _ in range(rng.randrange(0, 3))] for _ in range(2))
        unit = b"".join(map(padded, carried.units))
    first, back = (opening, answer) if carried.outbound else (answer, opening)
    return Stream(first + b"".join(before), unit, b"".join(behind), back)


def servers(rng: random.Random, *, six: bool, known: bool) -> tuple[End, End]:
    """A client and the server that is `known` from UDP, or another one."""
    client, server = ends(rng, six)
    unknown = "2001:db8:5::3" if six else "198.51.100.30"
    return client, server if known else (unknown, rng.choice([80, 443, 3478, 5349]))


def connected(
    rng: random.Random, both: tuple[End, End], carried: Carried, stream: Stream, order: Order, *, begun: bool = True
) -> Frames:
    """A TCP connection whose segments of the carried way come in this order; where it was `begun` within the capture
    with a handshake."""
    client, server = both
    way, back = (both, both[::-1]) if carried.outbound else (both[::-1], both)
    number, returned = rng.choice([rng.getrandbits(32), 2**32 - rng.randrange(1, 600)]), rng.getrandbits(32)
    found = Frames()
    if begun:
        numbers = (number, returned) if carried.outbound else (returned, number)
        found.append(ethernet(tcp(client, server, numbers[0] - 1, flags=2, ack=0)))
        found.append(ethernet(tcp(server, client, numbers[1] - 1, flags=0x12, ack=numbers[0])))
    carrying = [
        ethernet(tcp(*way, number + at, data, ack=returned)) for at, data in order(rng, stream.whole, stream.span)
    ]
    replying = ethernet(tcp(*back, returned, stream.back, ack=number))
    return [*found, replying, *carrying] if not carried.outbound else [*found, carrying[0], replying, *carrying[1:]]


ORDERS: dict[str, Order] = {
    "whole": whole, "split": split, "joined": joined, "cut anywhere": anywhere, "out of order": disordered,
    "retransmitted": repeated, "sent again with more": grown, "overlapping": overlapping, "with a gap": lost,
    "behind a gap": lost_before,
}  # fmt: skip
Transport = Callable[[random.Random, Carried], Frames]


def over_tcp(order: Order, rfc4571: bool, six: bool = False, begun: bool = False) -> Transport:
    def frames(rng: random.Random, carried: Carried) -> Frames:
        both = servers(rng, six=six, known=bool(rng.randrange(2)))
        stream = streamed(rng, carried, both[0], rfc4571=rfc4571)
        return connected(rng, both, carried, stream, order, begun=begun or bool(rng.randrange(3)))

    return frames


TRANSPORTS: dict[str, Transport] = {
    "UDP, on the call's flow": on_the_call,
    "UDP, on a flow of its own": on_a_flow,
    "UDP over IPv6": over_ipv6,
    "fragments": in_fragments,
    "fragments, reversed": in_reversed_fragments,
    "fragments, shuffled, one twice": in_shuffled_doubled_fragments,
    "fragments of IPv6": in_fragments_of_ipv6,
    "fragments, one lost": with_a_lost_fragment,
    **{f"TURN over TCP, {name}": over_tcp(order, rfc4571=False) for name, order in ORDERS.items()},
    "TURN over TCP over IPv6": over_tcp(anywhere, rfc4571=False, six=True),
    **{f"RFC 4571, {name}": over_tcp(order, rfc4571=True) for name, order in ORDERS.items() if name != "joined"},
}
MISSING = ("lost", "gap")
"""In the names of transports where bytes are not there."""
