"""Rows of UDP frames, as the ways of reading headers give them to whoever counts."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from correlate.trace.records import Column, Octets, window

LEAD_BYTES = 8
Index = NDArray[np.intp] | NDArray[np.bool_] | slice


@dataclass(frozen=True, slots=True)
class Rows:
    """One row for each frame that carries UDP outermost, each IP fragment too; int64 columns of n rows.

    `frame` is Wireshark's number, from 1. `time_ns` is -1 where the file has none. `wire_bytes` is the whole
    frame as on the wire, `captured_bytes` what the file holds of it, `packet_bytes` the IP packet in it. `ends` is the
    number of its five-tuple. `payload_bytes` is UDP length - 8, at most what the IP packet holds; that of the whole
    datagram in its first fragment, 0 in later ones. Of it `payload_captured` bytes lie at `payload_offset` of the block
    (-1 for none). `lead` is the first eight bytes of the payload as a big-endian number; what it says of bytes that
    were not captured means nothing.
    """

    frame: Column
    time_ns: Column
    wire_bytes: Column
    captured_bytes: Column
    packet_bytes: Column
    ends: Column
    payload_bytes: Column
    payload_offset: Column
    payload_captured: Column
    lead: Column

    def __len__(self) -> int:
        return len(self.frame)

    def take(self, rows: Index) -> Rows:
        return Rows(*(getattr(self, name)[rows] for name in NAMES))

    @staticmethod
    def joined(parts: list[Rows]) -> Rows:
        """All rows of all parts, by frame."""
        parts = [part for part in parts if len(part)] or parts[:1]
        if len(parts) == 1:
            return parts[0]
        every = Rows(*(np.concatenate([getattr(part, name) for part in parts]) for name in NAMES))
        in_order = (every.frame[1:] > every.frame[:-1]).all()
        return every if in_order else every.take(np.argsort(every.frame, kind="stable"))


NAMES = tuple(name.name for name in fields(Rows))


def leads(octets: Octets, payload_offset: Column) -> Column:
    """The first eight bytes at each of these offsets (-1: anything) as a number."""
    return window(octets, np.maximum(payload_offset, 0), LEAD_BYTES).view(">i8")[:, 0].astype(np.int64)


def no_rows() -> Rows:
    return Rows(*np.zeros((len(NAMES), 0), np.int64))
