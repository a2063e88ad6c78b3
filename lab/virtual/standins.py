"""The bench's side of the laptop: a machine with a shell, a clock and dumpcap, behind stand-in programs.

Each stand-in (`laptop.py`) is one connection. What a capture has to write is sent there at every flush of the wires,
and the bench answers nobody before the stand-in has acknowledged it.
"""

from __future__ import annotations

import asyncio
import secrets
import struct
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from lab.definitions import LaptopEmulation, LaptopSpec
from lab.virtual import laptop
from lab.virtual.clocks import DriftingClock
from lab.virtual.commands import COMMON
from lab.virtual.commands.hotspot import ethtool, ip, ping, ps
from lab.virtual.dumpcap import Dumpcap, dumpcap_in_shell
from lab.virtual.faults import Faults
from lab.virtual.files import ROOT_UID, Files
from lab.virtual.network import Network
from lab.virtual.network.wire import Wire
from lab.virtual.processes import ProcessTable
from lab.virtual.shell.interpreter import Shell
from lab.virtual.shell.machine import Call, Command, Ends
from lab.virtual.shell.terminal import Terminal, operation, tariffs
from lab.virtual.world import World

HEAD = struct.Struct(">cI")
MAX_FRAME_BYTES = 1 << 20


class LaptopMachine:
    """The hotspot laptop: its files, clock, interfaces and the wire that its hotspot sees."""

    shell_name = "bash"
    architecture = "x86_64"
    name = "laptop"

    def __init__(
        self,
        spec: LaptopSpec,
        emulation: LaptopEmulation,
        world: World,
        root: Path,
        network: Network,
        faults: Faults,
        on_clock_read: Callable[[str, int], None],
    ) -> None:
        self.spec, self.emulation, self.world = spec, emulation, world
        self.network, self.faults = network, faults
        self.kernel = emulation.kernel
        self.files = Files(root / "laptop", (Files.normal(spec.directory),))
        self.processes = ProcessTable()
        self.refused: list[str] = []
        self.clock = DriftingClock(self.name, world, emulation.clock, faults, on_clock_read)
        self.costs = tariffs(emulation.channel)
        self.commands: Mapping[str, Command] = {
            **COMMON,
            "ip": partial(ip, self),
            "ping": partial(ping, self),
            "ps": partial(ps, self),
            "ethtool": partial(ethtool, self),
            "dumpcap": partial(dumpcap_in_shell, self),
        }

    def read_clock_ns(self) -> int:
        """What the laptop's clock shows to a client; the ledger is told."""
        return self.clock.read()

    def command_fault(self, argv: list[str]) -> tuple[str, int] | None:
        fault = self.faults.take("shell", self.name, " ".join(argv)) if self.faults.waiting else None
        return None if fault is None else (str(fault.get("text", "")), int(fault.get("code", 1)))

    def program(self, path: str) -> Command | None:
        """Nothing is installed on the laptop but what it has."""
        return None

    def hotspot(self) -> str:
        """The interface that holds the hotspot's address. Raises LookupError where none does."""
        for interface in self.emulation.interfaces:
            if any(one.ip == self.spec.hotspot_address for one in interface.addresses):
                return interface.name
        raise LookupError(f"no interface of the laptop holds {self.spec.hotspot_address}")

    def hotspot_wire(self, mac: str) -> Wire:
        """The wire of the phone with this MAC behind the hotspot; of another one behind it where no phone has it."""
        behind = self.network.others
        phone = next((one for one in behind if self.network.accesses[one].mac == mac), next(iter(behind)))
        return self.network.wires[phone]


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


class StandIns:
    """Serves the laptop's programs on a loopback port."""

    def __init__(self, machine: LaptopMachine) -> None:
        self._machine = machine
        self._token = secrets.token_hex(16)
        self._server: asyncio.Server | None = None
        self._captures: list[Dumpcap] = []

    async def start(self) -> list[str]:
        """Begin to serve; the argv prefix of the laptop's programs."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0, limit=MAX_FRAME_BYTES)
        port = self._server.sockets[0].getsockname()[1]
        return [sys.executable, "-I", "-S", str(laptop.__file__), f"127.0.0.1:{port}/{self._token}"]

    def begin(self) -> None:
        """Clean state: captures of the attempt before are over."""
        self.end_captures()
        self._machine.processes.begin()
        self._machine.clock.begin()

    def end_captures(self) -> None:
        for capture in tuple(self._captures):
            capture.abandon()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(reader, writer)
        pump: asyncio.Task[None] | None = None
        try:
            token, argv = await connection.argv()
            if not secrets.compare_digest(token.encode(), self._token.encode()):
                return
            pump = asyncio.get_running_loop().create_task(connection.pump())
            await self._run(connection, argv)
            # The stand-in closes first: closing while it still sends (the end of its input) would be a reset, and a
            # reset takes with it what it has not read yet.
            await connection.gone.wait()
        except ConnectionError:
            pass  # Programs go away in the middle of things; nobody is left to tell.
        finally:
            if pump is not None:
                pump.cancel()
            writer.close()

    async def _run(self, connection: Connection, argv: list[str]) -> None:
        machine = self._machine
        if argv[0] == "dumpcap" and "-w" in argv:
            await self._capture(connection, argv)
            return
        terminal = Terminal(machine.world, machine.name, machine.costs, connection)
        shell = Shell(machine, ROOT_UID, Ends(terminal, terminal.out, terminal.err), terminal)
        if argv[0] in ("bash", "sh"):
            reads_lines = argv[1:2] != ["-c"] or argv[2].lstrip().startswith("while read")
            if not reads_lines:
                terminal.charge("line", operation(argv[2]))
            script = argv[2] if argv[1:2] == ["-c"] else None
            code = await (shell.interactive() if script is None else shell.run(script))
        else:
            # Its own start is real, so it costs no bench time: how often a file is fetched must not move a trial.
            code = await shell.call(Call(argv, Ends(terminal, terminal.out, terminal.err), shell))
        await terminal.answer(code)

    async def _capture(self, connection: Connection, argv: list[str]) -> None:
        capture = Dumpcap(self._machine, connection, argv)
        if not capture.start():
            return
        self._captures.append(capture)
        self._machine.world.settlers.append(connection.settled)
        try:
            await capture.over()
        finally:
            self._captures.remove(capture)
            self._machine.world.settlers.remove(connection.settled)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
