"""The hotspot laptop, behind an argv prefix: [] is this machine, [ssh, HOST] another one."""

from __future__ import annotations

import re
import shlex
from ipaddress import IPv4Address
from pathlib import Path

from lab.errors import LaptopTrouble
from lab.laptop.agent.coalescing import joining
from lab.laptop.lease import Hotspot, parse_neighbours
from lab.programs import copies
from lab.programs.processes import Program, run
from lab.programs.shell import CLOCK_LOOP, ClockStream, PersistentShell, ShellOutput, StreamBroken

COPY_S = 120.0
START_S = 20.0
SWEEP_TRIES = 100


class Laptop:
    """Runs programs on the laptop, reads its clock and fetches its files."""

    def __init__(self, prefix: list[str], directory: str) -> None:
        self._prefix = list(prefix)
        self.directory = directory
        self._by_ssh = Path(prefix[0]).name == "ssh" if prefix else False
        self._pids: dict[Program, tuple[int, str]] = {}
        self._shell: PersistentShell | None = None
        self._clock: ClockStream | None = None

    def start(self, argv: list[str]) -> Program:
        """Start a program whose standard error is read. Raises `LaptopTrouble` where it is missing."""
        words = [f"echo $$ >&2; exec {shlex.join(argv)}"] if self._by_ssh else argv
        try:
            program = Program([*self._prefix, *words], read_from="stderr")
        except OSError as error:
            raise LaptopTrouble(f"{argv[0]} cannot be started on the laptop: {error.strerror}; install it") from error
        if self._by_ssh:
            try:
                self._pids[program] = int(program.read_line(START_S)), argv[0]
            except (TimeoutError, EOFError, ValueError) as error:
                program.end()
                raise LaptopTrouble(f"{argv[0]} cannot be started on the laptop: {error}") from error
        return program

    def interrupt(self, program: Program) -> None:
        """Send SIGINT to a program that `start` gave. Raises `LaptopTrouble`.

        ssh hands no signal on, and a program outlives its ssh: there it is ended by its number on the laptop, unless
        that is another program's by now.
        """
        if not self._by_ssh:
            program.interrupt()
            return
        pid, name = self._pids[program]
        self.run(f"case $(ps -p {pid} -o comm=) in *{shlex.quote(name)}) kill -INT {pid};; esac")

    def _word(self, text: str) -> str:
        """One word of an argv: ssh joins words with blanks and has the laptop's shell split them again."""
        return shlex.quote(text) if self._by_ssh else text

    def run(self, command: str, timeout_s: float = 10.0) -> ShellOutput:
        """Run one line in the laptop's bash. Raises `LaptopTrouble` when it does not answer whole and in time."""
        try:
            if self._shell is None:
                self._shell = PersistentShell(Program([*self._prefix, "bash"]))
            return self._shell.run(command, timeout_s)
        except (TimeoutError, StreamBroken, OSError) as error:
            self.close()
            raise LaptopTrouble(f"the laptop gives no whole answer to `{command[:80]}`: {error}") from error

    def hotspot(self, address: IPv4Address) -> Hotspot:
        """The hotspot that holds this address. Raises `LaptopTrouble` where no interface does."""
        for line in self.run("ip -o addr").text.splitlines():
            words = line.split()
            if len(words) > 3 and words[3].split("/")[0] == str(address):
                return Hotspot(words[1], address)
        raise LaptopTrouble(f"no interface of the laptop holds {address}; start the hotspot")

    def neighbours(self, hotspot: Hotspot) -> dict[IPv4Address, str]:
        """The MAC of each address that others hold on the hotspot. Raises `LaptopTrouble`."""
        said = self.run(f"ip neigh show dev {shlex.quote(hotspot.interface)}")
        if said.code != 0:
            raise LaptopTrouble(f"the laptop does not tell its neighbours: {said.text[:100]!r}; install iproute2")
        return parse_neighbours(said.text)

    def prepare(self) -> None:
        """End the dumpcaps that write into our directory: nothing of an earlier run captures any longer, and no file is
        written by two. Nobody else's is touched. Raises `LaptopTrouble`.
        """
        asked: set[int] = set()
        for _ in range(SWEEP_TRIES):
            left = self._dumpcaps()
            if not left:
                return
            for pid in left - asked:
                self.run(f"kill -INT {pid}")
            asked |= left
            self.run("sleep 0.1")
        raise LaptopTrouble(f"a dumpcap of an earlier run (pid {min(left)}) does not end on the laptop; end it")

    def _dumpcaps(self) -> set[int]:
        """The dumpcaps that write into our directory; one that has ended has no command line any longer."""
        lines = self.run("ps -A -ww -o pid,args").text.splitlines()
        found = (
            re.match(r"\s*(\d{1,9})\s+(?:\S*/)?dumpcap\s", line) for line in lines if f" -w {self.directory}/" in line
        )
        return {int(one[1]) for one in found if one}

    def ask_for(self, address: IPv4Address) -> None:
        """Have it ask its networks who holds an address; what it learns is in `neighbours`. Raises `LaptopTrouble`."""
        if self.run(f"ping -c 1 -W 1 {address}").code == 127:
            raise LaptopTrouble("there is no ping on the laptop; install iputils-ping")

    def coalescing(self, interface: str) -> list[str] | None:
        """What joins packets on an interface before a capture sees them; None where it has no ethtool to tell."""
        said = self.run(f"PATH=$PATH:/usr/sbin:/sbin ethtool -k {shlex.quote(interface)}")
        return joining(said.text) if said.code == 0 else None

    def read_clock_ns(self) -> int:
        """The laptop's system clock by bash's `$EPOCHREALTIME`. Raises `LaptopTrouble`."""
        try:
            if self._clock is None:
                self._clock = ClockStream(Program([*self._prefix, "bash", "-c", self._word(CLOCK_LOOP)]))
            return self._clock.read_ns()
        except (TimeoutError, StreamBroken, OSError) as error:
            self.close()
            raise LaptopTrouble(f"the laptop's clock cannot be read: {error}") from error

    def fetch_checked(self, source: str, target: Path) -> str:
        """Copy one file of the laptop and prove the copy; returns its SHA-256 in hex. Raises `LaptopTrouble`."""
        try:
            origin = copies.fingerprint(self.run(copies.question(source), timeout_s=COPY_S))
            with target.open("wb") as stream:
                done = run([*self._prefix, "cat", self._word(source)], timeout_s=COPY_S, stdout=stream.fileno())
            if done.code != 0:
                raise copies.CopyFailed(done.stderr.decode("utf-8", "replace")[:200].strip())
            copies.prove(target, origin)
        except (OSError, copies.CopyFailed) as error:
            if copies.is_ours(error):
                raise
            raise LaptopTrouble(f"{source} on the laptop: {error}") from error
        return origin.sha256

    def close(self) -> None:
        """End the shell and the clock."""
        for stream in (self._shell, self._clock):
            if stream is not None:
                stream.close()
        self._shell = self._clock = None
