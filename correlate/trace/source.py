"""Bytes of a capture file as a stream: from a path, from standard input (`-`), unpacked where they are gzip."""

from __future__ import annotations

import io
import os
import sys
import zlib
from typing import Protocol

from correlate import files
from correlate.errors import Unreadable
from correlate.trace.records import Damage, broken

STANDARD_INPUT = "-"
GZIP_MAGIC = b"\x1f\x8b"
STEP_BYTES = 4096
READ_BYTES = 1 << 18
# Unpacked at a time, whatever the reader has room for: what is kept of a broken file must not depend on that.
UNPACKED_BYTES = 1 << 14


class Source(Protocol):
    """`readinto` fills a buffer from its start and gives the bytes it got, 0 at the end; `damage` is what broke."""

    damage: Damage | None

    def readinto(self, buffer: memoryview) -> int: ...
    def close(self) -> None: ...


class Plain:
    """The bytes as they lie in the file. Raises Unreadable where they cannot be read."""

    def __init__(self, path: str | os.PathLike[str], file: io.RawIOBase | io.BytesIO, first: bytes = b"") -> None:
        self.damage: Damage | None = None
        self._path, self._file, self._first = path, file, first

    def readinto(self, buffer: memoryview) -> int:
        if self._first:
            size = min(len(buffer), len(self._first))
            buffer[:size], self._first = self._first[:size], self._first[size:]
            return size
        try:
            return self._file.readinto(buffer) or 0
        except OSError as error:
            raise Unreadable(self._path, f"cannot be read: {error.strerror}") from error

    def close(self) -> None:
        self._file.close()


class Gzip:
    """All members of a gzip file (RFC 1952), up to the first break; what unpacks before it is kept."""

    def __init__(self, packed: Plain) -> None:
        self.damage: Damage | None = None
        self._packed = packed
        self._member = zlib.decompressobj(wbits=31)
        self._input, self._at = b"", 0
        self._ready, self._given = b"", 0
        self._done = False

    def readinto(self, buffer: memoryview) -> int:
        filled = 0
        while filled < len(buffer):
            if not self._ready and not self._more():
                break
            size = min(len(buffer) - filled, len(self._ready))
            buffer[filled : filled + size], self._ready = self._ready[:size], self._ready[size:]
            filled += size
        return filled

    def _more(self) -> bool:
        """Unpacks until there is something; False at the end."""
        while not self._done and not self._ready:
            packed = self._member.unconsumed_tail or self._next()
            if not packed:
                self._end("its compression ends early")
                break
            before = self._member.copy()
            try:
                self._ready = self._member.decompress(packed, UNPACKED_BYTES)
                self._given += len(self._ready)
            except zlib.error as error:
                self._ready = _sound(before, packed)
                self._given += len(self._ready)
                self._end(f"its compression is broken: {error}")
            if self._member.eof:
                self._next_member(self._member.unused_data)
        return bool(self._ready)

    def _next(self) -> bytes:
        if self._at >= len(self._input):
            self._input, self._at = _read(self._packed, READ_BYTES), 0
        step = self._input[self._at : self._at + STEP_BYTES]
        self._at += len(step)
        return step

    def _next_member(self, behind: bytes) -> None:
        self._input, self._at = behind + self._input[self._at :], 0
        if len(self._input) < len(GZIP_MAGIC):
            self._input += _read(self._packed, READ_BYTES)
        self._member = zlib.decompressobj(wbits=31)
        if not self._input:
            self._done = True
        elif self._input[: len(GZIP_MAGIC)] != GZIP_MAGIC:
            self._end("behind its compression stand bytes that are none")

    def _end(self, text: str) -> None:
        self._done, self.damage = True, broken("cut_gzip", self._given, None, text)

    def close(self) -> None:
        self._packed.close()


def _sound(member: zlib._Decompress, packed: bytes) -> bytes:
    """What `packed` unpacks to before the byte that breaks it; zlib throws away all that came in the same call."""
    found = bytearray()
    try:
        for byte in packed:
            found += member.decompress(bytes([byte]))
    except zlib.error:
        return bytes(found)
    return bytes(found)


def _read(source: Source, most: int) -> bytes:
    buffer = bytearray(most)
    return bytes(buffer[: source.readinto(memoryview(buffer))])


def whole(source: Source, most: int | None = None, before: bytes = b"") -> bytes:
    """`before` and everything that follows it, or of both the first `most` bytes; `before` is not longer."""
    pieces, total = [before], len(before)
    while most is None or total < most:
        piece = _read(source, READ_BYTES if most is None else min(READ_BYTES, most - total))
        if not piece:
            break
        pieces.append(piece)
        total += len(piece)
    return b"".join(pieces)


def opened(path: str | os.PathLike[str], held: bytes | None = None, *, unpack: bool = True) -> Source:
    """The bytes of the file at `path` (`-`: standard input), unpacked or not, or of `held`, its contents read before.

    Raises Unreadable where it cannot be opened or read, or is no regular file; standard input may be anything.
    """
    file: io.RawIOBase | io.BytesIO
    try:
        if held is not None:
            file = io.BytesIO(held)
        elif os.fspath(path) == STANDARD_INPUT:
            file = io.FileIO(sys.stdin.fileno(), closefd=False)
        else:
            file = files.opened(path)
    except OSError as error:
        raise Unreadable(path, f"cannot be read: {error.strerror}") from error
    first, plain = b"", Plain(path, file)
    while len(first) < len(GZIP_MAGIC) and (more := _read(plain, len(GZIP_MAGIC) - len(first))):
        first += more
    plain = Plain(path, file, first)
    return Gzip(plain) if unpack and first == GZIP_MAGIC else plain
