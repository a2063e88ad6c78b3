"""Small captures of every container, link type and oddity, and STUN payloads: what the fuzz test begins with.

All are lists of pieces (file header, records, blocks, attributes), so that a piece may be dropped, doubled or moved.
Built with nothing of the code under test.
"""

from __future__ import annotations

import random
import struct
from ipaddress import ip_address

START_S = 1_700_000_000
COOKIE = 0x2112A442
FOUR = ip_address("192.0.2.1").packed, ip_address("198.51.100.7").packed
SIX = ip_address("2001:db8::1").packed, ip_address("2001:db8::2").packed

Pieces = list[bytes]


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack(">HH", kind, len(value)) + value + bytes(-len(value) % 4)


def stun(kind: int, *attributes: bytes) -> Pieces:
    size = sum(map(len, attributes))
    return [struct.pack(">HHI", kind, size, COOKIE) + bytes(range(12)), *attributes]


def channel(number: int, payload: bytes) -> Pieces:
    return [struct.pack(">HH", number, len(payload)), payload]


def payloads() -> list[Pieces]:
    """STUN of several kinds, nested, classic; DNS; media."""
    user, mapped = attribute(6, b"kSty:XpJs"), attribute(0x20, b"\0\1\x21\x12" + bytes(4))
    inner = stun(1, user, mapped, attribute(0x8023, b"\0\2\0\7" + bytes(16)))
    carried = b"".join(inner)
    outer = stun(0x17, attribute(0x12, b"\0\2\x21\x12" + bytes(16)), attribute(0x13, carried))
    deep = carried
    for depth in range(9):
        deep = b"".join(stun(0x16, attribute(0x13, deep)) if depth % 3 else channel(0x4001 + depth, deep))
    zeros = stun(0x0803, *[attribute(0, b"")] * 20, attribute(0x4025, bytes(5)), attribute(6, b"\xff\0\xfe"))
    classic = [struct.pack(">HH16s", 1, 8, bytes(range(100, 116))), attribute(3, bytes(4))]
    name = b"\5relay\7example\0"
    dns = [
        struct.pack(">6H", 9, 0x8180, 1, 2, 0, 0) + name + struct.pack(">HH", 1, 1),
        struct.pack(">HHHIH", 0xC00C, 5, 1, 60, 2) + b"\xc0\x0c",
        struct.pack(">HHHIH4B", 0xC00C, 1, 1, 60, 4, 192, 0, 2, 9),
    ]
    return [inner, outer, channel(0x4001, carried), [deep], zeros, classic, dns, [b"\x80" + bytes(20)], [b""]]


def udp(payload: bytes, number: int = 0) -> bytes:
    sport, dport = (53, 50000) if payload[2:4] == b"\x81\x80" else (40000 + number % 3, 3478)
    return struct.pack(">HHHH", sport, dport, len(payload) + 8, 0) + payload


def ipv4(body: bytes, number: int = 0, fragment: int = 0, options: bytes = b"", protocol: int = 17) -> bytes:
    first, size = 0x45 + len(options) // 4, 20 + len(options) + len(body)
    head = struct.pack(">BBHHHBBH", first, 0, size, number, fragment, 64, protocol, 0)
    return head + b"".join(FOUR) + options + body


def ipv6(body: bytes, extensions: bytes = b"", following: int = 17) -> bytes:
    return struct.pack(">IHBB", 6 << 28, len(extensions) + len(body), following, 64) + b"".join(SIX) + extensions + body


