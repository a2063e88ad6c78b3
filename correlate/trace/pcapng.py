"""pcapng files (draft-ietf-opsawg-pcapng): sections of either byte order, many interfaces, any time resolution.

Enhanced, simple and the obsolete packet blocks are read, drops are summed, custom blocks and the like are frames
without bytes, unknown blocks are skipped.
"""

import struct
from collections.abc import Iterator

import numpy as np

from correlate.trace.chain import Form, numbers, walk
from correlate.trace.pcapng_packets import CUSTOM, ENHANCED, FAULTS, FRAMES, OLD_PACKET, SIMPLE, Section, packets
from correlate.trace.records import Column, Damage, Interface, Mask, Octets, Records, Tally, broken, no_records

SECTION, INTERFACE, STATISTICS = 0x0A0D0D0A, 1, 5
MAGIC = b"\x0a\x0d\x0d\x0a"
LEAST_BYTES = {SECTION: 28, INTERFACE: 20, OLD_PACKET: 32, SIMPLE: 16, STATISTICS: 24, ENHANCED: 32}
LEAST_BYTES |= dict.fromkeys(CUSTOM, 16)
LEAST_BLOCK_BYTES = 12
MAX_BLOCK_BYTES = 16 << 20  # Wireshark's bound as well
ORDERS = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}

# Option codes: 4.1 (section), 4.2 (interface), 4.6 (statistics)
USER_APPLICATION, TSRESOL, TSOFFSET, IF_DROP, OS_DROP = 4, 9, 14, 5, 7


def _plausible(octets: Octets, at: Column, order: str) -> Mask:
    """A block of a length that there may be, told twice."""
    length = numbers(octets, order, 4)[at].astype(np.int64)
    closing = np.minimum(at + np.maximum(length, LEAST_BLOCK_BYTES), len(octets)) - 4
    sound: Mask = (length & 3 == 0) & (numbers(octets, order, 0)[closing] == length)
    return sound


