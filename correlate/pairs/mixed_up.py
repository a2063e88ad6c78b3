"""Are two captures the two sides of one call? Signs that they are not, none of which is a measure of the call."""

import filecmp
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Protocol

import numpy as np

from correlate.pairs import addresses
from correlate.pairs.conversations import Conversation
from correlate.pairs.negotiated import Agents, agents
from correlate.pairs.segments import MEDIA_DATAGRAMS
from correlate.pairs.window import Window
from correlate.stun import BINDING, Message, method
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


class View(Protocol):
    """What is looked at of a vantage."""

    @property
    def phone(self) -> str: ...
    @property
    def of_call(self) -> Sequence[Conversation]: ...
    @property
    def messages(self) -> Sequence[Message]: ...


def mixed_up(sides: Sequence[Side], windows: Sequence[Window]) -> str:
    """Why two captures, each with what was recorded of its side, are not the two sides of a call; empty where nothing
    says so.

    One file is there twice where both have the same bytes, or most datagrams of one are in the other: the same ends,
    length and, to the microsecond, time, from 1970 on or from the first datagram on. They are swapped where the
    interface addresses recorded of each side are those of the other capture and not those of its own
    (`correlate.pairs.addresses.fits`); a file without packets is nobody's.
    """
    a, b = sides
    if len(windows[0].trace.records) and filecmp.cmp(a.capture, b.capture, shallow=False):
        return "one file twice: the captures have the same bytes"
    if share := _shared(windows[0].trace.udp, windows[1].trace.udp):
        return f"one file twice: {share:.0%} of the datagrams of one capture are in the other"
    fits = [[addresses.fits(of, side.interface) for of in windows] for side in sides]
    own = [fits[number][number] for number in (0, 1)]
    may_be_other = all(not fit or not len(of.trace.records) for fit, of in zip(own, windows, strict=True))
    if a.recorded and b.recorded and fits[0][1] and fits[1][0] and may_be_other and not all(own):
        return f"swapped: the addresses recorded of {a.phone} are those of the capture of {b.phone}, and the reverse"
    return ""


def two_calls(a: View, b: View) -> str:
    """Why what carries the media of each side is another call's; empty where nothing says so.

    ICE agents check a path as long as it carries media (RFC 7675), and in each check stand the fragments of both (RFC
    8445 7.2.2): where both sides show some of these, and no pair of agents is on both, they are two calls.
    """
    found = [_agents(side) for side in (a, b)]
    if all(found) and not found[0] & found[1]:
        return f"two calls: no pair of ICE agents that checks the media of {a.phone} checks those of {b.phone}"
    return ""


def _agents(side: View) -> set[Agents]:
    """The pairs of agents that check conversations with media both ways."""
    carrying = {
        frozenset(((fold(each.local), each.local_port), (each.remote, each.remote_port)))
        for each in side.of_call
        if min(each.media.tx.packets, each.media.rx.packets) >= MEDIA_DATAGRAMS
    }
    return {
        named
        for each in side.messages
        if method(each.type) == BINDING and (named := agents(each)) is not None
        if frozenset(((fold(each.src), each.src_port), (fold(each.dst), each.dst_port))) in carrying
    }


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
