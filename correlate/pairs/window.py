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
from correlate.pairs.quoted import quoted
from correlate.stun import NAMES, Carried, Connection, Container, Decoded, Message, Missing, examine
from correlate.trace import Datagrams, Trace
from correlate.trace.addresses import Address, fold
from correlate.trace.records import NO_TIME, Column, Mask, no_records
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
    """The rows of a capture strictly between its markers, and what they show. `missing` are the frames in which STUN
    was not there as a whole, `connections` the directions of all TCP connections of the file, `carried` what those with
    STUN carry between the markers that is none, `udp_frames` all of its frames with UDP. `frames` and `window_ns` are
    the markers' frames and times, or without markers those around all packets; `sender` is the address (folded) that
    the markers came from: the phone's. `repeated` are the rows that are left out of amounts and spans, since they show
    a datagram a second time."""

    trace: Trace
    messages: tuple[Message, ...]
    missing: tuple[Missing, ...]
    connections: tuple[Connection, ...]
    carried: tuple[Carried, ...]
    flows: Flows
    visible: Mapping[Address, tuple[Sighting, ...]]
    segments: Segments
    udp_frames: Column
    frames: tuple[int, int]
    window_ns: tuple[int, int]
    sender: Address | None
    repeated: Mask | None = None

    def amounts(self, rows: Column) -> list[Amounts]:
        """How much of these rows is of each flow."""
        rows, udp = self.once(rows), self.trace.udp
        return amounts(self.flows.of[rows], udp.payload_bytes[rows], udp.wire_bytes[rows], len(self.flows.table))

    def spans(self, rows: Column) -> dict[int, tuple[Frame, Frame]]:
        """The first and the last frame, by time, of each flow among these rows."""
        rows, udp = self.once(rows), self.trace.udp
        return spans(self.flows.of[rows], udp.time_ns[rows], udp.frame[rows], len(self.flows.table))

    def once(self, rows: Column) -> Column:
        """The rows among these that show a datagram for the first time, where `repeated` is told."""
        return rows if self.repeated is None else rows[~self.repeated[rows]]


def amounts(of: Column, payload_bytes: Column, frame_bytes: Column, count: int) -> list[Amounts]:
    """How much of these columns is of each of `count` conversations; `of` is the index of each row's."""
    weights = (None, payload_bytes.astype(np.float64), frame_bytes.astype(np.float64))
    sums = [np.bincount(of, weights=each, minlength=count).astype(np.int64).tolist() for each in weights]
    return [Amounts(*each) for each in zip(*sums, strict=True)]


def spans(of: Column, time_ns: Column, number: Column, count: int) -> dict[int, tuple[Frame, Frame]]:
    """The first and the last frame, by time, of each conversation that has one; columns as of `amounts`."""
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


def read(capture: Path, between: Markers | None) -> Window:
    """Reads a capture and cuts it, by file order, leaving out what goes to or comes from where the markers go; without
    markers the whole file counts. The path, which names scenario and role, is left behind.

    Raises `Unreadable` where it is no capture, lacks a marker or has packets without a time, and `Damaged`.
    """
    trace = Trace.read(capture)
    for damage in trace.damage:
        if damage.voids:
            raise Damaged(f"{capture}: {damage}")
    frames, window_ns, sender = (0, len(trace.records) + 1), (trace.first_ns or 0, trace.last_ns or 0), None
    examined, rows, udp_frames = examine(trace), np.arange(len(trace.udp)), trace.udp.frame
    whole = trace
    if between is not None:
        udp = trace.udp
        begin, end = markers.window(trace, between)
        frames = int(udp.frame[begin]), int(udp.frame[end])
        window_ns = int(udp.time_ns[begin]), int(udp.time_ns[end])
        sender = fold(udp.addresses[int(udp.src[begin])])
        rows = rows[(rows > begin) & (rows < end) & ~markers.is_harness(udp, between)]
        trace = replace(trace, udp=udp.take(rows))
    trace = replace(trace, path=Path())
    if bool((trace.udp.time_ns == NO_TIME).any()):
        raise Unreadable(capture, "has packets without a time, so nothing in it can be compared with the other side")
    quotes = list(quoted(whole, frames))
    found, segments = _within(examined.messages, rows, frames), trace.tcp.between(*frames)
    missing = tuple(each for each in examined.missing if frames[0] < each.frame < frames[1])
    visible = _sightings(trace.udp, segments, found, quotes)
    return Window(
        trace,
        found,
        missing,
        examined.connections,
        tuple(each for each in examined.carried if frames[0] < each.frame < frames[1]),
        flows(trace.udp),
        visible,
        segments,
        udp_frames,
        frames,
        window_ns,
        sender,
    )


def _within(messages: Iterable[Message], rows: Column, frames: tuple[int, int]) -> tuple[Message, ...]:
    """The messages between two frames, with their rows among these; over UDP those of these rows alone."""
    new_row = {row: number for number, row in enumerate(rows.tolist())}
    return tuple(
        each._replace(row=new_row.get(each.row, -1))
        for each in messages
        if (each.row in new_row if each.transport == "udp" else frames[0] < each.frame < frames[1])
    )


def emptied(trace: Trace) -> Trace:
    """The trace without its bytes and rows."""
    none, nothing = np.zeros(0, np.intp), memoryview(b"")
    trace = replace(trace, data=nothing, raw=nothing, fragments=(), records=no_records())
    return replace(trace, udp=trace.udp.take(none), tcp=trace.tcp.take(none))


def _sightings(
    udp: Datagrams, segments: Segments, messages: Iterable[Message], quotes: Iterable[tuple[Frame, Decoded]]
) -> dict[Address, tuple[Sighting, ...]]:
    """Every address (folded) of a trace's IP headers and of its messages, those that ICMP quotes too, with its places,
    sorted by their names."""
    places: dict[Address, dict[tuple[str, Container], Frame]] = {}

    def see(address: Address, where: str, nested: Container, frame: Frame) -> None:
        seen = places.setdefault(fold(address), {})
        seen[where, nested] = min(frame, seen.get((where, nested), frame))

    for of in (udp, segments):
        for address, row in zip(of.addresses, _first_rows(of), strict=True):
            if row < len(of):
                see(address, IP_HEADER, None, Frame(int(of.frame[row]), int(of.time_ns[row])))
    found: list[tuple[Frame, Message | Decoded]] = [(Frame(each.frame, each.time_ns), each) for each in messages]
    for frame, message in (*found, *quotes):
        for kind, address, _ in message.addresses:
            see(address, NAMES[kind], message.nested, frame)
        for kind, address in message.unnamed_addresses:
            see(address, f"attribute 0x{kind:04x}", message.nested, frame)
    return {address: _sorted(seen) for address, seen in places.items()}


def _first_rows(of: Datagrams | Segments) -> list[int]:
    """The first row with each address; as many as there are rows where it has none."""
    rows = np.full(len(of.addresses), len(of), np.int64)
    np.minimum.at(rows, of.src, np.arange(len(of)))
    np.minimum.at(rows, of.dst, np.arange(len(of)))
    return rows.tolist()


def _sorted(seen: dict[tuple[str, Container], Frame]) -> tuple[Sighting, ...]:
    places = sorted(seen.items(), key=lambda place: (place[0][0], place[0][1] or ""))
    return tuple(Sighting(where, nested, frame) for (where, nested), frame in places)
