"""Captures that are proven: start, ready, marker, stop, verified file.

Two kinds with the same five verbs: `PhoneTcpdump` on a rooted phone, `HostDumpcap` on the hotspot laptop. How both lose
the end of a call when they are stopped carelessly, and why they are run as they are: `docs/decisions/0003-capture.md`.
"""

from __future__ import annotations

import contextlib
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from correlate.trace import Integrity, Trace, verify
from lab.adb import Adb, SocketStream
from lab.clock import Clock, wait_until
from lab.errors import AttemptVoid, LabError, LaptopTrouble, PhoneTrouble
from lab.laptop import Laptop
from lab.lease import Lease
from lab.process import Program
from lab.push import FIRST_ON_PATH

READY_S = 10.0
EXIT_S = 10.0
DRAIN_S = 1.6
"""How long a capture runs on behind the last marker: tcpdump and dumpcap hold back up to 1.2 s (measured)."""

ANSWER_S = 0.4
CATCH_UP_TRIES = 5

BACKSTOP_S = 7200
"""A capture that nobody is left to stop ends by itself after this; no trial is as long."""


@dataclass(frozen=True)
class Counters:
    """What the tool says it did. `received` is what the kernel's filter passed to it."""

    captured: int
    received: int
    dropped: int


# tcpdump prints them over several lines at the end, in one line in answer to SIGUSR1.
_TCPDUMP = re.compile(
    r"(\d+) packets? captured,?\s+(\d+) packets? received by filter,?\s+(\d+) packets? dropped by kernel"
)
_DUMPCAP = re.compile(
    r"Packets captured: (\d+)\s+Packets received/dropped on interface '[^'\n]*': (\d+)/(\d+)", re.MULTILINE
)


def last_counters(said: str) -> Counters | None:
    """The last counters that tcpdump or dumpcap printed; None where they left none."""
    found = _TCPDUMP.findall(said) or _DUMPCAP.findall(said)
    return Counters(*(int(number) for number in found[-1])) if found else None


def search_command(text: str, file: str) -> str:
    """The shell line that ends with 0 where a capture holds `text`.

    Its lines end with NUL: toybox' grep (0.8.9, measured) finds nothing in a line that begins with one, as what follows
    a newline in a capture often does.
    """
    return f"grep -F -q -a -z {shlex.quote(text)} {file}"


class Capture(Protocol):
    """One running capture. `size_bytes` and `holds` look at the growing file and take no bench time by themselves.

    `lease` is the client of the hotspot to which it is restricted; None for one that is not on the hotspot.
    """

    tool: str
    interface: str
    suffix: str
    lease: Lease | None

    def start(self) -> None:
        """Start the tool and wait until it says that it captures. Raises `AttemptVoid("capture_not_ready")`."""

    def size_bytes(self) -> int: ...

    def holds(self, text: str) -> bool:
        """Whether the growing file holds `text`."""

    def stop(self) -> Counters:
        """Stop the tool, await its exit and read its counters. Raises `AttemptVoid("capture_lost_packets")`."""

    def fetch(self, target: Path) -> str:
        """Copy the file, prove the copy, remove the original; returns the SHA-256."""

    def discard(self) -> None:
        """Stop the tool if it runs and remove its file; for every way out, never raises a `LabError`."""


