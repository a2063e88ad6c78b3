"""From records to columns of UDP datagrams: link header, IP header, UDP header, addresses."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from ipaddress import IPv4Address, IPv6Address

import numpy as np
from numpy.typing import NDArray

from correlate.trace import fragments
from correlate.trace.headers import IPV4_BYTES, Found, Frames, Words, ipv4, ipv6
from correlate.trace.links import IPV4, IPV6, READERS
from correlate.trace.records import Column, Octets, Records, window

CHUNK = 1 << 16  # records looked at together: bounds the memory that gathered headers take
HEAD_BYTES = 16


@dataclass(frozen=True, slots=True)
class Datagrams:
    """One row for each frame that carries UDP outermost, each IP fragment too, in file order; n rows.

    `frame` counts all packets of the file from 1. `time_ns` is -1 where the file has none. `wire_bytes` is the whole
    frame as on the wire, `captured_bytes` what the file holds of it. `src` and `dst` are indexes into `addresses`.
    `payload_bytes` is UDP length - 8, of the whole datagram in its first fragment and 0 in later ones; of it
    `payload_captured` bytes lie at `payload_offset` of the trace's data (-1 for none). `head` is (n, 16) uint8: the
    first payload bytes, zero where there are none.
    """

    frame: Column
    time_ns: Column
    wire_bytes: Column
    captured_bytes: Column
    src: NDArray[np.int32]
    dst: NDArray[np.int32]
    src_port: NDArray[np.int32]
    dst_port: NDArray[np.int32]
    payload_bytes: Column
    payload_offset: Column
    payload_captured: Column
    head: Octets
    addresses: tuple[IPv4Address | IPv6Address, ...]

    def __len__(self) -> int:
        return len(self.frame)

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_] | slice) -> Datagrams:
        """Only these rows, with the same addresses."""
        names = [field.name for field in fields(self) if field.name != "addresses"]
        return replace(self, **{name: getattr(self, name)[rows] for name in names})


def datagrams(octets: Octets, records: Records) -> tuple[Datagrams, Column]:
    """The UDP datagrams of all records, and the length of each one's IP packet in bytes."""
    parts: list[Found] = []
    odd: tuple[list[Frames], list[Frames]] = ([], [])
    for number, face in enumerate(records.interfaces):
        # A single interface is the common case: no need to look for its rows.
        mine = np.flatnonzero(records.interface == number) if len(records.interfaces) > 1 else None
        rows = np.arange(len(records.start)) if mine is None else mine
        for low in range(0, len(rows), CHUNK):
            chunk = rows[low : low + CHUNK]
            frames, kind = _network(octets, records, chunk, face.link_type, face.big_endian)
            for find, ethertype, left in ((ipv4, IPV4, odd[0]), (ipv6, IPV6, odd[1])):
                found, remaining = find(octets, frames.take(np.flatnonzero(kind == ethertype)))
                parts.append(found)
                left.append(remaining)
    parts.append(fragments.rest(octets, _all(odd[0]), _all(odd[1])))
    found = Found.joined(parts)
    return _columns(octets, records, found), found.packet_bytes


def _all(parts: list[Frames]) -> Frames:
    none = np.zeros(0, np.int64)
    return Frames(*(np.concatenate([none, *(getattr(part, name.name) for part in parts)]) for name in fields(Frames)))


def _network(octets: Octets, records: Records, rows: Column, link_type: int, big_endian: bool) -> tuple[Frames, Column]:
    """The frames whose captured bytes reach an IP header, and their ethertypes."""
    start = records.start[rows]
    end = start + records.captured[rows]
    offset, kind = READERS[link_type](octets, start, end, big_endian)
    kept = np.flatnonzero((kind != 0) & (offset + IPV4_BYTES <= end))
    frames = Frames(rows, offset, end, start + records.wire[rows], records.time_ns[rows])
    return frames.take(kept), kind[kept]


def _columns(octets: Octets, records: Records, found: Found) -> Datagrams:
    src, dst, addresses = _addresses(found)
    head = window(octets, np.maximum(found.payload_offset, 0), HEAD_BYTES)
    head[np.arange(HEAD_BYTES) >= found.payload_captured[:, None]] = 0
    rows = found.index
    return Datagrams(
        frame=rows + 1,
        time_ns=records.time_ns[rows],
        wire_bytes=records.wire[rows],
        captured_bytes=records.captured[rows],
        src=src,
        dst=dst,
        src_port=found.src_port.astype(np.int32),
        dst_port=found.dst_port.astype(np.int32),
        payload_bytes=found.payload_bytes,
        payload_offset=found.payload_offset,
        payload_captured=found.payload_captured,
        head=head,
        addresses=addresses,
    )


Indexes = NDArray[np.int32]


def _addresses(found: Found) -> tuple[Indexes, Indexes, tuple[IPv4Address | IPv6Address, ...]]:
    """Indexes of sources and destinations into the distinct addresses, IPv4 first, each kind in numeric order."""
    index = np.zeros((2, len(found.index)), np.int32)
    addresses: list[IPv4Address | IPv6Address] = []
    four, six = np.flatnonzero(found.version == 4), np.flatnonzero(found.version == 6)
    low, place = np.unique(found.low[:, four], return_inverse=True)
    index[:, four] = place.reshape(2, -1)
    addresses += [IPv4Address(value) for value in low.tolist()]
    values, place = _distinct(found.high[:, six], found.low[:, six])
    index[:, six] = place + len(addresses)
    addresses += [IPv6Address(value) for value in values]
    return index[0], index[1], tuple(addresses)


def _distinct(high: Words, low: Words) -> tuple[list[int], Column]:
    """Distinct 128-bit numbers in order, and where each pair (2, n) of halves stands among them; compared exactly."""
    highs, high_place = np.unique(high, return_inverse=True)
    lows, low_place = np.unique(low, return_inverse=True)
    both = high_place.reshape(2, -1) * max(len(lows), 1) + low_place.reshape(2, -1)
    pairs, place = np.unique(both, return_inverse=True)
    numbers = [highs[pair // len(lows)].item() << 64 | lows[pair % len(lows)].item() for pair in pairs.tolist()]
    return numbers, place.reshape(2, -1)
