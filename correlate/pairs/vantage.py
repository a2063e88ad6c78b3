"""One side's capture between its markers: what it shows, and its UDP conversations with their media."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from correlate import markers
from correlate.dataset.record import Markers
from correlate.errors import Damaged, Unreadable
from correlate.flows import Flows, flows
from correlate.pairs.addresses import Learned
from correlate.pairs.amounts import Amounts
from correlate.pairs.frames import Frame
from correlate.pairs.sightings import Sighting, sightings
from correlate.stun import (
    ALLOCATED,
    BINDING,
    CLIENT_ADDRESSES,
    SERVER_ADDRESSES,
    USERNAME,
    Message,
    is_message,
    is_success,
    messages,
    method,
)
from correlate.trace import Datagrams, Trace, tcp
from correlate.trace.addresses import Address, fold
from correlate.trace.records import NO_TIME
from correlate.trace.tcp import Segments

Rows = NDArray[Any]
Here = Mapping[Address, int]
"""A phone's own addresses and how near: INTERFACE or OUTSIDE. Of two own addresses the nearer one is the phone's end:
phones behind one NAT that talk to each other have its public address at the far end (hairpin, RFC 4787 6)."""
Kind = Literal["server", "direct", "other"]

INTERFACE, OUTSIDE = 2, 1


@dataclass(frozen=True)
class Media:
    """The UDP datagrams of a conversation that are no STUN, as counted on one side's wire. ChannelData counts with its
    header. `first` and `last` are None where there is no datagram."""

    tx: Amounts
    rx: Amounts
    first: Frame | None
    last: Frame | None


@dataclass(frozen=True)
class Conversation:
    """A UDP conversation of the phone, seen from the phone. `remote` is folded, `remote_raw` as on the wire; `sign` is
    the first STUN message beyond a bare Binding, or TURN data: what makes its far end a server of the call; `flow` is
    its index in the vantage's flows."""

    kind: Kind
    local: Address
    local_port: int
    remote: Address
    remote_raw: Address
    remote_port: int
    tx: Amounts
    rx: Amounts
    first: Frame
    last: Frame
    sign: Frame | None
    media: Media
    flow: int

    @property
    def both(self) -> Amounts:
        """What went either way."""
        return self.tx + self.rx

    @property
    def first_ns(self) -> int:
        """The smallest time, of that side's clock."""
        return self.first.time_ns

    @property
    def last_ns(self) -> int:
        """The largest time."""
        return self.last.time_ns

    @property
    def over_ipv6(self) -> bool:
        """Whether it goes over IPv6 on this wire, as the paper's 4.2 counts; also where NAT64 makes IPv4 of it."""
        return isinstance(self.remote_raw, IPv6Address)

    @property
    def duration_s(self) -> float:
        """Last minus first packet (facts of the paper's Table 6)."""
        return (self.last_ns - self.first_ns) / 1e9


@dataclass(frozen=True)
class View:
    """A capture cut to the rows between its markers, `window_ns`; without markers that is all of it. `sender` is the
    address (folded) that the markers came from: the phone's."""

    trace: Trace
    messages: tuple[Message, ...]
    flows: Flows
    folded: tuple[Address, ...]
    visible: Mapping[Address, tuple[Sighting, ...]]
    segments: Segments
    window_ns: tuple[int, int]
    sender: Address | None


def view(capture: Path, between: Markers | None) -> View:
    """Reads a capture and cuts it to what lies strictly between its markers, by file order, without any datagram to or
    from where they go; without markers the whole file counts. The path, which names scenario and role, is left behind.

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
    folded = tuple(fold(address) for address in trace.udp.addresses)
    found = tuple(messages(trace))
    visible = sightings(trace.udp, folded, found)
    return View(trace, found, flows(trace.udp), folded, visible, segments, window_ns, sender)


def emptied(trace: Trace) -> Trace:
    """The trace without its bytes and rows."""
    return replace(trace, data=memoryview(b""), raw=memoryview(b""), udp=trace.udp.take(np.zeros(0, np.intp)))


def learn(seen: View, interface: frozenset[Address], probed: frozenset[Address]) -> Learned:
    """What this side tells about whose address is which. What an Allocate response maps is the client's, whoever else
    is met at that address (RFC 8656 7.3)."""
    here = near(interface, probed)
    ends = [(fold(flow.a), fold(flow.b)) for flow in seen.flows.table]
    remote = {far for a, b in ends for own, far in ((a, b), (b, a)) if here.get(own, 0) > here.get(far, 0)}
    reached = [
        message
        for message in seen.messages
        if is_success(message.type) and fold(message.dst) in here and fold(message.src) not in here
    ]
    return Learned(
        interface=interface,
        probed=probed,
        mapped=_named(reached, CLIENT_ADDRESSES),
        remote=frozenset(remote) - _named([each for each in reached if each.type == ALLOCATED], CLIENT_ADDRESSES),
        relays=_named(seen.messages, SERVER_ADDRESSES),
    )


def near(interface: Iterable[Address], outside: Iterable[Address]) -> Here:
    """A phone's own addresses: those of its interfaces, and those that only others see."""
    return {**dict.fromkeys(outside, OUTSIDE), **dict.fromkeys(interface, INTERFACE)}