class Reader:
    """The packets of a pcapng file, block by block. Its first four bytes are known to be a section header's.

    `at` is the position in the file of what was not read yet, `frame` the number of the next packet from 1. Once
    `stopped`, nothing more can be read, and `damage` says why. Never raises.
    """

    format = "pcapng"

    def __init__(self) -> None:
        self.interfaces: list[Interface] = []
        self.at, self.frame = 0, 1
        self.stopped = False
        self._why: tuple[str, str] | None = None  # kind and text, where no length of the file is needed to tell
        self._head, self._length = b"", 0  # of the block that stopped us
        self._section, self._sections = Section(">", 0, 0), 0
        self._counted: dict[int, int] = {}  # drops by interface, its latest statistics win
        self._dropped: dict[int, int] = {}  # drops by interface that packet blocks say came before them
        self._untimed = Tally()
        self._unfinished: dict[int, int] = {}  # dumpcap's sections without statistics, their offsets

    @property
    def kernel_dropped(self) -> int | None:
        """The drops of all interfaces so far; None where nothing counts any.

        An interface's statistics count all of it, packet blocks what came before them: the larger one stands for both.
        """
        counts = [self._counted, self._dropped]
        faces = {*self._counted, *self._dropped}
        return sum(max(each.get(face, 0) for each in counts) for face in faces) if faces else None

    def feed(self, data: bytearray, size: int, final: bool) -> tuple[Records, int]:
        """The packets of the whole blocks in `data[:size]`, which is what follows in the file, and the bytes they take.

        `data` has PAD_BYTES behind `size`. `final`: nothing follows behind it.
        """
        octets = np.frombuffer(data, np.uint8)
        parts, at = [no_records()], 0
        while not self.stopped and at + LEAST_BLOCK_BYTES <= size:
            before = at
            if bytes(data[at : at + 4]) == MAGIC:  # reads the same in both byte orders
                at = self._begin_section(data, at, size)
            else:
                records, at = self._run(data, octets, at, size)
                parts += records
            if at == before:
                break
        self.at += at
        if final and at < size and not self.stopped:
            self._stop(data, at, size)
        return Records.joined(parts), at

    def _stop(self, data: bytearray, at: int, size: int, why: tuple[str, str] | None = None) -> None:
        self.stopped, self._why = True, why
        self._head = bytes(data[at : min(at + LEAST_BLOCK_BYTES, size)])
        order = self._section.order
        if self._head[:4] == MAGIC:
            order = ORDERS.get(self._head[8:], order)
        if len(self._head) == LEAST_BLOCK_BYTES:
            (self._length,) = struct.unpack_from(f"{order}I", self._head, 4)

    def _begin_section(self, data: bytearray, at: int, size: int) -> int:
        """Where the section header at `at` ends; `at` where it is cut or stops us."""
        magic = bytes(data[at + 8 : at + 12])
        order = ORDERS.get(magic, self._section.order)
        length: int = struct.unpack_from(f"{order}I", data, at + 4)[0]
        sound = LEAST_BLOCK_BYTES <= length <= MAX_BLOCK_BYTES and not length & 3
        if sound and at + length > size:
            return at
        if not sound or struct.unpack_from(f"{order}I", data, at + length - 4)[0] != length:
            self._stop(data, at, size)
            return at
        why = None
        if length < LEAST_BYTES[SECTION]:
            why = _too_short(SECTION, length)
        elif magic not in ORDERS:
            why = "bad_block", "a section header without a byte-order magic"
        elif (major := int.from_bytes(data[at + 12 : at + 14], "little" if order == "<" else "big")) != 1:
            why = "bad_block", f"a section of format version {major}, only 1 is known"
        if why:
            self._stop(data, at, size, why)
            return at
        self._sections += 1
        self._section = Section(order, len(self.interfaces), 0)
        for code, value in _options(data, at + 24, at + length - 4, order):
            if code == USER_APPLICATION and value.lower().startswith(b"dumpcap"):
                self._unfinished[self._sections] = self.at + at
        return at + length

    def _run(self, data: bytearray, octets: Octets, low: int, size: int) -> tuple[list[Records], int]:
        """The packets up to the next section header or the first block that is cut or wrong, and where that lies."""
        order = self._section.order
        form = Form(order, 4, 0, LEAST_BLOCK_BYTES, LEAST_BLOCK_BYTES, 0, 4, _plausible)
        block = walk(data, octets, low, size, form)
        kind = numbers(octets, order, 0)[block].astype(np.int64)
        length = numbers(octets, order, 4)[block].astype(np.int64)
        wrong, cut = _faulty(octets, order, block, kind, length, size)
        ends = wrong | cut | (kind == SECTION)
        n = int(ends.argmax()) if ends.any() else len(block)
        end = int(block[n]) if n < len(block) else int(block[-1] + length[-1])
        parts, done = list[Records](), 0
        special = np.flatnonzero((kind[:n] == INTERFACE) | (kind[:n] == STATISTICS)).tolist()
        for row in [*special, n]:
            faulty = self._packets(data, octets, block[done:row], kind[done:row], parts, size)
            if faulty is not None:
                return parts, faulty
            if row < n:
                tell = self._describe if kind[row] == INTERFACE else self._count
                tell(data, int(block[row]), int(length[row]), order)
            done = row + 1
        if n < len(block) and wrong[n] and kind[n] != SECTION:
            self._stop(data, end, size, _short(octets, order, end, int(kind[n]), int(length[n]), size))
        return parts, end

    def _packets(
        self, data: bytearray, octets: Octets, block: Column, kind: Column, parts: list[Records], size: int
    ) -> int | None:
        """Adds the packets in these blocks; the offset of a faulty one, which stops us."""
        if not len(block):
            return None
        found = packets(octets, self._section, block, kind, self.interfaces)
        parts.append(found.records)
        self._untimed.note(self.frame + found.untimed, self.at + found.records.start[found.untimed])
        for face, count in found.drops:
            self._dropped[face] = self._dropped.get(face, 0) + count
        self.frame += len(found.records)
        if not found.fault:
            return None
        at = int(block[np.isin(kind, FRAMES)][len(found.records)])
        self._stop(data, at, size, FAULTS[found.fault])
        return at

    def _describe(self, data: bytearray, at: int, length: int, order: str) -> None:
        link_type, snaplen = struct.unpack_from(f"{order}H2xI", data, at + 8)
        tsresol, tsoffset = 6, 0
        for code, value in _options(data, at + 16, at + length - 4, order):
            if code == TSRESOL and len(value) == 1:
                tsresol = value[0]
            if code == TSOFFSET and len(value) == 8:
                (tsoffset,) = struct.unpack(f"{order}q", value)
        self.interfaces.append(Interface(link_type, snaplen, tsresol, tsoffset, order == ">"))
        self._section = Section(order, self._section.first, self._section.known + 1)

    def _count(self, data: bytearray, at: int, length: int, order: str) -> None:
        (interface,) = struct.unpack_from(f"{order}I", data, at + 8)
        dropped = [
            struct.unpack(f"{order}Q", value)[0]
            for code, value in _options(data, at + 20, at + length - 4, order)
            if code in (IF_DROP, OS_DROP) and len(value) == 8
        ]
        if dropped and interface < self._section.known:
            self._counted[self._section.first + interface] = sum(dropped)
        self._unfinished.pop(self._sections, None)

    def damage(self, total: int) -> list[Damage]:
        """Why the file of `total` bytes could not be read on, or which of dumpcap's sections lack their end; and times
        that are impossible."""
        untimed = self._untimed.damage("impossible_time", "{} time{} before 1970 or after 2262", stops=True)
        if self.stopped:
            kind, text = self._why or self._diagnosis(total - self.at)
            return [broken(kind, self.at, self.frame, text), *untimed]
        return [*(_no_statistics(offset) for offset in self._unfinished.values()), *untimed]

    def _diagnosis(self, rest: int) -> tuple[str, str]:
        """Why what stands where we stopped, `rest` bytes before the end of the file, is no block."""
        length = self._length
        if rest < LEAST_BLOCK_BYTES:
            return "cut_record_header", f"a block header is cut: {rest} of {LEAST_BLOCK_BYTES} bytes"
        if not any(self._head):
            return "zero_filled", f"zero bytes where a block should be; {rest} bytes are not read"
        if length < LEAST_BLOCK_BYTES or length & 3 or length > MAX_BLOCK_BYTES:
            return "impossible_length", f"impossible length: a block of {length} bytes"
        if length > rest:
            return "cut_record", f"a block is cut: {rest} of {length} bytes"
        return "bad_block", f"the two lengths of a block of {length} bytes differ"


