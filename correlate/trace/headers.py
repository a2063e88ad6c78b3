"""IP and UDP headers (RFC 791, RFC 8200, RFC 768), many frames at a time.

Plain packets are gathered by numpy; fragments and IPv6 extension headers take the exact, slow way of `fragments`. All
columns are int64; an IPv6 address is two unsigned 64-bit halves, an IPv4 address is its low half alone.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from correlate.trace.records import Column, Octets, u16, window

IPV4_BYTES, IPV6_BYTES, UDP_BYTES = 20, 40, 8
UDP = 17
EXTENSIONS = (0, 43, 44, 51, 60, 135, 139, 140)
FRAGMENT, AUTHENTICATION = 44, 51
TUNNELS = {
    4: "IPv4 in IP", 41: "IPv6 in IP", 47: "GRE", 50: "ESP", 97: "EtherIP", 115: "L2TP", 137: "MPLS in IP",
}  # fmt: skip
"""Protocols of what holds packets and is not looked into: the outermost UDP counts (IANA's registry of them)."""
TUNNELS_V4 = {**TUNNELS, 51: "AH"}
"""An extension header of IPv6 (RFC 4302), which is followed there."""
# Ports and length are what counts; the checksum may be cut off.
UDP_NEEDED_BYTES = 6

Words = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Frames:
    """Frames that hold an IP header, a row each. Offsets into the octets; `end` and `wire_end` are where the frame
    ends in the file and would end had it been captured whole. `index` is the row among all records."""

    index: Column
    offset: Column
    end: Column
    wire_end: Column
    time_ns: Column

    def take(self, rows: Column) -> Frames:
        return Frames(*(getattr(self, name.name)[rows] for name in fields(self)))


@dataclass(frozen=True, slots=True)
class Found:
    """UDP frames, a row each. `packet_bytes` is the length of the IP packet; `payload_offset` is -1 where no payload
    was captured. `high` and `low` are the halves of the addresses, (2, n): source, destination."""

    index: Column
    version: Column
    high: Words
    low: Words
    src_port: Column
    dst_port: Column
    payload_bytes: Column
    payload_offset: Column
    payload_captured: Column
    packet_bytes: Column


def _udp(octets: Octets, frames: Frames, header: Column, packet_end: Column) -> tuple[Column, Column, Column, Column]:
    """Source port, destination port, payload bytes and payload bytes captured, of UDP headers at offset `header`.

    The payload is what the UDP length says (RFC 768), so Ethernet padding is none of it, and at most what the IP packet
    has room for; a length of zero (jumbograms, RFC 2675, and segmentation offload) leaves it to the IP packet.
    """
    head = window(octets, header, UDP_BYTES)
    length = u16(head, 4)
    room = packet_end - header - UDP_BYTES
    payload = np.where(length == 0, room, np.minimum(np.maximum(length - UDP_BYTES, 0), room))
    there = np.minimum(payload, frames.end - header - UDP_BYTES)
    return u16(head, 0), u16(head, 2), payload, np.maximum(there, 0)


def _found(octets: Octets, frames: Frames, version: int, ends: Words, header: Column, packet_end: Column) -> Found:
    src_port, dst_port, payload, captured = _udp(octets, frames, header, packet_end)
    offset = np.where(captured > 0, header + UDP_BYTES, -1)
    kind = np.full(len(header), version, np.int64)
    high, low = ends[:, :, 0], ends[:, :, 1]
    packet_bytes = packet_end - frames.offset
    return Found(frames.index, kind, high, low, src_port, dst_port, payload, offset, captured, packet_bytes)


def ipv4(octets: Octets, frames: Frames) -> tuple[Found, Frames]:
    """Whole UDP datagrams among IPv4 frames, options included; and the frames that hold a fragment of UDP."""
    head = window(octets, frames.offset, IPV4_BYTES)
    header_bytes = (head[:, 0].astype(np.int64) & 15) * 4
    total = u16(head, 2)
    # A total length of zero is left by segmentation offload: the frame is all that is known.
    packet_end = np.where(total == 0, frames.wire_end, frames.offset + total)
    fragment = (u16(head, 6) & 0x3FFF) != 0
    room = frames.end - frames.offset
    sound = (head[:, 0] >> 4 == 4) & (header_bytes >= IPV4_BYTES) & (head[:, 9] == UDP) & (room >= header_bytes)
    header = frames.offset + header_bytes
    fits = (room >= header_bytes + UDP_NEEDED_BYTES) & (packet_end >= header + UDP_BYTES)
    rows = np.flatnonzero(sound & ~fragment & fits)
    ends = np.zeros((2, len(rows), 2), np.uint64)
    ends[:, :, 1] = np.ascontiguousarray(head[rows, 12:20]).view(">u4").T
    found = _found(octets, frames.take(rows), 4, ends, header[rows], packet_end[rows])
    return found, frames.take(np.flatnonzero(sound & fragment))


def ipv6(octets: Octets, frames: Frames) -> tuple[Found, Frames]:
    """UDP datagrams right behind an IPv6 header; and the frames with extension headers."""
    head = window(octets, frames.offset, IPV6_BYTES)
    length = u16(head, 4)
    header = frames.offset + IPV6_BYTES
    packet_end = np.where(length == 0, frames.wire_end, header + length)
    sound = (head[:, 0] >> 4 == 6) & (frames.end >= header)
    fits = (frames.end >= header + UDP_NEEDED_BYTES) & (packet_end >= header + UDP_BYTES)
    rows = np.flatnonzero(sound & (head[:, 6] == UDP) & fits)
    ends = np.ascontiguousarray(head[rows, 8:40]).view(">u8").astype(np.uint64).reshape(-1, 2, 2).transpose(1, 0, 2)
    found = _found(octets, frames.take(rows), 6, ends, header[rows], packet_end[rows])
    return found, frames.take(np.flatnonzero(sound & np.isin(head[:, 6], EXTENSIONS)))
