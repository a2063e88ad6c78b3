"""Capture files read and written record by record, to be edited: by `struct` alone, nothing of the code under test."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from ipaddress import ip_address
from pathlib import Path

from tests.correlate import wire
from tests.correlate.wire import COOKIE, End

ETHERNET, RAW = 1, 101
UDP, TCP = 17, 6


@dataclass(frozen=True)
class Packet:
    """An IP packet of a capture: `link` is the header before it, `data` what was kept of it, `size` its length on the
    wire. `ends` are source and destination, and `body` where the payload of UDP begins in `data`; None and 0 where it
    has no ports."""

    at_ns: int
    link: bytes
    data: bytes
    size: int
    protocol: int = 0
    ends: tuple[End, End] | None = None
    body: int = 0

    @property
    def payload(self) -> bytes:
        return self.data[self.body :]

    @property
    def payload_size(self) -> int:
        """On the wire."""
        return self.size - self.body

    def later(self, by_ns: int) -> "Packet":
        return replace(self, at_ns=self.at_ns + by_ns)

    def between(self, source: End, target: End) -> "Packet":
        """The same datagram between other ends of the same version of IP."""
        six = self.data[0] >> 4 == 6
        places = (8, 24, 40) if six else (12, 16, self.data[0] % 16 * 4)
        data = bytearray(self.data)
        for place, end in zip(places, (source, target), strict=False):
            packed = packed_address(end[0])
            data[place : place + len(packed)] = packed
        data[places[2] : places[2] + 4] = struct.pack(">HH", source[1], target[1])
        return replace(self, data=bytes(data), ends=(source, target))

    def carrying(self, payload: bytes) -> "Packet":
        """A datagram between the same ends with another payload, whole."""
        assert self.ends is not None
        return datagram(self, *self.ends, payload)


def datagram(like: Packet, source: End, target: End, payload: bytes) -> Packet:
    """A UDP datagram at the time of a packet, with its link header."""
    return packet(like.at_ns, linked(like.link, source), wire.udp(source, target, payload))


def linked(link: bytes, source: End) -> bytes:
    """The link header for a packet of the version of IP that the source has."""
    return link[:12] + (b"\x86\xdd" if ":" in source[0] else b"\x08\0") if link else link


@cache
def packed_address(text: str) -> bytes:
    return ip_address(text).packed


@cache
def shown(packed: bytes) -> str:
    return str(ip_address(packed))


def packet(at_ns: int, link: bytes, data: bytes, size: int | None = None) -> Packet:
    """A packet with its ends, if it is UDP or TCP in no later fragment."""
    found = Packet(at_ns, link, data, len(data) if size is None else size)
    if len(data) < 20:
        return found
    if data[0] >> 4 == 4:
        protocol, at, first = data[9], data[0] % 16 * 4, not int.from_bytes(data[6:8]) & 0x1FFF
        addresses = shown(data[12:16]), shown(data[16:20])
    elif data[0] >> 4 == 6 and len(data) >= 40:
        protocol, at, first = data[6], 40, True
        addresses = shown(data[8:24]), shown(data[24:40])
    else:
        return found
    if protocol not in (UDP, TCP) or not first or len(data) < at + 8:
        return found
    source, target = struct.unpack_from(">HH", data, at)
    body = at + 8 if protocol == UDP else at + (data[at + 12] >> 4) * 4 if len(data) > at + 12 else len(data)
    return replace(found, protocol=protocol, ends=((addresses[0], source), (addresses[1], target)), body=body)


def read(path: Path) -> list[Packet]:
    """The packets of a pcap or pcapng file of Ethernet or raw IP, in file order."""
    data = path.read_bytes()
    records = blocks(data) if data[:4] == b"\x0a\x0d\x0d\x0a" else rows(data)
    found = []
    for at_ns, kind, frame, size in records:
        assert kind in (ETHERNET, RAW), kind
        head = 14 if kind == ETHERNET else 0
        found.append(packet(at_ns, frame[:head], frame[head:], size - head))
    return found


def rows(data: bytes) -> Iterator[tuple[int, int, bytes, int]]:
    """(time in ns, link type, frame, its length on the wire) of each record of a little-endian pcap file."""
    magic, kind = struct.unpack_from("<I16xI", data)
    scale = {0xA1B2C3D4: 1000, 0xA1B23C4D: 1}[magic]
    at = 24
    while at < len(data):
        seconds, fraction, kept, size = struct.unpack_from("<IIII", data, at)
        yield seconds * 10**9 + fraction * scale, kind, data[at + 16 : at + 16 + kept], size
        at += 16 + kept


def blocks(data: bytes) -> Iterator[tuple[int, int, bytes, int]]:
    """The same of the enhanced packets of a little-endian pcapng file."""
    interfaces: list[tuple[int, int]] = []
    at = 0
    while at < len(data):
        kind, length = struct.unpack_from("<II", data, at)
        body = data[at + 8 : at + length - 4]
        if kind == 1:
            interfaces.append((int.from_bytes(body[:2], "little"), ticks(body[8:])))
        elif kind == 6:
            number, high, low, kept, size = struct.unpack_from("<IIIII", body)
            link, a_second = interfaces[number]
            yield (high << 32 | low) * (10**9 // a_second), link, body[20 : 20 + kept], size
        at += length


def ticks(options: bytes) -> int:
    """How many units of time a second has, by the options of an interface description (if_tsresol)."""
    at = 0
    while at + 4 <= len(options):
        code, length = struct.unpack_from("<HH", options, at)
        if code == 9:
            return 10 ** options[at + 4]
        at += 4 + length + -length % 4
    return 10**6


def written(packets: list[Packet], snaplen: int = 262_144) -> bytes:
    """A pcap file of these, with times in nanoseconds, each cut at the snapshot length."""
    (kind,) = {ETHERNET if each.link else RAW for each in packets} or {RAW}
    out = [struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262_144, kind)]
    for each in packets:
        kept = (each.link + each.data)[:snaplen]
        out += [struct.pack("<IIII", *divmod(each.at_ns, 10**9), len(kept), len(each.link) + each.size), kept]
    return b"".join(out)


def is_stun(payload: bytes) -> bool:
    return len(payload) >= 20 and payload[0] < 0x40 and payload[4:8] == struct.pack(">I", COOKIE)


def is_channel(payload: bytes) -> bool:
    return len(payload) >= 4 and 0x40 <= payload[0] < 0x80


def kind_of(payload: bytes) -> int | None:
    """The type of a STUN message (RFC 8489 5), None where it is none."""
    return int.from_bytes(payload[:2]) if is_stun(payload) else None


def attributes(payload: bytes) -> Iterator[tuple[int, bytes]]:
    """Those of a STUN message (RFC 8489 14)."""
    at = 20
    while at + 4 <= len(payload):
        kind, length = struct.unpack_from(">HH", payload, at)
        yield kind, payload[at + 4 : at + 4 + length]
        at += 4 + length + -length % 4


def carried(payload: bytes) -> bytes:
    """What a Send or Data indication or ChannelData carries, else the payload itself."""
    if is_channel(payload):
        return payload[4 : 4 + int.from_bytes(payload[2:4])]
    if kind_of(payload) in (wire.SEND, wire.DATA_INDICATION):
        return next((value for kind, value in attributes(payload) if kind == wire.DATA), b"")
    return payload


def is_media(payload: bytes) -> bool:
    """Neither STUN nor around STUN (DESIGN, Contracts)."""
    return not is_stun(carried(payload)) and len(carried(payload)) > 0
