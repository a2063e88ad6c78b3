"""One direction of a TCP connection as the bytes that its receiver reads (RFC 9293 3.4): segments in order,
retransmissions dropped, what was not captured known as holes."""

from __future__ import annotations

import heapq
from typing import NamedTuple

MAX_WAITING_BYTES, MAX_WAITING = 1 << 18, 1 << 12
"""Bytes and segments that are held back for one that is missing; beyond, it was lost to the capture. More than most
windows."""
MAX_HOLE_BYTES = 1 << 17
"""More than the longest message: of a larger hole no more is kept."""
FAR_BYTES = 1 << 20
"""What is so far behind was not sent again: it belongs to another connection between the same ports."""


class Piece(NamedTuple):
    """The bytes from `start` to `end` of the stream and the frame that brought them; None: nobody captured it."""

    start: int
    end: int
    frame: int | None
    time_ns: int


class Hole(NamedTuple):
    """Bytes from `start` to `end` of the stream, `size` of them on the wire, that are not there: cut by the snaplen, or
    with their segment."""

    start: int
    end: int
    is_cut: bool
    size: int


class Stream:
    """What is there of a stream and was not yet dropped: `data` begins at position `base` and has zeros in its holes.

    Positions count from the first byte that was captured, or from the one behind a SYN: then it `has_begin`. `stray` is
    the frame and time of the first segment that cannot be of this stream, None without any.
    """

    def __init__(self) -> None:
        self.data = bytearray()
        self.base = 0
        self.pieces: list[Piece] = []
        self.holes: list[Hole] = []
        self.has_begin = False
        self.stray: tuple[int, int] | None = None
        self._first_seq: int | None = None
        self._left_out = 0  # bytes of holes that have no positions
        # By places in the stream as it was sent: positions and what was left out before them.
        self._waiting: dict[int, _Segment] = {}
        self._places: list[int] = []  # a heap of the keys of `_waiting`
        self._frames: list[tuple[int, int]] = []  # a heap of frames with the positions at which they wait, or waited
        self._waiting_bytes = 0

    @property
    def end(self) -> int:
        """The position behind what is there."""
        return self.base + len(self.data)

    @property
    def waits_since(self) -> int | None:
        """The frame of the first segment that is held back for an earlier one; None where none is."""
        while self._frames and self._waiting.get(self._frames[0][1], _NONE).frame != self._frames[0][0]:
            heapq.heappop(self._frames)
        return self._frames[0][0] if self._frames else None

    def open(self, seq: int) -> None:
        """A SYN with this sequence number: the stream begins behind it. Sent again it changes nothing."""
        if self._first_seq is None:
            self._first_seq, self.has_begin = seq + 1 & 0xFFFFFFFF, True

    def is_of(self, seq: int) -> bool:
        """Whether a SYN with this sequence number is that of this stream, or may be."""
        return self._first_seq is None or self._first_seq == (seq + 1 & 0xFFFFFFFF)

    def add(self, seq: int, payload: bytes, size: int, frame: int, time_ns: int) -> None:
        """A segment of `size` bytes, of which `payload` was captured."""
        if self._first_seq is None:
            self._first_seq = seq
        sent, at = self.end + self._left_out, self._place(seq)
        if at + size <= sent:
            if sent - at > FAR_BYTES:
                self.stray = self.stray or (frame, time_ns)
            return
        if at > sent:
            known = self._waiting.get(at)
            if known is None:
                heapq.heappush(self._places, at)
            if known is None or known.size < size:
                self._waiting_bytes += size - (known.size if known else 0)
                self._waiting[at] = _Segment(payload, size, frame, time_ns)
                heapq.heappush(self._frames, (frame, at))
            if self._waiting_bytes > MAX_WAITING_BYTES or len(self._waiting) > MAX_WAITING:
                self.give_up()
        else:
            self._append(at, _Segment(payload, size, frame, time_ns))
            self._settle()

    def give_up(self) -> None:
        """Takes what is missing before the first segment that waits for lost."""
        if self._waiting:
            missing = max(self._places[0] - self.end - self._left_out, 0)
            self._left_out += max(missing - MAX_HOLE_BYTES, 0)
            first = self.end + min(missing, MAX_HOLE_BYTES)
            if missing:
                self.holes.append(Hole(self.end, first, is_cut=False, size=missing))
                self.pieces.append(Piece(self.end, first, None, -1))
                self.data += bytes(first - self.end)
            self._settle()

    def drop(self, position: int) -> None:
        """Lets go of what lies before a position."""
        if position > self.base:
            del self.data[: position - self.base]
            self.base = position
            self.pieces = [each for each in self.pieces if each.end > position]
            self.holes = [each for each in self.holes if each.end > position]

    def _place(self, seq: int) -> int:
        """Of a sequence number near the end of what is there (RFC 9293 3.4: modulo 2**32)."""
        sent = self.end + self._left_out
        distance = (seq - (self._first_seq or 0) - sent) & 0xFFFFFFFF
        return sent + (distance - (1 << 32) if distance >= 1 << 31 else distance)

    def _settle(self) -> None:
        while self._places and self._places[0] <= self.end + self._left_out:
            at = heapq.heappop(self._places)
            segment = self._waiting.pop(at)
            self._waiting_bytes -= segment.size
            if at + segment.size > self.end + self._left_out:
                self._append(at, segment)

    def _append(self, place: int, segment: _Segment) -> None:
        at, start = place - self._left_out, self.end
        end, captured = at + segment.size, at + len(segment.payload)
        self.pieces.append(Piece(start, end, segment.frame, segment.time_ns))
        if captured < end:
            hole = max(captured, start)
            self.holes.append(Hole(hole, end, is_cut=True, size=end - hole))
        there = segment.payload[start - at :]
        self.data += there + bytes(end - start - len(there))


class _Segment(NamedTuple):
    payload: bytes
    size: int
    frame: int
    time_ns: int


_NONE = _Segment(b"", 0, 0, -1)
