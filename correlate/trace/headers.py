"""IP and UDP headers (RFC 791, RFC 8200, RFC 768), many frames at a time.

Plain packets are gathered by numpy; fragments and IPv6 extension headers take the exact, slow way of `fragments`. All
columns are int64; the addresses of a packet are unsigned 64-bit words, as `Tuples` says.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from correlate.trace.records import Column, Columns, Octets, u16, window

IPV4_BYTES, IPV6_BYTES, UDP_BYTES = 20, 40, 8
UDP = 17
EXTENSIONS = (0, 43, 44, 51, 60, 135, 139, 140)
# Ports and length are what counts; the checksum may be cut off.
UDP_NEEDED_BYTES = 6

Words = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Frames(Columns):
    """Frames that hold an IP header, a row each. Offsets into the octets; `end` and `wire_end` are where the frame
    ends in the file and would end had it been captured whole. `index` is the row among all records."""

    index: Column
    offset: Column
    end: Column
    wire_end: Column
    time_ns: Column


@dataclass(frozen=True, slots=True)
class Found:
    """UDP frames of one IP version, a row each: the words of their addresses as `Tuples.numbers` takes them, the offset
    of their UDP header, and where their IP packet would end had it been captured whole."""

    frames: Frames
    version: int
    ends: list[Words]
    header: Column
    packet_end: Column


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
    ends = list(np.ascontiguousarray(head[rows, 12:20]).view(">u8").astype(np.uint64).T)
    found = Found(frames.take(rows), 4, ends, header[rows], packet_end[rows])
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
    ends = list(np.ascontiguousarray(head[rows, 8:40]).view(">u8").astype(np.uint64).T)
    found = Found(frames.take(rows), 6, ends, header[rows], packet_end[rows])
    return found, frames.take(np.flatnonzero(sound & np.isin(head[:, 6], EXTENSIONS)))
