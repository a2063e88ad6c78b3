"""A virtual phone: what is behind its ADB daemon. Shells, files, processes, the agent, and a wrong clock."""

from __future__ import annotations

import stat
import struct
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from lab.definitions import PhoneEmulation, PhoneSpec, VirtualApp
from lab.virtual.adb.daemon import FEATURES, Device, Service, Stream, StreamClosed
from lab.virtual.adb.sync import SyncService
from lab.virtual.clocks import DriftingClock
from lab.virtual.commands import of_phone
from lab.virtual.commands.logcat import LogLine
from lab.virtual.commands.pcapdroid import Pcapdroid
from lab.virtual.commands.tcpdump import pushed
from lab.virtual.faults import Faults
from lab.virtual.files import SHELL_UID, Files
from lab.virtual.network import vpn
from lab.virtual.processes import ProcessTable
from lab.virtual.props import properties
from lab.virtual.shell.interpreter import Shell
from lab.virtual.shell.machine import Command, Ends
from lab.virtual.shell.parser import Simple, While, parse
from lab.virtual.shell.terminal import Peer, Terminal, operation, tariffs
from lab.virtual.shell.tty import LineDiscipline
from lab.virtual.shell.words import ShellSyntaxError
from lab.virtual.world import World

if TYPE_CHECKING:
    from lab.virtual.agent import Agent
    from lab.virtual.handset import Handset
    from lab.virtual.network import Network
    from lab.virtual.network.addresses import Interface
    from lab.virtual.network.usage import Usage

SYSTEM_PACKAGES = ("android", "com.android.settings", "com.android.systemui", "com.google.android.apps.nexuslauncher")
SHELL_PLACES = ("/data/local/tmp", "/sdcard")
STDIN, EXIT, CLOSE_STDIN = 0, 3, 4
SHELL_HEADER = struct.Struct("<BI")
FREE_COMMANDS = (["app_process"], ["md5sum"], ["toybox", "md5sum"], ["sh"], ["su", "-c", "sh"], ["su"], ["logcat"])
BOOT_SETTINGS = {
    "global": {"stay_on_while_plugged_in": "0", "airplane_mode_on": "0", "adb_enabled": "1"},
    "system": {"screen_off_timeout": "30000"},
    "secure": {},
}
T = TypeVar("T")


