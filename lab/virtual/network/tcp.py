"""TCP segments as frames (RFC 9293), and the numbers of one connection, written when its segments pass a phone's wire.

A segment is built without sequence and acknowledgement number: which these are depends on what passed before it, and
what is taken back or dropped before it passes was never sent. Nothing is lost and nothing is sent twice.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lab.virtual.network.addresses import Endpoint
from lab.virtual.network.datagrams import (
    Integers,
    Octets,
    checksum,
    complete,
    complete_rows,
    ip_header,
    put,
)
from lab.virtual.network.media import Packets

FIN, SYN, PSH, ACK = 0x01, 0x02, 0x08, 0x10
HEADER_BYTES = 20
_TCP = 6
_BEHIND_IPV4 = (20, 34)
_WINDOW = 502
_JOINED_BYTES, _SPLIT_BYTES = 160, 320
_JOINED_ONE_IN, _SPLIT_ONE_IN = 8, 16

Booleans = npt.NDArray[np.bool_]


def syn_options(mss: int) -> bytes:
    """Maximum segment size, SACK permitted, window scale (RFC 9293 section 3.2, RFC 2018, RFC 7323)."""
    return struct.pack("!BBHBBBBBBBB", 2, 4, mss, 4, 2, 1, 3, 3, 8, 1, 1)


def segment(
    link: bytes,
    source: Endpoint,
    destination: Endpoint,
    flags: int,
    body: bytes,
    *,
    identification: int,
    hop_limit: int,
) -> bytes:
    """One segment behind `link`, its numbers and checksum still zero; the body of a SYN is its options."""
    options = len(body) if flags & SYN else 0
    # The window of a SYN is never scaled (RFC 7323 section 2.2).
    window = 65_535 if flags & SYN else _WINDOW
    ip = ip_header(source.address, destination.address, hop_limit, _TCP)
    head = struct.pack("!HHIIBBHHH", source.port, destination.port, 0, 0, 80 + 4 * options, flags, window, 0, 0)
    return b"".join((link, complete(ip, len(head) + len(body), identification), head, body))


def segments(
    link: bytes,
    source: Endpoint,
    destination: Endpoint,
    payload: Octets,
    sizes: Integers,
    *,
    flags: int,
    identifications: Integers,
    hop_limit: int,
) -> Octets:
    """Many segments of one connection as rows, as `lab.virtual.network.datagrams.frames` has datagrams."""
    count, width = payload.shape
    ip = ip_header(source.address, destination.address, hop_limit, _TCP)
    head = struct.pack("!HHIIBBHHH", source.port, destination.port, 0, 0, 80, flags, _WINDOW, 0, 0)
    before = link + ip + head
    rows = np.zeros((count, len(before) + width), dtype=np.uint8)
    rows[:, : len(before)] = np.frombuffer(before, dtype=np.uint8)
    rows[:, len(before) :] = payload
    complete_rows(rows, len(link), ip, sizes + HEADER_BYTES, identifications)
    return rows


@dataclass(frozen=True)
class Segments:
    """Segments of one stream of messages: `ended` messages end in each, of `ended_bytes` as framed."""

    packets: Packets
    ended: Integers
    ended_bytes: Integers


def written(messages: Packets, times_ns: Integers, draw: random.Random) -> tuple[Segments, Integers]:
    """Messages as a sender writes them to its socket, and when: mostly each in a segment of its own.

    Now and then a small one waits for the next (RFC 896), or a segment ends within a message.
    """
    parts: list[tuple[int, int, bytes, int, int, int]] = []
    held, ended, ended_bytes = b"", 0, 0
    last = len(messages.sizes) - 1
    for number, (size, row) in enumerate(zip(messages.sizes.tolist(), messages.rows, strict=True)):
        whole, ended, ended_bytes = len(held) + size, ended + 1, ended_bytes + size
        text = (held + row.tobytes()[:size]).ljust(min(whole, _SPLIT_BYTES), b"\0")
        if number < last and whole <= _JOINED_BYTES and draw.randrange(_JOINED_ONE_IN) == 0:
            held = text
            continue
        at, sent_ns = int(times_ns[number]), int(messages.sent_ns[number])
        if whole <= _SPLIT_BYTES and draw.randrange(_SPLIT_ONE_IN) == 0:
            cut = whole - draw.randrange(1, size)
            parts.append((at, sent_ns, text[:cut], cut, ended - 1, ended_bytes - size))
            text, whole, ended, ended_bytes = text[cut:], whole - cut, 1, size
        parts.append((at, sent_ns, text, whole, ended, ended_bytes))
        held, ended, ended_bytes = b"", 0, 0
    return _as_segments(parts)


def _as_segments(parts: Sequence[tuple[int, int, bytes, int, int, int]]) -> tuple[Segments, Integers]:
    texts = [text for _, _, text, _, _, _ in parts]
    width = max(map(len, texts)) + 1 & ~1
    rows = np.frombuffer(b"".join(text.ljust(width, b"\0") for text in texts), dtype=np.uint8)
    numbers = np.array([(at, sent, size, ended, total) for at, sent, _, size, ended, total in parts], dtype=np.int64)
    at, sent, sizes, ended, total = numbers.T
    return Segments(Packets(sent, sizes, rows.reshape(len(parts), width)), ended, total), at


class Numbers:
    """The sequence numbers of one connection as one phone's wire shows them; `lag_ns` is the shortest round trip.

    What the far end acknowledges is what the phone had sent a round trip before.
    """

    def __init__(self, draw: random.Random, lag_ns: int) -> None:
        self._first_sent, self._received = draw.getrandbits(32), draw.getrandbits(32)
        self._sent, self._lag_ns = self._first_sent, lag_ns
        self._told = {True: -1, False: -1}
        self._identification = draw.getrandbits(16)
        self._times = np.empty(0, dtype=np.int64)
        self._totals = np.empty(0, dtype=np.int64)

    def identify(self, count: int) -> Integers:
        """IP identifications for so many segments; Linux counts them connection by connection."""
        first, self._identification = self._identification, self._identification + count
        return (first + np.arange(count, dtype=np.int64)) & 0xFFFF

    def take(self, times_ns: Integers, outgoing: Booleans, consumes: Integers) -> tuple[Booleans, Integers, Integers]:
        """Segments in the order in which they pass: which are sent at all, and their two numbers.

        A bare acknowledgement (it consumes no number) that would say nothing new is not sent.
        """
        sent = self._sent + np.cumsum(np.where(outgoing, consumes, 0))
        received = self._received + np.cumsum(np.where(outgoing, 0, consumes))
        self._times = np.concatenate([self._times, times_ns[outgoing]])
        self._totals = np.concatenate([self._totals, sent[outgoing]])
        before = np.searchsorted(self._times, times_ns - self._lag_ns, side="right")
        arrived = np.concatenate([[self._first_sent], self._totals])[before]
        sequence = np.where(outgoing, sent, received) - consumes
        acknowledged = np.where(outgoing, received, arrived)
        kept = consumes > 0
        for way in (True, False):
            mine = outgoing if way else ~outgoing
            told = acknowledged[mine]
            kept[mine] |= np.diff(told, prepend=self._told[way]) > 0
            self._told[way] = int(told[-1]) if len(told) else self._told[way]
        self._sent, self._received = int(sent[-1]), int(received[-1])
        old = int(np.searchsorted(self._times, int(times_ns[-1]) - self._lag_ns)) - 1
        self._times, self._totals = self._times[max(old, 0) :], self._totals[max(old, 0) :]
        return kept, sequence & 0xFFFFFFFF, acknowledged & 0xFFFFFFFF


@dataclass(frozen=True)
class Transmission:
    """Frames of one connection: where their TCP header starts, and how many numbers each consumes."""

    numbers: Numbers
    start: int
    consumes: Integers

    def part(self, wanted: Booleans | slice) -> Transmission:
        """That of some of the frames."""
        return Transmission(self.numbers, self.start, self.consumes[wanted])


def numbered(rows: Octets, lengths: Integers, start: int, sequence: Integers, acknowledged: Integers) -> Octets:
    """Rows of segments with their numbers and checksums written in; a first SYN acknowledges nothing."""
    rows = rows.copy()
    acknowledged = np.where(rows[:, start + 13] & ACK, acknowledged, 0)
    for column, values in ((start + 4, sequence), (start + 8, acknowledged)):
        put(rows, column, values >> 16)
        put(rows, column + 2, values & 0xFFFF)
    behind = rows[:, start - (8 if start in _BEHIND_IPV4 else 32) :]
    even = behind if behind.shape[1] % 2 == 0 else np.pad(behind, ((0, 0), (0, 1)))
    words = np.ascontiguousarray(even).view(">u2").sum(axis=1, dtype=np.int64)
    put(rows, start + 16, checksum(words + _TCP + lengths - start))
    return rows
