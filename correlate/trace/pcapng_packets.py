"""Fields of pcapng's packet blocks, gathered by numpy once the chain of blocks is known.

draft-ietf-opsawg-pcapng: 4.3 enhanced, 4.4 simple, appendix A obsolete packet block; 4.2 if_tsresol and if_tsoffset.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from correlate.trace.records import FRONT_BYTES, NO_TIME, Column, Interface, Octets, Records, no_records, window

OLD_PACKET, SIMPLE, ENHANCED = 2, 3, 6
_HEAD_BYTES, _SIMPLE_BYTES = 28, 12
_BEYOND, _UNKNOWN_INTERFACE, _MORE_THAN_WIRE = 1, 2, 3
FAULTS = {
    _BEYOND: ("impossible_length", "impossible length: a packet longer than its block"),
    _UNKNOWN_INTERFACE: ("bad_block", "a packet of an interface that was never described"),
    _MORE_THAN_WIRE: ("impossible_length", "impossible length: more bytes captured than were on the wire"),
}


@dataclass(frozen=True, slots=True)
class Section:
    """A section as far as it is known: its byte order, the number of its interface 0 among all interfaces of the file,
    and how many it has described so far."""

    order: str
    first: int
    known: int


def packets(
    octets: Octets, section: Section, block: Column, kinds: Column, interfaces: Sequence[Interface]
) -> tuple[Records, int]:
    """The packets in blocks of these types at these offsets, before the first faulty one, and its key of FAULTS (0)."""
    present = [kind for kind in (ENHANCED, SIMPLE, OLD_PACKET) if (kinds == kind).any()]
    parts = [_fields(octets, section, kind, block[kinds == kind], interfaces) for kind in present]
    if not parts:
        return no_records(), 0
    table, front = parts[0]
    if len(parts) > 1:
        table = np.concatenate([part for part, _ in parts], axis=1)
        table = table[:, np.argsort(table[0], kind="stable")]
        front = window(octets, table[0], FRONT_BYTES)
    start, captured, wire, high, low, timed, number, fault = table
    if not fault.any():
        n, why = len(start), 0
    else:
        n = int((fault != 0).argmax())
        why = int(fault[n])
    times = record_times(high[:n], low[:n], timed[:n], number[:n], interfaces)
    return Records(start[:n], captured[:n], wire[:n], times, number[:n], front[:n]), why


def _fields(
    octets: Octets, section: Section, kind: int, block: Column, interfaces: Sequence[Interface]
) -> tuple[Column, Octets]:
    """(start, captured, wire, upper and lower half of the time, whether it has one, interface, fault) int64 rows; and
    `Records.front`."""
    head_bytes = _SIMPLE_BYTES if kind == SIMPLE else _HEAD_BYTES
    both = window(octets, block, head_bytes + FRONT_BYTES)
    head = both[:, :_HEAD_BYTES].view(f"{section.order}u4")
    length, number, high, low, captured, wire = (head[:, at].astype(np.int64) for at in range(1, 7))
    timed = np.ones_like(block)
    start, room = block + head_bytes, length - head_bytes - 4
    if kind == OLD_PACKET:
        # Its interface number is 16 bits wide and shares the word with a drop counter.
        number = number >> 16 if section.order == ">" else number & 0xFFFF
    if kind == SIMPLE:
        # No length captured is stored: it follows from the wire length and the snapshot length of interface 0.
        snaplen = interfaces[section.first].snaplen_bytes if section.known else 0
        wire = number
        captured = np.minimum(np.minimum(wire, room), snaplen or np.iinfo(np.int64).max)
        number = high = low = timed = np.zeros_like(block)
    fault = np.where(captured > wire, _MORE_THAN_WIRE, 0)
    fault = np.where(number >= section.known, _UNKNOWN_INTERFACE, fault)
    fault = np.where(captured > room, _BEYOND, fault)
    table = np.stack([start, captured, wire, high, low, timed, number + section.first, fault])
    return table, both[:, head_bytes:]


def record_times(
    high: Column, low: Column, timed: Column, interface: Column, interfaces: Sequence[Interface]
) -> Column:
    """Nanoseconds since 1970 of every packet; NO_TIME where it has none or one that does not fit 63 bits."""
    if len(interface) and timed.all() and (interface == interface[0]).all():
        return _nanoseconds(high, low, interfaces[int(interface[0])])
    times = np.full(len(interface), NO_TIME, np.int64)
    for number in np.unique(interface).tolist():
        mine = np.flatnonzero((interface == number) & (timed == 1))
        times[mine] = _nanoseconds(high[mine], low[mine], interfaces[number])
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
