"""UDP datagrams that travel in IP fragments, put together (RFC 791 3.2, RFC 8200 4.5)."""

import struct
from collections.abc import Hashable, Iterator
from typing import NamedTuple

from correlate.trace.fragments import REASSEMBLY_NS, Fragment
from correlate.trace.headers import UDP_BYTES

MAX_PIECES = 4_096
MAX_COMPLETE = 64
"""Datagrams that are remembered for fragments of theirs that come again."""


class Assembled(NamedTuple):
    """A datagram of `size` payload bytes, of which `payload` is there from its start on. `frame` is that of its first
    fragment, None where that was not captured; `last` that of the fragment that came last."""

    frame: int | None
    last: Fragment
    payload: bytes
    size: int


class _Parts:
    """The fragments of one datagram so far: by where they stand in it, the longest of each place."""

    def __init__(self, first: Fragment) -> None:
        self.first = first
        self.last = first
        self.by_place: dict[int, tuple[Fragment, bytes]] = {}
        self._bytes = 0
        self._end: int | None = None

    def add(self, fragment: Fragment, data: bytes) -> bool:
        """Whether it was new; what was captured of it comes with it."""
        known = self.by_place.get(fragment.at)
        if known and known[0].length >= fragment.length:
            return False
        self._bytes += fragment.length - (known[0].length if known else 0)
        self.by_place[fragment.at] = fragment, data
        self.last = fragment
        if not fragment.more:
            self._end = fragment.at + fragment.length
        return True

    def in_order(self) -> list[tuple[Fragment, bytes]]:
        return sorted(self.by_place.values(), key=lambda part: part[0].at)

    @property
    def is_complete(self) -> bool:
        """Whether they lead from the first byte to the last without a gap, whatever was captured of them."""
        if self._end is None or self._bytes < self._end:
            return False
        at = 0
        for fragment, _ in self.in_order():
            if fragment.at > at:
                return False
            at = max(at, fragment.at + fragment.length)
        return True


class Assembly:
    """Collects the fragments of a file. Memory is bounded: beyond MAX_PIECES the oldest datagram is given as it is."""

    def __init__(self) -> None:
        self._parts: dict[Hashable, _Parts] = {}
        self._complete: dict[Hashable, _Parts] = {}
        self._count = 0

    @property
    def waits_since(self) -> int | None:
        """The first frame of a datagram that is not complete; None where all are."""
        return next((parts.first.frame for parts in self._parts.values()), None)

    def add(self, fragment: Fragment, data: bytes) -> Iterator[Assembled]:
        """Takes in a fragment and what was captured of it; gives what is complete by it, or cannot be any more."""
        if self._is_known(fragment, data):
            return
        parts = self._parts.get(fragment.key)
        if parts and fragment.time_ns - parts.first.time_ns > REASSEMBLY_NS and parts.first.time_ns >= 0:
            yield self._given(fragment.key)
            parts = None
        parts = parts or self._parts.setdefault(fragment.key, _Parts(fragment))
        places = len(parts.by_place)
        if not parts.add(fragment, data):
            return
        self._count += len(parts.by_place) - places
        if parts.is_complete:
            self._complete[fragment.key] = parts
            if len(self._complete) > MAX_COMPLETE:
                del self._complete[next(iter(self._complete))]
            yield self._given(fragment.key)
        while self._count > MAX_PIECES:
            yield self._given(next(iter(self._parts)))

    def _is_known(self, fragment: Fragment, data: bytes) -> bool:
        """Whether it was sent again, of a datagram that is complete."""
        parts = self._complete.get(fragment.key)
        known = parts.by_place.get(fragment.at) if parts else None
        return bool(known and known[0].length == fragment.length and known[1] == data)

    def rest(self) -> Iterator[Assembled]:
        """What never became complete."""
        for key in list(self._parts):
            yield self._given(key)

    def _given(self, key: Hashable) -> Assembled:
        parts = self._parts.pop(key)
        in_order = parts.in_order()
        self._count -= len(in_order)
        data, whole = bytearray(), True
        for fragment, captured in in_order:
            if whole and fragment.at <= len(data) < fragment.at + fragment.length:
                data += captured[len(data) - fragment.at :]
                whole = len(captured) == fragment.length
        end = max(fragment.at + fragment.length for fragment, _ in in_order)
        first = in_order[0][0]
        if first.at or len(data) < UDP_BYTES:
            return Assembled(None if first.at else first.frame, parts.last, b"", max(end - UDP_BYTES, 0))
        (length,) = struct.unpack_from(">H", data, 4)
        size = max(length - UDP_BYTES, 0) if length else end - UDP_BYTES
        return Assembled(first.frame, parts.last, bytes(data[UDP_BYTES : UDP_BYTES + size]), size)