class PhoneTcpdump:
    """tcpdump on a rooted phone, as root, on one interface.

    One root stream holds it; the pid is recorded from inside, because closing the stream does not end it.
    """

    suffix = "pcap"

    def __init__(self, adb: Adb, clock: Clock, interface: str, snaplen_bytes: int, directory: str, name: str) -> None:
        self._adb, self._clock = adb, clock
        self.interface, self._snaplen_bytes = interface, snaplen_bytes
        self.tool = "tcpdump"
        self.lease: Lease | None = None
        self._directory = directory
        self._file, self._errors, self._pid = (f"{directory}/{name}.{end}" for end in ("pcap", "err", "pid"))
        self._stream: SocketStream | None = None
        self._ended = False

    def start(self) -> None:
        self._adb.run(f"mkdir -p {self._directory}", root=True)
        script = (
            f"echo $$ >{self._pid}; {FIRST_ON_PATH}; exec tcpdump -i {shlex.quote(self.interface)} -U "
            f"--immediate-mode -B 16384 -s {self._snaplen_bytes} -G {BACKSTOP_S} -W 1 -w {self._file} 2>{self._errors}"
        )
        self._stream = self._adb.open_root(script)
        if not wait_until(self._clock, lambda: "listening on" in self._said(), READY_S):
            raise AttemptVoid("capture_not_ready", f"{self._adb.serial}: tcpdump is not live: {self._said()[:300]}")

    def _said(self) -> str:
        return self._adb.run(f"cat {self._errors} 2>/dev/null", root=True).text

    def size_bytes(self) -> int:
        answer = self._adb.run(f"stat -c %s {self._file}", root=True)
        return int(answer.text) if re.fullmatch(r"\d{1,15}\s*", answer.text) else 0

    def holds(self, text: str) -> bool:
        return self._adb.run(search_command(text, self._file), root=True).code == 0

    def stop(self) -> Counters:
        pid = self._recorded_pid()
        caught_up = pid is not None and self._caught_up(pid)
        if pid is None or self._adb.run(f"kill -INT {pid} 2>/dev/null", root=True).code != 0:
            self._ended = True
            raise AttemptVoid("capture_died", f"{self._adb.serial}: tcpdump had ended by itself: {self._said()[-300:]}")
        if not wait_until(self._clock, lambda: self._gone(pid), EXIT_S):
            raise PhoneTrouble(f"{self._adb.serial}: tcpdump (pid {pid}) does not end after SIGINT")
        self._ended = True
        self._close()
        said = self._said()
        counters = last_counters(said)
        if counters is None or "pcap_loop" in said:
            raise AttemptVoid("capture_died", f"{self._adb.serial}: tcpdump left no counters: {said[-300:]}")
        if counters.dropped or (counters.captured != counters.received and not caught_up):
            raise AttemptVoid("capture_lost_packets", f"{self._adb.serial}: tcpdump: {said[-200:].strip()}")
        return counters

    def _caught_up(self, pid: str) -> bool:
        """Whether the running tool has written all that it was given: what comes after may be cut by the stop.

        SIGUSR1 makes tcpdump print its counters. A tool that does not answer has to stop with equal ones.
        """
        for asked in range(1, 1 + CATCH_UP_TRIES):
            self._adb.run(f"kill -USR1 {pid} 2>/dev/null", root=True)
            if not wait_until(self._clock, lambda: len(_TCPDUMP.findall(self._said())) == asked, ANSWER_S):  # noqa: B023
                return False
            counters = last_counters(self._said())
            if counters is not None and counters.captured == counters.received:
                return True
        return False

    def _recorded_pid(self) -> str | None:
        answer = self._adb.run(f"cat {self._pid} 2>/dev/null", root=True).text.strip()
        return answer if re.fullmatch(r"\d{1,9}", answer) else None

    def _interrupt(self) -> str | None:
        pid = self._recorded_pid()
        if pid is not None:
            self._adb.run(f"kill -INT {pid} 2>/dev/null", root=True)
        return pid

    def _gone(self, pid: str) -> bool:
        return self._adb.run(f"kill -0 {pid} 2>/dev/null", root=True).code != 0

    def _close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def fetch(self, target: Path) -> str:
        self._adb.run(f"chmod 644 {self._file}", root=True)
        sha256 = self._adb.pull_checked(self._file, target)
        self._remove()
        return sha256

    def _remove(self) -> None:
        self._adb.run(f"rm -f {self._file} {self._errors} {self._pid}", root=True)

    def discard(self) -> None:
        with contextlib.suppress(LabError):
            # Another process may have the number of one that has ended.
            pid = None if self._ended or self._stream is None else self._interrupt()
            if pid is not None and not wait_until(self._clock, lambda: self._gone(pid), EXIT_S):
                self._adb.run(f"kill -KILL {pid} 2>/dev/null", root=True)
            self._remove()
        self._close()


