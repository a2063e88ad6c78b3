"""The mini shell: runs scripts on a virtual machine with real quoting, lists, pipes, redirections and exit codes.

Everything runs inside the bench process, in no bench time of its own. Source: POSIX.1-2017, Shell Command Language
2.5-2.14; texts of messages as mksh prints them.
"""

from __future__ import annotations

import errno
import inspect
import os
import posixpath
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from lab.virtual.processes import Process
from lab.virtual.shell.builtins import BUILTINS
from lab.virtual.shell.expansion import expand, expand_unsplit
from lab.virtual.shell.machine import Call, Machine, ShellExit, Software, Streams, Unbuilt
from lab.virtual.shell.machine import Command as MachineCommand
from lab.virtual.shell.parser import Command, Pipeline, Script, Simple, While, parse
from lab.virtual.shell.redirections import RedirectionFailed, redirected
from lab.virtual.shell.terminal import Buffer, Keeper, OpenFile, Text
from lab.virtual.shell.words import Incomplete, ShellSyntaxError, Word

MAX_ROUNDS = 100_000
NOT_FOUND, SYNTAX = 127, 2
PART_OF_SHELL = (":", "[", "echo", "false", "kill", "test", "true")
"""Commands that a shell has in itself, wherever PATH leads."""
SPECIAL = (":", "exec", "exit")
"""Special built-in utilities of POSIX (2.14): a redirection of theirs that fails ends the shell."""


