"""A capture file in blocks of bounded size, whatever the size of the file.

One buffer is used again and again: what a block says of its octets holds until the next block is asked for.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from correlate.errors import Unreadable
from correlate.trace import pcap, pcapng
from correlate.trace.datagrams import Datagrams, Finder, columns, heads
from correlate.trace.formats import MAGIC_BYTES, START_BYTES, require_known
from correlate.trace.fragments import Fragment
from correlate.trace.links import refusal
from correlate.trace.records import NO_INTERFACE, NO_TIME, PAD_BYTES, Column, Damage, Interface, Octets, Records, broken
from correlate.trace.rows import Rows
from correlate.trace.source import Source, opened
from correlate.trace.tuples import Tuples

BLOCK_BYTES = 3 << 20
BLOCK_RECORDS = 1 << 13  # about: columns of so many are what a block costs
FIRST_BYTES = 1 << 18  # tells how long records are here
KEPT_BYTES = 4 << 20
LEAST_ROOM_BYTES = 32  # the first fill tells the format
MTU_BYTES = 1500
STEP_BACK_NS = 10_000_000
"""Frames that two processors take in at once are stamped out of order (measured: by 17 us; 0.3 ms on a busy machine).
What goes back further is a clock that was set. Clocks that differ less are slewed, not set (RFC 5905: below 128 ms)."""
Reader = pcap.Reader | pcapng.Reader
Look = Callable[[Octets, Records, int, list[Interface]], None]
"""Octets of a block, its records, the frame number of the first of them, and the interfaces of the file so far."""


@dataclass(frozen=True, slots=True)
class Block:
    """What one block of a file holds: `rows` are its UDP frames, `packets` counts its packets, UDP or not.

    `octets` starts at byte `offset` of the (unpacked) file; `payload_offset` of the rows counts from there. `tuples`
    are those of the file so far. Fragments that came before their first one are among the rows of the block that holds
    the first one; `fragments` are those of this block, in their order. `records` are all of them, the first has number
    `frame`; `interfaces` are those of the file so far.
    """

    octets: Octets
    offset: int
    packets: int
    rows: Rows
    tuples: Tuples
    fragments: tuple[Fragment, ...]
    records: Records
    frame: int
    interfaces: list[Interface]

    def heads(self, rows: Rows) -> Octets:
        """(n, 16) uint8: the first payload bytes of some of the rows, zero where there are none."""
        return heads(self.octets, rows)

    def payload(self, offset: int, captured: int) -> bytes:
        """What was captured of a payload."""
        return self.octets[offset : offset + captured].tobytes() if offset >= 0 else b""

    def datagrams(self) -> Datagrams:
        """The rows with their addresses; `payload_offset` counts from the start of this block."""
        return columns(self.rows, self.heads(self.rows), self.tuples)


class CaptureReader:
    """Iterates over the blocks of the capture at `path`, once; `-` is standard input.

    At the end `damage` says what is wrong; `packets`, `first_ns`, `last_ns` (smallest and largest time, None without
    any), `format`, `link_types` and `kernel_dropped` tell of the whole file. Raises Unreadable for what is no capture
    and, at the latest at the end, for a link type without a reader. Damage never raises. `look` is shown all records of
    each block, for those who want more of them than UDP.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, block_bytes: int = BLOCK_BYTES, held: bytes | None = None,
        look: Look | None = None,
    ) -> None:  # fmt: skip
        self._path = path
        self._look = look
        self._block_bytes = block_bytes
        self._held = held
        self.format = "empty"
        self.packets = self._frames = 0
        self.damage: tuple[Damage, ...] = ()
        self.first_ns: int | None = None
        self.last_ns: int | None = None
        self.kernel_dropped: int | None = None
        self.link_types: tuple[int, ...] = ()
        self._used: set[int] = set()
        self._clocks = _Clocks()
        self._large = _Large()

    def __iter__(self) -> Iterator[Block]:
        source = opened(self._path, self._held)
        try:
            yield from self._blocks(source)
        finally:
            source.close()

    def _blocks(self, source: Source) -> Iterator[Block]:
        # Once so large a piece was freed, the C library keeps what each block frees for the next one, where it would
        # give it back to the kernel and fault it in again. The piece itself is never touched.
        np.empty(KEPT_BYTES, np.uint8)
        buffer = _Buffer(source, self._block_bytes)
        final = buffer.fill(FIRST_BYTES)
        reader, finder = self._reader(buffer), Finder()
        while reader and not reader.stopped:
            offset, frame = buffer.offset, self._frames + 1
            octets = np.frombuffer(buffer.data, np.uint8)
            records, taken = reader.feed(buffer.data, buffer.size, final)
            packets = self._note(records, frame, reader.interfaces, offset)
            if len(records) and not self._refusals(reader.interfaces):
                if self._look is not None:
                    self._look(octets, records, frame, reader.interfaces)
                rows = finder.rows(octets, records, frame, reader.interfaces)
                self._large.note(rows)
                yield Block(
                    octets, offset, packets, rows, finder.tuples, finder.fragments(), records, frame, reader.interfaces
                )
            if final or reader.stopped:
                break
            buffer.drop(taken)
            final = buffer.fill(taken * BLOCK_RECORDS // len(records) if len(records) else self._block_bytes)
        self._finish(reader, buffer.drained(), source, finder)

    def _reader(self, buffer: _Buffer) -> Reader | None:
        """The reader for the format that the first bytes tell; None for a file without any."""
        start = bytes(buffer.data[: min(START_BYTES, buffer.size)])
        if not start:
            return None
        require_known(self._path, start)
        magic = start[:MAGIC_BYTES]
        if pcapng.MAGIC.startswith(magic):
            reader: Reader = pcapng.Reader() if len(magic) == MAGIC_BYTES else _Short()
        else:
            reader = pcap.Reader()
        self.format = reader.format
        return reader

    def _note(self, records: Records, frame: int, interfaces: list[Interface], offset: int) -> int:
        """How many of them are packets; what else there is to remember of them."""
        if not len(records):
            return 0
        many = len(interfaces) > 1
        packets = int(np.count_nonzero(records.interface != NO_INTERFACE))
        if packets:
            self._used |= set(np.unique(records.interface).tolist()) - {NO_INTERFACE} if many else {0}
        self._clocks.note(records, frame, offset, many)
        self.packets += packets
        self._frames += len(records)
        return packets

    def _refusals(self, interfaces: list[Interface]) -> list[str]:
        used = dict.fromkeys(face.link_type for n, face in enumerate(interfaces) if n in self._used)
        return [why for link_type in used if (why := refusal(link_type))]

    def _finish(self, reader: Reader | None, total: int, source: Source, finder: Finder) -> None:
        found = [source.damage] if source.damage else []
        if reader is None:
            found.append(broken("empty", 0, None, "the file is empty"))
        else:
            if reader.format == "pcap" and reader.interfaces:
                self._used.add(0)  # a classic file names its link type even when it holds nothing
            if refusals := self._refusals(reader.interfaces):
                raise Unreadable(self._path, "; ".join(refusals))
            faces = enumerate(reader.interfaces)
            self.link_types = tuple(dict.fromkeys(face.link_type for n, face in faces if n in self._used))
            self.kernel_dropped = reader.kernel_dropped
            found += reader.damage(total)
        self.first_ns, self.last_ns = self._clocks.first_ns, self._clocks.last_ns
        self.damage = (*found, *self._clocks.damage(), *self._large.damage(), *finder.damage())


class _Short(pcapng.Reader):
    """A file that ends within its first four bytes, which are those of a pcapng file."""

    def damage(self, total: int) -> list[Damage]:
        return [broken("cut_file_header", total, None, f"the file header is cut: {total} bytes")]


class _Buffer:
    """The one buffer: `data[:size]` is what follows in the file from byte `offset` on; PAD_BYTES lie behind."""

    def __init__(self, source: Source, room: int) -> None:
        self._source = source
        self.data = bytearray(max(room, LEAST_ROOM_BYTES) + PAD_BYTES)
        self.size = self.offset = 0

    def fill(self, wanted: int) -> bool:
        """Reads on until there are `wanted` bytes, as far as there is room; whether that was the end of the file."""
        room = len(self.data) - PAD_BYTES
        if self.size == room:
            # Not one whole record fits. A new buffer, since blocks may still look at the old one.
            self.data = self.data[:room] + bytes(room + PAD_BYTES)
            room *= 2
        # What is there already is less than a record.
        room = min(room, max(wanted, 2 * self.size, LEAST_ROOM_BYTES))
        view = memoryview(self.data)
        while self.size < room:
            got = self._source.readinto(view[self.size : room])
            if not got:
                return True
            self.size += got
        return False

    def drop(self, taken: int) -> None:
        """Lets go of the first bytes."""
        if taken:
            view = memoryview(self.data)
            view[: self.size - taken] = view[taken : self.size]
        self.size -= taken
        self.offset += taken

    def drained(self) -> int:
        """The length of the whole file, once the rest of it was read and forgotten."""
        total = self.offset + self.size
        view = memoryview(self.data)
        while got := self._source.readinto(view):
            total += got
        return total


class _Clocks:
    """The times of all records: the smallest, the largest, and where one is older than the one before it on its
    interface."""

    def __init__(self) -> None:
        self.first_ns: int | None = None
        self.last_ns: int | None = None
        self._latest: dict[int, int] = {}
        self._count = 0
        self._where: tuple[int, int, int] | None = None  # how far back (negative), frame, offset

    def note(self, records: Records, frame: int, offset: int, many: bool) -> None:
        times = records.time_ns
        timed = np.flatnonzero(times != NO_TIME) if times.min() == NO_TIME else None
        for number in np.unique(records.interface).tolist() if many else [0]:
            rows = timed if timed is not None else np.arange(len(times)) if many else None
            if many and rows is not None:
                rows = rows[records.interface[rows] == number]
            mine = times if rows is None else times[rows]
            if len(mine):
                self._follow(mine, rows, number, records, frame, offset)

    def _follow(
        self, times: Column, rows: Column | None, number: int,
        records: Records, frame: int, offset: int,
    ) -> None:  # fmt: skip
        before = self._latest.get(number, times[0])
        self._latest[number] = int(times[-1])
        wrong = times[1:] < times[:-1]
        if times[0] >= before and not wrong.any():
            low, high = int(times[0]), int(times[-1])
        else:
            low, high = int(times.min()), int(times.max())
            steps = np.diff(times, prepend=before)
            late = np.flatnonzero(steps < 0)
            self._count += len(late)
            worst = late[np.argmin(steps[late])]
            row = int(worst if rows is None else rows[worst])
            place = int(steps[worst]), frame + row, offset + int(records.start[row])
            self._where = min(self._where or place, place)
        self.first_ns = low if self.first_ns is None else min(self.first_ns, low)
        self.last_ns = high if self.last_ns is None else max(self.last_ns, high)

    def damage(self) -> list[Damage]:
        """At most one: the packet that is older than the one before it by most, and how many there are."""
        if not self._where:
            return []
        back_ns, frame, offset = self._where
        times = f"{self._count} time{'s' if self._count > 1 else ''}"
        text = f"time runs backwards by {-back_ns / 1e9:.9f} s, {times} in this file"
        kind = "time_backwards" if -back_ns >= STEP_BACK_NS else "out_of_order"
        return [Damage(kind, offset, frame, text, breaks_chain=False, stops=True)]


class _Large:
    """The UDP frames above the MTU: how many, the first, the largest packet."""

    def __init__(self) -> None:
        self._count = self._largest = 0
        self._frame: int | None = None

    def note(self, rows: Rows) -> None:
        if not len(rows) or (largest := int(rows.packet_bytes.max())) <= MTU_BYTES:
            return
        frames = rows.frame[rows.packet_bytes > MTU_BYTES]
        self._count += len(frames)
        self._largest = max(self._largest, largest)
        self._frame = min(self._frame or int(frames[0]), int(frames[0]))

    def damage(self) -> list[Damage]:
        if self._frame is None:
            return []
        text = f"{self._count} UDP frames above the MTU of {MTU_BYTES}, the largest packet has {self._largest} bytes:"
        text += " the capturing machine joined or had not yet split them, so packet counts are not those of the wire"
        return [Damage("above_mtu", None, self._frame, text, breaks_chain=False, stops=False)]
