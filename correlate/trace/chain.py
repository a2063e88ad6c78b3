"""The chain of records: each one says how long it is, so where the next begins is known only once it is read.

`walk` goes along many stretches of a block at once. It guesses where records begin, lets one cursor run from each
guess in lockstep, and believes the result only where every cursor lands exactly on the start of the next one; since
the first start is true, all are then. Else the chain is walked record by record.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from correlate.trace.records import MAX_RECORD_BYTES, Column, Mask, Octets

CURSORS = 256
FEW_CURSORS = 16
LOCKSTEP_BYTES = 1 << 16  # below, a plain loop is as quick
MAX_STEPS = 1024
STEPS = 8  # between two looks at whether all have arrived

# whether records begin at these offsets, as far as their own fields and those of the next record tell
Plausible = Callable[[Octets, Column, int], Mask]


@dataclass(frozen=True, slots=True)
class Form:
    """How a record tells its length: a 32-bit number at `length_at`, of byte order `order`, to which `more` is added.

    `least` is the shortest record; `header` the bytes that must be there. A record is looked for by the bytes at
    `mark_at` of the first one, `mark_bytes` of them.
    """

    order: str
    length_at: int
    more: int
    least: int
    header: int
    mark_at: int
    mark_bytes: int
    plausible: Plausible


def numbers(octets: Octets, order: str, at: int) -> NDArray[np.uint32]:
    """The 32-bit number at each offset + `at`."""
    return np.ndarray((len(octets) - at - 3,), f"{order}u4", octets, offset=at, strides=(1,))


def walk(data: bytearray, octets: Octets, low: int, high: int, form: Form) -> Column:
    """Offsets of the records from `low` on whose headers lie before `high`, in order; the last may be cut.

    What stands behind a record that is shorter than its form allows means nothing. `octets` is a view of `data`.
    """
    if high - low >= LOCKSTEP_BYTES:
        starts = _starts(data, octets, low, high, form)
        if len(starts) >= FEW_CURSORS:
            found = _lockstep(octets, starts, high, form)
            if found is not None:
                return found
    return np.array(_plain(data, low, high, form), np.int64)


def _plain(data: bytearray, at: int, high: int, form: Form) -> list[int]:
    length = struct.Struct(f"{form.order}I").unpack_from
    offsets, last, length_at, more, least = list[int](), high - form.header, form.length_at, form.more, form.least
    while at <= last:
        offsets.append(at)
        step = length(data, at + length_at)[0] + more
        if step < least:
            break
        at += step
    return offsets


def _starts(data: bytearray, octets: Octets, low: int, high: int, form: Form) -> Column:
    """Offsets at which records seem to begin, in order, the first one being `low`."""
    step = (high - low) // CURSORS
    mark = bytes(data[low + form.mark_at : low + form.mark_at + form.mark_bytes])
    if not any(mark):
        return np.array([low], np.int64)
    find, shift = data.find, form.mark_at
    places = range(low + step + shift, low + step * CURSORS, step)
    hits = [at for place in places if (at := find(mark, place, place + step)) >= 0]
    starts = np.array(hits, np.int64) - shift
    starts = starts[form.plausible(octets, starts, high)]
    return np.concatenate([np.array([low], np.int64), starts])


def _lockstep(octets: Octets, starts: Column, high: int, form: Form) -> Column | None:
    """All offsets, or None where a cursor misses the start of the next or takes too long to get there."""
    goal = np.append(starts[1:], high - form.header + 1)
    length = numbers(octets, form.order, form.length_at)
    at, visited = starts, [starts]
    while (at < goal).any():
        if len(visited) > MAX_STEPS:
            return None
        for _ in range(STEPS):
            # Cursors run on past their goal, so that all take the same steps; `high` holds them.
            at = length[at] + at
            at += form.more
            np.minimum(at, high, out=at)
            visited.append(at)
    places = np.stack(visited, axis=1)
    before = places < goal[:, None]
    landed = places[np.arange(len(starts)), before.sum(axis=1)]
    if (landed[:-1] != goal[:-1]).any():
        return None
    found: Column = places[before]
    return found


def pcap_plausible(order: str, mark_at: int) -> Plausible:
    """Two classic records in a row: lengths in bounds, fractions below a second, seconds alike in their upper half."""

    def plausible(octets: Octets, at: Column, high: int) -> Mask:
        seconds, fraction, captured, wire = (numbers(octets, order, field) for field in (0, 4, 8, 12))
        size = captured[at].astype(np.int64)
        following = np.minimum(at + 16 + size, high)
        sound = (size <= wire[at]) & (wire[at] <= MAX_RECORD_BYTES) & (fraction[at] < 1_000_000_000)
        alike = seconds[at] >> 16 == seconds[following] >> 16
        both: Mask = sound & alike & (captured[following] <= wire[following]) & (following + 16 <= high)
        return both

    return plausible


def pcapng_plausible(order: str) -> Plausible:
    """A block that says the same length twice and that another block seems to follow."""

    def plausible(octets: Octets, at: Column, high: int) -> Mask:
        first = numbers(octets, order, 4)
        size = first[at].astype(np.int64)
        following = np.minimum(at + size, high)
        sound = (size >= 12) & (size & 3 == 0) & (following + 12 <= high)
        both: Mask = sound & (numbers(octets, order, 0)[np.maximum(following - 4, 0)] == size)
        return both

    return plausible
