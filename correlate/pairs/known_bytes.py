"""The other phone's addresses as bytes, below all decoding: what no table of attributes knows is still seen here.

16 bytes and text are looked for in every payload that was captured; 4 bytes, plain and XORed with STUN's cookie, where
they are no chance: in a payload's first bytes, in STUN and in text, never in RTP, SRTP and TLS records.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address
from typing import NamedTuple

import numpy as np

from correlate.pairs.frames import Frame
from correlate.pairs.window import Window
from correlate.stun import CHANNEL_HEADER_BYTES, COOKIE, is_message
from correlate.trace import Trace
from correlate.trace.addresses import MAPPED, NAT64, Address
from correlate.trace.datagrams import HEAD_BYTES
from correlate.trace.records import Column, Octets, u16

FIRST_BYTES = 64
"""Of a payload of an unknown protocol: its header stands there, behind it contents that may be anything."""
NO_CHANCE = 0.001
"""Fewer hits than this are expected by chance: then one of them is none."""
MAX_HITS = 64
TLS_TYPES = range(20, 27)
"""TLS and DTLS records (RFC 8446 5.1, RFC 9147 4): the byte behind it is 3 or 254."""
_BEFORE = {4: re.compile(rb"[0-9.]\Z"), 6: re.compile(rb"[0-9A-Fa-f:]\Z")}
_BEHIND = {4: re.compile(rb"[0-9]|\.[0-9]"), 6: re.compile(rb"[0-9A-Fa-f:]")}
"""192.0.2.7 is no part of 192.0.2.77."""


class Hit(NamedTuple):
    """An address (folded) of the other phone in bytes that nothing decodes: in which form, in which frame, how far into
    its payload, and how many such hits chance would give in the window. `is_chance`: it is neither fewer than NO_CHANCE
    nor does the form stand there in another datagram too."""

    address: Address
    form: str
    frame: Frame
    offset: int
    expected: float
    is_chance: bool

    def __str__(self) -> str:
        number = f"{self.expected:.1g}" if self.expected else "0"
        return f"{self.address} as {self.form}, frame {self.frame.number} byte {self.offset}, {number} by chance"


def hits(window: Window, addresses: Iterable[Address]) -> tuple[Hit, ...]:
    """Where the window shows these addresses as bytes, by frame; at most MAX_HITS. Those that decoding shows are not to
    be asked for: they are exposed already."""
    wanted = sorted(set(addresses), key=str)
    if not wanted:
        return ()
    low, high = _span(window)
    data, places = bytes(window.trace.data[low:high]), _Places(window)
    found = list[Hit]()
    for address in wanted:
        for form, needle in _forms(address):
            is_short = len(needle) == 4
            expected = (places.positions if is_short else high - low) / 256.0 ** len(needle)
            at = [
                place
                for offset in _all(data, needle, address.version if form == "text" else None)
                if (place := places.find(low + offset, len(needle), is_short=is_short)) is not None
            ]
            repeated = Counter(offset for _, offset in at)
            found += [
                Hit(address, form, frame, offset, expected, expected >= NO_CHANCE and repeated[offset] < 2)
                for frame, offset in at[:MAX_HITS]
            ]
    return tuple(sorted(found, key=lambda each: (each.frame, each.offset, each.form))[:MAX_HITS])


def _span(window: Window) -> tuple[int, int]:
    """The bytes of the file in which the frames of the window lie."""
    records = window.trace.records
    first, last = window.frames
    mine = np.arange(1, len(records) + 1)
    mine = np.flatnonzero((mine > first) & (mine < last))
    if not len(mine):
        return 0, 0
    low, high = int(mine[0]), int(mine[-1])
    return int(records.start[low]), int(records.start[high] + records.captured[high])


def _forms(address: Address) -> Iterator[tuple[str, bytes]]:
    """What an address may look like on the wire."""
    if isinstance(address, IPv4Address):
        yield "4 bytes", address.packed
        yield "4 bytes XORed with the cookie", (int(address) ^ COOKIE).to_bytes(4)
        for network in (MAPPED, NAT64):
            yield "16 bytes", network.network_address.packed[:12] + address.packed
        yield "text", str(address).encode()
    else:
        yield "16 bytes", address.packed
        for text in dict.fromkeys((address.compressed, address.exploded)):
            yield "text", text.encode()
            if text.upper() != text:
                yield "text", text.upper().encode()


def _all(data: bytes, needle: bytes, text_of: int | None) -> Iterator[int]:
    """Every place of a needle; of the text of an address of an IP version where it is no part of a longer one."""
    at = data.find(needle)
    while at >= 0:
        behind = at + len(needle)
        is_part = text_of and (
            _BEFORE[text_of].search(data[max(at - 1, 0) : at]) or _BEHIND[text_of].match(data[behind : behind + 2])
        )
        if not is_part:
            yield at
        at = data.find(needle, at + 1)


class _Payloads(NamedTuple):
    """Payloads of a window by their place in the file, and how many of their first bytes count for 4 bytes."""

    frame: Column
    time_ns: Column
    start: Column
    captured: Column
    reach: Column


class _Places:
    """Where in a payload an offset of the file lies. `positions` is how many of the window's count for 4 bytes."""

    def __init__(self, window: Window) -> None:
        trace = window.trace
        kinds = (_udp(trace), _fragments(window), _tcp(window), _others(window))
        every = [np.concatenate(columns) for columns in zip(*kinds, strict=True)]
        order = np.argsort(every[2], kind="stable")
        self._of = _Payloads(*(column[order] for column in every))
        self.positions = int(self._of.reach.sum())

    def find(self, at: int, length: int, *, is_short: bool) -> tuple[Frame, int] | None:
        """The frame, and the offset in its payload, of `length` bytes at an offset of the file; None where they lie in
        no payload, or where 4 bytes are likely to be chance."""
        of = self._of
        row = int(np.searchsorted(of.start, at, side="right")) - 1
        if row < 0:
            return None
        offset = at - int(of.start[row])
        if offset + length > int((of.reach if is_short else of.captured)[row]):
            return None
        return Frame(int(of.frame[row]), int(of.time_ns[row])), offset


