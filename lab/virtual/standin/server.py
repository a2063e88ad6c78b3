"""The bench's side of the laptop's programs: each runs in a shell, or captures, behind a stand-in program.

Each stand-in (`program`) is one connection. What a capture has to write is sent there at every flush of the wires,
and the bench answers nobody before the stand-in has acknowledged it.
"""

import asyncio
import secrets
import sys
from pathlib import Path

from lab.virtual.commands.dumpcap import Dumpcap
from lab.virtual.commands.tables import of_laptop
from lab.virtual.files import ROOT_UID
from lab.virtual.laptop import VirtualLaptop
from lab.virtual.shell.interpreter import Interpreter
from lab.virtual.shell.machine import Call, Streams
from lab.virtual.shell.terminal import Terminal, operation
from lab.virtual.standin import program
from lab.virtual.standin.connection import MAX_FRAME_BYTES, Connection


class StandIns:
    """Serves the laptop's programs on a loopback port."""

    def __init__(self, machine: VirtualLaptop, token_file: Path) -> None:
        self._machine, self._software = machine, of_laptop(machine)
        self._token_file = token_file
        self._token = secrets.token_hex(16)
        self._server: asyncio.Server | None = None
        self._captures: list[Dumpcap] = []

    async def start(self) -> list[str]:
        """Begin to serve; the argv prefix of the laptop's programs."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0, limit=MAX_FRAME_BYTES)
        port = self._server.sockets[0].getsockname()[1]
        self._token_file.touch(mode=0o600)
        self._token_file.write_text(self._token)
        return [sys.executable, "-I", "-S", str(program.__file__), f"127.0.0.1:{port}", str(self._token_file)]

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
        streams = Streams(terminal, terminal.out, terminal.err)
        shell = Interpreter(machine, self._software, ROOT_UID, streams, terminal)
        if argv[0] in ("bash", "sh"):
            reads_lines = argv[1:2] != ["-c"] or argv[2].lstrip().startswith("while read")
            if not reads_lines:
                terminal.charge("line", operation(argv[2]))
            script = argv[2] if argv[1:2] == ["-c"] else None
            code = await (shell.interactive() if script is None else shell.run(script))
        elif argv[0] == "cat" and machine.faults.take("pull", machine.name):
            # What ssh ends with where its connection is cut.
            whole = machine.files.read(argv[-1], ROOT_UID)
            terminal.out.write(whole[: len(whole) // 2])
            code = 255
        else:
            # Its own start is real, so it costs no bench time: how often a file is fetched must not move a trial.
            code = await shell.call(Call(argv, streams, shell))
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
