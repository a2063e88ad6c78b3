"""TCP segments that carry payload: how much of a trial does not go over UDP? (RFC 9293 3.1)

Whole IPv4 packets and IPv6 packets without extension headers; fragments of TCP are left out. The payload is what the IP
length says, so that a snaplen changes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from ipaddress import IPv4Address, IPv6Address

import numpy as np

from correlate.trace.addresses import Address
from correlate.trace.headers import IPV4_BYTES, IPV6_BYTES, Frames
from correlate.trace.links import IPV4, IPV6, READERS
from correlate.trace.records import Column, Interface, Octets, Records, u16, window
from correlate.trace.stream import CaptureReader

TCP = 6
TCP_BYTES = 20
TCP_NEEDED_BYTES = 13
"""Ports and the data offset; the rest of the header may be cut off."""

Packed = tuple[Column, list[bytes], list[bytes]]


@dataclass(frozen=True, slots=True)
class Segments:
    """One row for each TCP segment with payload, in file order. `frame` counts all packets of the file from 1; `src`
    and `dst` are indexes into `addresses`; `payload_bytes` is of the wire, retransmissions included."""

    frame: Column
    src: Column
    dst: Column
    src_port: Column
    dst_port: Column
    payload_bytes: Column
    addresses: tuple[Address, ...]

    def between(self, first: int, last: int) -> Segments:
        """The rows of frames strictly between two frame numbers."""
        kept = np.flatnonzero((self.frame > first) & (self.frame < last))
        names = [field.name for field in fields(self) if field.name != "addresses"]
        return replace(self, **{name: getattr(self, name)[kept] for name in names})


class Finder:
    """What finds the segments while a file is read for something else: the `look` of a `CaptureReader`."""

    def __init__(self) -> None:
        self._found: list[Packed] = []

    def __call__(self, octets: Octets, records: Records, first_frame: int, interfaces: list[Interface]) -> None:
        """Looks at the records of one block."""
        for number, face in enumerate(interfaces):
            self._found.extend(_of_interface(octets, records, first_frame, number, face))

    def segments(self) -> Segments:
        """Those of all blocks so far, in file order."""
        return _joined(self._found)


def read(path: str | os.PathLike[str]) -> Segments:
    """The segments of the capture at `path`, up to where its chain of records breaks. Raises Unreadable."""
    finder = Finder()
    for _ in CaptureReader(path, look=finder):
        pass
    return finder.segments()


def _of_interface(octets: Octets, records: Records, first_frame: int, number: int, face: Interface) -> Iterator[Packed]:
    rows = np.flatnonzero(records.interface == number)
    if not len(rows):
        return  # an interface without packets may have any link type
    start = records.start[rows]
    end = start + records.captured[rows]
    offset, kind = READERS[face.link_type](octets, start, end, face.big_endian)
    frames = Frames(first_frame - 1 + rows, offset, end, start + records.wire[rows], records.time_ns[rows])
    for ethertype, header_bytes in ((IPV4, IPV4_BYTES), (IPV6, IPV6_BYTES)):
        fits = np.flatnonzero((kind == ethertype) & (offset + header_bytes + TCP_NEEDED_BYTES <= end))
        yield segments(octets, frames.take(fits), ethertype)


def segments(octets: Octets, frames: Frames, ethertype: int) -> Packed:
    """Of frames with a whole IP header: (4, n) frame number, ports and payload bytes; sources and targets, packed."""
    if not len(frames.offset):
        return np.zeros((4, 0), np.int64), [], []
    if ethertype == IPV4:
        head = window(octets, frames.offset, IPV4_BYTES)
        length = (head[:, 0].astype(np.int64) & 15) * 4
        fits = (head[:, 9] == TCP) & (length >= IPV4_BYTES) & (u16(head, 6) & 0x3FFF == 0)
        total, ends = u16(head, 2), head[:, 12:20]
        packet_end = np.where(total == 0, frames.wire_end, frames.offset + total)
    else:
        head = window(octets, frames.offset, IPV6_BYTES)
        length = np.full(len(head), IPV6_BYTES, np.int64)
        fits, total, ends = head[:, 6] == TCP, u16(head, 4), head[:, 8:40]
        packet_end = np.where(total == 0, frames.wire_end, frames.offset + IPV6_BYTES + total)
    at = frames.offset + length
    fits &= at + TCP_NEEDED_BYTES <= frames.end
    rows = np.flatnonzero(fits)
    tcp = window(octets, at[rows], TCP_BYTES)
    payload = packet_end[rows] - at[rows] - (tcp[:, 12].astype(np.int64) >> 4) * 4
    full = np.flatnonzero(payload > 0)
    rows, tcp, size = rows[full], tcp[full], ends.shape[1] // 2
    table = np.stack([frames.index[rows] + 1, u16(tcp, 0), u16(tcp, 2), payload[full]])
    return table, [row.tobytes() for row in ends[rows, :size]], [row.tobytes() for row in ends[rows, size:]]


def _joined(found: list[Packed]) -> Segments:
    table = np.concatenate([np.zeros((4, 0), np.int64), *(part for part, _, _ in found)], axis=1)
    sources = [packed for _, source, _ in found for packed in source]
    targets = [packed for _, _, target in found for packed in target]
    known = {
        packed: index for index, packed in enumerate(sorted({*sources, *targets}, key=lambda one: (len(one), one)))
    }
    order = np.argsort(table[0], kind="stable")
    src, dst = (np.array([known[packed] for packed in side], np.int64)[order] for side in (sources, targets))
    addresses: tuple[Address, ...] = tuple(_address(packed) for packed in known)
    frame, src_port, dst_port, payload_bytes = table[:, order]
    return Segments(frame, src, dst, src_port, dst_port, payload_bytes, addresses)


def _address(packed: bytes) -> Address:
    return IPv4Address(packed) if len(packed) == 4 else IPv6Address(packed)