def conversations(
    seen: View, here: Here, peers: frozenset[Address], relay_ports: frozenset[int]
) -> tuple[Conversation, ...]:
    """The phone's UDP conversations, in order of their first packet.

    `direct`: with an address in `peers`. `server`: with another address on one of `relay_ports` (empty: any) and with
    at least one STUN message that is more than a bare Binding, or TURN data. `other`: all else.
    """
    signs = _signs(seen)
    media = _media(seen, sent(seen.trace.udp, here))
    spans = _spans(seen, np.arange(len(seen.trace.udp)))
    found = []
    for index, flow in enumerate(seen.flows.table):
        a, b = here.get(fold(flow.a), 0), here.get(fold(flow.b), 0)
        if a == b:
            continue
        forward = a > b
        local, local_port = (flow.a, flow.a_port) if forward else (flow.b, flow.b_port)
        remote, remote_port = (flow.b, flow.b_port) if forward else (flow.a, flow.a_port)
        ab = Amounts(flow.packets_ab, flow.payload_ab, flow.bytes_ab)
        ba = Amounts(flow.packets_ba, flow.payload_ba, flow.bytes_ba)
        is_server = index in signs and (not relay_ports or remote_port in relay_ports)
        found.append(
            Conversation(
                kind="direct" if fold(remote) in peers else "server" if is_server else "other",
                local=local,
                local_port=local_port,
                remote=fold(remote),
                remote_raw=remote,
                remote_port=remote_port,
                tx=ab if forward else ba,
                rx=ba if forward else ab,
                first=spans[index][0],
                last=spans[index][1],
                sign=signs.get(index),
                media=media[index],
                flow=index,
            )
        )
    return tuple(found)


def sent(udp: Datagrams, here: Here) -> Rows:
    """Which rows the phone sends."""
    nearness = np.array([here.get(fold(address), 0) for address in udp.addresses], dtype=np.int8)
    src, dst = nearness[udp.src], nearness[udp.dst]
    return np.asarray((src > 0) & (src >= dst))


def media_rows(udp: Datagrams) -> Rows:
    """The rows that are media: datagrams that are no STUN. A later fragment is no datagram of its own."""
    is_datagram = (udp.payload_offset >= 0) | (udp.payload_bytes > 0)
    return np.flatnonzero(is_datagram & ~is_message(udp.head))


def _media(seen: View, is_sent: Rows) -> list[Media]:
    rows = media_rows(seen.trace.udp)
    tx, rx = (_amounts(seen, chosen) for chosen in (rows[is_sent[rows]], rows[~is_sent[rows]]))
    spans = _spans(seen, rows)
    return [Media(*each, *spans.get(index, (None, None))) for index, each in enumerate(zip(tx, rx, strict=True))]


def _amounts(seen: View, rows: Rows) -> list[Amounts]:
    """How much of these rows is of each flow."""
    udp, of, count = seen.trace.udp, seen.flows.of[rows], len(seen.flows.table)
    weights = (None, udp.payload_bytes[rows].astype(np.float64), udp.wire_bytes[rows].astype(np.float64))
    sums = [np.bincount(of, weights=each, minlength=count).astype(np.int64).tolist() for each in weights]
    return [Amounts(*each) for each in zip(*sums, strict=True)]


def _spans(seen: View, rows: Rows) -> dict[int, tuple[Frame, Frame]]:
    """The first and the last frame, by time, of each flow among these rows."""
    count = len(seen.flows.table)
    of, time_ns, number = seen.flows.of[rows], seen.trace.udp.time_ns[rows], seen.trace.udp.frame[rows]
    far = np.iinfo(np.int64)
    first_ns, last_ns = np.full(count, far.max), np.full(count, far.min)
    np.minimum.at(first_ns, of, time_ns)
    np.maximum.at(last_ns, of, time_ns)
    first, last = np.full(count, far.max), np.full(count, far.min)
    is_first, is_last = time_ns == first_ns[of], time_ns == last_ns[of]
    np.minimum.at(first, of[is_first], number[is_first])
    np.maximum.at(last, of[is_last], number[is_last])
    columns = (column.tolist() for column in (first, first_ns, last, last_ns))
    ends = enumerate(zip(*columns, strict=True))
    return {index: (Frame(*end[:2]), Frame(*end[2:])) for index, end in ends if end[3] >= end[1]}


def _frame(udp: Datagrams, row: int) -> Frame:
    return Frame(int(udp.frame[row]), int(udp.time_ns[row]))


def _signs(seen: View) -> dict[int, Frame]:
    """Flows with a STUN message beyond a bare Binding, or with TURN data, and the first frame with one."""
    of, rows = seen.flows.of, _channel_rows(seen)
    for message in seen.messages:
        if (
            message.nested is not None
            or method(message.type) != BINDING
            or any(kind == USERNAME for kind, _ in message.attributes)
        ):
            index = int(of[message.row])
            rows[index] = min(message.row, rows.get(index, message.row))
    return {index: _frame(seen.trace.udp, row) for index, row in rows.items()}


def _channel_rows(seen: View) -> dict[int, int]:
    """Flows with at least two ChannelData messages of one channel (RFC 8656, 12.4), each as long as it says, and the
    row of the first.

    One alone may be chance: a QUIC packet can start with the same bits.
    """
    udp, of = seen.trace.udp, seen.flows.of
    rows = np.flatnonzero(udp.payload_captured >= 4)
    head = udp.head[rows, :4].astype(np.int64)
    rest = udp.payload_bytes[rows] - 4 - head[:, 2] * 256 - head[:, 3]
    fits = (head[:, 0] >> 4 == 4) & (rest >= 0) & (rest < 4)
    channel = head[fits, 0] * 256 + head[fits, 1]
    rows = rows[fits]
    keys, first, counts = np.unique(of[rows] << 16 | channel, return_index=True, return_counts=True)
    found: dict[int, int] = {}
    for key, row in zip(keys[counts >= 2].tolist(), rows[first[counts >= 2]].tolist(), strict=True):
        found[key >> 16] = min(row, found.get(key >> 16, row))
    return found


def _named(found: tuple[Message, ...] | list[Message], attributes: tuple[int, ...]) -> frozenset[Address]:
    return frozenset(fold(address) for message in found for kind, address, _ in message.addresses if kind in attributes)
