"""One stand-in program as the bench sees it: the peer of a terminal, and the file of a capture (see `program`)."""

import asyncio
from collections.abc import Callable

from lab.virtual.standin.program import HEAD

MAX_FRAME_BYTES = 1 << 20


class Connection:
    """One stand-in program: the peer of a terminal, and the file of a capture."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._input = bytearray()
        self._input_ended = False
        self._wake = asyncio.Event()
        self._unacknowledged = 0
        self._acknowledged = asyncio.Event()
        self._acknowledged.set()
        self.gone = asyncio.Event()
        self.on_interrupt: Callable[[], None] = self._interrupt_reader

    async def argv(self) -> tuple[str, list[str]]:
        """Token and argv, the first thing that a stand-in sends. Raises ConnectionError."""
        kind, data = await self._frame()
        if kind != b"A":
            raise ConnectionError("a stand-in begins with its argv")
        token, *argv = data.decode("utf-8", "surrogateescape").split("\0")
        return token, argv

    async def _frame(self) -> tuple[bytes, bytes]:
        try:
            kind, length = HEAD.unpack(await self._reader.readexactly(HEAD.size))
            if length > MAX_FRAME_BYTES:
                raise ConnectionError("a frame that is too long")
            return kind, await self._reader.readexactly(length)
        except asyncio.IncompleteReadError as error:
            raise ConnectionError("the stand-in has gone") from error

    async def pump(self) -> None:
        """Take what the stand-in sends until it goes."""
        try:
            while True:
                kind, data = await self._frame()
                if kind == b"I":
                    self._input += data
                elif kind == b"E":
                    self._input_ended = True
                elif kind == b"S":
                    self.on_interrupt()
                elif kind == b"K":
                    self._unacknowledged -= 1
                    if not self._unacknowledged:
                        self._acknowledged.set()
                self._wake.set()
        except ConnectionError:
            self.gone.set()
            self._acknowledged.set()
            self._wake.set()

    def _interrupt_reader(self) -> None:
        # SIGINT ends a program that only reads.
        self._input_ended = True

    def post(self, kind: bytes, data: bytes = b"") -> None:
        """Send one frame; to a stand-in that has gone nothing is sent."""
        if not self.gone.is_set():
            self._writer.write(HEAD.pack(kind, len(data)) + data)

    def post_file(self, data: bytes) -> None:
        """Append to the stand-in's file; `settled` waits until it is written."""
        self.post(b"W", data)
        self.demand()

    def demand(self) -> None:
        """Ask for an acknowledgement of all that was posted."""
        if not self.gone.is_set():
            self.post(b"Q")
            self._unacknowledged += 1
            self._acknowledged.clear()

    async def settled(self) -> None:
        """Return once all that was demanded is acknowledged, or the stand-in has gone."""
        await self._acknowledged.wait()

    # -- the peer of a terminal

    def accept(self) -> None:
        """Nothing to do: a program is accepted by being started."""

    async def read(self) -> bytes:
        while not self._input and not self._input_ended and not self.gone.is_set():
            self._wake.clear()
            await self._wake.wait()
        data = bytes(self._input)
        self._input.clear()
        return data

    async def send(self, pieces: list[tuple[int, bytes]]) -> None:
        if self.gone.is_set():
            raise ConnectionError("the stand-in has gone")
        joined = b"".join(HEAD.pack(b"%d" % number, len(data)) + data for number, data in pieces)
        self._writer.write(joined)
        await self._writer.drain()

    async def finish(self, pieces: list[tuple[int, bytes]], code: int) -> None:
        await self.send(pieces)
        self.post(b"X", bytes([code & 255]))

    async def hung_up(self) -> None:
        await self.gone.wait()
