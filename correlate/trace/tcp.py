"""TCP segments as columns: who sent which bytes of which stream (RFC 9293 3.1).

Of whole IP packets; fragments of TCP are left out. The payload is what the IP length says, so that a snaplen changes
nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from correlate.trace.addresses import Address
from correlate.trace.headers import AUTHENTICATION, EXTENSIONS, FRAGMENT, IPV4_BYTES, IPV6_BYTES, Frames
from correlate.trace.links import IPV4, IPV6, READERS
from correlate.trace.records import NO_INTERFACE, Column, Interface, Octets, Records, u16, window
from correlate.trace.tuples import Tuples

TCP = 6
TCP_BYTES = 20
TCP_NEEDED_BYTES = 14
"""Ports, sequence number, data offset and flags; the rest of the header may be cut off."""
SYN = 0x02


@dataclass(frozen=True, slots=True)
class SegmentRows:
    """One row for each TCP segment of a block, in file order; int64 columns. `frame` counts all packets of the file
    from 1, `ends` is the number of its four-tuple, `seq` and `flags` are its sequence number and its last eight flags.
    `payload_bytes` is of the wire; of it `payload_captured` bytes lie at `payload_offset` of the block."""

    frame: Column
    time_ns: Column
    ends: Column
    seq: Column
    flags: Column
    payload_bytes: Column
    payload_offset: Column
    payload_captured: Column

    def __len__(self) -> int:
        return len(self.frame)

    def take(self, rows: Column) -> SegmentRows:
        return SegmentRows(*(getattr(self, name)[rows] for name in _NAMES))

    @staticmethod
    def joined(parts: list[SegmentRows]) -> SegmentRows:
        """All rows of all parts, by frame."""
        if len(parts) == 1:
            return parts[0]
        none = np.zeros(0, np.int64)
        every = SegmentRows(*(np.concatenate([none, *(getattr(part, name) for part in parts)]) for name in _NAMES))
        in_order = (every.frame[1:] > every.frame[:-1]).all()
        return every if in_order else every.take(np.argsort(every.frame, kind="stable"))


_NAMES = tuple(name.name for name in fields(SegmentRows))


@dataclass(frozen=True, slots=True)
class Segments:
    """One row for each TCP segment of a file, in file order, as in `SegmentRows`; `payload_offset` points into the
    (unpacked) file. `src` and `dst` are indexes into `addresses`; `payload_bytes` counts retransmissions too."""

    rows: SegmentRows
    src: Column
    dst: Column
    src_port: Column
    dst_port: Column
    addresses: tuple[Address, ...]

    @staticmethod
    def of(parts: list[SegmentRows], tuples: Tuples) -> Segments:
        """The segments of all blocks of a file, whose four-tuples are numbered by `tuples`."""
        rows = SegmentRows.joined(parts)
        sources, targets = tuples.addresses()
        ordered = sorted({*sources, *targets}, key=lambda each: (each.version, int(each)))
        index = {address: number for number, address in enumerate(ordered)}
        src, dst = (np.array([0, *(index[each] for each in side)], np.int64) for side in (sources, targets))
        source_port, target_port = tuples.ports()
        ends = rows.ends
        return Segments(rows, src[ends], dst[ends], source_port[ends], target_port[ends], tuple(ordered))

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def frame(self) -> Column:
        return self.rows.frame

    @property
    def time_ns(self) -> Column:
        return self.rows.time_ns

    @property
    def payload_bytes(self) -> Column:
        return self.rows.payload_bytes

    def take(self, rows: Column) -> Segments:
        """Only these rows, with the same addresses."""
        kept = {name: getattr(self, name)[rows] for name in ("src", "dst", "src_port", "dst_port")}
        return replace(self, rows=self.rows.take(rows), **kept)

    def between(self, first: int, last: int) -> Segments:
        """The rows of frames strictly between two frame numbers."""
        return self.take(np.flatnonzero((self.frame > first) & (self.frame < last)))

    def with_payload(self) -> Segments:
        """The rows that carry payload."""
        return self.take(np.flatnonzero(self.payload_bytes > 0))


class Finder:
    """Finds the TCP segments of one file, block by block; remembers four-tuples."""

    def __init__(self) -> None:
        self.tuples = Tuples()

    def rows(self, octets: Octets, records: Records, frame: int, interfaces: list[Interface]) -> SegmentRows:
        """The segments of these records, the first of which has number `frame`."""
        many = len(interfaces) > 1
        parts = list[SegmentRows]()
        mixed = many or bool((records.interface == NO_INTERFACE).any())
        for number in np.unique(records.interface).tolist() if mixed else [0] * bool(len(records)):
            if number == NO_INTERFACE:
                continue
            face = interfaces[number]
            at = np.flatnonzero(records.interface == number) if mixed else np.arange(len(records))
            start = records.start[at]
            end = start + records.captured[at]
            offset, kind = READERS[face.link_type](octets, start, end, face.big_endian)
            frames = Frames(at + frame, offset, end, start + records.wire[at], records.time_ns[at])
            for ethertype, header_bytes in ((IPV4, IPV4_BYTES), (IPV6, IPV6_BYTES)):
                fits = np.flatnonzero((kind == ethertype) & (offset + header_bytes + TCP_NEEDED_BYTES <= end))
                if len(fits):
                    parts.append(self._segments(octets, frames.take(fits), ethertype))
        return SegmentRows.joined(parts)

    def _segments(self, octets: Octets, frames: Frames, ethertype: int) -> SegmentRows:
        """Of frames with a whole IP header."""
        head = window(octets, frames.offset, IPV4_BYTES if ethertype == IPV4 else IPV6_BYTES)
        if ethertype == IPV4:
            length = (head[:, 0].astype(np.int64) & 15) * 4
            fits = (head[:, 9] == TCP) & (length >= IPV4_BYTES) & (u16(head, 6) & 0x3FFF == 0)
            total, packed, version = u16(head, 2), head[:, 12:20], 4
        else:
            length, total = np.full(len(head), IPV6_BYTES, np.int64), u16(head, 4) + IPV6_BYTES
            total[total == IPV6_BYTES] = 0
            fits, packed, version = head[:, 6] == TCP, head[:, 8:40], 6
            for row in np.flatnonzero(np.isin(head[:, 6], EXTENSIONS)).tolist():
                length[row] = _behind_extensions(octets, int(frames.offset[row]), int(frames.end[row]))
                fits[row] = length[row] > 0
        packet_end = np.where(total == 0, frames.wire_end, frames.offset + total)
        at = frames.offset + length
        kept = np.flatnonzero(fits & (at + TCP_NEEDED_BYTES <= frames.end))
        at, packet_end = at[kept], packet_end[kept]
        tcp = window(octets, at, TCP_BYTES)
        words = np.ascontiguousarray(packed[kept]).view(">u8").astype(np.uint64)
        ports = (u16(tcp, 0) << 16 | u16(tcp, 2)).astype(np.uint64)
        ends = self.tuples.numbers(version, [words[:, word] for word in range(words.shape[1])], ports)
        data = at + np.maximum((tcp[:, 12].astype(np.int64) >> 4) * 4, TCP_BYTES)
        payload = np.maximum(packet_end - data, 0)
        captured = np.clip(frames.end[kept] - data, 0, payload)
        seq = u16(tcp, 4) << 16 | u16(tcp, 6)
        flags = tcp[:, 13].astype(np.int64)
        index, time_ns = frames.index[kept], frames.time_ns[kept]
        return SegmentRows(index, time_ns, ends, seq, flags, payload, data, captured)


def _behind_extensions(octets: Octets, offset: int, end: int) -> int:
    """Bytes of an IPv6 packet before its TCP header (RFC 8200 4); 0 where it has none, or is a fragment."""
    following, at = int(octets[offset + 6]), offset + IPV6_BYTES
    while following in EXTENSIONS:
        if at + 8 > end:
            return 0
        kind, following, units = following, int(octets[at]), int(octets[at + 1])
        if kind == FRAGMENT and int(octets[at + 2]) << 8 | int(octets[at + 3]) & 0xF9:
            return 0
        at += 8 if kind == FRAGMENT else (units + 2) * 4 if kind == AUTHENTICATION else (units + 1) * 8
    return at - offset if following == TCP else 0