def _faulty(octets: Octets, order: str, block: Column, kind: Column, length: Column, size: int) -> tuple[Mask, Mask]:
    """Which blocks cannot be such, and which of the others are not there as a whole."""
    wrong = (length < LEAST_BLOCK_BYTES) | (length & 3 != 0) | (length > MAX_BLOCK_BYTES)
    cut = ~wrong & (block + length > size)
    closing = np.where(wrong | cut, 4, block + length - 4)
    wrong |= ~cut & (numbers(octets, order, 0)[closing] != length)
    usual = kind == ENHANCED
    wrong |= usual & (length < LEAST_BYTES[ENHANCED]) & ~cut
    for known, least in LEAST_BYTES.items() if not usual.all() else ():
        if known not in (SECTION, ENHANCED):
            wrong |= (kind == known) & (length < least) & ~cut
    return wrong, cut


def _short(octets: Octets, order: str, at: int, kind: int, length: int, size: int) -> tuple[str, str] | None:
    """What to say of a block that is sound but shorter than its type; None where something else is wrong."""
    sound = LEAST_BLOCK_BYTES <= length < LEAST_BYTES.get(kind, 0) and not length & 3 and at + length <= size
    closed = sound and int(numbers(octets, order, 0)[at + length - 4]) == length
    return _too_short(kind, length) if closed else None


def _too_short(kind: int, length: int) -> tuple[str, str]:
    return "impossible_length", f"impossible length: a block of type {kind} with {length} bytes"


def _options(data: bytearray, offset: int, end: int, order: str) -> Iterator[tuple[int, bytes]]:
    """Options of a block (3.5) as (code, value), up to the end mark or the first one that does not fit."""
    while offset + 4 <= end:
        code, length = struct.unpack_from(f"{order}HH", data, offset)
        if code == 0 or offset + 4 + length > end:
            return
        yield code, bytes(data[offset + 4 : offset + 4 + length])
        offset += 4 + (length + 3 & ~3)


def _no_statistics(offset: int) -> Damage:
    text = "dumpcap wrote this section without interface statistics: it was not stopped cleanly, its tail may be lost"
    return Damage("no_statistics", offset, None, text, breaks_chain=False, stops=True)
