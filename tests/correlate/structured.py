"""Captures of TURN over TCP, RFC 4571, ChannelData, fragments and RFC 3489 in pcap and pcapng, with lies in their
structure: in lengths, types, sequence numbers, offsets, flags, options, cookies, and in the order of things.

Built by `wire` and `struct`. How often it lies is drawn for each capture, so that some are whole.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from itertools import pairwise

from tests.correlate import wire
from tests.correlate.corpus import LINKS, block, framed, option
from tests.correlate.wire import End

Bytes = list[bytes]
OFTEN, RARELY = (0.0, 0.02, 0.1, 0.3), (0.0, 0.0, 0.003, 0.05)
"""Behind a file's own lies hardly anything is read: they are rarer than those of packets."""
CLIENTS: tuple[End, ...] = (("192.0.2.1", 40000), ("2001:db8::1", 40000))
SERVERS: tuple[End, ...] = (("198.51.100.2", 3478), ("2001:db8:5::2", 3478))


class Chance:
    """Draws, and lies with a probability that is one of `shares`."""

    def __init__(self, rng: random.Random, shares: tuple[float, ...]) -> None:
        self.rng = rng
        self.share = rng.choice(shares)

    def lies(self) -> bool:
        return self.rng.random() < self.share

    def number(self, right: int, bits: int) -> int:
        """A field of so many bits: rarely an extreme, or a little off."""
        if not self.lies():
            return right % (1 << bits)
        off = right + self.rng.choice([-20, -4, -3, -2, -1, 1, 2, 3, 4, 8, 20])
        extremes = [0, 1, 3, 4, 7, 8, 19, 20, (1 << bits) - 1, 1 << bits - 1, (1 << bits - 1) - 1]
        return self.rng.choice([off, off, self.rng.choice(extremes), self.rng.getrandbits(bits)]) % (1 << bits)

    def shaken(self, parts: list) -> list:
        """Parts dropped, doubled, moved."""
        found = list(parts)
        while found and self.lies():
            one, other = (self.rng.randrange(len(found)) for _ in range(2))
            change = self.rng.randrange(3)
            if change == 0:
                del found[one]
            elif change == 1:
                found.insert(other, found[one])
            else:
                found[one], found[other] = found[other], found[one]
        return found

    def cut(self, data: bytes) -> bytes:
        return data[: self.rng.randrange(len(data) + 1)] if self.lies() else data


def attribute(chance: Chance, depth: int) -> bytes:
    rng = chance.rng
    addresses = [0x0001, 0x0004, 0x0012, 0x0016, 0x0020, 0x8020, 0x8023, 0x802B, 0x802C, 0x4002]
    kind = rng.choice([*addresses, wire.DATA, wire.DATA, wire.USERNAME, 0, 0x8028, 0x4021, rng.getrandbits(16)])
    if kind == wire.DATA:
        value = b"".join(unit(chance, depth - 1) for _ in range(rng.choice([1, 1, 2]))) if depth else rng.randbytes(30)
    elif kind in addresses:
        family = chance.number(rng.choice([1, 2]), 8)
        value = bytes([chance.number(0, 8), family]) + rng.randbytes(2) + rng.randbytes(4 if family == 1 else 16)
    elif kind == wire.USERNAME:
        value = rng.choice([b"kSty:XpJs", b"kSty:XpJs\0\0\0", b"\xff\0\xfe", "naïve:ü".encode(), b""])
    else:
        value = rng.randbytes(rng.choice([0, 1, 3, 4, 20, 40]))
    value = chance.cut(value)
    padding = bytes(-len(value) % 4) if not chance.lies() else rng.randbytes(rng.randrange(4))
    return struct.pack(">HH", chance.number(kind, 16), chance.number(len(value), 16)) + value + padding


def message(chance: Chance, depth: int) -> bytes:
    rng = chance.rng
    kind = rng.choice([0x0001, 0x0101, 0x0003, 0x0103, 0x0016, 0x0017, 0x0008, 0x0009, 0x0801, 0x3FFF])
    attributes = chance.shaken([attribute(chance, depth) for _ in range(rng.randrange(0, 5))])
    body = b"".join(attributes)
    transaction = rng.randbytes(12 if not chance.lies() else rng.choice([0, 4, 11, 13, 16]))
    cookie = struct.pack(">I", chance.number(wire.COOKIE, 32)) if rng.randrange(8) else b""
    if not cookie:
        transaction = rng.randbytes(16)  # as RFC 3489
    return struct.pack(">HH", chance.number(kind, 16), chance.number(len(body), 16)) + cookie + transaction + body