@dataclass
class Interpreter:
    """One shell process."""

    machine: Machine
    software: Software
    uid: int
    streams: Streams
    keeper: Keeper
    variables: dict[str, str] = field(default_factory=dict)
    exported: set[str] = field(default_factory=set)
    """The names of the variables that programs are given."""
    arguments: list[str] = field(default_factory=list)
    """`$0`, `$1`, ..."""
    directory: str = "/"
    code: int = 0
    ends_at_ns: int | None = None
    """When a `timeout` around this shell ends what still runs in it, in bench time."""
    process: Process = field(init=False)
    leader: Process = field(init=False)
    """The process that `$$` means: of the shell that a subshell is part of."""

    def __post_init__(self) -> None:
        self.process = self.leader = Process([self.machine.shell_name], self.uid)
        self.arguments = self.arguments or [self.machine.shell_name]
        if "PATH" not in self.variables:
            self.variables["PATH"] = self.software.path
            self.exported.add("PATH")

    # -- scripts

    async def run(self, text: str) -> int:
        """Run a script to its end; its exit code. Text it does not understand is code 2, with a message."""
        try:
            await self._script(parse(text))
        except ShellExit as end:
            self.code = end.code
        except ShellSyntaxError as error:
            return self._refuse_syntax(error)
        return self.code

    def _refuse_syntax(self, error: ShellSyntaxError) -> int:
        self.machine.refused.append(f"{self.machine.name}: syntax: {error}")
        self.streams.err.write(f"{self.machine.shell_name}: syntax error: {error}\n".encode())
        self.code = SYNTAX
        return SYNTAX

    async def interactive(self) -> int:
        """Run the lines of standard input as they come, until it ends, `exit`, or a line that is not understood."""
        text = ""
        while line := await self.streams.input.read_line("line"):
            text += line.decode("utf-8", "surrogateescape")
            try:
                script = parse(text)
                text = ""
                await self._script(script)
            except Incomplete:
                continue
            except ShellSyntaxError as error:
                return self._refuse_syntax(error)
            except ShellExit as end:
                return end.code
        return self._refuse_syntax(Incomplete("unexpected end of input")) if text.strip() else self.code

    def child(self, streams: Streams | None = None) -> Interpreter:
        """A subshell: all that this one has, as a copy."""
        made = replace(self, streams=streams or self.streams)
        made.variables, made.exported, made.leader = dict(self.variables), set(self.exported), self.leader
        return made

    def program(self, streams: Streams, uid: int | None = None) -> Interpreter:
        """A shell that is started as a program: it has the exported variables alone."""
        made = replace(self, streams=streams, uid=self.uid if uid is None else uid, arguments=[], code=0)
        made.exported = set(self.exported)
        made.variables = {name: value for name, value in self.variables.items() if name in self.exported}
        return made

    async def _script(self, script: Script) -> None:
        for entry in script.entries:
            for joint, pipeline in zip(entry.joints, entry.pipelines, strict=True):
                if not joint or (joint == "&&") == (self.code == 0):
                    await self._pipeline(pipeline)

    async def _pipeline(self, pipeline: Pipeline) -> None:
        source = self.streams.input
        for command in pipeline[:-1]:
            pipe = Buffer()
            await self.child(Streams(source, pipe, self.streams.err))._guarded(command)
            source = Text(bytes(pipe.data))
        if len(pipeline) == 1:
            await self._command(pipeline[0], self.streams)
        else:
            last = self.child(replace(self.streams, input=source))
            self.code = await last._guarded(pipeline[-1])

    async def _guarded(self, command: Command) -> int:
        try:
            await self._command(command, self.streams)
        except ShellExit as end:
            self.code = end.code
        return self.code

    async def _command(self, command: Command, streams: Streams) -> None:
        opened: list[OpenFile] = []
        # The way up took bench time: a capture's frames that came due in it are on disk before a command looks.
        await self.machine.world.settle()
        try:
            words = command.words if isinstance(command, Simple) else ()
            argv = [field for word in words for field in expand(self, word)]
            streams = redirected(self, streams, command.redirects, opened)
            if isinstance(command, Simple):
                await self._simple(argv, command.assignments, streams)
            elif isinstance(command, While):
                await self._while(command, streams)
            else:
                await self._inside(command.body, streams)
        except RedirectionFailed as error:
            streams.err.write(f"{self.machine.shell_name}: {error}\n".encode())
            self.code = 1
            if argv and argv[0] in SPECIAL:
                raise ShellExit(1) from error
        except Unbuilt as error:
            raise ShellSyntaxError(str(error)) from error
        finally:
            for file in opened:
                file.close()

    async def _while(self, command: While, streams: Streams) -> None:
        code = 0
        for _ in range(MAX_ROUNDS):
            await self._inside(command.condition, streams)
            if self.code != 0:
                self.code = code
                return
            await self._inside(command.body, streams)
            code = self.code
        raise ShellSyntaxError(f"'while' is built for {MAX_ROUNDS} rounds only")

    async def _inside(self, script: Script, streams: Streams) -> None:
        kept, self.streams = self.streams, streams
        try:
            await self._script(script)
        finally:
            self.streams = kept

    # -- what expansions ask

    def variable(self, name: str) -> str:
        """The value of `$name`; empty where there is none."""
        if name == "EPOCHREALTIME":
            return epoch_text(self.machine.clock.read())
        if name == "$":
            return str(self.machine.processes.number(self.leader))
        if name.isdigit():
            return self.arguments[int(name)] if int(name) < len(self.arguments) else ""
        if name in "*@":
            return " ".join(self.arguments[1:])
        own = {"?": str(self.code), "#": str(len(self.arguments) - 1)}
        return own.get(name) or self.variables.get(name, "")

    # -- simple commands

    async def _simple(self, argv: list[str], assignments: Sequence[tuple[str, Word]], streams: Streams) -> None:
        if not argv:
            for name, word in assignments:
                self.variables[name] = expand_unsplit(self, word)
            self.code = 0
            return
        values = {name: expand_unsplit(self, word) for name, word in assignments}
        kept, exported = {name: self.variables.get(name) for name in values}, set(self.exported)
        self.variables.update(values)
        self.exported.update(values)
        try:
            self.code = await self.call(Call(argv, streams, self))
            self._look_at_what_it_wrote(argv[0], streams)
        finally:
            self.exported = exported
            for name, value in kept.items():
                if value is None:
                    self.variables.pop(name, None)
                else:
                    self.variables[name] = value

    def _look_at_what_it_wrote(self, name: str, streams: Streams) -> None:
        """The shell's own commands and toybox' look whether they could write their output."""
        if isinstance(streams.out, OpenFile) and streams.out.has_lost:
            streams.out.has_lost = False
            streams.err.write(f"{self.machine.shell_name}: {name}: write: {os.strerror(errno.ENOSPC)}\n".encode())
            self.code = 1

    async def call(self, call: Call) -> int:
        """Run one command, the shell's own or the machine's; 127 and noted as refused if there is none of that name."""
        name = call.argv[0]
        builtin = BUILTINS.get("sh" if name == self.machine.shell_name else name)
        if not call.by_shell and builtin is not BUILTINS["sh"]:
            builtin = None
        if builtin is None and (fault := self.machine.faults.take("shell", self.machine.name, " ".join(call.argv))):
            call.streams.err.write(str(fault.get("text", "")).encode() + b"\n")
            return int(fault.get("code", 1))
        own = None if builtin is None else partial(builtin, self)
        function = own or (
            self.software.commands[name] if call.by_shell and name in PART_OF_SHELL else self._program(name)
        )
        if function is None:
            self.machine.refused.append(f"{self.machine.name}: {' '.join(call.argv)}")
            call.streams.err.write(f"{self.machine.shell_name}: {name}: {self._not_found()}\n".encode())
            return NOT_FOUND
        try:
            result = function(call)
            return await result if inspect.isawaitable(result) else int(result)
        except Unbuilt as error:
            self.machine.refused.append(f"{self.machine.name}: {' '.join(call.argv)}")
            return call.fail(str(error), SYNTAX)

    def _program(self, name: str) -> MachineCommand | None:
        """A file of the machine that a name means: by its path, or as the first of that name on PATH."""
        places = [place for place in self.variables["PATH"].split(":") if place]
        paths = [name] if "/" in name else [posixpath.join(place, name) for place in places]
        return next(filter(None, map(self._file, paths)), None)

    def _file(self, path: str) -> MachineCommand | None:
        place, name = posixpath.split(path)
        if place == self.software.path.rpartition(":")[2] and name != ":":
            return self.software.commands.get(name)
        return self.software.program(posixpath.join(self.directory, path))

    def _not_found(self) -> str:
        return "inaccessible or not found" if self.machine.shell_name == "sh" else "command not found"


def epoch_text(clock_ns: int) -> str:
    """`$EPOCHREALTIME`: seconds since 1970 with microseconds."""
    seconds, rest_ns = divmod(clock_ns, 1_000_000_000)
    return f"{seconds}.{rest_ns // 1000:06d}"