class HostDumpcap:
    """dumpcap on the hotspot laptop, on the hotspot's interface: what one client of it sends and receives."""

    suffix = "pcapng"

    def __init__(
        self, laptop: Laptop, clock: Clock, interface: str, lease: Lease, snaplen_bytes: int, directory: str, name: str
    ) -> None:
        self._laptop, self._clock = laptop, clock
        self.interface, self._snaplen_bytes = interface, snaplen_bytes
        self.tool = "dumpcap"
        self.lease: Lease | None = lease
        self._filter = lease.filter
        self._directory, self._file = directory, f"{directory}/{name}.pcapng"
        self._program: Program | None = None
        self._said: list[str] = []

    def start(self) -> None:
        self._laptop.run(f"mkdir -p {self._directory}")
        # Behind -i: a filter is that of the interface before it.
        argv = ["dumpcap", "-q", "-i", self.interface, "-f", self._filter, "-s", str(self._snaplen_bytes)]
        argv += ["-a", f"duration:{BACKSTOP_S}", "-w", self._file]
        self._program = self._laptop.start(argv)
        try:
            # The first line waits for a program, in real time; from then on the capture is bench state.
            self._said = [self._program.read_line(READY_S).decode("utf-8", "replace")]
        except (EOFError, TimeoutError) as error:
            raise AttemptVoid("capture_not_ready", f"dumpcap does not start: {error}") from error
        if not wait_until(self._clock, self._live, READY_S):
            raise AttemptVoid("capture_not_ready", f"dumpcap is not live: {' / '.join(self._said)[:300]}")

    def _live(self) -> bool:
        assert self._program is not None
        self._said += [line.decode("utf-8", "replace") for line in self._program.lines_so_far()]
        return any(line.startswith("File:") for line in self._said)

    def size_bytes(self) -> int:
        answer = self._laptop.run(f"stat -c %s {shlex.quote(self._file)}")
        return int(answer.text) if re.fullmatch(r"\d{1,15}\s*", answer.text) else 0

    def holds(self, text: str) -> bool:
        return self._laptop.run(search_command(text, shlex.quote(self._file))).code == 0

    def stop(self) -> Counters:
        assert self._program is not None
        running = self._program.running()
        self._laptop.interrupt(self._program)
        try:
            rest = self._program.read_to_end(EXIT_S).decode("utf-8", "replace")
            code = self._program.wait(EXIT_S)
        except (EOFError, TimeoutError) as error:
            raise LaptopTrouble(f"dumpcap does not end after SIGINT: {error}") from error
        finally:
            self._program.end()
            self._program = None
        said = "\n".join([*self._said, rest])
        counters = last_counters(said)
        if counters is None or code != 0 or not running:
            raise AttemptVoid(
                "capture_died", f"dumpcap ended by itself or left no counters (exit {code}): {rest[-300:]}"
            )
        if counters.dropped:
            raise AttemptVoid("capture_lost_packets", f"dumpcap: {rest.strip()[:200]}")
        return counters

    def fetch(self, target: Path) -> str:
        sha256 = self._laptop.fetch_checked(self._file, target)
        self._laptop.run(f"rm -f {shlex.quote(self._file)}")
        return sha256

    def discard(self) -> None:
        if self._program is not None:
            with contextlib.suppress(LabError):
                self._laptop.interrupt(self._program)
            self._program.end()
            self._program = None
        with contextlib.suppress(LabError):
            self._laptop.run(f"rm -f {shlex.quote(self._file)}")


def verified(path: Path, counters: Counters, sha256: str, snaplen_bytes: int) -> Integrity:
    """What a fetched capture holds.

    Raises `AttemptVoid` where it is damaged, not what was counted and hashed, or cut shorter than was asked for.
    """
    trace = Trace.read(path)
    integrity = verify(trace, expect_packets=counters.captured)
    wrong = [str(damage) for damage in integrity.damage if damage.voids]
    if integrity.sha256 != sha256:
        wrong.append("its hash is not the one that it had where it was captured")
    short = trace.udp.captured_bytes < np.minimum(trace.udp.wire_bytes, snaplen_bytes)
    if short.any():
        wrong.append(f"{short.sum()} UDP frames are cut at less than the {snaplen_bytes} bytes that were asked for")
    if wrong:
        raise AttemptVoid("capture_damaged", f"{path.name}: {'; '.join(wrong)}")
    return integrity


def sweep(adb: Adb, directory: str) -> int:
    """End the tcpdumps that earlier runs of this lab left on a phone and remove their files; returns how many.

    A process is ours when its command line names our own directory; nobody else's is touched.
    """
    listed = adb.run("ps -A -o PID,ARGS", root=True).text
    ours = [
        found.group(1)
        for line in listed.splitlines()
        if (found := re.match(r"\s*(\d{1,9})\s+\S*tcpdump\s", line)) and f"{directory}/" in line
    ]
    for pid in ours:
        adb.run(f"kill -INT {pid} 2>/dev/null", root=True)
    adb.run(f"rm -rf {directory}", root=True)
    return len(ours)