def channel(chance: Chance, depth: int) -> bytes:
    rng = chance.rng
    data = unit(chance, depth - 1) if depth and rng.randrange(2) else wire.rtp(rng, rng.randrange(12, 120))
    number = rng.choice([0x4000, 0x4001, 0x4FFF, 0x5001, 0x7FFE, 0x7FFF])
    padding = bytes(-len(data) % 4) if rng.randrange(3) else b""
    return struct.pack(">HH", chance.number(number, 16), chance.number(len(data), 16)) + data + padding


def unit(chance: Chance, depth: int) -> bytes:
    """A message or ChannelData, in which others may be."""
    if depth <= 0:
        return chance.rng.randbytes(20)
    kinds: list[Callable[[Chance, int], bytes]] = [message, message, channel]
    return chance.cut(chance.rng.choice(kinds)(chance, depth))


def units(chance: Chance) -> Bytes:
    depth = chance.rng.choice([1, 2, 3, 10])
    return chance.shaken([unit(chance, depth) for _ in range(chance.rng.randrange(1, 6))])


def stream(chance: Chance) -> Bytes:
    """What goes one way over TCP: TURN, RFC 4571, or anything."""
    kind = chance.rng.choice(["turn", "turn", "rfc4571", "other"])
    if kind == "other":
        return [chance.rng.randbytes(chance.rng.randrange(1, 300))]
    if kind == "rfc4571":
        return [struct.pack(">H", chance.number(len(one), 16)) + one for one in units(chance)]
    return [one + bytes(-len(one) % 4) for one in units(chance)]


def segments(chance: Chance, src: End, dst: End) -> Bytes:
    """A stream in IP packets: cut anywhere, some overlapping, some again, some with other bytes than before."""
    rng, data = chance.rng, b"".join(stream(chance))
    first = rng.choice([rng.getrandbits(32), 2**32 - rng.randrange(1, 200), 0])
    places = sorted({0, len(data), *(rng.randrange(len(data) + 1) for _ in range(rng.randrange(0, 5)))})
    parts = [(a, data[a:b]) for a, b in pairwise(places)]
    found = [wire.tcp(src, dst, first - 1, flags=2)] if rng.randrange(2) else []
    for at, part in chance.shaken(parts):
        back = rng.randrange(0, min(at, 20) + 1) if chance.lies() else 0
        held = data[at - back : at] + part
        if chance.lies():
            held = rng.randbytes(len(held))
        seq = chance.number(first + at - back, 32)
        found.append(wire.tcp(src, dst, seq, held, flags=chance.number(0x18, 8)))
    return [altered(chance, packet) for packet in found]


def altered(chance: Chance, packet: bytes) -> bytes:
    """A packet in whose IP, TCP or UDP header a field lies: lengths, fragments, protocol, data offset."""
    content, six = bytearray(packet), packet[0] >> 4 == 6
    header = 40 if six else 20
    of_ip = [(4, 2), (6, 1), (0, 1)] if six else [(2, 2), (6, 2), (9, 1), (0, 1)]
    for at, size in (*of_ip, (header, 2), (header + 4, 2), (header + 12, 1)):
        if at + size <= len(content):
            right = int.from_bytes(content[at : at + size])
            content[at : at + size] = chance.number(right, 8 * size).to_bytes(size)
    return bytes(content)


