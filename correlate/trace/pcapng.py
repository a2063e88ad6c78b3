"""pcapng files (draft-ietf-opsawg-pcapng): sections of either byte order, many interfaces, any time resolution.

Enhanced, simple and the obsolete packet blocks are read, interface statistics are summed, unknown blocks skipped.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from correlate.trace.pcapng_packets import ENHANCED, FAULTS, OLD_PACKET, SIMPLE, Run, packet_columns, record_times
from correlate.trace.records import Damage, Interface, Octets, Records, broken

SECTION, INTERFACE, STATISTICS = 0x0A0D0D0A, 1, 5
MAGIC = b"\x0a\x0d\x0d\x0a"
LEAST_BYTES = {SECTION: 28, INTERFACE: 20, OLD_PACKET: 32, SIMPLE: 16, STATISTICS: 24, ENHANCED: 32}
LEAST_BLOCK_BYTES = 12
MAX_BLOCK_BYTES = 16 << 20
ORDERS = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}

# Option codes: 4.1 (section), 4.2 (interface), 4.6 (statistics)
USER_APPLICATION, TSRESOL, TSOFFSET, IF_DROP, OS_DROP = 4, 9, 14, 5, 7


@dataclass
class _Walk:
    """The chain of blocks of one file; of packets only the offsets are kept, numpy reads their fields afterwards."""

    data: memoryview
    size: int
    offset: int = 0  # of the block looked at
    section: int = -1
    interfaces: list[Interface] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    drops: dict[int, int] = field(default_factory=dict)  # by interface, its latest statistics win
    unfinished: dict[int, int] = field(default_factory=dict)  # dumpcap's sections without statistics, their offsets

    def through(self) -> Damage | None:
        """Every block up to the end or the first break, and what broke."""
        data, size, offset = self.data, self.size, 0
        order, pair, single = _structs(">")
        enhanced: list[int] = []
        while offset < size:
            self.offset = offset
            if offset + LEAST_BLOCK_BYTES > size:
                return self._diagnose(0)
            kind, length = pair(data, offset)
            if kind == SECTION:  # reads the same in both byte orders
                order, pair, single = _structs(ORDERS.get(bytes(data[offset + 8 : offset + 12]), order))
                (length,) = single(data, offset + 4)
            following = offset + length
            if length < 12 or length & 3 or following > size or single(data, following - 4)[0] != length:
                return self._diagnose(length)
            if kind == ENHANCED and length >= LEAST_BYTES[ENHANCED]:
                enhanced.append(offset)
            elif kind in LEAST_BYTES:
                damage = self._known(kind, offset, length, order)
                if damage:
                    return damage
                enhanced = self.runs[-1].blocks[ENHANCED]
            offset = following
        return None

    def _known(self, kind: int, offset: int, length: int, order: str) -> Damage | None:
        if length < LEAST_BYTES[kind]:
            return self._broken("impossible_length", f"impossible length: a block of type {kind} with {length} bytes")
        if kind in (SIMPLE, OLD_PACKET):
            self.runs[-1].blocks[kind].append(offset)
        elif kind == SECTION:
            return self._begin_section(offset, length, order)
        elif kind == INTERFACE:
            self._describe(offset, length, order)
        else:
            self._count(offset, length, order)
        return None

    def _begin_section(self, offset: int, length: int, order: str) -> Damage | None:
        if bytes(self.data[offset + 8 : offset + 12]) not in ORDERS:
            return self._broken("bad_block", "a section header without a byte-order magic")
        (major,) = struct.unpack_from(f"{order}H", self.data, offset + 12)
        if major != 1:
            return self._broken("bad_block", f"a section of format version {major}, only 1 is known")
        self.section += 1
        self.runs.append(Run(order, len(self.interfaces), 0))
        for code, value in _options(self.data, offset + 24, offset + length - 4, order):
            if code == USER_APPLICATION and value.lower().startswith(b"dumpcap"):
                self.unfinished[self.section] = offset
        return None

    def _describe(self, offset: int, length: int, order: str) -> None:
        link_type, snaplen = struct.unpack_from(f"{order}H2xI", self.data, offset + 8)
        tsresol, tsoffset = 6, 0
        for code, value in _options(self.data, offset + 16, offset + length - 4, order):
            if code == TSRESOL and len(value) == 1:
                tsresol = value[0]
            if code == TSOFFSET and len(value) == 8:
                (tsoffset,) = struct.unpack(f"{order}q", value)
        self.interfaces.append(Interface(link_type, snaplen, tsresol, tsoffset, order == ">"))
        run = self.runs[-1]
        self.runs.append(Run(order, run.first, run.known + 1))

    def _count(self, offset: int, length: int, order: str) -> None:
        (interface,) = struct.unpack_from(f"{order}I", self.data, offset + 8)
        run, dropped = self.runs[-1], []
        for code, value in _options(self.data, offset + 20, offset + length - 4, order):
            if code in (IF_DROP, OS_DROP) and len(value) == 8:
                dropped.append(struct.unpack(f"{order}Q", value)[0])
        if dropped and interface < run.known:
            self.drops[run.first + interface] = sum(dropped)
        self.unfinished.pop(self.section, None)

    def _broken(self, kind: str, text: str) -> Damage:
        packets = sum(len(offsets) for run in self.runs for offsets in run.blocks.values())
        return broken(kind, self.offset, packets + 1, text)

    def _diagnose(self, length: int) -> Damage:
        """Why the block at the present offset, which claims `length` bytes, is none."""
        rest = self.size - self.offset
        if rest < LEAST_BLOCK_BYTES:
            return self._broken("cut_record_header", f"a block header is cut: {rest} of {LEAST_BLOCK_BYTES} bytes")
        if not any(self.data[self.offset : self.offset + LEAST_BLOCK_BYTES]):
            return self._broken("zero_filled", f"zero bytes where a block should be; {rest} bytes are not read")
        if length < LEAST_BLOCK_BYTES or length & 3 or length > MAX_BLOCK_BYTES:
            return self._broken("impossible_length", f"impossible length: a block of {length} bytes")
        if length > rest:
            return self._broken("cut_record", f"a block is cut: {rest} of {length} bytes")
        return self._broken("bad_block", f"the two lengths of a block of {length} bytes differ")


_Unpack = Callable[[memoryview, int], tuple[int, ...]]


def _structs(order: str) -> tuple[str, _Unpack, _Unpack]:
    return order, struct.Struct(f"{order}II").unpack_from, struct.Struct(f"{order}I").unpack_from


def _options(data: memoryview, offset: int, end: int, order: str) -> Iterator[tuple[int, bytes]]:
    """Options of a block (3.5) as (code, value), up to the end mark or the first one that does not fit."""
    while offset + 4 <= end:
        code, length = struct.unpack_from(f"{order}HH", data, offset)
        if code == 0 or offset + 4 + length > end:
            return
        yield code, bytes(data[offset + 4 : offset + 4 + length])
        offset += 4 + (length + 3 & ~3)


def read(octets: Octets, size: int) -> Records:
    """Every packet of a pcapng file of `size` bytes, held in `octets` with padding behind.

    The first four bytes are known to be a section header's. Never raises: what cannot be read is in `damage`.
    """
    walk = _Walk(octets.data, size)
    damage = walk.through()
    packets = packet_columns(octets, walk.runs, walk.interfaces)
    wrong = np.flatnonzero(packets.fault)
    if len(wrong):
        frame = int(wrong[0])
        kind, text = FAULTS[int(packets.fault[frame])]
        damage = broken(kind, int(packets.block[frame]), frame + 1, text)
        packets = packets.before(frame)
    found = [damage] if damage else [_no_statistics(offset) for offset in walk.unfinished.values()]
    time_ns = record_times(packets, walk.interfaces)
    faces = tuple(walk.interfaces)
    dropped = sum(walk.drops.values()) if walk.drops else None
    columns = packets.start, packets.captured, packets.wire, time_ns, packets.interface
    return Records("pcapng", *columns, faces, dropped, tuple(found))


def _no_statistics(offset: int) -> Damage:
    text = "dumpcap wrote this section without interface statistics: it was not stopped cleanly, its tail may be lost"
    return Damage("no_statistics", offset, None, text, breaks_chain=False, stops=True)
