"""IP packets that take more than one look: fragments of both versions and IPv6 extension headers.

RFC 791 3.2, RFC 8200 4. Every fragment counts for the flow of its datagram's first fragment, which alone holds the
ports. Fragments may come in any order, in different blocks of a file too; one whose first fragment was not captured
belongs to no flow. Memory is bounded: by MAX_WAITING and MAX_FIRSTS, the same however a file is cut into blocks.
"""

import struct
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from correlate.trace.headers import (
    AUTHENTICATION,
    EXTENSIONS,
    FRAGMENT,
    IPV6_BYTES,
    UDP,
    UDP_BYTES,
    UDP_NEEDED_BYTES,
    Frames,
)
from correlate.trace.records import Octets, Records
from correlate.trace.rows import Rows, leads, no_rows
from correlate.trace.tuples import Tuples

REASSEMBLY_NS = 60_000_000_000  # RFC 8200 4.5: fragments of one datagram arrive within 60 seconds
# Fragments that wait for their first one, and first ones remembered for theirs; beyond, the oldest are let go.
MAX_WAITING, MAX_FIRSTS = 8_192, 16_384
_MASK = (1 << 64) - 1

_Ports = tuple[int, int]


class Fragment(NamedTuple):
    """A fragment of an IP packet of UDP: `key` names the packet. Its bytes stand `at` of the packet's payload, `length`
    of them, of which `captured` lie at `offset` of the block; `more` follow it."""

    frame: int
    time_ns: int
    key: Hashable
    at: int
    length: int
    more: bool
    offset: int
    captured: int


@dataclass(frozen=True, slots=True)
class _Piece:
    """One packet after its IP headers. `key` names its datagram, None for a whole one; `header` is the offset of the
    UDP header in its block, None where this packet holds none (later fragments)."""

    index: int
    time_ns: int
    wire: int
    captured: int
    version: int
    src: int
    dst: int
    key: Hashable | None
    header: int | None
    packet_bytes: int
    packet_end: int
    end: int
    data: int
    at: int
    more: bool

    def fragment(self) -> Fragment:
        length, captured = self.packet_end - self.data, min(self.end, self.packet_end) - self.data
        place = self.at, max(length, 0), self.more, self.data, max(captured, 0)
        return Fragment(self.index, self.time_ns, self.key, *place)


class Reassembly:
    """Gives every fragment the ports of its datagram. Holds nothing of a block but what a later one may need.

    `fragments` are those of the records that were looked at since it was emptied.
    """

    def __init__(self) -> None:
        self.fragments: list[Fragment] = []
        self._firsts: dict[Hashable, tuple[int, _Ports]] = {}
        self._waiting: dict[Hashable, list[_Piece]] = {}
        self._waiting_count = 0

    def rest(self, octets: Octets, records: Records, frame: int, v4: Frames, v6: Frames, tuples: Tuples) -> Rows:
        """UDP rows of frames that `headers.ipv4` and `headers.ipv6` left over; v4 are all fragments of UDP.

        `frame` is the number of the first of `records`. Rows of earlier blocks may be among them.
        """
        if not len(v4.index) and not len(v6.index):
            return no_rows()
        data = octets.data
        pieces = [piece for row in _rows(records, frame, v4) if (piece := _ipv4(data, *row))]
        pieces += [piece for row in _rows(records, frame, v6) if (piece := _ipv6(data, *row))]
        pieces.sort(key=lambda piece: piece.index)
        self.fragments += [piece.fragment() for piece in pieces if piece.key is not None]
        # A tuple's first item is its frame: by frame, whenever its ports became known.
        return _columns(
            sorted(_row(data, piece, ports) for piece, ports in self._with_ports(data, pieces)), octets, tuples
        )

    def _with_ports(self, data: memoryview, pieces: list[_Piece]) -> Iterator[tuple[_Piece, _Ports]]:
        """Every piece whose ports are known, from its own UDP header or from its datagram's first fragment."""
        for piece in pieces:
            ports = _ports(data, piece)
            if piece.header is None:
                time_ns, known = self._firsts.get(piece.key, (0, None))
                if known and _together(time_ns, piece.time_ns):
                    yield piece, known
                else:
                    self._wait(piece)
            elif ports:
                yield piece, ports
                if piece.key:
                    early = self._remember(piece, ports)
                    yield from ((later, ports) for later in early if _together(later.time_ns, piece.time_ns))

    def _wait(self, piece: _Piece) -> None:
        self._waiting.setdefault(piece.key, []).append(piece)
        self._waiting_count += 1
        while self._waiting_count > MAX_WAITING:
            self._waiting_count -= len(self._waiting.pop(next(iter(self._waiting))))

    def _remember(self, piece: _Piece, ports: _Ports) -> list[_Piece]:
        """The fragments that waited for this first one."""
        self._firsts.pop(piece.key, None)
        self._firsts[piece.key] = piece.time_ns, ports
        if len(self._firsts) > MAX_FIRSTS:
            del self._firsts[next(iter(self._firsts))]
        early = self._waiting.pop(piece.key, [])
        self._waiting_count -= len(early)
        return early