def datagrams(chance: Chance, src: End, dst: End) -> Bytes:
    """UDP, now and then in fragments with lies in them."""
    rng, found = chance.rng, Bytes()
    for _ in range(rng.randrange(1, 4)):
        payload = b"".join(units(chance))
        packet = wire.udp(src, dst, payload[:60_000])
        if rng.randrange(3):
            found.append(altered(chance, packet))
            continue
        sizes = [8 * rng.randrange(1, 1 + max(1, len(payload) // 16)) for _ in range(rng.randrange(1, 4))]
        parts = chance.shaken(wire.fragments(packet, sizes, rng.randrange(1, 4)))
        order = rng.choice([parts, parts[::-1], rng.sample(parts, len(parts))])
        found += [altered(chance, part) for part in order]
    return found


def packets(chance: Chance) -> Bytes:
    """IP packets of a few flows, mixed, each flow mostly in its order."""
    rng, flows = chance.rng, []
    for _ in range(rng.randrange(1, 4)):
        number = rng.randrange(2)
        ends = (CLIENTS[number][0], 40000 + rng.randrange(2)), SERVERS[number]
        flows.append(rng.choice([segments, datagrams])(chance, *rng.choice([ends, ends[::-1]])))
    found = Bytes()
    while flows := [flow for flow in flows if flow]:
        found.append(rng.choice(flows).pop(0))
    return chance.shaken(found)


def link(chance: Chance) -> str:
    return chance.rng.choice(["ethernet", "ethernet", "raw", "sll", "sll2", "vlan", "pppoe", "null", "nflog", "ppp"])


def pcap(chance: Chance) -> Bytes:
    rng, order, kind = chance.rng, chance.rng.choice("<>"), link(chance)
    magic = rng.choice([0xA1B2C3D4, 0xA1B23C4D])
    found = [struct.pack(f"{order}IHHIIII", magic, 2, 4, 0, 0, 65535, LINKS[kind])]
    for number, packet in enumerate(packets(Chance(rng, OFTEN))):
        frame = framed(kind, packet, order)
        data = chance.cut(frame)
        sizes = chance.number(len(data), 32), chance.number(len(frame), 32)
        found.append(struct.pack(f"{order}IIII", 1_700_000_000 + number, chance.number(number, 32), *sizes) + data)
    return [found[0], *chance.shaken(found[1:])]


def options(chance: Chance, order: str, *right: bytes) -> bytes:
    """Options of a block, their end left out now and then, among them such as nobody knows."""
    rng = chance.rng
    unknown = option(rng.choice([1, 2988, 0x8001, 0xFFFF]), rng.randbytes(rng.randrange(9)), order)
    found = b"".join(chance.shaken([*right, unknown])) if rng.randrange(2) else b"".join(right)
    if chance.lies() and len(found) >= 4:
        found = found[:2] + struct.pack(f"{order}H", chance.number(rng.randrange(9), 16)) + found[4:]
    return found + (bytes(4) if found and not chance.lies() else b"")


def lying(chance: Chance, kind: int, body: bytes, order: str) -> bytes:
    """A block that may lie of its kind and of its length, in front or behind."""
    made = block(chance.number(kind, 32), chance.cut(body), order)
    sizes = [struct.pack(f"{order}I", chance.number(len(made), 32)) for _ in range(2)]
    return made[:4] + sizes[0] + made[8:-4] + sizes[1]


def carried(chance: Chance, order: str, number: int, frame: bytes, time: int) -> bytes:
    """A packet in an enhanced, a simple or an obsolete block, with drop counts."""
    data, rng = chance.cut(frame), chance.rng
    high, low, face = time >> 32, time & 0xFFFFFFFF, chance.number(number, 16)
    sizes = chance.number(len(data), 32), chance.number(len(frame), 32)
    padded = data + bytes(-len(data) % 4)
    kind = rng.choice([6, 6, 6, 3, 2])
    if kind == 3:
        return lying(chance, 3, struct.pack(f"{order}I", sizes[1]) + frame, order)
    if kind == 2:
        head = struct.pack(f"{order}HHIIII", face, chance.number(0xFFFF, 16), high, low, *sizes)
        return lying(chance, 2, head + padded + options(chance, order), order)
    counted = option(4, struct.pack(f"{order}Q", chance.number(1, 64)), order)
    head = struct.pack(f"{order}IIIII", face, high, low, *sizes)
    return lying(chance, 6, head + padded + options(chance, order, *rng.choice([[], [counted]])), order)


def section(chance: Chance) -> Bytes:
    rng, order = chance.rng, chance.rng.choice("<>")
    length = chance.number(2**64 - 1, 64)
    head = struct.pack(f"{order}IHHQ", 0x1A2B3C4D, chance.number(1, 16), chance.number(0, 16), length)
    found, links = Bytes(), [link(chance) for _ in range(rng.randrange(1, 3))]
    for kind in links:
        clock = rng.choice([[], [option(9, bytes([chance.number(rng.choice([6, 9, 0x94]), 8)]), order)]])
        body = struct.pack(f"{order}HHI", LINKS[kind], 0, rng.choice([0, 256])) + options(chance, order, *clock)
        found.append(lying(chance, 1, body, order))
    for count, packet in enumerate(packets(Chance(rng, OFTEN))):
        number = count % len(links)
        frame = framed(links[number], packet, order)
        found.append(carried(chance, order, number, frame, (1_700_000_000 + count) * 10**6))
    others = [
        lying(chance, rng.choice([0x0BAD, 0x40000BAD]), struct.pack(f"{order}I", 32473) + rng.randbytes(8), order),
        lying(chance, 4, struct.pack(f"{order}HH", 0, 0), order),
        lying(chance, rng.getrandbits(31), rng.randbytes(12), order),
    ]
    counts = option(5, struct.pack(f"{order}Q", chance.number(2, 64)), order)
    found += [lying(chance, 5, struct.pack(f"{order}III", 0, 0, 0) + options(chance, order, counts), order)]
    for other in others:
        found.insert(rng.randrange(len(links), len(found) + 1), other)
    return [block(0x0A0D0D0A, head + options(chance, order), order), *chance.shaken(found)]


def capture(rng: random.Random) -> bytes:
    """A capture in pcap, or in pcapng of one or two sections."""
    chance = Chance(rng, RARELY)
    if rng.randrange(2):
        return chance.cut(b"".join(pcap(chance)))
    sections = [part for _ in range(rng.choice([1, 1, 2])) for part in section(chance)]
    return chance.cut(b"".join(sections))