def pieces_of(data: bytes) -> list[tuple[int, bytes]]:
    """Fragments: (offset in units of 8 bytes with the more-fragments bit of IPv4 as bit 13, bytes)."""
    cut = len(data) // 16 * 8
    return [(0x2000, data[:cut]), (cut // 8, data[cut:])]


def packets(rng: random.Random) -> Pieces:
    """IP packets of all shapes, in an order by chance."""
    bodies = [udp(b"".join(payload), number) for number, payload in enumerate(payloads())]
    long, tcp = udp(bytes(64)), struct.pack(">HHIIBBHHH", 443, 50000, 0, 0, 0x50, 24, 0, 0, 0) + b"tcp"
    found = [rng.choice([ipv4, ipv6])(body) for body in rng.sample(bodies, 5)]
    found += [ipv4(part, 7, offset) for offset, part in pieces_of(long)]
    for offset, part in pieces_of(long):
        place = (offset & 0x1FFF) << 3 | (offset >> 13)
        found.append(ipv6(part, struct.pack(">BBHI", 17, 0, place, 9), following=44))
    found += [ipv4(bodies[0], options=b"\1" * 8), ipv4(tcp, protocol=6), ipv6(tcp, following=6)]
    found += [ipv6(bodies[0], b"\x3c\0\1\4\0\0\0\0" + b"\x11\0\1\4\0\0\0\0", following=0), ipv4(ipv4(b""), protocol=1)]
    return rng.sample(found, 8)


def nflog(packet: bytes, order: str) -> bytes:
    tlvs = [(1, bytes(4)), (10, b"prefix\0"), (9, packet)]
    packed = (struct.pack(f"{order}HH", len(value) + 4, kind) + value + bytes(-len(value) % 4) for kind, value in tlvs)
    return bytes([2 if packet[0] >> 4 == 4 else 10, 0, 0, 5]) + b"".join(packed)


def framed(link: str, packet: bytes, order: str) -> bytes:
    """A frame of one of LINKS around an IP packet."""
    six = packet[0] >> 4 == 6
    kind, ppp, family = b"\x86\xdd" if six else b"\x08\0", b"\0\x57" if six else b"\0\x21", 30 if six else 2
    heads = {
        "ethernet": bytes(12) + kind,
        "vlan": bytes(12) + b"\x81\0\0\x2a" + kind,
        "qinq": bytes(12) + b"\x88\xa8\0\7\x81\0\0\x2a" + kind,
        "snap": bytes(12) + b"\0\x3c\xaa\xaa\3\0\0\0" + kind,
        "pppoe": bytes(12) + b"\x88\x64\x11\0\0\3\0\2" + ppp,
        "sll": bytes(14) + kind,
        "sll2": kind + bytes(18),
        "null": struct.pack(f"{order}I", family),
        "loop": struct.pack(">I", family),
        "ppp": b"\xff\3" + ppp,
        "ppp short": ppp[1:],
    }
    return nflog(packet, order) if link == "nflog" else heads.get(link, b"") + packet


LINKS = {
    "ethernet": 1, "vlan": 1, "qinq": 1, "snap": 1, "pppoe": 1, "raw": 101, "raw 12": 12, "raw 4": 228, "raw 6": 229,
    "sll": 113, "sll2": 276, "null": 0, "loop": 108, "ppp": 9, "ppp short": 9, "nflog": 239, "unread": 127,
}  # fmt: skip


def cut(rng: random.Random, frame: bytes) -> bytes:
    """A few frames are cut by a snapshot length."""
    return frame[: rng.choice([len(frame)] * 5 + [60])]


def pcap(rng: random.Random, link: str, order: str, magic: int) -> Pieces:
    found = [struct.pack(f"{order}IHHIIII", magic, 2, 4, 0, 0, 65535, LINKS[link])]
    for n, packet in enumerate(packets(rng)):
        frame = framed(link, packet, order)
        data = cut(rng, frame)
        found.append(struct.pack(f"{order}IIII", START_S + n, n, len(data), len(frame)) + data)
    return found


def block(kind: int, body: bytes, order: str) -> bytes:
    body += bytes(-len(body) % 4)
    length = struct.pack(f"{order}I", len(body) + 12)
    return struct.pack(f"{order}I", kind) + length + body + length


def option(code: int, value: bytes, order: str) -> bytes:
    return struct.pack(f"{order}HH", code, len(value)) + value + bytes(-len(value) % 4)


def packet_block(rng: random.Random, frame: bytes, data: bytes, order: str, number: int, time: int) -> bytes:
    """An enhanced packet, `data` of it captured; now and then with options, a simple or an obsolete one."""
    high, low = time >> 32, time & 0xFFFFFFFF
    shape = rng.randrange(8)
    if shape == 0:
        return block(3, struct.pack(f"{order}I", len(frame)) + frame, order)
    if shape == 1:
        return block(2, struct.pack(f"{order}HHIIII", number, 0, high, low, len(data), len(frame)) + data, order)
    options = option(2, bytes(4), order) + option(4, struct.pack(f"{order}Q", 3), order) if shape == 2 else b""
    body = struct.pack(f"{order}IIIII", number, high, low, len(data), len(frame)) + data + bytes(-len(data) % 4)
    return block(6, body + options, order)


def section(rng: random.Random, links: list[str], order: str, application: bytes) -> Pieces:
    """A section with an interface for each of the links, of different clocks, and statistics at its end."""
    named = option(4, application, order) + bytes(4) if application else b""
    found = [block(0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1) + named, order)]
    clocks = [(option(9, bytes([resolution]), order), rate) for resolution, rate in ((9, 10**9), (0x94, 2**20))]
    clocks += [(b"", 10**6), (option(14, struct.pack(f"{order}q", 3), order) + bytes(4), 10**6)]
    rates = []
    for link in links:
        options, rate = rng.choice(clocks)
        rates.append(rate)
        found.append(block(1, struct.pack(f"{order}HHI", LINKS[link], 0, rng.choice([0, 60])) + options, order))
    for n, packet in enumerate(packets(rng)):
        number = n % len(links)
        frame = framed(links[number], packet, order)
        found.append(packet_block(rng, frame, cut(rng, frame), order, number, (START_S + n) * rates[number]))
    kind = rng.choice([4, 9, 0x0BAD, 0x40000BAD, 0x7777])
    found.insert(rng.randrange(1, len(found)), block(kind, bytes(rng.randrange(4, 13)), order))
    counts = option(5, struct.pack(f"{order}Q", 2), order) + bytes(4)
    return [*found, block(5, struct.pack(f"{order}III", 0, 0, 0) + counts, order)]


def captures(seed: int) -> list[Pieces]:
    """Every container, byte order, resolution and link type; pcapng of several sections, interfaces and clocks."""
    rng, magics = random.Random(seed), (0xA1B2C3D4, 0xA1B23C4D)
    found = [pcap(rng, link, order, magic) for link in LINKS for order in "<>" for magic in magics]
    found += [section(rng, [link], order, rng.choice([b"", b"Dumpcap"])) for link in LINKS for order in "<>"]
    mixed = [link for link in LINKS if link != "unread"]
    for order in "<>" * 8:
        first = section(rng, rng.sample(mixed, 3), order, b"Dumpcap (Wireshark)")
        found.append(first + section(rng, rng.sample(mixed, 2), rng.choice("<>"), b""))
    return found
