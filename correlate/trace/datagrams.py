"""From records to UDP datagrams: link header, IP header, UDP header, addresses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from ipaddress import IPv4Address, IPv6Address

import numpy as np
from numpy.typing import NDArray

from correlate.trace import fast
from correlate.trace.addresses import Address
from correlate.trace.fragments import Fragment, Reassembly
from correlate.trace.headers import IPV4_BYTES, TUNNELS, TUNNELS_V4, Found, Frames, Words, ipv4, ipv6
from correlate.trace.links import IPV4, IPV6, NOT_FOLLOWED, READERS
from correlate.trace.records import NO_INTERFACE, Column, Damage, Interface, Octets, Records, Tally, window
from correlate.trace.rows import Rows, leads, no_rows
from correlate.trace.tuples import Tuples

CHUNK = 1 << 13  # records looked at together: bounds the memory that gathered headers take
HEAD_BYTES = 16
_PROTOCOL_AT = {IPV4: (9, TUNNELS_V4), IPV6: (6, TUNNELS)}


@dataclass(frozen=True, slots=True)
class Datagrams:
    """One row for each frame that carries UDP outermost, each IP fragment too, in file order; n rows.

    `frame` is Wireshark's number, from 1. `time_ns` is -1 where the file has none. `wire_bytes` is the whole
    frame as on the wire, `captured_bytes` what the file holds of it. `src` and `dst` are indexes into `addresses`.
    `payload_bytes` is UDP length - 8, at most what the IP packet holds; that of the whole datagram in its first
    fragment, 0 in later ones. Of it `payload_captured` bytes lie at `payload_offset` of the trace's data (-1 for none).
    `head` is (n, 16) uint8: the first payload bytes, zero where there are none.
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
    addresses: tuple[Address, ...]

    def __len__(self) -> int:
        return len(self.frame)

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_] | slice) -> Datagrams:
        """Only these rows, with the same addresses."""
        names = [field.name for field in fields(self) if field.name != "addresses"]
        return replace(self, **{name: getattr(self, name)[rows] for name in names})


class Finder:
    """Finds the UDP frames of one file, block by block; remembers five-tuples, the fragments that wait, and what holds
    packets that nobody looked into."""

    def __init__(self) -> None:
        self.tuples = Tuples()
        self._reassembly = Reassembly()
        self._not_followed: dict[str, Tally] = {}

    def damage(self) -> list[Damage]:
        """One for each encapsulation that is not followed, in order of its first frame."""
        found = list[Damage]()
        for name, tally in sorted(self._not_followed.items(), key=lambda item: item[1].frame or 0):
            text = f"{{}} frame{{}} with packets in {name}, which is not followed: UDP in there is not seen"
            found += tally.damage("not_followed", text, stops=False)
        return found

    def rows(self, octets: Octets, records: Records, frame: int, interfaces: Sequence[Interface]) -> Rows:
        """The UDP rows of these records, the first of which has number `frame`, by frame.

        Fragments of earlier blocks that waited for their first one stand in front.
        """
        parts = [no_rows()]
        for low in range(0, len(records), CHUNK):
            chunk = records.take(slice(low, low + CHUNK))
            parts += self._chunk(octets, chunk, frame + low, interfaces)
        return Rows.joined(parts)

    def fragments(self) -> tuple[Fragment, ...]:
        """The fragments among the records since this was asked last."""
        found, self._reassembly.fragments = tuple(self._reassembly.fragments), []
        return found

    def _chunk(self, octets: Octets, records: Records, frame: int, interfaces: Sequence[Interface]) -> list[Rows]:
        parts: list[Rows] = []
        odd: tuple[list[Frames], list[Frames]] = ([], [])
        faces = np.unique(records.interface).tolist() if len(interfaces) > 1 else [0]
        for number in faces if interfaces else []:
            face = interfaces[number]
            if number == NO_INTERFACE or face.link_type not in READERS:
                continue  # frames that are no packets; packets of such a link type are refused
            left = np.arange(len(records)) if len(faces) == 1 else np.flatnonzero(records.interface == number)
            if len(faces) == 1 and face.link_type in fast.PLAIN_LINKS:
                rows, left = fast.plain(records, face.link_type, frame, self.tuples)
                parts.append(rows)
            if len(left):
                parts += self._by_link(octets, records, left, face, frame, odd)
        parts.append(self._reassembly.rest(octets, records, frame, _all(odd[0]), _all(odd[1]), self.tuples))
        return parts

    def _by_link(
        self, octets: Octets, records: Records, rows: Column, face: Interface, frame: int,
        odd: tuple[list[Frames], list[Frames]],
    ) -> list[Rows]:  # fmt: skip
        """Whole datagrams among these records, whatever stands before them; fragments and the like go to `odd`."""
        frames, kind = _network(octets, records, rows, face.link_type, face.big_endian)
        self._pass_over(frame + frames.index, kind, NOT_FOLLOWED)
        whole = np.flatnonzero((kind != 0) & (frames.offset + IPV4_BYTES <= frames.end))
        frames, kind = frames.take(whole), kind[whole]
        parts = []
        for find, ethertype, left in ((ipv4, IPV4, odd[0]), (ipv6, IPV6, odd[1])):
            mine = np.flatnonzero(kind == ethertype)
            if len(mine):
                mine_of = frames.take(mine)
                at, tunnels = _PROTOCOL_AT[ethertype]
                self._pass_over(frame + mine_of.index, octets[mine_of.offset + at], tunnels)
                found, remaining = find(octets, mine_of)
                parts.append(self._numbered(octets, records, found, frame))
                left.append(remaining)
        return parts

    def _pass_over(self, frames: Column, kind: Column | Octets, names: Mapping[int, str]) -> None:
        """Remembers the frames of these kinds."""
        for number in names if np.isin(kind, list(names)).any() else ():
            self._not_followed.setdefault(names[number], Tally()).note(frames[kind == number])

    def _numbered(self, octets: Octets, records: Records, found: Found, frame: int) -> Rows:
        if not len(found.index):
            return no_rows()
        ports = (found.src_port << 16 | found.dst_port).astype(np.uint64)
        if found.version[0] == 4:
            ends = self.tuples.numbers(4, [found.low[0] << np.uint64(32) | found.low[1]], ports)
        else:
            ends = self.tuples.numbers(6, [found.high[0], found.low[0], found.high[1], found.low[1]], ports)
        at = found.index
        return Rows(
            at + frame, records.time_ns[at], records.wire[at], records.captured[at], found.packet_bytes, ends,
            found.payload_bytes, found.payload_offset, found.payload_captured, leads(octets, found.payload_offset),
        )  # fmt: skip