class VirtualPhone(Device):
    """One phone of the bench. It is the machine of its shells and the device of its ADB daemon.

    `refused` lists what a client asked that this phone does not have: a test fails on it.
    """

    shell_name = "sh"
    kernel = "Linux 6.1.99-android14-11-lab"
    architecture = "aarch64"

    def __init__(
        self,
        spec: PhoneSpec,
        emulation: PhoneEmulation,
        handset: Handset,
        network: Network,
        world: World,
        root: Path,
        apps: Mapping[str, VirtualApp],
        faults: Faults,
        on_clock_read: Callable[[str, int], None],
    ) -> None:
        self.spec, self.emulation, self.name = spec, emulation, spec.name
        self.handset, self.network, self.world = handset, network, world
        self.apps, self.faults = apps, faults
        self.files = Files(root / spec.name, SHELL_PLACES)
        self.processes = ProcessTable()
        self.refused: list[str] = []
        self.props = properties(spec, emulation)
        self.clock = DriftingClock(spec.name, world, emulation.clock, faults, on_clock_read)
        self.costs = tariffs(emulation.adb)
        self.agent: Agent | None = None
        self.commands: Mapping[str, Command] = of_phone(self)
        self.log: list[LogLine] = []
        self.pcapdroid = None if emulation.pcapdroid is None else Pcapdroid(self, emulation.pcapdroid)
        self.settings: dict[str, dict[str, str]] = {}
        self.reset_settings()

    def begin(self) -> None:
        """Clean state for an attempt: no process of the one before runs, settings are those of a phone that booted."""
        self.processes.begin()
        self.reset_settings()
        self.clock.begin()
        self.log.clear()
        self._write_anycast()
        if self.faults.take("vpn", self.name):
            self.network.raise_vpn(self.name, vpn.other())
        if self.pcapdroid is not None:
            self.pcapdroid.begin()
        if self.agent is not None:
            self.agent.begin()

    def _write_anycast(self) -> None:
        """The addresses that are on no interface: a CLAT's is a member of an anycast group (Linux, ac6_seq_show)."""
        access, file = self.network.accesses[self.name], self.files.on_disk("/proc/net/anycast6")
        file.parent.mkdir(parents=True, exist_ok=True)
        line = f"{2:<4} {access.spec.interface:<15} {int(access.clat or 0):032x} {1:>5}\n"
        file.write_text("" if access.clat is None else line)

    def write_log(self, priority: str, tag: str, text: str) -> None:
        """A line of the log, as of now."""
        self.log.append(LogLine(self.clock_ns(), priority, tag, text))

    def reset_settings(self) -> None:
        self.denied: set[tuple[str, str]] = set()
        self.settings = {namespace: dict(values) for namespace, values in BOOT_SETTINGS.items()}

    # -- the machine of its shells, and what dumpsys asks

    def read_clock_ns(self) -> int:
        """What the phone's clock shows to a client; the ledger is told."""
        return self.clock.read()

    def clock_ns(self) -> int:
        """What the phone's clock shows to the phone itself."""
        return self.clock.at(self.world.now_ns)

    def command_fault(self, argv: list[str]) -> tuple[str, int] | None:
        fault = self.faults.take("shell", self.name, " ".join(argv)) if self.faults.waiting else None
        return None if fault is None else (str(fault.get("text", "")), int(fault.get("code", 1)))

    def program(self, path: str) -> Command | None:
        """A file that was pushed and may be run; what it is, is read in it."""
        file = self.files.on_disk(path)
        if not file.is_file() or not file.stat().st_mode & stat.S_IXUSR:
            return None
        return partial(pushed, self, file.read_bytes())

    def interfaces(self) -> list[Interface]:
        return self.network.interfaces(self.name)

    def usage(self) -> Usage:
        """What its apps sent and received."""
        return self.network.usages[self.name]

    def other_packages(self) -> Mapping[str, str]:
        """What is installed beside the system's packages and the apps that call, with versions."""
        return {} if self.pcapdroid is None else {self.pcapdroid.package: self.pcapdroid.version}

    def packages(self) -> list[str]:
        """Installed packages."""
        return sorted([*SYSTEM_PACKAGES, *self.other_packages(), *(app.package for app in self.apps.values())])

    # -- the device of its ADB daemon

    def banner(self) -> str:
        names = ("ro.product.name", "ro.product.model", "ro.product.device")
        described = "".join(f"{name}={self.props[name]};" for name in names)
        return f"device::{described}features={','.join(FEATURES)}"

    def service(self, name: str) -> Service | None:
        kind, _, rest = name.partition(":")
        if kind == "shell" or kind == "exec":
            return lambda stream: self._shell(rest, PlainPeer(stream))
        if kind.startswith("shell,"):
            return lambda stream: self._shell_with_options(stream, kind.split(",")[1:], rest)
        if name == "sync:":
            return SyncService(self.files)
        if kind == "tcp":
            return self.agent.serve if self.agent is not None and rest == str(self.agent.port) else None
        if kind == "root":
            return self._refuse_root
        self.refused.append(f"{self.name}: service {name}")
        return None

    async def _refuse_root(self, stream: Stream) -> None:
        await stream.write(b"adbd cannot run as root in production builds\n")

    async def _shell_with_options(self, stream: Stream, options: list[str], command: str) -> None:
        peer = FramedPeer(stream) if "v2" in options else PlainPeer(stream)
        if "pty" not in options:
            await self._shell(command, peer)
            return
        prompt = "" if command else f"{self.props['ro.product.device']}:/ $ "
        await self._shell(command, LineDiscipline(peer, prompt))

    async def _shell(self, command: str, peer: Peer) -> None:
        terminal = Terminal(self.world, self.name, self.costs, peer)
        shell = Shell(self, SHELL_UID, Ends(terminal, terminal.out, terminal.err), terminal)
        if not is_free(command):
            terminal.charge("line", operation(command))
        code = await (shell.run(command) if command else shell.interactive())
        shell.process.end(code)
        try:
            await terminal.answer(code)
        except StreamClosed:
            return

    async def charged_call(self, name: str, call: Callable[[], T]) -> T:
        """Run a call of the agent between its way up and its way down; its answer may leave when this returns."""
        cost = self.costs["agent"]
        self.world.spend(*cost.up_ns, f"{self.name}/up/agent/{name}")
        try:
            return call()
        finally:
            self.world.spend(*cost.down_ns, f"{self.name}/down/agent/{name}")
            await self.world.settle()


def is_free(command: str) -> bool:
    """Whether a command costs no bench time by being started: what reads its lines from the client pays for each."""
    try:
        entries = parse(command).entries
    except ShellSyntaxError:
        return False
    if not entries:
        return True
    first = entries[0].pipelines[0].commands[0]
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

    def __init__(self, stream: Stream) -> None:
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
