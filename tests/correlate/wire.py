"""Bytes on a wire, by `struct` alone: frames, IP with fragments, UDP, TCP, STUN, TURN. Nothing of the code under test.

A packet is an IP packet (bytes); `ethernet` puts it into a frame. Ends are (address text, port).
"""

from __future__ import annotations

import random
import struct
from collections.abc import Iterable, Sequence
from ipaddress import ip_address

COOKIE = 0x2112A442
End = tuple[str, int]

# Types of messages (RFC 8489 5, RFC 8656 17) and of attributes (RFC 8489 18.3, RFC 8656 18, RFC 3489 11.2, RFC 5780 7).
BINDING, BOUND, KEEPALIVE, REFUSED = 0x0001, 0x0101, 0x0011, 0x0111
ALLOCATE, ALLOCATED, ALLOCATE_ERROR = 0x0003, 0x0103, 0x0113
SEND, DATA_INDICATION, PERMIT, PERMITTED, CHANNEL_BIND = 0x0016, 0x0017, 0x0008, 0x0108, 0x0009
MAPPED, XOR_MAPPED, OLD_XOR_MAPPED, PEER, RELAYED = 0x0001, 0x0020, 0x8020, 0x0012, 0x0016
CHANNEL_NUMBER, DATA, USERNAME, SOFTWARE, REALM, NONCE = 0x000C, 0x0013, 0x0006, 0x8022, 0x0014, 0x0015


def packed(address: str) -> bytes:
    return ip_address(address).packed


def attribute(number: int, value: bytes, *, padded: bool = True) -> bytes:
    """RFC 8489 14. Some implementations do not pad (`padded=False`)."""
    return struct.pack(">HH", number, len(value)) + value + bytes(-len(value) % 4 if padded else 0)


def stun(kind: int, attributes: Iterable[bytes], transaction: bytes, *, more: int = 0) -> bytes:
    """RFC 8489 5. A transaction of 16 bytes makes it one of RFC 3489; the length says `more` bytes than are there."""
    body = b"".join(attributes)
    cookie = b"" if len(transaction) == 16 else struct.pack(">I", COOKIE)
    return struct.pack(">HH", kind, len(body) + more) + cookie + transaction + body


def plain(address: str, port: int) -> bytes:
    """The value of a MAPPED-ADDRESS (RFC 8489 14.1)."""
    ip = ip_address(address)
    return struct.pack(">BBH", 0, 1 if ip.version == 4 else 2, port) + ip.packed


def xored(address: str, port: int, transaction: bytes) -> bytes:
    """The value of a XOR-MAPPED-ADDRESS (RFC 8489 14.2). Before RFC 5389 the first 4 of the 16 bytes were the key."""
    key = (struct.pack(">I", COOKIE) + transaction)[:16] if len(transaction) == 12 else transaction
    ip = ip_address(address)
    mixed = bytes(a ^ b for a, b in zip(ip.packed, key, strict=False))
    return struct.pack(">BBH", 0, 1 if ip.version == 4 else 2, port ^ int.from_bytes(key[:2])) + mixed


def channel(number: int, data: bytes, *, padded: bool = False) -> bytes:
    """ChannelData (RFC 8656 12.4): over TCP it is padded, over UDP it need not be."""
    return struct.pack(">HH", number, len(data)) + data + bytes(-len(data) % 4 if padded else 0)


def rtp(rng: random.Random, size: int = 120) -> bytes:
    """A media datagram of `size` bytes (RFC 3550 5.1)."""
    return bytes([0x90, rng.choice([96, 111, 120])]) + rng.randbytes(size - 2)


def udp(src: End, dst: End, payload: bytes) -> bytes:
    """An IP packet with an UDP datagram."""
    return ip(src[0], dst[0], 17, struct.pack(">HHHH", src[1], dst[1], 8 + len(payload), 0) + payload)


def tcp(src: End, dst: End, seq: int, payload: bytes = b"", *, flags: int = 0x18, ack: int = 1) -> bytes:
    """An IP packet with a TCP segment; those with SYN have the options of a phone's kernel."""
    options = b"\2\4\5\xb4\4\2\x08\x0a" + bytes(8) + b"\1\3\3\7" if flags & 2 else b"\1\1\x08\x0a" + bytes(8)
    words = 5 + len(options) // 4
    fixed = struct.pack(">HHIIBBHHH", *(src[1], dst[1], seq % 2**32, ack % 2**32, words << 4, flags, 65535, 0, 0))
    return ip(src[0], dst[0], 6, fixed + options + payload)


def ip(src: str, dst: str, protocol: int, body: bytes, *, number: int = 0, place: int = 0x4000) -> bytes:
    """An IPv4 packet, its fragment fields as said, or an IPv6 packet."""
    if ip_address(src).version == 6:
        return struct.pack(">IHBB", 6 << 28, len(body), protocol, 64) + packed(src) + packed(dst) + body
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(body), number, place, 64, protocol, 0)
    return head + packed(src) + packed(dst) + body


def with_options(packet: bytes) -> bytes:
    """An IPv4 packet with options (a router alert, RFC 2113), an IPv6 packet with a hop-by-hop header of padding."""
    if packet[0] >> 4 == 6:
        length = struct.pack(">H", int.from_bytes(packet[4:6]) + 8)
        return packet[:4] + length + b"\0" + packet[7:40] + packet[6:7] + b"\0\1\4\0\0\0\0" + packet[40:]
    length = struct.pack(">H", int.from_bytes(packet[2:4]) + 4)
    return b"\x46" + packet[1:2] + length + packet[4:20] + b"\x94\4\0\0" + packet[20:]


def fragments(packet: bytes, sizes: Sequence[int], number: int) -> list[bytes]:
    """A packet in fragments with so many bytes of its body each, the rest in the last; all but it multiples of 8."""
    six = packet[0] >> 4 == 6
    head, body = (packet[:40], packet[40:]) if six else (packet[:20], packet[20:])
    src, dst = (str(ip_address(each)) for each in ((head[8:24], head[24:]) if six else (head[12:16], head[16:])))
    protocol, at, found = head[6] if six else head[9], 0, []
    for size in (*sizes, len(body)):
        part = body[at : at + size]
        more = at + len(part) < len(body)
        if six:
            extension = struct.pack(">BBHI", protocol, 0, at | more, number)
            found.append(ip(src, dst, 44, extension + part))
        elif part:
            found.append(ip(src, dst, protocol, part, number=number & 0xFFFF, place=more << 13 | at // 8))
        at += len(part)
        if not more:
            return found
    return found


def ethernet(packet: bytes, *, outbound: bool = True) -> bytes:
    ends = (b"\2\0\0\0\0\1", b"\2\0\0\0\0\2")
    return b"".join(ends if outbound else ends[::-1]) + (b"\x86\xdd" if packet[0] >> 4 == 6 else b"\x08\0") + packet


def pcap(frames: Iterable[tuple[int, bytes]], snaplen: int = 262_144) -> bytes:
    """A capture of Ethernet frames, with their times in us since its beginning, each cut at the snapshot length."""
    found = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, snaplen, 1)]
    for at_us, frame in frames:
        kept = frame[:snaplen]
        seconds, rest = divmod(at_us, 1_000_000)
        found += [struct.pack("<IIII", 1_760_000_000 + seconds, rest, len(kept), len(frame)), kept]
    return b"".join(found)
