"""UDP datagrams that travel in IP fragments, put together (RFC 791 3.2, RFC 8200 4.5)."""

import struct
from collections.abc import Hashable, Iterator
from typing import NamedTuple

from correlate.trace.fragments import REASSEMBLY_NS, Fragment
from correlate.trace.headers import UDP_BYTES

MAX_PIECES = 4_096


class Assembled(NamedTuple):
    """A datagram of `size` payload bytes, of which `payload` is there from its start on. `frame` is that of its first
    fragment, None where that was not captured; `last` that of the fragment that came last."""

    frame: int | None
    last: Fragment
    payload: bytes
    size: int


class Assembly:
    """Collects the fragments of a file. Memory is bounded: beyond MAX_PIECES the oldest datagram is given as it is."""

    def __init__(self) -> None:
        self._parts: dict[Hashable, list[tuple[Fragment, bytes]]] = {}
        self._count = 0

    @property
    def waits_since(self) -> int | None:
        """The first frame of a datagram that is not complete; None where all are."""
        return min((part.frame for parts in self._parts.values() for part, _ in parts), default=None)

    def add(self, fragment: Fragment, data: bytes) -> Iterator[Assembled]:
        """Takes in a fragment and what was captured of it; gives what is complete by it, or cannot be any more."""
        parts = self._parts.get(fragment.key, [])
        times = [part.time_ns for part, _ in parts if part.time_ns >= 0]
        if parts and (
            _is_complete(parts) or any(part.at == fragment.at == 0 for part, _ in parts)
            or (times and fragment.time_ns - min(times) > REASSEMBLY_NS)
        ):  # fmt: skip
            yield self._given(fragment.key)
        self._parts.setdefault(fragment.key, []).append((fragment, data))
        self._count += 1
        if _is_complete(self._parts[fragment.key]):
            yield self._given(fragment.key)
        while self._count > MAX_PIECES:
            yield self._given(next(iter(self._parts)))

    def rest(self) -> Iterator[Assembled]:
        """What never became complete."""
        for key in list(self._parts):
            yield self._given(key)

    def _given(self, key: Hashable) -> Assembled:
        parts = sorted(self._parts.pop(key), key=lambda part: part[0].at)
        self._count -= len(parts)
        data, whole = bytearray(), True
        for fragment, captured in parts:
            if whole and fragment.at <= len(data) < fragment.at + fragment.length:
                data += captured[len(data) - fragment.at :]
                whole = len(captured) == fragment.length
        last = max((fragment for fragment, _ in parts), key=lambda fragment: fragment.frame)
        end = max(fragment.at + fragment.length for fragment, _ in parts)
        first = parts[0][0]
        if first.at or len(data) < UDP_BYTES:
            return Assembled(None if first.at else first.frame, last, b"", max(end - UDP_BYTES, 0))
        (length,) = struct.unpack_from(">H", data, 4)
        size = max(length - UDP_BYTES, 0) if length else end - UDP_BYTES
        return Assembled(first.frame, last, bytes(data[UDP_BYTES : UDP_BYTES + size]), size)


def _is_complete(parts: list[tuple[Fragment, bytes]]) -> bool:
    """Whether they lead from the first byte to the last without a gap, whatever was captured of them."""
    at = 0
    for fragment, _ in sorted(parts, key=lambda part: part[0].at):
        if fragment.at > at:
            return False
        at = max(at, fragment.at + fragment.length)
        if not fragment.more:
            return True
    return False