def _rows(records: Records, frame: int, frames: Frames) -> Iterator[tuple[int, ...]]:
    columns = frames.index + frame, frames.time_ns, records.wire[frames.index], records.captured[frames.index]
    places = frames.offset, frames.end, frames.wire_end
    return zip(*(column.tolist() for column in (*columns, *places)), strict=True)


def _ipv4(
    data: memoryview, index: int, time_ns: int, wire: int, captured: int, offset: int, end: int, wire_end: int
) -> _Piece | None:
    first, total, number, fragment = struct.unpack_from(">BxHHH", data, offset)
    src, dst = struct.unpack_from(">II", data, offset + 12)
    packet_end = offset + total if total else wire_end
    header = offset + (first & 15) * 4
    key = (4, src, dst, number)
    at = (fragment & 0x1FFF) * 8
    ends = packet_end - offset, packet_end, end, header, at, bool(fragment & 0x2000)
    return _Piece(index, time_ns, wire, captured, 4, src, dst, key, None if at else header, *ends)


def _ipv6(
    data: memoryview, index: int, time_ns: int, wire: int, captured: int, offset: int, end: int, wire_end: int
) -> _Piece | None:
    length, following = struct.unpack_from(">HB", data, offset + 4)
    src, dst = (int.from_bytes(data[offset + at : offset + at + 16]) for at in (8, 24))
    packet_end = offset + IPV6_BYTES + length if length else wire_end
    at, key, place = offset + IPV6_BYTES, None, 0
    while following in EXTENSIONS:
        if at + 8 > min(end, packet_end):
            return None
        kind, (following, units) = following, data[at : at + 2]
        if kind == FRAGMENT:
            place, number = struct.unpack_from(">HI", data, at + 2)
            # An atomic fragment (RFC 6946) is a whole datagram.
            key = (6, src, dst, number) if place & ~6 else None
            units = 0
            if place >> 3:
                at += 8
                break
        at += (units + 2) * 4 if kind == AUTHENTICATION else (units + 1) * 8
    later = bool(place >> 3)
    if following != UDP and not later:
        return None
    ends = packet_end - offset, packet_end, end, at, place & ~7, bool(place & 1)
    return _Piece(index, time_ns, wire, captured, 6, src, dst, key, None if later else at, *ends)


def _ports(data: memoryview, piece: _Piece) -> _Ports | None:
    header = piece.header
    if header is None or header + UDP_NEEDED_BYTES > piece.end or header + UDP_BYTES > piece.packet_end:
        return None
    src_port, dst_port = struct.unpack_from(">HH", data, header)
    return src_port, dst_port


def _together(one_ns: int, other_ns: int) -> bool:
    return one_ns < 0 or other_ns < 0 or abs(one_ns - other_ns) <= REASSEMBLY_NS


def _row(data: memoryview, piece: _Piece, ports: _Ports) -> tuple[int, ...]:
    """The columns of Rows but its five-tuple; then version, the words of its addresses, and both ports as one."""
    payload, offset, captured = 0, -1, 0
    if piece.header is not None:
        (length,) = struct.unpack_from(">H", data, piece.header + 4)
        room = piece.packet_end - piece.header - UDP_BYTES
        payload = max(length - UDP_BYTES, 0) if length else room
        # Of a fragment alone the length may say more than its packet holds: it is that of the whole datagram.
        payload = payload if piece.key else min(payload, room)
        captured = max(min(payload, room, piece.end - piece.header - UDP_BYTES), 0)
        offset = piece.header + UDP_BYTES if captured else -1
    words = piece.src >> 64, piece.src & _MASK, piece.dst >> 64, piece.dst & _MASK
    if piece.version == 4:
        words = piece.src << 32 | piece.dst, 0, 0, 0
    frame = piece.index, piece.time_ns, piece.wire, piece.captured, piece.packet_bytes
    return *frame, payload, offset, captured, piece.version, *words, ports[0] << 16 | ports[1]


def _columns(rows: list[tuple[int, ...]], octets: Octets, tuples: Tuples) -> Rows:
    if not rows:
        return no_rows()
    columns = list(zip(*rows, strict=True))
    numbers = [np.array(column, np.int64) for column in columns[:9]]
    words = [np.array(column, np.uint64) for column in columns[9:]]
    ends = np.zeros(len(rows), np.int64)
    for version, count in ((4, 1), (6, 4)):
        mine = np.flatnonzero(numbers[8] == version)
        ends[mine] = tuples.numbers(version, [word[mine] for word in words[:count]], words[4][mine])
    frame, time_ns, wire, captured, packet_bytes, payload, offset, there = numbers[:8]
    lead = leads(octets, offset)
    return Rows(frame, time_ns, wire, captured, packet_bytes, ends, payload, offset, there, lead)
