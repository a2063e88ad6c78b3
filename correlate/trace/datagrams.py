"""From records to UDP datagrams: link header, IP header, UDP header, addresses."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from correlate.trace import fast
from correlate.trace.addresses import Address
from correlate.trace.fragments import Reassembly
from correlate.trace.headers import IPV4_BYTES, UDP_BYTES, Found, Frames, ipv4, ipv6
from correlate.trace.links import IPV4, IPV6, READERS
from correlate.trace.records import (
    Column,
    Columns,
    Interface,
    Octets,
    Records,
    Rows,
    by_frame,
    leads,
    no_rows,
    u16,
    window,
)
from correlate.trace.tuples import Tuples

CHUNK = 1 << 13  # records looked at together: bounds the memory that gathered headers take
HEAD_BYTES = 16


@dataclass(frozen=True, slots=True)
class Datagrams(Columns):
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
    addresses: tuple[Address, ...]


class Finder:
    """Finds the UDP frames of one file, block by block; remembers five-tuples and the fragments that wait."""

    def __init__(self) -> None:
        self.tuples = Tuples()
        self._reassembly = Reassembly()

    def rows(self, octets: Octets, records: Records, frame: int, interfaces: Sequence[Interface]) -> Rows:
        """The UDP rows of these records, the first of which has number `frame`, by frame.

        Fragments of earlier blocks that waited for their first one stand in front.
        """
        parts = [no_rows()]
        for low in range(0, len(records), CHUNK):
            chunk = records.take(slice(low, low + CHUNK))
            parts += self._chunk(octets, chunk, frame + low, interfaces)
        return by_frame(parts)

    def _chunk(self, octets: Octets, records: Records, frame: int, interfaces: Sequence[Interface]) -> list[Rows]:
        parts: list[Rows] = []
        none = Frames(*np.zeros((5, 0), np.int64))
        odd = [none], [none]
        faces = np.unique(records.interface).tolist() if len(interfaces) > 1 else [0]
        for number in faces:
            face = interfaces[number]
            left = np.arange(len(records)) if len(faces) == 1 else np.flatnonzero(records.interface == number)
            if len(faces) == 1 and face.link_type in fast.PLAIN_LINKS:
                rows, left = fast.plain(records, face.link_type, frame, self.tuples)
                parts.append(rows)
            if len(left):
                parts += self._by_link(octets, records, left, face, frame, odd)
        v4, v6 = (Frames.joined(frames) for frames in odd)
        parts.append(self._reassembly.rest(octets, records, frame, v4, v6, self.tuples))
        return parts

    def _by_link(
        self, octets: Octets, records: Records, rows: Column, face: Interface, frame: int,
        odd: tuple[list[Frames], list[Frames]],
    ) -> list[Rows]:  # fmt: skip
        """Whole datagrams among these records, whatever stands before them; fragments and the like go to `odd`."""
        frames, kind = _network(octets, records, rows, face.link_type, face.big_endian)
        parts = []
        for find, ethertype, left in ((ipv4, IPV4, odd[0]), (ipv6, IPV6, odd[1])):
            mine = np.flatnonzero(kind == ethertype)
            if len(mine):
                found, remaining = find(octets, frames.take(mine))
                parts.append(self._numbered(octets, records, found, frame))
                left.append(remaining)
        return parts

    def _numbered(self, octets: Octets, records: Records, found: Found, frame: int) -> Rows:
        """The payload is what the UDP length says (RFC 768), so Ethernet padding is none of it; a length of zero
        (jumbograms, RFC 2675, and segmentation offload) leaves it to the IP packet."""
        if not len(found.header):
            return no_rows()
        head, at, payload_at = window(octets, found.header, UDP_BYTES), found.frames.index, found.header + UDP_BYTES
        ends = self.tuples.numbers(found.version, found.ends, head.view(">u4")[:, 0].astype(np.uint64))
        length, room = u16(head, 4), found.packet_end - payload_at
        payload = np.where(length == 0, room, np.maximum(length - UDP_BYTES, 0))
        captured = np.maximum(np.minimum(np.minimum(payload, room), found.frames.end - payload_at), 0)
        offset = np.where(captured > 0, payload_at, -1)
        packet_bytes = found.packet_end - found.frames.offset
        return Rows(
            at + frame, records.time_ns[at], records.wire[at], records.captured[at], packet_bytes, ends,
            payload, offset, captured, leads(octets, offset),
        )  # fmt: skip


def _network(octets: Octets, records: Records, rows: Column, link_type: int, big_endian: bool) -> tuple[Frames, Column]:
    """The frames whose captured bytes reach an IP header, and their ethertypes."""
    start = records.start[rows]
    end = start + records.captured[rows]
    offset, kind = READERS[link_type](octets, start, end, big_endian)
    kept = np.flatnonzero((kind != 0) & (offset + IPV4_BYTES <= end))
    frames = Frames(rows, offset, end, start + records.wire[rows], records.time_ns[rows])
    return frames.take(kept), kind[kept]


def heads(octets: Octets, rows: Rows) -> Octets:
    """The first HEAD_BYTES bytes of each payload, (n, 16), zero where there are none."""
    head = window(octets, np.maximum(rows.payload_offset, 0), HEAD_BYTES)
    head[np.arange(HEAD_BYTES) >= rows.payload_captured[:, None]] = 0
    return head


def columns(rows: Rows, head: Octets, tuples: Tuples) -> Datagrams:
    """The datagrams of these rows, their addresses in order: IPv4 first, each kind by its number."""
    used, of = np.unique(rows.ends, return_inverse=True)
    ends = [tuples.ends(number) for number in used.tolist()]
    distinct = {address for source, _, target, _ in ends for address in (source, target)}
    addresses = tuple(sorted(distinct, key=lambda address: (address.version, int(address))))
    index = {address: place for place, address in enumerate(addresses)}
    table = [(index[source], port, index[target], target_port) for source, port, target, target_port in ends]
    src, src_port, dst, dst_port = np.array(table, np.int32).reshape(-1, 4).T[:, of]
    return Datagrams(
        frame=rows.frame,
        time_ns=rows.time_ns,
        wire_bytes=rows.wire_bytes,
        captured_bytes=rows.captured_bytes,
        src=src,
        dst=dst,
        src_port=src_port,
        dst_port=dst_port,
        payload_bytes=rows.payload_bytes,
        payload_offset=rows.payload_offset,
        payload_captured=rows.payload_captured,
        head=head,
        addresses=addresses,
    )
