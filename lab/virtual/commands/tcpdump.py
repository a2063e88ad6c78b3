"""tcpdump on a virtual phone: a process that captures the phone's wire into a file, with the real tool's manners.

Readiness line, counters and what a stop loses: measured with tcpdump 4.99.3 (docs/decisions/0003-capture.md).
"""

import os
import posixpath
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from lab.virtual.files import ROOT_UID
from lab.virtual.network.capturefile import IMMEDIATE, TCPDUMP_BLOCKS, Capture, damaged, slot_bytes
from lab.virtual.network.network import Network
from lab.virtual.network.wire import Wire
from lab.virtual.phone import VirtualPhone
from lab.virtual.processes import Process
from lab.virtual.shell.machine import Call, Command, Unbuilt, options
from lab.virtual.shell.terminal import write_or_lose

LISTENING_NS = (70_000_000, 100_000_000)
STOPPING_NS = (2_000_000, 9_000_000)
DEFAULT_SNAPLEN = 262_144
_AARCH64 = (183).to_bytes(2, "little")
_VERSION = re.compile(rb"tcpdump version ([0-9.]{1,20})")
LINK_NAMES = {"raw": "RAW (Raw IP)", "ethernet": "EN10MB (Ethernet)"}


@dataclass(frozen=True)
class Options:
    """What the command line asks for."""

    interface: str
    file: str
    snaplen: int
    immediate: bool
    seconds: int | None


def parsed(call: Call) -> Options:
    """The command line, understood. Raises Unbuilt for what is not."""
    words = [word for word in call.argv if word != "--immediate-mode"]
    given, operands = options(Call(words, call.streams, call.shell), "Uqnp", "iBswZGW")
    if operands or "w" not in given or "i" not in given:
        raise Unbuilt("built with -i INTERFACE and -w FILE, without a filter, only")
    numbers = [given.get("s", "0"), given.get("B", "0"), given.get("G", "1")]
    if not all(number.isdigit() for number in numbers):
        raise Unbuilt("-s, -B and -G take numbers")
    if ("G" in given) != (given.get("W") == "1") or "%" in given["w"]:
        raise Unbuilt("-G is built with -W 1, as the end of a single file, only")
    snaplen = int(numbers[0]) or DEFAULT_SNAPLEN
    seconds = int(given["G"]) if "G" in given else None
    return Options(given["i"], given["w"], snaplen, "--immediate-mode" in call.argv, seconds)


async def tcpdump(phone: VirtualPhone, network: Network, call: Call) -> int:
    """The one that the system brings; where it brings none, a shell finds none."""
    if phone.emulation.tcpdump is None:
        call.streams.err.write(b"sh: tcpdump: inaccessible or not found\n")
        return 127
    return await run(phone, network, call, phone.emulation.tcpdump)


def executable(phone: VirtualPhone, network: Network, path: str) -> Command | None:
    """A file that was pushed and may be run; what it is, is read in it."""
    file = phone.files.on_disk(path)
    try:
        mode = file.stat().st_mode
    except OSError:
        return None
    if not stat.S_ISREG(mode) or not mode & stat.S_IXUSR:
        return None
    return partial(pushed, phone, network, file.read_bytes())


async def pushed(phone: VirtualPhone, network: Network, program: bytes, call: Call) -> int:
    """A file that somebody put on the phone: a tcpdump for its processor, or nothing that it can run."""
    version = _VERSION.search(program)
    if program[:5] != b"\x7fELF\x02" or program[18:20] != _AARCH64 or version is None:
        call.streams.err.write(f"sh: {call.argv[0]}: not executable: 64-bit ELF file\n".encode())
        return 126
    return await run(phone, network, call, version[1].decode())


