"""All messages of a capture, over UDP and TCP, in order; and where a message may be that was not there to be read.

Whatever begins like STUN is looked into: a datagram in IP fragments once all are there, a TCP stream once its first
bytes tell how it is framed.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from correlate.stun import attributes as meaning
from correlate.stun.attributes import CHANNEL_NUMBER, Attributes
from correlate.stun.decoding import COOKIE_END, HEADER_BYTES, Container, Contents, carries_data, contents
from correlate.stun.framing import Decoder, Framing
from correlate.stun.suspects import CLASSIC_PORT, CLASSIC_TYPES, LEAST_BYTES, candidates
from correlate.trace.addresses import Address
from correlate.trace.assembly import Assembled, Assembly
from correlate.trace.fragments import Fragment
from correlate.trace.records import Column, Octets
from correlate.trace.tcp import SYN, SegmentRows

HEAD_BYTES = 12
"""The fixed part of an RTP header (RFC 3550 5.1)."""
MAX_HELD = 1 << 16
"""Messages that wait until it is known what stands before them."""

Transport = Literal["udp", "tcp"]
Ends = tuple[Address, int, Address, int]
Rows = NDArray[np.intp]


class Message(NamedTuple):
    """A message: the frame that carried it, or completed it, with its time (-1: none) and ends. `row` is the row of its
    trace's (or its block's) datagrams, -1 of a message over TCP; the rest is as of `Decoded`."""

    row: int
    frame: int
    time_ns: int
    src: Address
    src_port: int
    dst: Address
    dst_port: int
    type: int
    transaction: bytes
    channel: int | None
    nested: Container
    attributes: Attributes
    cookie: bool
    unpadded: Attributes
    transport: Transport

    @property
    def carries_data(self) -> bool:
        """As of Decoded."""
        return carries_data(self.type, self.attributes)

    @property
    def username(self) -> str | None:
        """As of Decoded."""
        return meaning.username(self.attributes, self.unpadded)

    @property
    def ice_fragments(self) -> tuple[str, ...]:
        """The user name fragments of a connectivity check; none in any other message."""
        return meaning.ice_fragments(self.attributes, self.unpadded)

    @property
    def addresses(self) -> tuple[tuple[int, Address, int], ...]:
        """As of Decoded."""
        return meaning.addresses((*self.attributes, *self.unpadded), self.transaction)

    @property
    def unnamed_addresses(self) -> tuple[tuple[int, Address], ...]:
        """As of Decoded."""
        return meaning.unnamed_addresses((*self.attributes, *self.unpadded), self.transaction)


class Missing(NamedTuple):
    """A frame with a message, or what may be one, of which something was not there to be looked at, and why."""

    frame: int
    time_ns: int
    why: str


@dataclass(frozen=True)
class Connection:
    """One direction of a TCP connection: how it is framed (`other`: as nothing that is read here), whether it begins as
    TLS does, whether its begin was captured, and whether no frame was lost in between."""

    ends: Ends
    framing: Framing
    is_tls: bool
    has_begin: bool
    is_whole: bool


class Carried(NamedTuple):
    """A frame of a TCP connection with STUN that carries something else: the frame that completes it, with its time and
    ends, its length with header and padding, how much was captured of what it carries, and the first of these
    bytes, HEAD_BYTES at most."""

    frame: int
    time_ns: int
    ends: Ends
    payload_bytes: int
    data_bytes: int
    head: bytes


class Payloads(NamedTuple):
    """The UDP datagrams of a block or a trace, in columns; the bytes that their offsets point into; their ends."""

    frame: Column
    time_ns: Column
    payload_bytes: Column
    payload_offset: Column
    payload_captured: Column
    head: Octets
    data: memoryview
    ends: Callable[[int], Ends]

    def of(self, row: int) -> bytes:
        """What was captured of a payload."""
        offset = int(self.payload_offset[row])
        return b"" if offset < 0 else bytes(self.data[offset : offset + int(self.payload_captured[row])])


class _Place(NamedTuple):
    row: int
    frame: int
    time_ns: int
    ends: Ends


class Reader:
    """Takes in datagrams, fragments and segments in capture order, and gives their messages in that order."""

    def __init__(self) -> None:
        self.missing: list[Missing] = []
        self.connections: list[Connection] = []
        self.carried: list[Carried] = []
        self._held: list[tuple[int, int, Message]] = []
        self._count = 0
        self._channels: set[int] = set()
        self._ports = {CLASSIC_PORT}
        self._classic: list[tuple[_Place, bytes, int]] = []
        self._assembly = Assembly()
        self._firsts: dict[int, _Place] = {}
        self._decoders: dict[int, tuple[Ends, Decoder]] = {}
        self._is_other = np.zeros(256, np.bool_)

    def datagrams(self, of: Payloads, fragments: Iterable[Fragment], rows: Rows | None = None) -> None:
        """The datagrams of a block, and all the fragments in it, whose offsets point into the same bytes. `rows` are
        the rows of the datagrams, where not all of them are given."""
        fragments = list(fragments)
        firsts = [each.frame for each in fragments if each.at == 0]
        for row in np.flatnonzero(np.isin(of.frame, firsts)).tolist() if firsts else []:
            self._firsts[int(of.frame[row])] = self._place(of, row, rows)
        for row in candidates(of.head, of.payload_bytes, of.payload_captured).tolist():
            if int(of.frame[row]) not in self._firsts:
                self._datagram(self._place(of, row, rows), of.of(row), int(of.payload_bytes[row]))
        for each in fragments:
            for assembled in self._assembly.add(each, bytes(of.data[each.offset : each.offset + each.captured])):
                self._assembled(assembled)
        since = self._assembly.waits_since
        self._firsts = {frame: place for frame, place in self._firsts.items() if since is not None and frame >= since}
        self._settle_classic()

    def _place(self, of: Payloads, row: int, rows: Rows | None) -> _Place:
        return _Place(row if rows is None else int(rows[row]), int(of.frame[row]), int(of.time_ns[row]), of.ends(row))

    def _datagram(self, place: _Place, payload: bytes, size: int) -> None:
        if _is_classic(payload, size):
            self._classic.append((place, payload, size))
            return
        if len(payload) < COOKIE_END:
            if len(payload) < size and size >= LEAST_BYTES:
                self._miss(place.frame, place.time_ns, f"{len(payload)} of {size} payload bytes do not tell what it is")
            return
        self._found(place, contents(payload, size, self._channels), "udp")

    def _assembled(self, datagram: Assembled) -> None:
        last = datagram.last
        if datagram.frame is None:
            self._miss(last.frame, last.time_ns, "a fragment of a datagram whose first one was not captured")
        elif place := self._firsts.pop(datagram.frame, None):
            self._datagram(place, datagram.payload, datagram.size)

    def _settle_classic(self) -> None:
        """Messages without a cookie are such where STUN was seen on one of their ports."""
        waiting, self._classic = self._classic, []
        for place, payload, size in waiting:
            if place.ends[1] in self._ports or place.ends[3] in self._ports:
                self._found(place, contents(payload, size, classic=True), "udp")
            else:
                self._classic.append((place, payload, size))

    def _found(self, place: _Place, decoded: Contents, transport: Transport) -> None:
        for each in decoded.messages:
            self._count += 1
            message = Message(place.row, place.frame, place.time_ns, *place.ends, *each, transport)  # type: ignore[arg-type]
            heapq.heappush(self._held, (place.frame, self._count, message))
            self._channels |= {int.from_bytes(value[:2]) for kind, value in each.attributes if kind == CHANNEL_NUMBER}
        if decoded.messages and transport == "udp":
            self._ports |= {place.ends[1], place.ends[3]}
        if decoded.missing and transport == "udp":
            self._miss(place.frame, place.time_ns, decoded.missing)

    def _miss(self, frame: int, time_ns: int, why: str) -> None:
        self.missing.append(Missing(frame, time_ns, why))

    def segments(self, of: SegmentRows, data: memoryview, ends: Callable[[int], Ends]) -> None:
        """The segments of a block. A connection that is none of STUN costs no more than a look at its first bytes."""
        most = int(of.ends.max(initial=0))
        if most >= len(self._is_other):
            self._is_other = np.concatenate([self._is_other, np.zeros(most + 1, np.bool_)])
        is_syn = of.flags & SYN > 0
        may_be_new = np.isin(of.ends, of.ends[is_syn]) if is_syn.any() else False
        wanted = is_syn | ((of.payload_bytes > 0) & (may_be_new | ~self._is_other[of.ends]))
        rows = np.flatnonzero(wanted)
        columns = (of.frame, of.time_ns, of.ends, of.seq, is_syn, of.payload_bytes, of.payload_offset)
        captured = of.payload_captured[rows].tolist()
        values = zip(*(column[rows].tolist() for column in columns), captured, strict=True)
        for frame, time_ns, number, seq, opens, size, offset, there in values:
            if number not in self._decoders:
                self._decoders[number] = ends(number), Decoder()
            decoder = self._decoders[number][1]
            if opens:
                if not decoder.stream.is_of(seq):
                    self._end(number)
                    self._decoders[number] = ends(number), (decoder := Decoder())
                    self._is_other[number] = False
                decoder.stream.open(seq)
                seq += 1
            if size and decoder.framing != "other":
                decoder.stream.add(seq & 0xFFFFFFFF, bytes(data[offset : offset + there]), size, frame, time_ns)
                self._read(number)

    def _read(self, number: int, *, final: bool = False) -> None:
        ends, decoder = self._decoders[number]
        for framed in decoder.read(self._channels, final=final):
            self._found(_Place(-1, framed.frame, framed.time_ns, ends), framed.contents, "tcp")
            if framed.carries_data:
                data = framed.data
                head = data[:HEAD_BYTES]
                self.carried.append(Carried(framed.frame, framed.time_ns, ends, framed.size, len(data), head))
        self._is_other[number] = decoder.framing == "other"

    def _end(self, number: int) -> None:
        """No more segments of a connection will come."""
        self._read(number, final=True)
        ends, decoder = self._decoders.pop(number)
        if decoder.framing != "other":
            src, src_port, dst, dst_port = ends
            where = f"TCP from {src} port {src_port} to {dst} port {dst_port}"
            for frame, time_ns, why in decoder.missing:
                self._miss(frame, time_ns, f"{where}: {why}")
        if decoder.framing is not None:
            has_begin = decoder.stream.has_begin
            found = Connection(ends, decoder.framing, decoder.is_tls, has_begin, decoder.is_whole)
            self.connections.append(found)

    def settled(self) -> Iterator[Message]:
        """The messages before which nothing can come any more; beyond MAX_HELD nobody waits longer."""
        if len(self._held) > MAX_HELD:
            self._give_up()
        waits = [place.frame for place, _, _ in self._classic]
        waits += [decoder.stream.waits_since for _, decoder in self._decoders.values() if decoder.stream.waits_since]
        if (since := self._assembly.waits_since) is not None:
            waits.append(since)
        before = min(waits, default=None)
        while self._held and (before is None or self._held[0][0] < before):
            yield heapq.heappop(self._held)[2]

    def _give_up(self) -> None:
        self._classic = []
        for assembled in self._assembly.rest():
            self._assembled(assembled)
        for number, (_, decoder) in self._decoders.items():
            decoder.stream.give_up()
            self._read(number)

    def rest(self) -> Iterator[Message]:
        """The other messages, once the file is at its end."""
        for assembled in self._assembly.rest():
            self._assembled(assembled)
        self._settle_classic()
        for number in list(self._decoders):
            self._end(number)
        while self._held:
            yield heapq.heappop(self._held)[2]


def _is_classic(payload: bytes, size: int) -> bool:
    """As `is_classic`, of one payload."""
    fits = len(payload) >= COOKIE_END and int.from_bytes(payload[2:4]) + HEADER_BYTES == size
    return fits and int.from_bytes(payload[:2]) in CLASSIC_TYPES and payload[4:COOKIE_END] != meaning.COOKIE_BYTES
