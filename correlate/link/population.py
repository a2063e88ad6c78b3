"""Calls that never overlapped, put into one hour: who else is on the phone while a call is on?

A lab makes one call at a time, so its own times would link every leg by themselves. Each call is moved, both legs
together, to a start drawn evenly over an hour that holds as many calls as keep a stated number of them in progress.
Where an hour needs more calls than the dataset has, calls are drawn again with other starts: such a copy has the same
traffic, but is a call of other people, so its user ids are exchanged for others of the same length, and its phones'
addresses are nobody's that the recorded calls know.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from correlate.link.legs import Call

HOUR_S = 3600.0
BITS_PER_CHARACTER = 6
MOST_BITS = 58

Column = NDArray[np.float64]
Index = NDArray[np.int64]


@dataclass(frozen=True)
class Hour:
    """`of` is the index of each call among the dataset's, `copy` 0 for a call as recorded, `start_s` its start in the
    hour. The first `queries` calls are copies 0, each call of the dataset in exactly one hour: these are ranked.

    Each leg was captured by a collector of its own, whose clock is off by a normal variable with standard deviation
    `skew_s`: `off` are these variables in units of it, (2, calls), of callers and callees.
    """

    of: Index
    copy: Index
    start_s: Column
    queries: int
    off: Column
    skew_s: float = 0.0

    def __len__(self) -> int:
        return len(self.of)


def calls_an_hour(calls: Sequence[Call], load: float) -> int:
    """How many calls an hour begin when `load` of them are in progress (Little's law); at least two."""
    mean_s = sum(call.duration_s for call in calls) / len(calls)
    return max(2, round(load * HOUR_S / max(mean_s, 1.0)))


def hours(calls: Sequence[Call], load: float, seed: str) -> list[Hour]:
    """As many hours at `load` as it takes to have every call in one of them. The same seed gives the same hours."""
    chance, clocks = np.random.default_rng(number(seed)), np.random.default_rng(number(f"{seed}/clocks"))
    size = calls_an_hour(calls, load)
    share = ceil(len(calls) / ceil(len(calls) / size))
    order = chance.permutation(len(calls))
    made = []
    for low in range(0, len(calls), share):
        recorded = order[low : low + share]
        drawn = chance.integers(len(calls), size=max(size - len(recorded), 0))
        of = np.concatenate([recorded, drawn]).astype(np.int64)
        copy = np.concatenate([np.zeros(len(recorded)), np.arange(1, len(drawn) + 1)]).astype(np.int64)
        start_s, off = chance.uniform(0, HOUR_S, len(of)), clocks.normal(size=(2, len(of)))
        made.append(Hour(of, copy, start_s, len(recorded), off))
    return made


def number(text: str) -> int:
    """A number of 64 bits that stands for a text."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())


def pseudonyms(user_ids: Iterable[str], copy: int) -> frozenset[int]:
    """Numbers for user ids. What is equal stays equal within a copy; each copy gets numbers of its own.

    An id of n characters becomes one of 64**n numbers, so that two are equal by chance as often as user ids are.
    """
    found = set()
    for value in user_ids:
        bits = min(len(value) * BITS_PER_CHARACTER, MOST_BITS)
        found.add((number(f"{copy}/{value}") % 2**bits) << 5 | len(value) & 31)
    return frozenset(found)
