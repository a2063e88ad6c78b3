"""What a capture file holds before anybody looks into a packet: records, their clock and their damage.

All columns are numpy int64 with one row a record, in file order. Offsets count from the start of the (unpacked) file.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.int64]
Mask = NDArray[np.bool_]
Octets = NDArray[np.uint8]

# No gather reaches further than this behind its offset, so the file is held with as many zero bytes behind its end.
PAD_BYTES = 128
NO_TIME = -1
MAX_RECORD_BYTES = 262_144  # libpcap's MAXIMUM_SNAPLEN


@dataclass(frozen=True, slots=True)
class Damage:
    """One thing that is wrong with a capture file.

    `kind` is one of empty, cut_file_header, cut_gzip, cut_record_header, cut_record, impossible_length, zero_filled,
    bad_block, time_backwards, no_statistics, packets_missing, above_mtu. `offset` counts bytes in the (unpacked)
    file, `frame` counts packets from 1; None where there is none to name. `breaks_chain`: nothing behind `offset`
    could be read, all before it was kept. `stops`: the capture does not count as whole (exit 3).
    """

    kind: str
    offset: int | None
    frame: int | None
    text: str
    breaks_chain: bool
    stops: bool

    def __str__(self) -> str:
        where = [f"byte {self.offset}"] if self.offset is not None else []
        where += [f"frame {self.frame}"] if self.frame is not None else []
        return f"{', '.join(where)}: {self.text}" if where else self.text


def broken(kind: str, offset: int, frame: int, text: str) -> Damage:
    """Damage behind which nothing can be read: the chain of records breaks at `offset`, before `frame` is complete."""
    return Damage(kind, offset, frame, text, breaks_chain=True, stops=True)


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
    """All records of one capture file that lie before the first break in its chain.

    `start` is the offset of the first captured byte, `captured` and `wire` are lengths in bytes, `time_ns` is
    NO_TIME where the record carries none, `interface` counts into `interfaces` (those of all sections, in file order).
    """

    format: str
    start: Column
    captured: Column
    wire: Column
    time_ns: Column
    interface: Column
    interfaces: tuple[Interface, ...]
    kernel_dropped: int | None = None
    damage: tuple[Damage, ...] = ()

    def link_types(self) -> tuple[int, ...]:
        """LINKTYPE_ numbers in use, in order of their first interface; a classic file names its own even when empty."""
        used = set(np.unique(self.interface).tolist()) or ({0} if self.format == "pcap" and self.interfaces else set())
        return tuple(dict.fromkeys(face.link_type for n, face in enumerate(self.interfaces) if n in used))


def nothing(format: str, *damage: Damage) -> Records:
    """A file without a single record."""
    none = np.zeros(0, np.int64)
    return Records(format, none, none, none, none, none, (), None, damage)


def window(octets: Octets, offsets: Column, width: int) -> Octets:
    """The `width` bytes at each offset, as a contiguous (len(offsets), width) array; width is at most PAD_BYTES."""
    return np.lib.stride_tricks.sliding_window_view(octets, width)[offsets]


def u16(head: Octets, at: int) -> Column:
    """Big-endian 16-bit field at column `at` of a window."""
    return head[:, at].astype(np.int64) << 8 | head[:, at + 1]
