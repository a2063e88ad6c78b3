"""tcpdump on a rooted phone."""

import contextlib
import re
import shlex
from pathlib import Path

from lab.capture.counters import Counters, all_counters, last_counters, require_all
from lab.capture.protocol import BACKSTOP_S, EXIT_S, READY_S, SLOT_BYTES, Request
from lab.clocks.bench_time import BenchClock, wait_until
from lab.errors import AttemptVoid, LabError, PhoneTrouble
from lab.laptop.lease import Lease
from lab.phone.adb import Adb, LabConnection
from lab.phone.phone import Phone
from lab.phone.push import FIRST_ON_PATH
from lab.phone.root import SuRefuses, refusal, refuses, words
from lab.programs.shell import search_command

PHONE_DIRECTORY = "/data/local/tmp/im-call-lab"
ANSWER_S, CATCH_UP_TRIES = 0.4, 5


class PhoneTcpdump:
    """tcpdump on a rooted phone, as root, on one interface.

    One root stream holds it; the pid is recorded from inside, because closing the stream does not end it.
    """

    suffix = "pcap"

    def __init__(
        self, adb: Adb, clock: BenchClock, interface: str, snaplen_bytes: int, directory: str, name: str
    ) -> None:
        self._adb, self._clock = adb, clock
        self.interface, self._asked_bytes = interface, snaplen_bytes + SLOT_BYTES
        self.tool = "tcpdump"
        self.lease: Lease | None = None
        self._directory = directory
        self._file, self._errors, self._pid = (f"{directory}/{name}.{end}" for end in ("pcap", "err", "pid"))
        self._stream: LabConnection | None = None
        self._ended = False

    def start(self) -> None:
        self._adb.run(f"mkdir -p {self._directory}", root=True)
        script = (
            f"echo $$ >{self._pid}; {FIRST_ON_PATH}; exec tcpdump -i {shlex.quote(self.interface)} -U "
            f"--immediate-mode -B 16384 -s {self._asked_bytes} -G {BACKSTOP_S} -W 1 -w {self._file} 2>{self._errors}"
        )
        self._stream = self._adb.open_root(script)
        if not wait_until(self._clock, lambda: "listening on" in self._said(), READY_S):
            raise self._not_live()

    def _not_live(self) -> AttemptVoid | PhoneTrouble:
        """By what tcpdump said; where it said nothing it may not have been run, and `su` has the word."""
        what = f"{self._adb.name}: tcpdump is not live"
        if said := self._said()[:300]:
            return AttemptVoid("capture_not_ready", f"{what}: {said}")
        assert self._stream is not None
        by_su = words(self._stream)
        text = f"{what}: {refusal(by_su)}"
        return SuRefuses(text) if refuses(by_su) else AttemptVoid("capture_not_ready", text)

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
            raise AttemptVoid("capture_died", f"{self._adb.name}: tcpdump had ended by itself: {self._said()[-300:]}")
        if not wait_until(self._clock, lambda: self._gone(pid), EXIT_S):
            raise PhoneTrouble(f"{self._adb.name}: tcpdump (pid {pid}) does not end after SIGINT")
        self._ended = True
        self._close()
        said = self._said()
        counters = last_counters(said)
        if counters is None or "pcap_loop" in said:
            raise AttemptVoid("capture_died", f"{self._adb.name}: tcpdump left no counters: {said[-300:]}")
        return require_all(counters, f"{self._adb.name}: tcpdump", said, caught_up=caught_up)

    def _caught_up(self, pid: str) -> bool:
        """Whether the running tool has written all that it was given: what comes after may be cut by the stop.

        SIGUSR1 makes tcpdump print its counters. A tool that does not answer has to stop with equal ones.
        """
        for asked in range(1, 1 + CATCH_UP_TRIES):
            self._adb.run(f"kill -USR1 {pid} 2>/dev/null", root=True)
            if not wait_until(self._clock, lambda: len(all_counters(self._said())) == asked, ANSWER_S):  # noqa: B023
                return False
            counters = all_counters(self._said())[-1]
            if counters.captured == counters.received:
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


def new_capture(request: Request) -> PhoneTcpdump:
    """A capture on the phone itself, on the interface that carries its calls now."""
    phone = request.phone
    interface = phone.default_network().interface
    return PhoneTcpdump(phone.device, phone.clock, interface, request.snaplen_bytes, PHONE_DIRECTORY, request.name)


def sweep(phone: Phone) -> int:
    """End what earlier runs of this lab left on a rooted phone, whatever captures it now; returns how many."""
    return sweep_directory(phone.device, PHONE_DIRECTORY) if phone.spec.rooted else 0


def sweep_directory(adb: Adb, directory: str) -> int:
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
