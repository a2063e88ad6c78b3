"""Packets built byte by byte: IP, UDP, TCP, fragments, and the file they lie in."""

import ipaddress
import struct
from itertools import count
from pathlib import Path

from correlate.trace import Trace

T0_NS = 1_700_000_000_000_000_000
COOKIE = struct.pack(">I", 0x2112A442)
TRANSACTION = bytes(range(12))
SYN, ACK = 0x02, 0x10


def ip(src, dst, protocol, data, *, number=0, place=0):
    """An IP packet; `place` is IPv4's flags and fragment offset."""
    source, target = ipaddress.ip_address(src), ipaddress.ip_address(dst)
    if source.version == 4:
        head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(data), number, place, 64, protocol, 0)
    else:
        head = struct.pack(">IHBB", 6 << 28, len(data), protocol, 64)
    return head + source.packed + target.packed + data


def datagram(src, dst, payload):
    return ip(src[0], dst[0], 17, struct.pack(">HHHH", src[1], dst[1], 8 + len(payload), 0) + payload)


def segment(src, dst, seq, payload=b"", flags=ACK):
    head = struct.pack(">HHIIBBHHH", src[1], dst[1], seq & 0xFFFFFFFF, 1, 5 << 4, flags, 8192, 0, 0)
    return ip(src[0], dst[0], 6, head + payload)


def fragments(src, dst, payload, size, number=77):
    """The IPv4 fragments of a datagram, `size` bytes (a multiple of 8) behind the IP header of each but the last."""
    data = struct.pack(">HHHH", src[1], dst[1], 8 + len(payload), 0) + payload
    starts = range(0, len(data), size)
    return [
        ip(src[0], dst[0], 17, data[at : at + size], number=number, place=at // 8 | 0x2000 * (at + size < len(data)))
        for at in starts
    ]


def attribute(kind, value, pad=4):
    return struct.pack(">HH", kind, len(value)) + value + bytes(-len(value) % pad)


def message(kind, *attributes, transaction=TRANSACTION):
    body = b"".join(attributes)
    return struct.pack(">HH", kind, len(body)) + COOKIE + transaction + body


def channel(number, data, pad=1):
    return struct.pack(">HH", number, len(data)) + data + bytes(-len(data) % pad)


def address(kind, text, port=1000, *, xored=True, transaction=TRANSACTION):
    of = ipaddress.ip_address(text)
    key = COOKIE + transaction if xored else bytes(16)
    mixed = bytes(a ^ b for a, b in zip(of.packed, key, strict=False))
    head = struct.pack(">BBH", 0, 1 if of.version == 4 else 2, port ^ int.from_bytes(key[:2]))
    return attribute(kind, head + mixed)


def pcap(packets, snaplen=262_144):
    """Raw IP packets 10 ms apart."""
    out = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262_144, 101)
    for number, data in zip(count(), packets, strict=False):
        time_ns = T0_NS + number * 10_000_000
        out += struct.pack("<IIII", *divmod(time_ns, 10**9), min(len(data), snaplen), len(data)) + data[:snaplen]
    return out


def trace(folder: Path, packets, snaplen=262_144) -> Trace:
    path = folder / "wire.pcap"
    path.write_bytes(pcap(packets, snaplen))
    return Trace.read(path)
