"""One side's capture, cut to the window between its markers: what goes each way in it, and which addresses it shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from correlate import markers
from correlate.dataset.record import Markers
from correlate.errors import Damaged, Unreadable
from correlate.flows import Flows, flows
from correlate.pairs.frames import Frame
from correlate.stun import NAMES, Container, Message, messages
from correlate.trace import Datagrams, Trace, tcp
from correlate.trace.addresses import Address, fold
from correlate.trace.records import NO_TIME, Column, Mask
from correlate.trace.tcp import Segments

IP_HEADER = "IP header"


@dataclass(frozen=True)
class Amounts:
    """UDP datagrams in one direction: how many, their UDP payload, and whole frames as on the wire."""

    packets: int = 0
    payload_bytes: int = 0
    frame_bytes: int = 0

    def __add__(self, other: Amounts) -> Amounts:
        return Amounts(
            self.packets + other.packets,
            self.payload_bytes + other.payload_bytes,
            self.frame_bytes + other.frame_bytes,
        )


def total(amounts: Iterable[Amounts]) -> Amounts:
    """All of them together; zeros where there are none."""
    return sum(amounts, Amounts())


class Sighting(NamedTuple):
    """A place where a trace shows an address: IP_HEADER or the name of an attribute, the innermost container of a
    nested message, and the first frame that shows it there."""

    where: str
    nested: Container
    frame: Frame

    def __str__(self) -> str:
        inside = {None: "", "data": ", nested in DATA", "channel": ", nested in ChannelData"}
        return f"{self.where}{inside[self.nested]}"


@dataclass(frozen=True)
class Window:
    """The rows of a capture strictly between its markers, and what they show. `window_ns` are the markers' times, or
    without markers those of all packets; `sender` is the address (folded) that the markers came from: the phone's.
    `repeated` are the rows that are left out of amounts and spans, since they show a datagram a second time."""

    trace: Trace
    messages: tuple[Message, ...]
    flows: Flows
    visible: Mapping[Address, tuple[Sighting, ...]]
    segments: Segments
    window_ns: tuple[int, int]
    sender: Address | None
    repeated: Mask | None = None

    def amounts(self, rows: Column) -> list[Amounts]:
        """How much of these rows is of each flow."""
        rows = self.once(rows)
        udp, of, count = self.trace.udp, self.flows.of[rows], len(self.flows.table)
        weights = (None, udp.payload_bytes[rows].astype(np.float64), udp.wire_bytes[rows].astype(np.float64))
        sums = [np.bincount(of, weights=each, minlength=count).astype(np.int64).tolist() for each in weights]
        return [Amounts(*each) for each in zip(*sums, strict=True)]

    def spans(self, rows: Column) -> dict[int, tuple[Frame, Frame]]:
        """The first and the last frame, by time, of each flow among these rows."""
        count, rows = len(self.flows.table), self.once(rows)
        of, time_ns, number = self.flows.of[rows], self.trace.udp.time_ns[rows], self.trace.udp.frame[rows]
        limits = np.iinfo(np.int64)
        first_ns, last_ns = np.full(count, limits.max), np.full(count, limits.min)
        np.minimum.at(first_ns, of, time_ns)
        np.maximum.at(last_ns, of, time_ns)
        first, last = np.full(count, limits.max), np.full(count, limits.min)
        is_first, is_last = time_ns == first_ns[of], time_ns == last_ns[of]
        np.minimum.at(first, of[is_first], number[is_first])
        np.maximum.at(last, of[is_last], number[is_last])
        columns = (column.tolist() for column in (first, first_ns, last, last_ns))
        ends = enumerate(zip(*columns, strict=True))
        return {index: (Frame(*end[:2]), Frame(*end[2:])) for index, end in ends if end[3] >= end[1]}

    def once(self, rows: Column) -> Column:
        """The rows among these that show a datagram for the first time, where `repeated` is told."""
        return rows if self.repeated is None else rows[~self.repeated[rows]]


def read(capture: Path, between: Markers | None) -> Window:
    """Reads a capture and cuts it, by file order, leaving out what goes to or comes from where the markers go; without
    markers the whole file counts. The path, which names scenario and role, is left behind.

    Raises `Unreadable` where it is no capture, lacks a marker or has packets without a time, and `Damaged`.
    """
    finder = tcp.Finder()
    trace = Trace.read(capture, look=finder)
    for damage in trace.damage:
        if damage.voids:
            raise Damaged(f"{capture}: {damage}")
    segments, window_ns, sender = finder.segments(), (trace.first_ns or 0, trace.last_ns or 0), None
    if between is not None:
        udp = trace.udp
        begin, end = markers.window(trace, between)
        segments = segments.between(int(udp.frame[begin]), int(udp.frame[end]))
        window_ns = int(udp.time_ns[begin]), int(udp.time_ns[end])
        sender = fold(udp.addresses[int(udp.src[begin])])
        rows = np.arange(len(udp))
        trace = replace(trace, udp=udp.take((rows > begin) & (rows < end) & ~markers.is_harness(udp, between)))
    trace = replace(trace, path=Path())
    if bool((trace.udp.time_ns == NO_TIME).any()):
        raise Unreadable(capture, "has packets without a time, so nothing in it can be compared with the other side")
    found = tuple(messages(trace))
    return Window(trace, found, flows(trace.udp), _sightings(trace.udp, found), segments, window_ns, sender)


def emptied(trace: Trace) -> Trace:
    """The trace without its bytes and rows."""
    return replace(trace, data=memoryview(b""), raw=memoryview(b""), udp=trace.udp.take(np.zeros(0, np.intp)))


def _sightings(udp: Datagrams, messages: Iterable[Message]) -> dict[Address, tuple[Sighting, ...]]:
    """Every address (folded) of a trace's IP headers and of its messages, with its places, sorted by their names."""
    places: dict[Address, dict[tuple[str, Container], int]] = {}
    rows = np.full(len(udp.addresses), len(udp), np.int64)
    np.minimum.at(rows, udp.src, np.arange(len(udp)))
    np.minimum.at(rows, udp.dst, np.arange(len(udp)))
    for address, row in zip(map(fold, udp.addresses), rows.tolist(), strict=True):
        if row < len(udp):
            seen = places.setdefault(address, {})
            seen[IP_HEADER, None] = min(row, seen.get((IP_HEADER, None), row))
    for message in messages:
        for kind, address, _ in message.addresses:
            places.setdefault(fold(address), {}).setdefault((NAMES[kind], message.nested), message.row)
    return {address: _sorted(udp, seen) for address, seen in places.items()}


def _sorted(udp: Datagrams, seen: dict[tuple[str, Container], int]) -> tuple[Sighting, ...]:
    places = sorted(seen.items(), key=lambda place: (place[0][0], place[0][1] or ""))
    return tuple(Sighting(where, nested, Frame.of(udp, row)) for (where, nested), row in places)
