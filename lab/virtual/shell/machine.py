"""What commands know: the machine they run on, the shell that runs them, and one run of a command."""

from __future__ import annotations

import errno
import os
import posixpath
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from lab.virtual.clocks import DriftingClock
from lab.virtual.faults import Faults
from lab.virtual.files import Files
from lab.virtual.processes import Process, ProcessTable
from lab.virtual.shell.terminal import Input, Keeper, Sink
from lab.virtual.world import World


class ShellExit(Exception):
    """The shell ends here, with a code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class Streams:
    """The three standard streams of a command."""

    input: Input
    out: Sink
    err: Sink


@dataclass
class Call:
    """One command that is run: its arguments, its streams, and the shell it runs in.

    `by_shell`: a shell looks for it, among its own commands first; else a program does, `timeout` say.
    """

    argv: list[str]
    streams: Streams
    shell: Shell
    by_shell: bool = True

    @property
    def uid(self) -> int:
        return self.shell.uid

    @property
    def machine(self) -> Machine:
        return self.shell.machine

    def say(self, text: str) -> int:
        """Write text to standard output; 0, so that a command can end with it."""
        self.streams.out.write(text.encode("utf-8", "surrogateescape"))
        return 0

    def fail(self, text: str, code: int = 1) -> int:
        """Write `NAME: text` to standard error; `code`."""
        self.streams.err.write(f"{posixpath.basename(self.argv[0])}: {text}\n".encode("utf-8", "surrogateescape"))
        return code

    def path(self, text: str) -> str:
        """An absolute path of the machine. Raises as `absolute` does."""
        return absolute(self.shell, text)


OF_THE_SYSTEM = tuple(
    f"/{name}/" for name in ("apex", "dev", "etc", "proc", "product", "sys", "system", "usr", "vendor")
)
"""Where a machine has many files that nothing here needs: what is absent there was not emulated."""

Result = int | Awaitable[int]
Command = Callable[[Call], Result]


class Machine(Protocol):
    """What the shell asks of the machine it runs on."""

    name: str
    shell_name: str
    kernel: str
    architecture: str
    world: World
    files: Files
    processes: ProcessTable
    refused: list[str]
    clock: DriftingClock
    faults: Faults

    @property
    def utc_offset_minutes(self) -> int:
        """The machine's time zone."""
        ...


def absolute(shell: Shell, text: str) -> str:
    """An absolute path of the machine. Raises OSError, and Unbuilt for a file of the system that is not emulated."""
    if not text:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    path = Files.normal(posixpath.join(shell.directory, text))
    files = shell.machine.files
    if text.endswith("/") and files.on_disk(path).is_file():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    if path.startswith(OF_THE_SYSTEM) and not files.exists(path):
        raise Unbuilt(f"{path} is not emulated")
    return path


@dataclass(frozen=True)
class Software:
    """What a machine can run: its commands by name, found in the last place of `path`, and what a file runs as.

    That is None where it may not be run.
    """

    commands: Mapping[str, Command]
    program: Callable[[str], Command | None] = lambda path: None
    path: str = "/product/bin:/apex/com.android.runtime/bin:/vendor/bin:/system/bin"


class Shell(Protocol):
    """What a command may ask of the shell that runs it. `ends_at_ns`: when a `timeout` around it ends what runs."""

    machine: Machine
    uid: int
    keeper: Keeper
    process: Process
    variables: dict[str, str]
    arguments: list[str]
    directory: str
    code: int
    ends_at_ns: int | None

    def child(self, streams: Streams | None = None) -> Shell: ...

    def program(self, streams: Streams, uid: int | None = None) -> Shell: ...

    async def call(self, call: Call) -> int: ...

    async def run(self, text: str) -> int: ...

    async def interactive(self) -> int: ...

    def variable(self, name: str) -> str: ...


class Unbuilt(Exception):
    """An option or form of a command that exists on hardware and not here: noted as refused."""


def options(call: Call, flags: str, valued: str = "") -> tuple[dict[str, str], list[str]]:
    """Options and operands of a call, getopt fashion. Raises Unbuilt for an option that is in neither list."""
    found: dict[str, str] = {}
    operands: list[str] = []
    words = iter(call.argv[1:])
    for word in words:
        if word == "--":
            operands += words
        elif not word.startswith("-") or word == "-":
            operands.append(word)
        else:
            rest = word[1:]
            while rest:
                name, rest = rest[0], rest[1:]
                if name in valued:
                    found[name], rest = rest or next(words, ""), ""
                    if not found[name]:
                        raise Unbuilt(f"Missing argument to -{name}")
                elif name in flags:
                    found[name] = ""
                else:
                    raise Unbuilt(f"Unknown option '{name}'")
    return found, operands
