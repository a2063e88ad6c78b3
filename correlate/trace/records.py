"""What a capture file holds before anybody looks into a packet: records, their clock and their damage.

All columns are numpy int64 with one row a record, in file order. A file is read block by block into one buffer;
offsets of records count from the start of that buffer, offsets of damage from the start of the (unpacked) file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.int64]
Mask = NDArray[np.bool_]
Octets = NDArray[np.uint8]

# No gather reaches further than this behind its offset, so every buffer has as many bytes behind its contents.
PAD_BYTES = 128
# The longest link header of fixed length (SLL2), IPv6, UDP, and a cookie's worth of payload.
FRONT_BYTES = 20 + 40 + 8 + 8
NO_TIME = -1
NO_INTERFACE = -1
MAX_RECORD_BYTES = 262_144  # libpcap's MAXIMUM_SNAPLEN


@dataclass(frozen=True, slots=True)
class Damage:
    """One thing that is wrong with a capture file.

    `kind` is one of empty, cut_file_header, cut_gzip, cut_record_header, cut_record, impossible_length, zero_filled,
    bad_block, time_backwards, out_of_order, impossible_fraction, impossible_time, no_statistics, packets_missing,
    above_mtu, not_followed. `offset` counts bytes in the (unpacked) file, `frame` is Wireshark's number; None where
    there is none to name. `breaks_chain`: nothing behind `offset` could be read, all before it was kept. `stops`: the
    capture does not count as whole (exit 3); all but above_mtu and not_followed do.

    A packet with an `impossible_fraction` (a second or more beside the seconds of classic pcap) or an `impossible_time`
    (pcapng: before 1970 or after 2262, beyond 63 bits of nanoseconds) has no time. Both stop and void: no tool writes
    such a time, so who knows what else is wrong, and durations need them all. `not_followed`: frames that hold packets
    in an encapsulation without a reader, so that no UDP is not nothing there; they do not stop what can be read.
    """

    kind: str
    offset: int | None
    frame: int | None
    text: str
    breaks_chain: bool
    stops: bool

    @property
    def voids(self) -> bool:
        """Whether a trial with such a capture does not count: of what stops, all but frames that two processors stamped
        out of order, by less than a clock is ever set (`out_of_order`). No packet is missing then."""
        return self.stops and self.kind != "out_of_order"

    def __str__(self) -> str:
        where = [f"byte {self.offset}"] if self.offset is not None else []
        where += [f"frame {self.frame}"] if self.frame is not None else []
        return f"{', '.join(where)}: {self.text}" if where else self.text


def broken(kind: str, offset: int | None, frame: int | None, text: str) -> Damage:
    """Damage behind which nothing can be read: the chain of records breaks at `offset`, before `frame` is complete."""
    return Damage(kind, offset, frame, text, breaks_chain=True, stops=True)


@dataclass(slots=True)
class Tally:
    """How many records something is wrong with, and the frame and the offset in the file of the first."""

    count: int = 0
    frame: int | None = None
    offset: int | None = None

    def note(self, frames: Column, offsets: Column | None = None) -> None:
        """Counts these frames; blocks come in file order, the frames of one in any."""
        if not len(frames):
            return
        first = int(frames.argmin())
        if self.frame is None or int(frames[first]) < self.frame:
            self.frame = int(frames[first])
            self.offset = None if offsets is None else int(offsets[first])
        self.count += len(frames)

    def damage(self, kind: str, text: str, *, stops: bool) -> list[Damage]:
        """At most one, of which `text` says what it is behind the count of `{}`."""
        if not self.count:
            return []
        told = text.format(self.count, "s" if self.count > 1 else "")
        return [Damage(kind, self.offset, self.frame, told, breaks_chain=False, stops=stops)]


@dataclass(frozen=True, slots=True)
class Interface:
    """One interface of a capture: LINKTYPE_ number, snapshot length (0: none) and byte order.

    `tsresol` is pcapng's if_tsresol octet (draft-ietf-opsawg-pcapng, 4.2), `tsoffset_s` its if_tsoffset.
    """

    link_type: int
    snaplen_bytes: int = 0
    tsresol: int = 6
    tsoffset_s: int = 0
    big_endian: bool = False


@dataclass(frozen=True, slots=True)
class Records:
    """The whole records in one block of a capture file, before the first break in its chain: what has a frame number.

    `start` is the offset of the first captured byte in the block, `captured` and `wire` are lengths in bytes, `time_ns`
    is NO_TIME where the record carries none, `interface` counts the interfaces of all sections, in file order;
    NO_INTERFACE is what Wireshark shows as a frame and is no packet, `captured` is 0 there. `front`,
    (n, FRONT_BYTES) uint8, is what follows in the file from `start` on, also where that is no longer of the record.
    """

    start: Column
    captured: Column
    wire: Column
    time_ns: Column
    interface: Column
    front: Octets

    def __len__(self) -> int:
        return len(self.start)

    def take(self, rows: slice) -> Records:
        return Records(*(getattr(self, name)[rows] for name in NAMES))

    @staticmethod
    def joined(parts: Sequence[Records]) -> Records:
        """All of them, in this order."""
        parts = [part for part in parts if len(part)]
        if len(parts) == 1:
            return parts[0]
        parts.append(no_records())
        return Records(*(np.concatenate([getattr(part, name) for part in parts]) for name in NAMES))


NAMES = tuple(name.name for name in fields(Records))


def no_records() -> Records:
    none = np.zeros(0, np.int64)
    return Records(none, none, none, none, none, np.zeros((0, FRONT_BYTES), np.uint8))


def window(octets: Octets, offsets: Column, width: int) -> Octets:
    """The `width` bytes at each offset, as a contiguous (len(offsets), width) array; width is at most PAD_BYTES."""
    # Items of `width` bytes at every offset: one copy a row, where an index on two axes takes one a byte.
    every: NDArray[np.void] = np.ndarray((len(octets) - width + 1,), f"V{width}", octets, strides=(1,))
    return every[offsets].view(np.uint8).reshape(len(offsets), width)


def u16(head: Octets, at: int) -> Column:
    """Big-endian 16-bit field at column `at` of a window."""
    return head[:, at].astype(np.int64) << 8 | head[:, at + 1]
