"""Fields of pcapng's packet blocks, gathered by numpy once the chain of blocks is known.

draft-ietf-opsawg-pcapng: 4.3 enhanced, 4.4 simple, appendix A obsolete packet block; 4.2 if_tsresol and if_tsoffset.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields

import numpy as np

from correlate.trace.records import NO_TIME, Column, Interface, Octets, window

OLD_PACKET, SIMPLE, ENHANCED = 2, 3, 6
_HEAD_BYTES = 28
_BEYOND, _UNKNOWN_INTERFACE, _MORE_THAN_WIRE = 1, 2, 3
FAULTS = {
    _BEYOND: ("impossible_length", "impossible length: a packet longer than its block"),
    _UNKNOWN_INTERFACE: ("bad_block", "a packet of an interface that was never described"),
    _MORE_THAN_WIRE: ("impossible_length", "impossible length: more bytes captured than were on the wire"),
}


@dataclass
class Run:
    """Packet blocks between two changes of section or interface list; their offsets by block type."""

    order: str
    first: int  # number of the section's interface 0 among all interfaces
    known: int  # interfaces that the section has described so far
    blocks: dict[int, list[int]] = field(default_factory=lambda: {ENHANCED: [], SIMPLE: [], OLD_PACKET: []})


@dataclass(frozen=True, slots=True)
class Packets:
    """One row a packet block, in file order: `high` and `low` are its raw timestamp, `timed` whether it has one."""

    block: Column
    start: Column
    captured: Column
    wire: Column
    high: Column
    low: Column
    timed: Column
    interface: Column
    fault: Column

    def before(self, frame: int) -> Packets:
        return Packets(*(getattr(self, name.name)[:frame] for name in fields(self)))


def packet_columns(octets: Octets, runs: Sequence[Run], interfaces: Sequence[Interface]) -> Packets:
    """The packets of all runs, in file order; `fault` is a key of FAULTS or 0."""
    parts = [np.zeros((len(fields(Packets)), 0), np.int64)]
    for run in runs:
        for kind, offsets in run.blocks.items():
            if offsets:
                parts.append(_fields(octets, run, kind, np.array(offsets, np.int64), interfaces))
    table = np.concatenate(parts, axis=1)
    if len(parts) > 2:
        table = table[:, np.argsort(table[0], kind="stable")]
    return Packets(*table)


def _fields(octets: Octets, run: Run, kind: int, block: Column, interfaces: Sequence[Interface]) -> Column:
    """(columns of Packets, len(block)) int64."""
    head = window(octets, block, _HEAD_BYTES).view(f"{run.order}u4").astype(np.int64).T
    length, number, high, low, captured, wire = head[1:]
    timed = np.ones_like(block)
    start, room = block + 28, length - 32
    if kind == OLD_PACKET:
        # Its interface number is 16 bits wide and shares the word with a drop counter.
        number = number >> 16 if run.order == ">" else number & 0xFFFF
    if kind == SIMPLE:
        # No length captured is stored: it follows from the wire length and the snapshot length of interface 0.
        snaplen = interfaces[run.first].snaplen_bytes if run.known else 0
        start, room, wire = block + 12, length - 16, head[2]
        captured = np.minimum(np.minimum(wire, room), snaplen or np.iinfo(np.int64).max)
        number = high = low = timed = np.zeros_like(block)
    fault = np.where(captured > wire, _MORE_THAN_WIRE, 0)
    fault = np.where(number >= run.known, _UNKNOWN_INTERFACE, fault)
    fault = np.where(captured > room, _BEYOND, fault)
    return np.stack([block, start, captured, wire, high, low, timed, number + run.first, fault])


def record_times(packets: Packets, interfaces: Sequence[Interface]) -> Column:
    """Nanoseconds since 1970 of every packet; NO_TIME where it has none or one that does not fit 63 bits."""
    times = np.full(len(packets.block), NO_TIME, np.int64)
    for number in np.unique(packets.interface).tolist():
        mine = np.flatnonzero((packets.interface == number) & (packets.timed == 1))
        times[mine] = _nanoseconds(packets.high[mine], packets.low[mine], interfaces[number])
    return times


def _nanoseconds(high: Column, low: Column, interface: Interface) -> Column:
    digits, binary = interface.tsresol & 0x7F, bool(interface.tsresol & 0x80)
    if not binary and digits <= 9 and interface.tsoffset_s == 0:
        units = high.astype(np.uint64) << np.uint64(32) | low.astype(np.uint64)
        scale = 10 ** (9 - digits)
        fits = units <= np.uint64((2**63 - 1) // scale)
        return np.where(fits, units.astype(np.int64) * np.int64(scale), NO_TIME)
    # Rare clocks take Python's integers: exact whatever the resolution.
    rate = 2**digits if binary else 10**digits
    offset_ns = interface.tsoffset_s * 1_000_000_000
    exact = (
        (upper << 32 | lower) * 1_000_000_000 // rate + offset_ns
        for upper, lower in zip(high.tolist(), low.tolist(), strict=True)
    )
    return np.array([ns if 0 <= ns < 2**63 else NO_TIME for ns in exact], np.int64)
