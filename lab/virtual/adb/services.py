"""What the ADB daemon of a virtual phone serves: shell:, exec:, sync:, tcp:.

Source: AOSP packages/modules/adb, SERVICES.TXT and shell_protocol.h.
"""

import struct
from collections.abc import Callable

from lab.virtual.adb.daemon import FEATURES, AdbStream, Device, Service, StreamClosed
from lab.virtual.adb.sync import SyncService
from lab.virtual.files import SHELL_UID
from lab.virtual.phone import VirtualPhone
from lab.virtual.shell.interpreter import Interpreter
from lab.virtual.shell.machine import Software, Streams
from lab.virtual.shell.parser import Simple, While, parse
from lab.virtual.shell.terminal import Peer, Terminal, operation
from lab.virtual.shell.tty import LineDiscipline
from lab.virtual.shell.words import ShellSyntaxError

STDIN, EXIT, CLOSE_STDIN = 0, 3, 4
SHELL_HEADER = struct.Struct("<BI")
FREE_COMMANDS = (["app_process"], ["md5sum"], ["toybox", "md5sum"], ["sh"], ["su", "-c", "sh"], ["su"], ["logcat"])


class PhoneServices(Device):
    """One phone as the device of its ADB daemon."""

    def __init__(self, phone: VirtualPhone, software: Software) -> None:
        self._phone, self._software = phone, software

    def banner(self) -> str:
        names = ("ro.product.name", "ro.product.model", "ro.product.device")
        described = "".join(f"{name}={self._phone.props[name]};" for name in names)
        return f"device::{described}features={','.join(FEATURES)}"

    def service(self, name: str) -> Service | None:
        kind, _, rest = name.partition(":")
        if kind == "shell" or kind == "exec":
            return lambda stream: self._shell(rest, PlainPeer(stream))
        if kind.startswith("shell,"):
            return lambda stream: self._shell_with_options(stream, kind.split(",")[1:], rest)
        if name == "sync:":
            phone = self._phone
            return SyncService(phone.files, lambda: phone.faults.take("pull", phone.name) is not None)
        if kind == "tcp":
            agent = self._phone.agent
            return agent.serve if agent is not None and rest == str(agent.port) else None
        if name == "reboot:" and (on_reboot := self._phone.on_reboot) is not None:
            return lambda stream: self._reboot(stream, on_reboot)
        self._phone.refused.append(f"{self._phone.name}: service {name}")
        return None

    async def _reboot(self, stream: AdbStream, on_reboot: Callable[[], None]) -> None:
        """The daemon has init restart the phone, which takes the connection with it."""
        stream.accept()
        on_reboot()

    async def _shell_with_options(self, stream: AdbStream, options: list[str], command: str) -> None:
        peer = FramedPeer(stream) if "v2" in options else PlainPeer(stream)
        if "pty" not in options:
            await self._shell(command, peer)
            return
        prompt = "" if command else f"{self._phone.props['ro.product.device']}:/ $ "
        await self._shell(command, LineDiscipline(peer, prompt))

    async def _shell(self, command: str, peer: Peer) -> None:
        phone = self._phone
        terminal = Terminal(phone.world, phone.name, phone.costs, peer)
        streams = Streams(terminal, terminal.out, terminal.err)
        shell = Interpreter(phone, self._software, SHELL_UID, streams, terminal)
        if not is_free(command):
            terminal.charge("line", operation(command))
        code = await (shell.run(command) if command else shell.interactive())
        shell.process.end(code)
        try:
            await terminal.answer(code)
        except StreamClosed:
            return


def is_free(command: str) -> bool:
    """Whether a command costs no bench time by being started: what reads its lines from the client pays for each."""
    try:
        entries = parse(command).entries
    except ShellSyntaxError:
        return False
    if not entries:
        return True
    first = entries[0].pipelines[0][0]
    if isinstance(first, While):
        return True
    if not isinstance(first, Simple):
        return False
    words = [word.plain() or "" for word in first.words]
    words = words[1:] if words[:1] == ["exec"] else words
    starts = (["app_process"], ["md5sum"], ["toybox", "md5sum"])
    return words in FREE_COMMANDS or any(words[: len(start)] == start for start in starts)


class PlainPeer:
    """A stream without structure: `exec:` and `shell:`; both outputs go the same way."""

    def __init__(self, stream: AdbStream) -> None:
        self.stream = stream

    def accept(self) -> None:
        self.stream.accept()

    async def read(self) -> bytes:
        return await self.stream.read()

    async def send(self, pieces: list[tuple[int, bytes]]) -> None:
        await self.stream.write(b"".join(data for _, data in pieces))

    async def finish(self, pieces: list[tuple[int, bytes]], code: int) -> None:
        await self.send(pieces)

    async def hung_up(self) -> None:
        await self.stream.closed.wait()


class FramedPeer(PlainPeer):
    """The shell protocol, version 2: frames of kind, length and data. Source: AOSP adb, shell_protocol.h."""

    _ended = False

    async def read(self) -> bytes:
        while not self._ended:
            try:
                kind, length = SHELL_HEADER.unpack(await self.stream.read_exactly(SHELL_HEADER.size))
                data = await self.stream.read_exactly(length)
            except StreamClosed:
                break
            if kind == STDIN and data:
                return data
            self._ended = kind == CLOSE_STDIN
        self._ended = True
        return b""

    async def send(self, pieces: list[tuple[int, bytes]]) -> None:
        await self.stream.write(framed(pieces))

    async def finish(self, pieces: list[tuple[int, bytes]], code: int) -> None:
        await self.stream.write(framed(pieces) + framed([(EXIT, bytes([code & 255]))]))


def framed(pieces: list[tuple[int, bytes]]) -> bytes:
    return b"".join(SHELL_HEADER.pack(kind, len(data)) + data for kind, data in pieces)
