"""A second reader, as plain as can be: one packet after the other, the standard library alone, nothing of correlate.

What it tells of any bytes, however damaged, is what the quick reader must tell.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_address

PCAP = {
    b"\xd4\xc3\xb2\xa1": ("<", 1000), b"\xa1\xb2\xc3\xd4": (">", 1000),
    b"\x4d\x3c\xb2\xa1": ("<", 1), b"\xa1\xb2\x3c\x4d": (">", 1),
}  # fmt: skip
SECTION = b"\x0a\x0d\x0d\x0a"
LEAST = {1: 20, 2: 32, 3: 16, 5: 24, 6: 32, 0xBAD: 16, 0x40000BAD: 16}
NO_PACKETS = (9, 0x204, 0x216, 0x221, 0xBAD, 0x40000BAD)  # that Wireshark gives a frame number
ETHERTYPES = {0x0800: 4, 0x86DD: 6}
FAMILIES = {2: 4, 10: 6, 23: 6, 24: 6, 28: 6, 30: 6}
PPP = {0x0021: 4, 0x0057: 6}


@dataclass
class Packet:
    """A frame; one without a link type is no packet."""

    link: int | None
    order: str
    data: bytes
    wire: int
    time_ns: int


def number(data: bytes, at: int, size: int, order: str = ">") -> int:
    return int.from_bytes(data[at : at + size], "big" if order == ">" else "little")


def packets(data: bytes) -> Iterator[Packet]:
    """Up to where the chain of records breaks."""
    if data[:4] == SECTION:
        yield from of_pcapng(data)
    elif len(data) >= 24:
        yield from of_pcap(data, *PCAP[data[:4]])


def of_pcap(data: bytes, order: str, unit_ns: int) -> Iterator[Packet]:
    link, at = number(data, 20, 4, order) & 0xFFFF, 24
    while at + 16 <= len(data):
        seconds, fraction, captured, wire = struct.unpack_from(f"{order}IIII", data, at)
        at += 16
        sound = captured <= wire and captured <= 262_144 and (seconds, fraction, captured, wire) != (0, 0, 0, 0)
        if not sound or at + captured > len(data):
            return
        time_ns = seconds * 10**9 + fraction * unit_ns if fraction * unit_ns < 10**9 else -1
        yield Packet(link, order, data[at : at + captured], wire, time_ns)
        at += captured


def of_pcapng(data: bytes) -> Iterator[Packet]:
    order, at = ">", 0
    faces: list[tuple[int, int, int, int]] = []  # link type, snapshot length, resolution, offset
    while at + 12 <= len(data):
        if data[at : at + 4] == SECTION:
            order, faces = {b"\x1a\x2b\x3c\x4d": ">", b"\x4d\x3c\x2b\x1a": "<"}.get(data[at + 8 : at + 12], "?"), []
            if order == "?":
                return
        kind, length = number(data, at, 4, order), number(data, at + 4, 4, order)
        sound = 12 <= length <= 16 << 20 and length % 4 == 0 and at + length <= len(data)
        if not sound or number(data, at + length - 4, 4, order) != length or length < LEAST.get(kind, 12):
            return
        block = data[at : at + length]
        if block[:4] == SECTION and (length < 28 or number(block, 12, 2, order) != 1):
            return
        if kind == 1:
            faces.append(described(block, order))
        elif kind in (2, 3, 6):
            packet = carried(block, kind, order, faces)
            if packet is None:
                return
            yield packet
        elif kind in NO_PACKETS:
            yield Packet(None, order, b"", 0, -1)
        at += length


def described(block: bytes, order: str) -> tuple[int, int, int, int]:
    resolution, offset_s, at = 6, 0, 16
    while at + 4 <= len(block) - 4:
        code, size = number(block, at, 2, order), number(block, at + 2, 2, order)
        if code == 0 or at + 4 + size > len(block) - 4:
            break
        if (code, size) == (9, 1):
            resolution = block[at + 4]
        if (code, size) == (14, 8):
            (offset_s,) = struct.unpack_from(f"{order}q", block, at + 4)
        at += 4 + size + -size % 4
    return number(block, 8, 2, order), number(block, 12, 4, order), resolution, offset_s


def carried(block: bytes, kind: int, order: str, faces: list[tuple[int, int, int, int]]) -> Packet | None:
    """The packet in a block; None where the block cannot be."""
    face = {2: number(block, 8, 2, order), 3: 0, 6: number(block, 8, 4, order)}[kind]
    if face >= len(faces):
        return None
    link, snaplen, resolution, offset_s = faces[face]
    if kind == 3:
        wire = number(block, 8, 4, order)
        size = min(wire, len(block) - 16, snaplen or wire)
        return Packet(link, order, block[12 : 12 + size], wire, -1)
    high, low, size, wire = struct.unpack_from(f"{order}IIII", block, 12)
    if size > wire or size > len(block) - 32:
        return None
    rate = 2 ** (resolution & 0x7F) if resolution & 0x80 else 10**resolution
    time_ns = (high << 32 | low) * 10**9 // rate + offset_s * 10**9
    return Packet(link, order, block[28 : 28 + size], wire, time_ns if 0 <= time_ns < 2**63 else -1)


def network(packet: Packet) -> tuple[int, int] | None:
    """Where the IP header begins, and which version the link header says; None where it is no IP."""
    data, link = packet.data, packet.link
    if link is None:
        return None
    if link in (1, 113, 276):
        at, field = {1: (14, 12), 113: (16, 14), 276: (20, 0)}[link]
        return behind(data, at, number(data, field, 2)) if len(data) >= at else None
    if link in (12, 101, 228, 229):
        return 0, data[0] >> 4 if data else 0
    if link in (0, 108):
        return 4, FAMILIES.get(min(number(data, 0, 4, "<"), number(data, 0, 4, ">")), 0)
    if link == 9:
        at = 2 if data[:2] == b"\xff\x03" else 0
        short = bool(data[at : at + 1] and data[at] & 1)
        return at + 2 - short, PPP.get(number(data, at, 2 - short), 0)
    at = 4
    while at + 4 <= len(data):  # NFLOG
        size, kind = number(data, at, 2, packet.order), number(data, at + 2, 2, packet.order) & 0x7FFF
        if kind == 9:
            return at + 4, FAMILIES.get(data[0], 0)
        if size < 4:
            return None
        at += size + -size % 4
    return None


def behind(data: bytes, at: int, kind: int) -> tuple[int, int]:
    while kind in (0x8100, 0x88A8, 0x9100, 0x9200) and at + 4 <= len(data):
        kind, at = number(data, at + 2, 2), at + 4
    if kind <= 1500 and data[at : at + 6] == b"\xaa\xaa\3\0\0\0" and at + 8 <= len(data):
        kind, at = number(data, at + 6, 2), at + 8
    if kind == 0x8864 and at + 8 <= len(data):
        return at + 8, PPP.get(number(data, at + 6, 2), 0)
    return at, ETHERTYPES.get(kind, 0)


@dataclass
class Piece:
    """What follows the IP headers: a datagram with its UDP header at `udp`, or a later fragment (None)."""

    src: bytes
    dst: bytes
    key: tuple[object, ...] | None
    udp: int | None
    end: int  # of the IP packet, by its own word


def piece(packet: Packet) -> Piece | None:
    where = network(packet)
    if where is None or where[1] not in (4, 6) or len(packet.data) <= where[0]:
        return None
    at, version = where
    if packet.data[at] >> 4 != version:
        return None
    return (ipv4 if version == 4 else ipv6)(packet.data, at, packet.wire)


def ipv4(data: bytes, at: int, wire: int) -> Piece | None:
    size = (data[at] & 15) * 4
    if len(data) < at + size or size < 20 or data[at + 9] != 17:
        return None
    total, fragment = number(data, at + 2, 2), number(data, at + 6, 2) & 0x3FFF
    src, dst = data[at + 12 : at + 16], data[at + 16 : at + 20]
    key = (src, dst, number(data, at + 4, 2)) if fragment else None
    return Piece(src, dst, key, None if fragment & 0x1FFF else at + size, at + total if total else wire)


def ipv6(data: bytes, at: int, wire: int) -> Piece | None:
    if len(data) < at + 40:
        return None
    length, kind, src, dst = number(data, at + 4, 2), data[at + 6], data[at + 8 : at + 24], data[at + 24 : at + 40]
    end, key, here = at + 40 + length if length else wire, None, at + 40
    while kind in (0, 43, 44, 51, 60, 135, 139, 140):
        if here + 8 > min(end, len(data)):
            return None
        if kind == 44:
            place = number(data, here + 2, 2)
            key = (src, dst, number(data, here + 4, 4)) if place & 0xFFF9 else None
            if place >> 3:
                return Piece(src, dst, key, None, end)
        size = {44: 8, 51: (data[here + 1] + 2) * 4}.get(kind, (data[here + 1] + 1) * 8)
        kind, here = data[here], here + size
    return Piece(src, dst, key, here, end) if kind == 17 else None


@dataclass
class Datagram:
    frame: int
    time_ns: int
    wire: int
    src: bytes
    sport: int
    dst: bytes
    dport: int
    payload_bytes: int
    payload: bytes
    is_whole: bool = True


def datagrams(found: list[Packet]) -> list[Datagram]:
    """Every UDP frame, fragments too, in file order."""
    told, waiting = list[Datagram](), dict[object, list[tuple[int, Packet, Piece]]]()
    firsts: dict[object, tuple[int, int, int]] = {}
    for frame, packet in enumerate(found, 1):
        one = piece(packet)
        if one is None:
            continue
        if one.udp is None:
            time_ns, *ports = firsts.get(one.key, (0,))
            if ports and near(time_ns, packet.time_ns):
                told.append(Datagram(frame, packet.time_ns, packet.wire, one.src, ports[0], one.dst, ports[1], 0, b""))
            else:
                waiting.setdefault(one.key, []).append((frame, packet, one))
            continue
        if one.udp + 6 > len(packet.data) or one.udp + 8 > one.end:
            continue
        sport, dport, length = struct.unpack_from(">HHH", packet.data, one.udp)
        room = one.end - one.udp - 8
        size = max(length - 8, 0) if length else room
        size = size if one.key else min(size, room)
        payload = packet.data[one.udp + 8 : one.udp + 8 + min(size, room)]
        sender, target, whole = (one.src, sport), (one.dst, dport), not one.key
        told.append(Datagram(frame, packet.time_ns, packet.wire, *sender, *target, size, payload, whole))
        if one.key:
            firsts[one.key] = packet.time_ns, sport, dport
            for late, other, _ in waiting.pop(one.key, []):
                if near(other.time_ns, packet.time_ns):
                    told.append(Datagram(late, other.time_ns, other.wire, one.src, sport, one.dst, dport, 0, b""))
    return sorted(told, key=lambda one: one.frame)


def near(one_ns: int, other_ns: int) -> bool:
    return min(one_ns, other_ns) < 0 or abs(one_ns - other_ns) <= 60 * 10**9


def ends(one: Datagram) -> tuple[int, tuple[str, int], tuple[str, int]]:
    """Time and both ends."""
    return one.time_ns, (str(ip_address(one.src)), one.sport), (str(ip_address(one.dst)), one.dport)


def flows(found: list[Datagram]) -> list[list[object]]:
    """Both ends; packets, bytes and payload each way; first and last time; classic STUN: in order of first frame."""
    table: dict[object, list[object]] = {}
    for one in found:
        _, source, target = ends(one)
        a, b = sorted([source, target])
        row = table.setdefault((a, b), [*a, *b, 0, 0, 0, 0, 0, 0, [], 0])
        way = 0 if source == a else 1
        for column, amount in ((4, 1), (6, one.wire), (8, one.payload_bytes)):
            row[column + way] += amount
        row[10] += [one.time_ns] if one.time_ns >= 0 else []
        row[11] += is_classic(one)
    return [[*row[:10], min(row[10], default=None), max(row[10], default=None), row[11]] for row in table.values()]


def is_classic(one: Datagram) -> bool:
    fits = len(one.payload) >= 8 and number(one.payload, 2, 2) + 20 == one.payload_bytes
    known = number(one.payload, 0, 2) in (0x0001, 0x0101, 0x0111, 0x0002, 0x0102, 0x0112)
    return 3478 in (one.sport, one.dport) and fits and known and one.payload[4:8] != b"\x21\x12\xa4\x42"


Message = tuple[int, bytes, int | None, str | None, tuple[tuple[int, bytes], ...], bool, tuple[tuple[int, bytes], ...]]


def messages(
    data: bytes, missing: int = 0, channel: int | None = None, nested: str | None = None, depth: int = 8
) -> list[Message]:
    """Type, transaction, channel, container, attributes, True (a cookie) and unpadded attributes of every message;
    `missing` bytes behind `data` were not captured. A USERNAME of which some are missing is no attribute."""
    found: list[Message] = []
    while depth and begins(data):
        kind, length = number(data, 0, 2), number(data, 2, 2)
        if kind >> 14:
            lacks = min(missing, max(4 + length - len(data), 0))
            found += messages(data[4 : 4 + length], lacks, kind, "channel", depth - 1)
            size = 4 + length
        else:
            lacks = min(missing, max(20 + length - len(data), 0))
            values, others = (
                [(kind_, value, min(lacks, short)) for kind_, value, short in each]
                for each in attributes(data[20 : 20 + length])
            )
            whole = (tuple(each[:2] for each in every if each[0] != 6 or not each[2]) for every in (values, others))
            padded, unpadded = whole
            found.append((kind, data[8:20], channel, nested, padded, True, unpadded))
            inner = [(value, short) for kind_, value, short in dict.fromkeys((*values, *others)) if kind_ == 0x13]
            found += [one for value, short in inner for one in messages(value, short, channel, "data", depth - 1)]
            size = 20 + length
        data = data[size if begins(data[size:]) else size + -size % 4 :]
    return found


def begins(data: bytes) -> bool:
    return len(data) >= 4 and (data[0] >> 6 == 1 or (data[0] < 0x40 and data[4:8] == b"\x21\x12\xa4\x42"))


Value = tuple[int, bytes, int]
"""Type, value, and how many bytes it is shorter than its length says."""


def attributes(body: bytes) -> tuple[list[Value], list[Value]]:
    """As padded; and where these lead to none of the ends of the body but a mixture does, as that mixture."""

    @cache
    def lead(at: int) -> tuple[int, ...] | None:
        if at + 4 > len(body):
            return None
        end = at + 4 + number(body, at + 2, 2)
        if len(body) in (end, end + -end % 4):
            return (at,)
        return next(((at, *rest) for to in (end + -end % 4, end) if (rest := lead(to))), None)

    padded, at, end = list[int](), 0, 0
    while at + 4 <= len(body):
        padded.append(at)
        end = at + 4 + number(body, at + 2, 2)
        at = end + -end % 4
    mixture = () if end <= len(body) <= at else lead(0) or ()
    return value(body, padded), value(body, mixture)


def value(body: bytes, offsets: Iterable[int]) -> list[Value]:
    found = [(number(body, at, 2), number(body, at + 2, 2), body[at + 4 :]) for at in offsets]
    return [(kind, rest[:size], max(size - len(rest), 0)) for kind, size, rest in found]
