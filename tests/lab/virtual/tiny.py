"""A machine that is nothing but a shell, files and the common commands, and a run of a script on it."""

import asyncio
import os
from pathlib import Path

from lab.definitions.virtual_network import ClockEmulation
from lab.virtual.clocks import DriftingClock
from lab.virtual.commands.tables import COMMON
from lab.virtual.faults import Faults
from lab.virtual.files import SHELL_UID, Files
from lab.virtual.processes import ProcessTable
from lab.virtual.shell.interpreter import Interpreter
from lab.virtual.shell.machine import Software, Streams
from lab.virtual.shell.terminal import Buffer, Text
from lab.virtual.world import World

COMMANDS = Software(COMMON)
CLOCK = ClockEmulation(offset_ns=1_234)


class TinyMachine:
    """A machine with nothing but files and the common commands; it is its own keeper of shells."""

    name, shell_name = "tiny", "sh"
    utc_offset_minutes = 0
    kernel, architecture = f"{os.uname().sysname} {os.uname().release}", os.uname().machine

    def __init__(self, root: Path, place: str = "/data/local/tmp") -> None:
        self.world = World()
        self.world.begin("key", 1_000_000_000_000_000_000)
        self.files = Files(root, (place,))
        self.processes = ProcessTable()
        self.refused: list[str] = []
        self.faults = Faults()
        self.clock = DriftingClock(
            "tiny", self.world, ClockEmulation(offset_ns=1_234), self.faults, lambda name, offset_ns: None
        )
        self.files.clock_ns = self.clock.now

    async def park(self) -> None:
        pass

    async def hung_up(self) -> None:
        pass


def run(
    machine: TinyMachine,
    script: str,
    stdin: bytes = b"",
    uid: int = SHELL_UID,
    software: Software = COMMANDS,
    directory: str = "/data/local/tmp",
) -> tuple[bytes, bytes, int]:
    out, err = Buffer(), Buffer()
    shell = Interpreter(machine, software, uid, Streams(Text(stdin), out, err), machine, directory=directory)
    code = asyncio.run(shell.run(script))
    return bytes(out.data), bytes(err.data), code
