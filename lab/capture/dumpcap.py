"""dumpcap on the hotspot laptop."""

from __future__ import annotations

import contextlib
import re
import shlex
from pathlib import Path

from lab.capture.protocol import BACKSTOP_S, EXIT_S, READY_S, Counters, last_counters, search_command
from lab.clocks.bench_time import BenchClock, wait_until
from lab.errors import AttemptVoid, LabError, LaptopTrouble
from lab.laptop.bash import Laptop
from lab.laptop.lease import Lease
from lab.programs.processes import Program


class HostDumpcap:
    """dumpcap on the hotspot laptop, on the hotspot's interface: what one client of it sends and receives."""

    suffix = "pcapng"

    def __init__(
        self,
        laptop: Laptop,
        clock: BenchClock,
        interface: str,
        lease: Lease,
        snaplen_bytes: int,
        directory: str,
        name: str,
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