def _udp(trace: Trace) -> _Payloads:
    udp = trace.udp.take(np.flatnonzero(trace.udp.payload_offset >= 0))
    reach = _reach(udp.head, udp.payload_bytes, udp.payload_captured)
    return _Payloads(udp.frame, udp.time_ns, udp.payload_offset, udp.payload_captured, reach)


def _fragments(window: Window) -> _Payloads:
    """Later fragments: what they hold the first one tells, so 4 bytes do not count."""
    low, high = window.frames
    later = [each for each in window.trace.fragments if each.at and low < each.frame < high]
    table = [(each.frame, each.time_ns, each.offset, each.captured, 0) for each in later]
    return _Payloads(*np.array(table, np.int64).reshape(-1, 5).T)


def _tcp(window: Window) -> _Payloads:
    """Segments. In a connection that is TLS no 4 bytes count: its records go on from segment to segment."""
    segments, data = window.segments.with_payload(), window.trace.data
    tls = {each.ends for each in window.connections if each.is_tls}
    of, rows = segments.addresses, segments.rows
    is_tls = np.array(
        [
            (of[src], src_port, of[dst], dst_port) in tls or (of[dst], dst_port, of[src], src_port) in tls
            for src, src_port, dst, dst_port in zip(
                *(each.tolist() for each in (segments.src, segments.src_port, segments.dst, segments.dst_port)),
                strict=True,
            )
        ],
        np.bool_,
    )
    heads = np.zeros((len(rows), HEAD_BYTES), np.uint8)
    places = zip(rows.payload_offset.tolist(), rows.payload_captured.tolist(), strict=True)
    for row, (offset, captured) in enumerate(places):
        first = data[offset : offset + min(captured, HEAD_BYTES)]
        heads[row, : len(first)] = np.frombuffer(first, np.uint8)
    reach = np.where(is_tls, 0, _reach(heads, rows.payload_bytes, rows.payload_captured))
    return _Payloads(rows.frame, rows.time_ns, rows.payload_offset, rows.payload_captured, reach)


def _others(window: Window) -> _Payloads:
    """Frames that are neither UDP nor TCP, from their first byte on."""
    records, trace = window.trace.records, window.trace
    frame = np.arange(1, len(records) + 1)
    low, high = window.frames
    known = np.concatenate([window.udp_frames, trace.tcp.frame])
    mine = np.flatnonzero((frame > low) & (frame < high) & ~np.isin(frame, known))
    captured = records.captured[mine]
    return _Payloads(
        frame[mine], records.time_ns[mine], records.start[mine], captured, np.minimum(captured, FIRST_BYTES)
    )


def _reach(head: Octets, size: Column, captured: Column) -> Column:
    """How many of the bytes of payloads, of which `head` are the first (RFC 7983 7), count for 4 bytes."""
    behind = size - CHANNEL_HEADER_BYTES - u16(head, 2)
    channel = (head[:, 0] >> 6 == 1) & (behind >= 0) & (behind < 4)
    inner = np.where(channel[:, None], head[:, 4:6], head[:, 0:2])
    is_media = (inner[:, 0] >> 6 == 2) | (np.isin(inner[:, 0], TLS_TYPES) & np.isin(inner[:, 1], (3, 254)))
    printable = ((head >= 0x20) & (head < 0x7F)) | np.isin(head, (0, 9, 10, 13))
    is_text = printable.all(axis=1) & (head[:, :4] > 0).all(axis=1)
    whole = is_message(head) | is_text
    return np.where(is_media, 0, np.where(whole, captured, np.minimum(captured, FIRST_BYTES)))
