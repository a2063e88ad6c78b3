"""IP packets that take more than one look: fragments of both versions and IPv6 extension headers.

RFC 791 3.2, RFC 8200 4. Every fragment counts for the flow of its datagram's first fragment, which alone holds the
ports. Fragments may come in any order; one whose first fragment was not captured belongs to no flow.
"""

from __future__ import annotations

import struct
from collections.abc import Hashable, Iterator
from dataclasses import dataclass

import numpy as np

from correlate.trace.headers import EXTENSIONS, IPV6_BYTES, UDP, UDP_BYTES, UDP_NEEDED_BYTES, Found, Frames
from correlate.trace.records import Octets

REASSEMBLY_NS = 60_000_000_000  # RFC 8200 4.5: fragments of one datagram arrive within 60 seconds
_FRAGMENT, _AUTHENTICATION = 44, 51
_MASK = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class _Piece:
    """One packet after its IP headers. `key` names its datagram, None for a whole one; `header` is the offset of the
    UDP header, None where this packet holds none (later fragments)."""

    index: int
    time_ns: int
    version: int
    src: int
    dst: int
    key: Hashable | None
    header: int | None
    packet_bytes: int
    packet_end: int
    end: int


def rest(octets: Octets, v4: Frames, v6: Frames) -> Found:
    """UDP rows of frames that `headers.ipv4` and `headers.ipv6` left over; v4 are all fragments of UDP."""
    data = octets.data
    pieces = [piece for frame in _rows(v4) if (piece := _ipv4(data, *frame))]
    pieces += [piece for frame in _rows(v6) if (piece := _ipv6(data, *frame))]
    pieces.sort(key=lambda piece: piece.index)
    return _columns([row for piece, ports in _with_ports(data, pieces) if (row := _row(data, piece, ports))])


def _rows(frames: Frames) -> Iterator[tuple[int, int, int, int, int]]:
    columns = frames.index, frames.offset, frames.end, frames.wire_end, frames.time_ns
    return zip(*(column.tolist() for column in columns), strict=True)


def _ipv4(data: memoryview, index: int, offset: int, end: int, wire_end: int, time_ns: int) -> _Piece | None:
    first, total, number, fragment = struct.unpack_from(">BxHHH", data, offset)
    src, dst = struct.unpack_from(">II", data, offset + 12)
    packet_end = offset + total if total else wire_end
    header = offset + (first & 15) * 4
    key = (4, src, dst, number)
    return _Piece(
        index, time_ns, 4, src, dst, key, None if fragment & 0x1FFF else header, packet_end - offset, packet_end, end
    )


def _ipv6(data: memoryview, index: int, offset: int, end: int, wire_end: int, time_ns: int) -> _Piece | None:
    length, following = struct.unpack_from(">HB", data, offset + 4)
    src, dst = (int.from_bytes(data[offset + at : offset + at + 16]) for at in (8, 24))
    packet_end = offset + IPV6_BYTES + length if length else wire_end
    at, key = offset + IPV6_BYTES, None
    while following in EXTENSIONS:
        if at + 8 > min(end, packet_end):
            return None
        kind, (following, units) = following, data[at : at + 2]
        if kind == _FRAGMENT:
            place, number = struct.unpack_from(">HI", data, at + 2)
            # An atomic fragment (RFC 6946) is a whole datagram.
            key = (6, src, dst, number) if place & ~6 else None
            if place >> 3:
                return _Piece(index, time_ns, 6, src, dst, key, None, packet_end - offset, packet_end, end)
            units = 0
        at += (units + 2) * 4 if kind == _AUTHENTICATION else (units + 1) * 8
    if following != UDP:
        return None
    return _Piece(index, time_ns, 6, src, dst, key, at, packet_end - offset, packet_end, end)


def _ports(data: memoryview, piece: _Piece) -> tuple[int, int] | None:
    header = piece.header
    if header is None or header + UDP_NEEDED_BYTES > piece.end or header + UDP_BYTES > piece.packet_end:
        return None
    src_port, dst_port = struct.unpack_from(">HH", data, header)
    return src_port, dst_port


def _with_ports(data: memoryview, pieces: list[_Piece]) -> Iterator[tuple[_Piece, tuple[int, int]]]:
    """Every piece whose ports are known, from its own UDP header or from its datagram's first fragment."""
    firsts: dict[Hashable, tuple[int, tuple[int, int]]] = {}
    waiting: dict[Hashable, list[_Piece]] = {}
    for piece in pieces:
        ports = _ports(data, piece)
        if piece.header is None:
            time_ns, known = firsts.get(piece.key, (0, None))
            if known and _together(time_ns, piece.time_ns):
                yield piece, known
            else:
                waiting.setdefault(piece.key, []).append(piece)
        elif ports:
            yield piece, ports
            if piece.key:
                firsts[piece.key] = piece.time_ns, ports
                early = waiting.pop(piece.key, [])
                yield from ((later, ports) for later in early if _together(later.time_ns, piece.time_ns))


def _together(one_ns: int, other_ns: int) -> bool:
    return one_ns < 0 or other_ns < 0 or abs(one_ns - other_ns) <= REASSEMBLY_NS


def _row(data: memoryview, piece: _Piece, ports: tuple[int, int]) -> tuple[int, ...]:
    """The columns of Found, addresses as source high, destination high, source low, destination low."""
    payload, offset, captured = 0, -1, 0
    if piece.header is not None:
        (length,) = struct.unpack_from(">H", data, piece.header + 4)
        room = piece.packet_end - piece.header - UDP_BYTES
        payload = max(length - UDP_BYTES, 0) if length else room
        captured = max(min(payload, room, piece.end - piece.header - UDP_BYTES), 0)
        offset = piece.header + UDP_BYTES if captured else -1
    ends = piece.src >> 64, piece.dst >> 64, piece.src & _MASK, piece.dst & _MASK
    return piece.index, piece.version, *ends, *ports, payload, offset, captured, piece.packet_bytes


def _columns(rows: list[tuple[int, ...]]) -> Found:
    columns = list(zip(*rows, strict=True)) if rows else [()] * 12
    index, version, *ends = columns[:6]
    words = np.array(ends, np.uint64).reshape(2, 2, -1)
    numbers = [np.array(column, np.int64) for column in (index, version, *columns[6:])]
    return Found(numbers[0], numbers[1], words[0], words[1], *numbers[2:])
