"""dumpcap on the virtual laptop, with the real tool's lines, counters and manner of stopping.

Measured with dumpcap 4.0.17 (docs/decisions/0003-capture.md): "Capturing on" at once, "File:" once it is live; SIGINT
ends it cleanly; frames of the last half second may be lost then.
"""

import asyncio
import re

from lab.virtual.files import ROOT_UID
from lab.virtual.laptop import VirtualLaptop
from lab.virtual.network.capturefile import DUMPCAP_BLOCKS, Capture, damaged
from lab.virtual.processes import Process
from lab.virtual.shell.machine import Call, Unbuilt
from lab.virtual.standin.connection import Connection

LIVE_NS = (11_000_000, 39_000_000)
DEFAULT_SNAPLEN = 262_144
_FILTER = re.compile(r"ether host ((?:[0-9a-f]{2}:){5}[0-9a-f]{2})|")


def dumpcap_in_shell(machine: VirtualLaptop, call: Call) -> int:
    """dumpcap --version and dumpcap -D: what it does besides capturing."""
    if call.argv[1:] == ["--version"]:
        return call.say(f"Dumpcap (Wireshark) {machine.emulation.dumpcap_version} (Git commit packaged as 4.0.17)\n")
    if "-D" in call.argv:
        lines = []
        for index, interface in enumerate(machine.interfaces, 1):
            addresses = ",".join(str(one.ip) for one in interface.addresses)
            kind = "loopback" if interface.name == "lo" else "network"
            machine_form = f"{index}. {interface.name}\t\t{interface.description}\t0\t{addresses}\t{kind}\t"
            described = f"{index}. {interface.name}" + (f" ({interface.description})" if interface.description else "")
            lines.append(machine_form if "-M" in call.argv else described)
        return call.say("".join(line + "\n" for line in lines))
    raise Unbuilt("captures as a program of its own only")


