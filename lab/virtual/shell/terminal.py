"""Where a shell reads from and writes to, and what a line or a command costs in bench time."""

from __future__ import annotations

import asyncio
import errno
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from lab.definitions.virtual_network import Latency
from lab.virtual.world import World

OUT, ERR = 1, 2


Request = Literal["clock", "line", "agent"]


@dataclass(frozen=True)
class Tariff:
    """Nanoseconds that a request takes to the machine, and its answer back: lowest and highest."""

    up_ns: tuple[int, int]
    down_ns: tuple[int, int]

    def slower(self, up_ns: tuple[int, int], down_ns: tuple[int, int]) -> Tariff:
        """The same way with work at its end."""
        up, down = self.up_ns, self.down_ns
        return Tariff((up[0] + up_ns[0], up[1] + up_ns[1]), (down[0] + down_ns[0], down[1] + down_ns[1]))


def tariffs(latency: Latency) -> dict[Request, Tariff]:
    """What each kind of request costs on a machine whose channel has `latency`."""
    channel = Tariff((latency.up_low_ns, latency.up_high_ns), (latency.down_low_ns, latency.down_high_ns))
    return {
        "clock": channel,
        "line": channel.slower((500_000, 1_500_000), (300_000, 900_000)),
        "agent": channel.slower((2_500_000, 8_000_000), (1_500_000, 5_000_000)),
    }


TOKEN = re.compile(r""";\s*echo\s+(?:"[^"]*\$\?"|'[^']*'\$\?|\S*\$\?)\s*\Z""")
PATH = re.compile(r"/[^\s'\";|&<>()]+")
DIGITS = re.compile(r"\d+")


def operation(text: str) -> str:
    """What a command line is called where chance is keyed: without the client's token, its paths and its numbers.

    These may differ between a trial that is run alone and the same trial in a run; its bytes may not.
    """
    return DIGITS.sub("0", PATH.sub("/", TOKEN.sub("", text.strip())))


class Sink(Protocol):
    """Takes the bytes that a command writes."""

    def write(self, data: bytes) -> None: ...


class Input(Protocol):
    """Gives a command its bytes. Nothing means the end."""

    async def read_line(self, request: Request) -> bytes: ...

    async def read_all(self) -> bytes: ...


class Buffer:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: bytes) -> None:
        self.data += data


class Nowhere:
    """/dev/null."""

    def write(self, data: bytes) -> None:
        pass


def write_or_lose(descriptor: int, data: bytes) -> bool:
    """Write to a file; what has no room on a full disk is lost, then False. Raises any other error of the disk."""
    try:
        os.write(descriptor, data)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        return False
    return True


class OpenFile:
    """A file that a redirection opened; each write is on disk at once. On a full disk it is lost, and `has_lost`."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor
        self.has_lost = False

    def write(self, data: bytes) -> None:
        if self._descriptor is not None and data:
            self.has_lost |= not write_or_lose(self._descriptor, data)

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class Text:
    """Bytes that are there already: a pipe's or a file's."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    async def read_line(self, request: Request) -> bytes:
        line, end, self._data = self._data.partition(b"\n")
        return line + end

    async def read_all(self) -> bytes:
        data, self._data = self._data, b""
        return data


class Peer(Protocol):
    """The other end of a terminal: an ADB stream or the socket of a stand-in program."""

    async def read(self) -> bytes: ...

    async def send(self, pieces: list[tuple[int, bytes]]) -> None: ...

    async def finish(self, pieces: list[tuple[int, bytes]], code: int) -> None: ...

    def accept(self) -> None: ...

    async def hung_up(self) -> None: ...


class Keeper(Protocol):
    """Whoever waits for a shell: told when a command keeps running, and asked when the client is gone."""

    async def park(self) -> None: ...

    async def hung_up(self) -> None: ...


class Channel:
    """One of a terminal's two outputs."""

    def __init__(self, terminal: Terminal, number: int) -> None:
        self._terminal, self._number = terminal, number

    def write(self, data: bytes) -> None:
        if data:
            self._terminal.wrote(self._number, data)


class Terminal:
    """Input and outputs of one client. What a request leads to is sent in one piece, when nothing more is due."""

    def __init__(self, world: World, owner: str, costs: Mapping[Request, Tariff], peer: Peer) -> None:
        self._world, self._owner, self._costs, self._peer = world, owner, costs, peer
        self._input = bytearray()
        self._ended = False
        self._pieces: list[tuple[int, bytes]] = []
        self._owed: tuple[Tariff, str] | None = None
        self._parked = False
        self._flushing: set[asyncio.Task[None]] = set()
        self._sending = asyncio.Lock()
        self.out, self.err = Channel(self, OUT), Channel(self, ERR)

    def charge(self, request: Request, name: str) -> None:
        """Let the way up take its time; the way down is owed until `answer`."""
        tariff = self._costs[request]
        self._world.spend(*tariff.up_ns, f"{self._owner}/up/{name}")
        self._owed = (tariff, name)

    async def answer(self, code: int | None = None) -> None:
        """Let the way down take its time, wait for the stand-ins, send what was written; a code ends it all."""
        if self._owed is not None:
            tariff, name = self._owed
            self._owed = None
            self._world.spend(*tariff.down_ns, f"{self._owner}/down/{name}")
        await self._world.settle()
        await self._send(code)

    async def _send(self, code: int | None = None) -> None:
        async with self._sending:
            pieces, self._pieces = self._pieces, []
            if code is not None:
                await self._peer.finish(pieces, code)
            elif pieces:
                await self._peer.send(pieces)

    async def park(self) -> None:
        """A program keeps the terminal from here on. It may write at any event, and owes nothing for the way down."""
        self._owed = None
        self._peer.accept()
        await self._send()
        self._parked = True

    async def hung_up(self) -> None:
        """Return once the client has gone."""
        await self._peer.hung_up()

    def wrote(self, number: int, data: bytes) -> None:
        self._pieces.append((number, data))
        if self._parked:
            task = asyncio.get_running_loop().create_task(self._send_late())
            self._flushing.add(task)
            task.add_done_callback(self._flushing.discard)

    async def _send_late(self) -> None:
        try:
            await self._send()
        except ConnectionError:
            self._pieces.clear()  # The client left; the program runs on.

    async def _fill(self) -> None:
        data = await self._peer.read()
        self._input += data
        self._ended = not data

    async def read_line(self, request: Request) -> bytes:
        """The client's next line; each one is a request of that kind."""
        await self.answer()
        while b"\n" not in self._input and not self._ended:
            await self._fill()
        end = self._input.find(b"\n") + 1 or len(self._input)
        line = bytes(self._input[:end])
        del self._input[:end]
        if line:
            self.charge(request, "clock" if request == "clock" else operation(line.decode("utf-8", "replace")))
        return line

    async def read_all(self) -> bytes:
        """Everything until the client closes its side."""
        await self._send()
        while not self._ended:
            await self._fill()
        data = bytes(self._input)
        self._input.clear()
        return data