async def run(phone: VirtualPhone, network: Network, call: Call, version: str) -> int:
    if call.argv[1:] == ["--version"]:
        return call.say(f"{posixpath.basename(call.argv[0])} version {version}\nlibpcap version 1.10.5\n")
    given = parsed(call)
    if fault := phone.faults.take("tcpdump", phone.name):
        return call.fail(fault.get("text", "Permission denied"))
    if call.uid != ROOT_UID:
        call.fail(f"{given.interface}: You don't have permission to perform this capture on that device")
        call.streams.err.write(b"(socket: Operation not permitted)\n")
        return 1
    wire = network.datapath.wires[phone.name]
    if given.interface != wire.name:
        call.fail(f"{given.interface}: No such device exists")
        call.streams.err.write(b"(No such device exists)\n")
        return 1
    try:
        descriptor = phone.files.open_write(call.path(given.file), call.uid)
    except OSError as error:
        return call.fail(f"{given.file}: {error.strerror}")
    running = Tcpdump(phone, wire, call, given, descriptor)
    try:
        await call.shell.keeper.park()
        await running.process.ended.wait()
    finally:
        running.close()
    return running.process.code or 0


class Tcpdump:
    """A tcpdump that captures until a signal ends it."""

    def __init__(self, phone: VirtualPhone, wire: Wire, call: Call, given: Options, descriptor: int) -> None:
        self._phone, self._wire, self._call, self._given = phone, wire, call, given
        self._descriptor: int | None = descriptor
        self._stopping = False
        self.process: Process = call.shell.process
        self.process.args = call.argv
        self.process.on_signal = self._signalled
        phone.processes.number(self.process)
        buffering = IMMEDIATE if given.immediate else TCPDUMP_BLOCKS
        room = slot_bytes(given.snaplen, wire.link_type) if given.immediate else None
        self._capture = Capture(wire, "pcap", given.snaplen, buffering, phone.clock.at, self._write, room=room)
        phone.faults.begin_capture(phone.name, self._capture)
        self._later("listening", LISTENING_NS, self._listening)
        if given.seconds is not None:
            phone.world.after(given.seconds * 1_000_000_000, lambda: self._signalled("INT"))

    def _write(self, data: bytes) -> None:
        """On a full disk the real one says nothing, counts on, and ends with 0 (4.99.3 on a full tmpfs)."""
        if self._descriptor is not None:
            write_or_lose(self._descriptor, data)

    def _later(self, what: str, span_ns: tuple[int, int], action: Callable[[], None]) -> None:
        world = self._phone.world
        name = f"{self._phone.name}/tcpdump/{self._capture.started_ns - world.started_ns}/{what}"
        world.after(world.chance(name).randrange(*span_ns), action)

    def _listening(self) -> None:
        if self.process.code is None:
            link = LINK_NAMES[self._wire.link_type]
            size = f"snapshot length {self._given.snaplen} bytes"
            self._call.fail(f"listening on {self._given.interface}, link-type {link}, {size}")
            self._phone.faults.reached("captured")

    def _signalled(self, signal: str) -> None:
        if signal == "KILL":
            self._capture.stop(killed=True)
            self.process.end(137)
        elif signal in ("INT", "TERM") and not self._stopping:
            self._stopping = True
            self._later("stopping", STOPPING_NS, self._stop)
        elif signal == "USR1" and not self._stopping:
            # What a read of the kernel would still hand over is not captured yet: the real tool says the same.
            self._call.fail(", ".join(self._counters()))
        elif signal == "HUP":
            self._stop()

    def _stop(self) -> None:
        if self.process.code is not None:
            return
        self._capture.stop()
        if fault := self._phone.faults.take("file", self._phone.name):
            self._damage(*damaged(fault["how"], "pcap"))
        self._call.streams.err.write("".join(f"{line}\n" for line in self._counters()).encode())
        self.process.end(0)
        self._phone.faults.reached("stopped")

    def _damage(self, lost: int, zeros: int) -> None:
        if self._descriptor is not None:
            size = os.fstat(self._descriptor).st_size
            os.ftruncate(self._descriptor, max(0, size - lost))
            os.pwrite(self._descriptor, bytes(zeros), max(0, size - lost))

    def _counters(self) -> tuple[str, str, str]:
        capture = self._capture
        # Linux counts what it drops among what it received.
        received = f"{capture.received + capture.dropped} packets received by filter"
        return f"{capture.captured} packets captured", received, f"{capture.dropped} packets dropped by kernel"

    def close(self) -> None:
        """Give everything back, however it ended."""
        self._capture.stop(killed=True)
        self._phone.faults.end_capture(self._phone.name, self._capture)
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
