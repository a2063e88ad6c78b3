"""Fields of pcapng's packet blocks, gathered by numpy once the chain of blocks is known.

draft-ietf-opsawg-pcapng: 4.3 enhanced, 4.4 simple, appendix A obsolete packet block; 4.2 if_tsresol and if_tsoffset.
Wireshark gives numbers to some blocks more (wiretap/pcapng.c): those are frames without bytes, times or an interface.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from correlate.trace.records import (
    FRONT_BYTES,
    NO_INTERFACE,
    NO_TIME,
    Column,
    Interface,
    Octets,
    Records,
    no_records,
    window,
)

OLD_PACKET, SIMPLE, ENHANCED = 2, 3, 6
CUSTOM = (0x00000BAD, 0x40000BAD)
NO_PACKETS = (9, 0x204, 0x216, 0x221, *CUSTOM)
"""systemd's journal, sysdig's events and custom blocks: frames to Wireshark all the same (tried on tshark 4.0.17)."""
FRAMES = (ENHANCED, SIMPLE, OLD_PACKET, *NO_PACKETS)
DROPCOUNT, DROPCOUNT_BYTES = 4, 8
MAX_OPTIONS = 32
"""So many of a packet's options are looked at, no tool writes more than a few."""
_UNKNOWN_DROPS = 0xFFFF
_HEAD_BYTES, _SIMPLE_BYTES = 28, 12
_FAULT = 7
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


@dataclass(frozen=True, slots=True)
class Packets:
    """`records` before the first faulty block, and that one's key of FAULTS (0: none). `untimed` are the rows whose
    time does not fit 63 bits; `drops` says of records which packets were lost before them: (interface, count)."""

    records: Records
    fault: int
    untimed: Column
    drops: list[tuple[int, int]]


def packets(octets: Octets, section: Section, block: Column, kinds: Column, interfaces: Sequence[Interface]) -> Packets:
    """The frames in blocks of these types at these offsets; all that are none are left out."""
    present = [ENHANCED] if (kinds == ENHANCED).all() else [kind for kind in FRAMES if (kinds == kind).any()]
    parts = [_fields(octets, section, kind, block[kinds == kind], interfaces) for kind in present]
    if not parts:
        return Packets(no_records(), 0, np.zeros(0, np.int64), [])
    table, front = parts[0]
    if len(parts) > 1:
        table = np.concatenate([part for part, _ in parts], axis=1)
        table = table[:, np.argsort(table[0], kind="stable")]
        front = window(octets, table[0], FRONT_BYTES)
    fault = table[_FAULT]
    n = int((fault != 0).argmax()) if fault.any() else len(fault)
    start, captured, wire, high, low, timed, number, _, rest, drops = table[:, :n]
    times = record_times(high, low, timed, number, interfaces)
    records = Records(start, captured, wire, times, number, front[:n])
    untimed = np.flatnonzero((times == NO_TIME) & (timed == 1))
    return Packets(
        records, int(fault[n]) if n < len(fault) else 0, untimed, _drops(octets, section, records, rest, drops)
    )


def _fields(
    octets: Octets, section: Section, kind: int, block: Column, interfaces: Sequence[Interface]
) -> tuple[Column, Octets]:
    """(start, captured, wire, upper and lower half of the time, whether it has one, interface, fault, bytes behind the
    packet that may be options, packets lost before it) int64 rows; and `Records.front`."""
    head_bytes = _SIMPLE_BYTES if kind == SIMPLE else _HEAD_BYTES
    both = window(octets, block, head_bytes + FRONT_BYTES)
    head = both[:, :_HEAD_BYTES].view(f"{section.order}u4")
    length, number, high, low, captured, wire = (head[:, at].astype(np.int64) for at in range(1, 7))
    timed, none = np.ones_like(block), np.zeros_like(block)
    drops, start, room = none, block + head_bytes, length - head_bytes - 4
    if kind in NO_PACKETS:
        return np.stack([block, *[none] * 5, none + NO_INTERFACE, *[none] * 3]), both[:, head_bytes:]
    if kind == OLD_PACKET:
        # Its interface number is 16 bits wide and shares the word with a drop counter.
        first, second = number >> 16, number & 0xFFFF
        number, drops = (first, second) if section.order == ">" else (second, first)
        drops = np.where(drops == _UNKNOWN_DROPS, 0, drops)
    if kind == SIMPLE:
        # No length captured is stored: it follows from the wire length and the snapshot length of interface 0.
        snaplen = interfaces[section.first].snaplen_bytes if section.known else 0
        wire = number
        captured = np.minimum(np.minimum(wire, room), snaplen or np.iinfo(np.int64).max)
        number = high = low = timed = none
    fault = np.where(captured > wire, _MORE_THAN_WIRE, 0)
    fault = np.where(number >= section.known, _UNKNOWN_INTERFACE, fault)
    fault = np.where(captured > room, _BEYOND, fault)
    rest = room - (captured + 3 & ~3) if kind == ENHANCED else none
    table = np.stack([start, captured, wire, high, low, timed, number + section.first, fault, rest, drops])
    return table, both[:, head_bytes:]


def _drops(octets: Octets, section: Section, records: Records, rest: Column, drops: Column) -> list[tuple[int, int]]:
    """What packet blocks say was lost before them: in a field of the obsolete one, in option epb_dropcount (4.3)."""
    found = [(int(records.interface[row]), int(drops[row])) for row in np.flatnonzero(drops).tolist()]
    rows = np.flatnonzero(rest >= 4)
    at = records.start[rows] + (records.captured[rows] + 3 & ~3)
    end = at + rest[rows]
    for _ in range(MAX_OPTIONS):
        if not len(rows):
            break
        head = window(octets, at, 4).view(f"{section.order}u2").astype(np.int64)
        code, length = head[:, 0], head[:, 1]
        fits = at + 4 + length <= end
        counts = np.flatnonzero(fits & (code == DROPCOUNT) & (length == DROPCOUNT_BYTES))
        values = window(octets, at[counts] + 4, DROPCOUNT_BYTES).view(f"{section.order}u8")[:, 0]
        found += zip(records.interface[rows[counts]].tolist(), values.tolist(), strict=True)
        at += 4 + (length + 3 & ~3)
        going = np.flatnonzero((code != 0) & fits & (at + 4 <= end))
        rows, at, end = rows[going], at[going], end[going]
    return found


def record_times(
    high: Column, low: Column, timed: Column, interface: Column, interfaces: Sequence[Interface]
) -> Column:
    """Nanoseconds since 1970 of every packet; NO_TIME where it has none or one that does not fit 63 bits."""
    if len(interface) and timed.all() and (interface == interface[0]).all():
        return _nanoseconds(high, low, interfaces[int(interface[0])])
    times = np.full(len(interface), NO_TIME, np.int64)
    for number in np.unique(interface).tolist():
        mine = np.flatnonzero((interface == number) & (timed == 1))
        if len(mine):
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
