"""Are two captures the two sides of one call? Signs that they are not, none of which is a measure of the call."""

import filecmp
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Protocol

import numpy as np

from correlate.pairs import addresses
from correlate.pairs.window import Window
from correlate.trace import Datagrams
from correlate.trace.addresses import Address, fold

SAME_SHARE = 0.9
"""Of the datagrams of one file: a copy may be cut, filtered or written anew, two captures of one call share none."""
LEAST = 10


class Side(Protocol):
    """What is looked at of a side's record."""

    @property
    def phone(self) -> str: ...
    @property
    def capture(self) -> Path: ...
    @property
    def interface(self) -> frozenset[Address]: ...
    @property
    def recorded(self) -> bool: ...


def mixed_up(sides: Sequence[Side], windows: Sequence[Window]) -> str:
    """Why two captures, each with what was recorded of its side, are not the two sides of a call; empty where nothing
    says so.

    One file is there twice where both have the same bytes, or most datagrams of one are in the other: the same ends,
    length and, to the microsecond, time, from 1970 on or from the first datagram on. They are swapped where the
    interface addresses recorded of each side are those of the other capture and not those of its own
    (`correlate.pairs.addresses.fits`).
    """
    a, b = sides
    if len(windows[0].trace.records) and filecmp.cmp(a.capture, b.capture, shallow=False):
        return "one file twice: the captures have the same bytes"
    if share := _shared(windows[0].trace.udp, windows[1].trace.udp):
        return f"one file twice: {share:.0%} of the datagrams of one capture are in the other"
    fits = [[addresses.fits(of, side.interface) for of in windows] for side in sides]
    if all(side.recorded for side in sides) and fits == [[False, True], [True, False]]:
        return f"swapped: the addresses recorded of {a.phone} are those of the capture of {b.phone}, and the reverse"
    return ""


def _shared(a: Datagrams, b: Datagrams) -> float:
    """The share of the smaller one's datagrams that the other has too, by either time line, if it says that they are
    one; else 0."""
    few, many = sorted((a, b), key=len)
    if len(few) < LEAST:
        return 0.0
    for since_few, since_many in ((0, 0), (int(few.time_ns.min()), int(many.time_ns.min()))):
        times = (few.time_ns - since_few) // 1000, (many.time_ns - since_many) // 1000
        if np.isin(*times).mean() < SAME_SHARE:
            continue
        there = set(_keys(many, times[1].tolist()))
        share = sum(key in there for key in _keys(few, times[0].tolist())) / len(few)
        if share >= SAME_SHARE:
            return share
    return 0.0


def _keys(of: Datagrams, times: list[int]) -> list[tuple[object, ...]]:
    ends = [fold(each) for each in of.addresses]
    columns = (of.src_port.tolist(), of.dst_port.tolist(), of.payload_bytes.tolist(), times)
    names = ([ends[index] for index in column.tolist()] for column in (of.src, of.dst))
    return list(zip(*chain(names, columns), strict=True))
