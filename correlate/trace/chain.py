"""The chain of records: each one says how long it is, so where the next begins is known only once it is read.

`walk` goes along many stretches of a block at once. It guesses where records begin, lets one cursor run from each
guess in lockstep, and believes the result only where every cursor lands exactly on the start of the next one; since
the first start is true, all are then. Starts that are missed are given up; where that does not help, the chain is
walked record by record.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from correlate.trace.records import Column, Mask, Octets

SAMPLE = 32  # records walked first: they tell how long records are here
STRETCH = 24  # records that a cursor walks, about
FEW_CURSORS = 16
TRIES = 3
MAX_STEPS = 512
STEPS = 4  # between two looks at whether all have arrived

# whether records may begin at these offsets, as far as their own fields, of this byte order, tell
Plausible = Callable[[Octets, Column, str], Mask]


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
    first = _plain(data, low, high, form, SAMPLE)
    if len(first) < SAMPLE:
        return np.array(first, np.int64)
    starts = _starts(data, octets, low, high, form, (first[-1] - low) // (SAMPLE - 1))
    for _ in range(TRIES):
        if len(starts) < FEW_CURSORS:
            break
        found, missed = _lockstep(octets, starts, high, form)
        if found is not None:
            return found
        if not len(missed):
            break
        starts = np.delete(starts, missed)
    return np.array(_plain(data, low, high, form, high), np.int64)


def _plain(data: bytearray, at: int, high: int, form: Form, most: int) -> list[int]:
    """The first `most` of them, one by one."""
    length = struct.Struct(f"{form.order}I").unpack_from
    offsets, last, length_at, more, least = list[int](), high - form.header, form.length_at, form.more, form.least
    while at <= last and len(offsets) < most:
        offsets.append(at)
        step = length(data, at + length_at)[0] + more
        if step < least:
            break
        at += step
    return offsets


def _starts(data: bytearray, octets: Octets, low: int, high: int, form: Form, mean_bytes: int) -> Column:
    """Offsets at which records seem to begin, in order, the first one being `low`; about STRETCH records lie between
    two of them if records are `mean_bytes` long."""
    stretch = STRETCH * mean_bytes
    count = (high - low) // stretch
    first = low + form.mark_at
    mark = data[first : first + form.mark_bytes]
    if not any(mark) or count < FEW_CURSORS:
        return np.array([low], np.int64)
    # Most begin near the start of their stretch, where numpy looks for all at once.
    near = min(mean_bytes * 4 // 3, stretch - form.mark_bytes)
    stretches = octets[first : first + count * stretch].reshape(count, stretch)
    hits = stretches[:, :near] == mark[0]
    for at in range(1, form.mark_bytes):
        hits &= stretches[:, at : at + near] == mark[at]
    places = hits.argmax(axis=1)
    missing = np.flatnonzero(~hits[np.arange(count), places])
    places += np.arange(first, first + count * stretch, stretch)
    for row in missing.tolist():
        at = first + row * stretch
        places[row] = data.find(mark, at + near, at + stretch)
    starts = places[1:][places[1:] >= 0] - form.mark_at
    return np.concatenate([np.array([low], np.int64), starts[form.plausible(octets, starts, form.order)]])


def _lockstep(octets: Octets, starts: Column, high: int, form: Form) -> tuple[Column | None, Column]:
    """All offsets; or None where a cursor misses the start of the next, and which starts were missed."""
    goal = np.append(starts[1:], high - form.header + 1)
    length, more = numbers(octets, form.order, form.length_at), np.array(form.more)
    at, visited = starts, [starts]
    while (at < goal).any() and len(visited) < MAX_STEPS:
        # Cursors run on past their goal, so that all take the same steps; `high` holds them.
        for _ in range(STEPS):
            at = length[at] + at
            at += more
            np.minimum(at, high, out=at)
            visited.append(at)
    places = np.stack(visited, axis=1)
    before = places < goal[:, None]
    steps = np.minimum(np.count_nonzero(before, axis=1), len(visited) - 1)
    landed = places[np.arange(len(starts)), steps]
    missed = np.flatnonzero(landed[:-1] != goal[:-1]) + 1
    if len(missed) or landed[-1] < goal[-1]:
        return None, missed
    found: Column = places[before]
    return found, missed
