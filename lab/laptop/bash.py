"""The hotspot laptop, behind an argv prefix: [] is this machine, [ssh, HOST] another one."""

import contextlib
import re
import shlex
from collections.abc import Sequence
from ipaddress import IPv4Address
from pathlib import Path

from lab.clocks import deadlines
from lab.clocks.bench_time import BenchClock, wait_until
from lab.clocks.capture_clocks import Burst
from lab.errors import AttemptVoid, LaptopTrouble
from lab.laptop.agent.coalescing import joining
from lab.laptop.agent.tools import LIVE, READY_S
from lab.laptop.lease import parse_neighbours
from lab.laptop.login import LINE_BYTES, MarkedLogin, by_ssh, greeted, why
from lab.laptop.protocol import Ended, Hotspot
from lab.programs import copies
from lab.programs.processes import Program, last_line_of
from lab.programs.room import free_kib
from lab.programs.shell import CLOCK_LOOP, ClockStream, PersistentShell, ShellOutput, StreamBroken, search_command

SWEEP_TRIES = 100


class BashLaptop:
    """A `Laptop` with bash. A program that captures is bench state: it is looked at in bench time, by `clock`."""

    def __init__(self, prefix: list[str], directory: str, clock: BenchClock) -> None:
        self._prefix, self.directory, self._bench_clock = list(prefix), directory, clock
        self._by_ssh = by_ssh(prefix)
        self._running: dict[str, Program] = {}
        self._lines: dict[str, list[str]] = {}
        self._pids: dict[Program, int] = {}
        self._shell_program: Program | None = None
        self._shell: PersistentShell | None = None
        self._clock: ClockStream | None = None

    def tool(self) -> str:
        return "dumpcap"

    def version(self) -> ShellOutput:
        return self.run("dumpcap --version")

    def check_health(self) -> None:
        self.run("true")

    def stamp(self, source: IPv4Address, address: IPv4Address, text: str) -> Burst | None:
        """None: no capture of a laptop with bash is stamped by another clock than its system's."""
        return None

    def _file(self, name: str) -> str:
        return f"{self.directory}/{name}"

    def start(self, name: str, argv: Sequence[str]) -> None:
        self.run(f"mkdir -p {self.directory}")
        program = self._running[name] = self._started([argv[0], "-w", self._file(name), *argv[1:]])
        try:
            # The first line waits for a program, in real time; from then on the capture is bench state.
            line = program.read_line(deadlines.CAPTURE_READY.s, LINE_BYTES)
            lines = self._lines[name] = [line.decode("utf-8", "replace")]
        except (EOFError, TimeoutError) as error:
            raise AttemptVoid("capture_not_ready", f"{argv[0]} does not start: {error}") from error

        def live() -> bool:
            lines.extend(line.decode("utf-8", "replace") for line in program.lines_so_far())
            return any(line.startswith(LIVE[argv[0]]) for line in lines)

        if not wait_until(self._bench_clock, live, READY_S):
            raise AttemptVoid("capture_not_ready", f"{argv[0]} is not live: {' / '.join(lines)[:300]}")

    def _started(self, argv: list[str]) -> Program:
        """A program whose standard error is read. Raises `LaptopTrouble` where it is missing."""
        try:
            if not self._by_ssh:
                return Program([*self._prefix, *argv], read_from="stderr")
            login = self._login(f"exec {shlex.join(argv)}")
        except (TimeoutError, EOFError) as error:
            raise LaptopTrouble(f"{argv[0]} cannot be started on the laptop: {error}") from error
        except OSError as error:
            raise LaptopTrouble(f"{argv[0]} cannot be started on the laptop: {error.strerror}; install it") from error
        self._pids[login.program] = login.pid
        return login.program

    def _login(self, script: str) -> MarkedLogin:
        return MarkedLogin(self._prefix, script)

    def _interrupt(self, program: Program) -> None:
        """Send SIGINT. Raises `LaptopTrouble`.

        ssh hands no signal on, and a program outlives its ssh: there it is ended by its number on the laptop, unless
        that is another program's by now.
        """
        if not self._by_ssh:
            program.interrupt()
            return
        pid = self._pids[program]
        self.run(f"case $(ps -p {pid} -o comm=) in *{self.tool()}) kill -INT {pid};; esac")

    def size_bytes(self, name: str) -> int:
        file = shlex.quote(self._file(name))
        answer = self.run(f"stat -c %s {file}")
        if answer.code == 0 and re.fullmatch(r"\d{1,15}\s*", answer.text):
            return int(answer.text)
        if answer.code == 0 or self.run(f"test -e {file}").code == 0:
            raise LaptopTrouble(f"the size of {file} on the laptop cannot be read: {answer.text[:100]!r}")
        return 0

    def holds(self, name: str, text: str) -> bool:
        return self.run(search_command(text, shlex.quote(self._file(name)))).code == 0

    def stop(self, name: str) -> Ended:
        program = self._running[name]
        ran_on = program.running()
        self._interrupt(program)
        try:
            rest = program.read_to_end(deadlines.CAPTURE_EXIT.s).decode("utf-8", "replace")
            code = program.wait(deadlines.CAPTURE_EXIT.s)
        except (EOFError, TimeoutError) as error:
            raise LaptopTrouble(f"{self.tool()} does not end after SIGINT: {error}") from error
        finally:
            program.end()
            del self._running[name]
        return Ended(ran_on, caught_up=False, code=code, said="\n".join([*self._lines.pop(name), rest]))

    def remove(self, name: str) -> None:
        program = self._running.pop(name, None)
        if program is not None:
            with contextlib.suppress(LaptopTrouble):
                self._interrupt(program)
            program.end()
        self.run(f"rm -f {shlex.quote(self._file(name))}")

    def run(self, command: str, timeout_s: float | None = None) -> ShellOutput:
        """Run one line in the laptop's bash. Raises `LaptopTrouble` when it does not answer whole and in time."""
        try:
            if self._shell is None:
                self._shell_program = Program([*self._prefix, "bash"], kept=True)
                self._shell = PersistentShell(self._shell_program)
                if self._by_ssh:
                    greeted(self._shell)
            return self._shell.run(command, timeout_s)
        except (TimeoutError, StreamBroken, OSError) as error:
            cause = str(error)
            # Whoever writes to a login that has ended is told so by the pipe, if he comes before its last words.
            ended = isinstance(error, StreamBroken | BrokenPipeError)
            if self._by_ssh and ended and self._shell_program is not None:
                cause = why(error, self._shell_program)
            self.close()
            raise LaptopTrouble(f"the laptop gives no whole answer to `{command[:80]}`: {cause}") from error

    def room_kib(self) -> int | None:
        return free_kib(self.run(f"mkdir -p {self.directory}; df -Pk {self.directory}").text)

    def hotspot(self, address: IPv4Address) -> Hotspot:
        for line in self.run("ip -o addr").text.splitlines():
            words = line.split()
            if len(words) > 3 and words[3].split("/")[0] == str(address):
                return Hotspot(words[1], address)
        raise LaptopTrouble(f"no interface of the laptop holds {address}; start the hotspot")

    def neighbours(self, hotspot: Hotspot) -> dict[IPv4Address, str]:
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
        ours = [line for line in lines if f" -w {self.directory}/" in line]
        found = (re.match(r"\s*(\d{1,9})\s+(?:\S*/)?dumpcap\s", line) for line in ours)
        return {int(pid[1]) for pid in found if pid}

    def ask_for(self, address: IPv4Address) -> None:
        if self.run(f"ping -c 1 -W 1 {address}").code == 127:
            raise LaptopTrouble("there is no ping on the laptop; install iputils-ping")

    def coalescing(self, interface: str) -> list[str] | None:
        said = self.run(f"PATH=$PATH:/usr/sbin:/sbin ethtool -k {shlex.quote(interface)}")
        return joining(said.text) if said.code == 0 else None

    def read_clock_ns(self) -> int:
        """The laptop's system clock by bash's `$EPOCHREALTIME`. Raises `LaptopTrouble`."""
        try:
            if self._clock is None:
                argv = [*self._prefix, "bash", "-c", CLOCK_LOOP]
                self._clock = ClockStream(self._login(CLOCK_LOOP).program if self._by_ssh else Program(argv))
            return self._clock.read_ns()
        except (TimeoutError, EOFError, StreamBroken, OSError) as error:
            self.close()
            raise LaptopTrouble(f"the laptop's clock cannot be read: {error}") from error

    def fetch(self, name: str, target: Path) -> str:
        source = self._file(name)
        try:
            origin = copies.fingerprint(self.run(copies.question(source), timeout_s=deadlines.LAPTOP_COPY.s))
            with target.open("wb") as stream, self._reading(source) as program:
                program.copy_to(stream, origin.size_bytes, deadlines.LAPTOP_COPY.s)
                if stream.tell() <= origin.size_bytes and program.wait(deadlines.PROGRAM_END.s) != 0:
                    raise copies.CopyFailed(last_line_of(program.last_words()))
            copies.prove(target, origin)
        except (OSError, EOFError, copies.CopyFailed) as error:
            if copies.is_ours(error):
                raise
            raise LaptopTrouble(f"{source} on the laptop: {error}") from error
        return origin.sha256

    def _reading(self, source: str) -> Program:
        """A program whose output is a file of the laptop."""
        if self._by_ssh:
            return self._login(f"exec cat {shlex.quote(source)}").program
        return Program([*self._prefix, "cat", source], kept=True)

    def close(self) -> None:
        """End the shell and the clock."""
        for stream in (self._shell, self._clock):
            if stream is not None:
                stream.close()
        self._shell = self._clock = self._shell_program = None