class Dumpcap:
    """One capture of the hotspot's wire, written by a stand-in program."""

    def __init__(self, machine: VirtualLaptop, connection: Connection, argv: list[str]) -> None:
        self._machine, self._connection, self._argv = machine, connection, argv
        self._capture: Capture | None = None
        self._ended = asyncio.Event()
        self._process = Process(argv, ROOT_UID)
        self._process.on_signal = lambda signal: self.abandon() if signal == "KILL" else self.stop()
        self._interface, self._file, self._snaplen, self._seconds = "", "", DEFAULT_SNAPLEN, 0
        self._mac = ""

    def start(self) -> bool:
        """Begin to capture; False, with a message and an exit code sent, where it cannot."""
        if problem := self._problem():
            self._connection.post(b"2", problem.encode() + b"\n")
            self._connection.post(b"X", b"\x01")
            return False
        world, clock = self._machine.world, self._machine.clock
        self._machine.processes.number(self._process)
        # A fault `stamps`: the capture is stamped by another clock than the system's, as on Windows by Npcap.
        off_ns = int((self._machine.faults.take("stamps", self._machine.name) or {}).get("by_ns", 0))
        self._connection.post(b"O", str(self._machine.files.on_disk(self._file)).encode())
        self._capture = Capture(
            self._machine.hotspot_wire(self._mac),
            "pcapng",
            self._snaplen,
            DUMPCAP_BLOCKS,
            lambda instant_ns: clock.at(instant_ns) + off_ns,
            self._write,
            self._interface,
            bytes.fromhex(self._mac.replace(":", "")) or None,
        )
        self._machine.faults.begin_capture(self._machine.name, self._capture)
        self._connection.post(b"2", f"Capturing on '{self._interface}'\n".encode())
        self._connection.on_interrupt = self.stop
        delay_ns = world.chance(f"laptop/dumpcap/{world.now_ns - world.started_ns}").randrange(*LIVE_NS)
        world.after(delay_ns, self._live)
        if self._seconds:
            world.after(self._seconds * 1_000_000_000, self.stop)
        return True

    def _write(self, data: bytes) -> None:
        if not self._machine.files.full:
            self._connection.post_file(data)
        elif self._capture is not None:  # what comes before is its head, which it holds back
            self._machine.world.after(0, self._end_without_room)

    def _end_without_room(self) -> None:
        """What the real one says where its file cannot grow, and 1 (4.0.17 on a full tmpfs)."""
        if self._ended.is_set() or self._capture is None:
            return
        self._capture.stop(killed=True)
        said = (
            "dumpcap: Not all the packets could be written to the file to which the capture was being saved\n"
            f'("{self._file}") because there is no space left on the file system\non which that file resides.\n'
            "You will need to free up space on that file system or put the capture file on a different file system.\n"
        )
        self._connection.post(b"2", said.encode())
        self._connection.post(b"X", b"\x01")
        self._process.end(1)
        self._ended.set()

    def _problem(self) -> str | None:
        """Why it cannot capture as asked."""
        machine = self._machine
        if fault := machine.faults.take("dumpcap", machine.name):
            return str(fault.get("text", "dumpcap: Permission denied"))
        words = [word for word in self._argv if word not in ("-q", "--no-promiscuous-mode")]
        given: dict[str, str] = dict(zip(words[1::2], words[2::2], strict=False))
        if (
            len(words) % 2 == 0
            or not given.keys() <= {"-i", "-f", "-s", "-w", "-B", "-a"}
            or not given.get("-s", "1").isdigit()
        ):
            machine.refused.append(f"laptop: {' '.join(self._argv)}")
            return "dumpcap: built with -q -i INTERFACE -f FILTER -s BYTES -a duration:SECONDS -w FILE only"
        filtered = _FILTER.fullmatch(given.get("-f", ""))
        if filtered is None:
            machine.refused.append(f"laptop: {' '.join(self._argv)}")
            return "dumpcap: built with -f 'ether host MAC' only"
        self._mac = filtered[1] or ""
        kind, _, seconds = given.get("-a", "duration:0").partition(":")
        if kind != "duration" or not seconds.isdigit():
            return f'The specified autostop condition "{given["-a"]}" isn\'t one that is built here'
        self._seconds = int(seconds)
        self._interface, self._file = given.get("-i", ""), given.get("-w", "")
        self._snaplen = int(given.get("-s", DEFAULT_SNAPLEN)) or DEFAULT_SNAPLEN
        if self._interface not in [one.name for one in machine.interfaces]:
            return f"The capture session could not be initiated on interface '{self._interface}' (No such device)."
        if not machine.hotspot_on:
            return (
                f"The capture session could not be initiated on interface '{self._interface}' (That device is not up)."
            )
        if self._interface != machine.hotspot():
            return f"dumpcap: nothing is emulated on interface '{self._interface}', only on the hotspot's"
        if not machine.files.on_disk(self._file).parent.is_dir():
            file = f'The file to which the capture would be saved ("{self._file}")'
            return f"{file} could not be opened: No such file or directory."
        return None

    def _live(self) -> None:
        if not self._ended.is_set():
            self._connection.post(b"2", f"File: {self._file}\n".encode())
            self._connection.demand()
            self._machine.faults.reached("captured")

    def stop(self) -> None:
        """SIGINT: the end of the file, the counters, exit code 0."""
        if self._ended.is_set() or self._capture is None:
            return
        capture = self._capture
        capture.stop()
        self._machine.faults.end_capture(self._machine.name, capture)
        if fault := self._machine.faults.take("file", self._machine.name):
            lost, zeros = damaged(fault["how"], "pcapng")
            self._connection.post(b"T", b"%d" % lost)
            self._connection.post_file(bytes(zeros))
        lost = capture.received - capture.captured
        percent = 100.0 if not capture.dropped else 100.0 * capture.received / (capture.received + capture.dropped)
        said = (
            f"Packets captured: {capture.captured}\n"
            f"Packets received/dropped on interface '{self._interface}': {capture.captured}/{capture.dropped} "
            f"(pcap:{capture.dropped}/dumpcap:0/flushed:{lost}/ps_ifdrop:0) ({percent:.1f}%)\n"
        )
        self._connection.post(b"2", said.encode())
        self._connection.post(b"X", b"\0")
        self._process.end(0)
        self._ended.set()
        self._machine.faults.reached("stopped")

    def abandon(self) -> None:
        """The attempt is over: the program ends as if it was killed."""
        if not self._ended.is_set():
            if self._capture is not None:
                self._capture.stop(killed=True)
                self._machine.faults.end_capture(self._machine.name, self._capture)
            self._connection.post(b"X", b"\xff")
            self._process.end(255)
            self._ended.set()

    async def over(self) -> None:
        """Return once it was stopped, or its program has gone."""
        gone = asyncio.ensure_future(self._connection.gone.wait())
        ended = asyncio.ensure_future(self._ended.wait())
        try:
            await asyncio.wait((gone, ended), return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            ended.cancel()
        if not self._ended.is_set():
            self.abandon()