def _all(parts: list[Frames]) -> Frames:
    none = np.zeros(0, np.int64)
    if not parts:
        return Frames(none, none, none, none, none)
    return Frames(*(np.concatenate([getattr(part, name.name) for part in parts]) for name in fields(Frames)))


def _network(octets: Octets, records: Records, rows: Column, link_type: int, big_endian: bool) -> tuple[Frames, Column]:
    """The frames whose captured bytes reach beyond the link header, and their ethertypes."""
    start = records.start[rows]
    end = start + records.captured[rows]
    offset, kind = READERS[link_type](octets, start, end, big_endian)
    kept = np.flatnonzero((kind != 0) & (offset <= end))
    frames = Frames(rows, offset, end, start + records.wire[rows], records.time_ns[rows])
    return frames.take(kept), kind[kept]


def heads(octets: Octets, rows: Rows) -> Octets:
    """The first HEAD_BYTES bytes of each payload, (n, 16), zero where there are none."""
    head = window(octets, np.maximum(rows.payload_offset, 0), HEAD_BYTES)
    head[np.arange(HEAD_BYTES) >= rows.payload_captured[:, None]] = 0
    return head


Indexes = NDArray[np.int32]


def columns(rows: Rows, head: Octets, tuples: Tuples) -> Datagrams:
    """The datagrams of these rows, their addresses in order: IPv4 first, each kind by its number."""
    used, ends = np.unique(rows.ends, return_inverse=True)
    version, high, low = tuples.halves()
    src, dst, addresses = _addresses(version[used], high[:, used], low[:, used])
    source, target = tuples.ports()
    return Datagrams(
        frame=rows.frame,
        time_ns=rows.time_ns,
        wire_bytes=rows.wire_bytes,
        captured_bytes=rows.captured_bytes,
        src=src[ends],
        dst=dst[ends],
        src_port=source[used].astype(np.int32)[ends],
        dst_port=target[used].astype(np.int32)[ends],
        payload_bytes=rows.payload_bytes,
        payload_offset=rows.payload_offset,
        payload_captured=rows.payload_captured,
        head=head,
        addresses=addresses,
    )


def _addresses(version: Column, high: Words, low: Words) -> tuple[Indexes, Indexes, tuple[Address, ...]]:
    """Indexes of sources and destinations (halves are (2, n)) into the distinct addresses, which are sorted."""
    index = np.zeros((2, len(version)), np.int32)
    addresses: list[Address] = []
    four, six = np.flatnonzero(version == 4), np.flatnonzero(version == 6)
    distinct, place = np.unique(low[:, four], return_inverse=True)
    index[:, four] = place.reshape(2, -1)
    addresses += [IPv4Address(value) for value in distinct.tolist()]
    values, place = _distinct(high[:, six], low[:, six])
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
