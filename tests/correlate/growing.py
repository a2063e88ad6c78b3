"""Captures that are twice as long and should take twice the work: shapes on which a reader may be slow or hold much.

Each is a function of a count: IP packets, from the phone to its TURN server.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable

from tests.correlate import wire
from tests.correlate.wire import attribute, channel, ethernet, stun, tcp, udp

PHONE, SERVER = ("192.168.1.10", 40000), ("198.51.100.2", 3478)
Shape = Callable[[int], list[bytes]]
FIRST = stun(wire.ALLOCATE, [attribute(0x0019, b"\x06\0\0\0")], bytes(12))
SIZE = 32


def request(number: int) -> bytes:
    """32 bytes."""
    return stun(wire.BINDING, [attribute(0x8055, struct.pack(">II", number, 0))], bytes(12))


def stream(count: int) -> list[tuple[int, bytes]]:
    """A message each, as (sequence number, segment)."""
    found = [(1, FIRST)]
    return found + [(1 + len(FIRST) + SIZE * number, request(number)) for number in range(count)]


def over_tcp(parts: list[tuple[int, bytes]]) -> list[bytes]:
    return [tcp(PHONE, SERVER, seq, data) for seq, data in parts]


def in_order(count: int) -> list[bytes]:
    return over_tcp(stream(count))


def reversed_segments(count: int) -> list[bytes]:
    first, *rest = stream(count)
    return over_tcp([first, *rest[::-1]])


def shuffled_segments(count: int) -> list[bytes]:
    first, *rest = stream(count)
    return over_tcp([first, *random.Random(count).sample(rest, len(rest))])


def doubled_segments(count: int) -> list[bytes]:
    return over_tcp([each for part in stream(count) for each in (part, part)])


def every_second_lost(count: int) -> list[bytes]:
    return over_tcp(stream(2 * count)[::2])


def overlapping_segments(count: int) -> list[bytes]:
    first, *rest = stream(count)
    whole = first[1] + b"".join(data for _, data in rest)
    return over_tcp([first, *((seq - 16, whole[seq - 17 : seq - 1 + SIZE]) for seq, _ in rest)])


def single_bytes(count: int) -> list[bytes]:
    """Of one long message, no segment holds more than one."""
    whole = stun(wire.BINDING, [attribute(0x8055, bytes(4 * (count // 4)))], bytes(12))
    return over_tcp([(1 + at, whole[at : at + 1]) for at in range(len(whole))])


def first_one_lost(count: int) -> list[bytes]:
    return over_tcp(stream(count)[1:][::-1])


def sequence_numbers_anywhere(count: int) -> list[bytes]:
    rng = random.Random(count)
    return over_tcp([(1, FIRST), *((rng.getrandbits(32), request(number)) for number in range(count))])


def a_connection_each(count: int) -> list[bytes]:
    return [tcp((PHONE[0], 1024 + number % 60000), SERVER, number, FIRST) for number in range(count)]


def connections_on_one_port(count: int) -> list[bytes]:
    made = [
        (tcp(PHONE, SERVER, 7919 * each, flags=2), tcp(PHONE, SERVER, 7919 * each + 1, FIRST)) for each in range(count)
    ]
    return [packet for both in made for packet in both]


def empty_frames(count: int) -> list[bytes]:
    """RFC 4571: nothing, a thousand times."""
    opening = struct.pack(">H", len(FIRST)) + FIRST
    return over_tcp([(1, opening), (1 + len(opening), bytes(2 * count))])


def in_datagrams(units: list[bytes], most: int = 1_400) -> list[bytes]:
    found, held = [udp(PHONE, SERVER, FIRST)], b""
    for unit in units:
        if len(held) + len(unit) > most:
            found, held = [*found, udp(PHONE, SERVER, held)], b""
        held += unit
    return [*found, udp(PHONE, SERVER, held)]


def messages_in_a_datagram(count: int) -> list[bytes]:
    return in_datagrams([request(number) for number in range(count)], 60_000)


def empty_channels_in_a_datagram(count: int) -> list[bytes]:
    return in_datagrams([channel(0x4001, b"")] * count, 60_000)


def many_attributes(count: int) -> list[bytes]:
    return in_datagrams([stun(wire.BINDING, [attribute(0, b"")] * count, bytes(12))], 60_000)


def unpadded_attributes(count: int) -> list[bytes]:
    """Each may be read as padded or not."""
    attributes = [attribute(0x8000 + each % 64, b"abc"[: 1 + each % 3], padded=False) for each in range(count)]
    return in_datagrams([stun(wire.BINDING, attributes, bytes(12))], 60_000)


def boxes(count: int) -> list[bytes]:
    """Data in data in data."""
    data = request(0)
    for number in range(count):
        data = channel(0x4001, data) if number % 2 else stun(wire.SEND, [attribute(wire.DATA, data)], bytes(12))
    return in_datagrams([data], 60_000)


def fragments_of(count: int) -> list[bytes]:
    return wire.fragments(udp(PHONE, SERVER, request(0) + bytes(8 * count)), [8] * count, 7)


def reversed_fragments(count: int) -> list[bytes]:
    return fragments_of(count)[::-1]


def first_fragments_alone(count: int) -> list[bytes]:
    packet = udp(PHONE, SERVER, request(0))
    return [wire.fragments(packet, [16], number)[0] for number in range(count)]


def later_fragments_alone(count: int) -> list[bytes]:
    packet = udp(PHONE, SERVER, request(0))
    return [wire.fragments(packet, [16], number)[1] for number in range(count)]


def the_same_fragment(count: int) -> list[bytes]:
    first, later = wire.fragments(udp(PHONE, SERVER, request(0)), [16], 7)
    return [first] + [later] * count


SHAPES: dict[str, Shape] = {
    each.__name__.replace("_", " "): each
    for each in (
        in_order, reversed_segments, shuffled_segments, doubled_segments, every_second_lost, overlapping_segments,
        single_bytes, first_one_lost, sequence_numbers_anywhere, a_connection_each, connections_on_one_port,
        empty_frames, messages_in_a_datagram, empty_channels_in_a_datagram, many_attributes, unpadded_attributes, boxes,
        fragments_of, reversed_fragments, first_fragments_alone, later_fragments_alone, the_same_fragment,
    )
}  # fmt: skip


def capture(shape: Shape, count: int) -> bytes:
    return wire.pcap((number, ethernet(packet)) for number, packet in enumerate(shape(count)))
