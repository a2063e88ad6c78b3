"""How many TCP conversations a file holds: what a list of its UDP flows leaves out.

Packets whose ports are there and that stand right behind an IPv4 header, or an IPv6 header without extensions, with
payload or not. Memory grows with the conversations, not with the packets.
"""

from __future__ import annotations

import numpy as np

from correlate.trace.fast import PLAIN_LINKS
from correlate.trace.headers import IPV4_BYTES, IPV6_BYTES
from correlate.trace.links import IPV4, IPV6, READERS
from correlate.trace.records import Column, Interface, Mask, Octets, Records, u16, window
from correlate.trace.tuples import Tuples, Words

TCP = 6
PORTS_BYTES = 4


class TcpConversations:
    """Counts distinct pairs of ends (address, port), whichever sends: the `look` of a `CaptureReader`."""

    def __init__(self) -> None:
        self._pairs = Tuples()

    def __len__(self) -> int:
        return len(self._pairs) - 1

    def __call__(self, octets: Octets, records: Records, first_frame: int, interfaces: list[Interface]) -> None:
        """Looks at the records of one block."""
        for number, face in enumerate(interfaces):
            mine = records.interface == number
            if face.link_type in PLAIN_LINKS:
                mine &= _may_be_tcp(records.front, *PLAIN_LINKS[face.link_type])
            if len(rows := np.flatnonzero(mine)):
                start = records.start[rows]
                end = start + records.captured[rows]
                offset, kind = READERS[face.link_type](octets, start, end, face.big_endian)
                self._add_v4(octets, offset[kind == IPV4], end[kind == IPV4])
                self._add_v6(octets, offset[kind == IPV6], end[kind == IPV6])

    def _add_v4(self, octets: Octets, offset: Column, end: Column) -> None:
        offset, end = _fitting(offset, end, IPV4_BYTES)
        head = window(octets, offset, IPV4_BYTES)
        header = offset + (head[:, 0].astype(np.int64) & 15) * 4
        is_tcp = (head[:, 0] >> 4 == 4) & (head[:, 9] == TCP) & (u16(head, 6) & 0x1FFF == 0)
        rows = np.flatnonzero(is_tcp & (header >= offset + IPV4_BYTES) & (header + PORTS_BYTES <= end))
        words = np.ascontiguousarray(head[rows, 12:20]).view(">u4").astype(np.uint64).T
        one, other, ports = _ordered(octets, header[rows], words[:1], words[1:])
        self._pairs.numbers(4, [one[0] << np.uint64(32) | other[0]], ports)

    def _add_v6(self, octets: Octets, offset: Column, end: Column) -> None:
        offset, end = _fitting(offset, end, IPV6_BYTES)
        head = window(octets, offset, IPV6_BYTES)
        header = offset + IPV6_BYTES
        rows = np.flatnonzero((head[:, 0] >> 4 == 6) & (head[:, 6] == TCP) & (header + PORTS_BYTES <= end))
        words = np.ascontiguousarray(head[rows, 8:40]).view(">u8").astype(np.uint64).T
        one, other, ports = _ordered(octets, header[rows], words[:2], words[2:])
        self._pairs.numbers(6, [*one, *other], ports)


def _may_be_tcp(front: Octets, link_bytes: int, kind_at: int | None) -> Mask:
    """All frames but those that hold anything else right behind a plain link header."""
    version = front[:, link_bytes] >> 4
    four, six = version == 4, version == 6
    if kind_at is not None:
        kind = np.ascontiguousarray(front[:, kind_at : kind_at + 2]).view(">u2")[:, 0]
        four &= kind == IPV4
        six &= kind == IPV6
    four &= front[:, link_bytes + 9] != TCP
    six &= front[:, link_bytes + 6] != TCP
    other: Mask = four | six
    return ~other


def _fitting(offset: Column, end: Column, header_bytes: int) -> tuple[Column, Column]:
    rows = np.flatnonzero(offset + header_bytes + PORTS_BYTES <= end)
    return offset[rows], end[rows]


def _ordered(octets: Octets, header: Column, source: Words, target: Words) -> tuple[Words, Words, Words]:
    """Words of the lesser and of the greater end, (words, n), and the ports of both in one."""
    head = window(octets, header, PORTS_BYTES)
    source_port, target_port = u16(head, 0).astype(np.uint64), u16(head, 2).astype(np.uint64)
    swapped, same = np.zeros(len(header), np.bool_), np.ones(len(header), np.bool_)
    for mine, theirs in zip([*source, source_port], [*target, target_port], strict=True):
        swapped |= same & (mine > theirs)
        same &= mine == theirs
    ports = np.where(swapped, target_port << np.uint64(16) | source_port, source_port << np.uint64(16) | target_port)
    return np.where(swapped, target, source), np.where(swapped, source, target), ports
