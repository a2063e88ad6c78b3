"""A bench whose phones are emulated, as its controller sees it: the virtual bench, and the rig."""

from __future__ import annotations

import json
import mmap
import secrets
import shutil
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import lab.virtual
from lab.clocks import deadlines
from lab.clocks.bench_time import BenchClock, WallClock
from lab.clocks.deadlines import Wait
from lab.clocks.real_time import Deadline
from lab.clocks.stop import Stop
from lab.definitions import BenchSpec, Lab, PhoneSpec, PlannedTrial
from lab.definitions.faults import Faults
from lab.errors import AttemptVoid, BenchUnhealthy
from lab.phone.adb import TROUBLE, LabClient
from lab.programs.processes import Program, last_line

EPOCH_NS = 1_767_571_200_000_000_000
"""The virtual bench's first instant: 2026-01-05 00:00:00 UTC."""


class VirtualClock:
    """Bench time of the virtual bench: it moves when it is told to, and stands in a file that the bench shares."""

    def __init__(self, bench: VirtualBench, file: Path, stop: Stop) -> None:
        self._bench, self._stop = bench, stop
        with file.open("rb") as shared:
            self._now = memoryview(mmap.mmap(shared.fileno(), 8, access=mmap.ACCESS_READ)).cast("q")

    def now_ns(self) -> int:
        return int(self._now[0])

    def sleep(self, seconds: float) -> None:
        self._stop.check()
        self._bench.ask(op="advance", ns=round(seconds * 1e9))


class VirtualBench:
    """The bench process and its control channel: plan, advance, begin, fail_next, end.

    Bench time is virtual on a virtual bench and wall time on a rig, whose networks and calls are real. Without `phones`
    a rig is a resolver alone. `left_in_call` are the phones that were still in a call when their attempt ended, as
    "TRIAL.ATTEMPT: PHONE".
    """

    def __init__(self, lab_: Lab, spec: BenchSpec, stop: Stop, *, phones: bool = True) -> None:
        self._name = "virtual bench" if spec.kind == "virtual" else spec.kind
        with ExitStack() as stack:
            # A file without a name: whatever way this process ends, nobody has to remove it.
            self._log = stack.enter_context(tempfile.TemporaryFile())
            # The bench makes it: where this process is killed before it has asked for one, nothing is left.
            self._root = Path(tempfile.gettempdir()) / f"im-call-lab-{secrets.token_hex(8)}"
            stack.callback(shutil.rmtree, self._root, ignore_errors=True)
            self._program = Program([sys.executable, "-m", lab.virtual.__name__], other=self._log.fileno())
            stack.callback(self._program.end)
            where = {"scenarios": str(lab_.directory.resolve()), "bench": spec.name, "root": str(self._root)}
            self.started = self._asked(deadlines.BENCH_START, **where, phones=phones)
            self.clock = self._opened_clock(stop)
            self._end = stack.pop_all()
        self.left_in_call: list[str] = []
        self._attempt = ""
        adb_port = self.started.get("adb_port", 0)
        self.client = LabClient("127.0.0.1", adb_port)
        self.laptop_prefix = [str(part) for part in self.started.get("laptop", [])]
        self.resolver: tuple[str, int] | None = ("127.0.0.1", self.started["resolver_port"])
        self.hint = f"The phones are behind an adb server of their own: adb -P {adb_port} devices"
        self._ports = {phone["name"]: phone["port"] for phone in self.started.get("phones", [])}

    def _opened_clock(self, stop: Stop) -> BenchClock:
        if "clock" not in self.started:
            return WallClock(stop)
        try:
            return VirtualClock(self, Path(self.started["clock"]), stop)
        except OSError as error:  # a bench that ends removes its files
            raise BenchUnhealthy(f"the {self._name} has ended: {error}; run again") from error

    def ask(self, **request: Any) -> dict[str, Any]:
        """One request over the control channel. Raises `BenchUnhealthy` when the bench is gone or refuses it."""
        return self._asked(deadlines.BENCH_CONTROL, **request)

    def _asked(self, within: Wait, **request: Any) -> dict[str, Any]:
        try:
            self._program.send(json.dumps(request).encode() + b"\n")
            answer = json.loads(self._program.read_line(within.s))
        except TimeoutError as error:
            raise BenchUnhealthy(f"the {self._name} does not answer in {within.s:g} s; run again") from error
        except (EOFError, OSError, ValueError) as error:
            said = last_line(self._log) or "it left no message"
            raise BenchUnhealthy(f"the {self._name} has ended: {said}; run again") from error
        if "error" in answer:
            raise BenchUnhealthy(f"the {self._name} refuses: {answer['error']}")
        return dict(answer)

    def rehearse(self, faults: Faults, seed: int, night_s: float, trials: Sequence[str]) -> None:
        """Have these faults strike the bench, drawn by the seed where they are drawn, in a night that has come so far:
        its clock is at `night_s`, and `trials` were begun, in that order."""
        plan = [fault.model_dump(exclude_none=True) for fault in faults.faults]
        self.ask(op="plan", seed=seed, faults=plan, night_ns=round(night_s * 1e9), trials=list(trials))

    def address(self, phone: PhoneSpec) -> str:
        return f"127.0.0.1:{self._ports[phone.name]}"

    def serial(self, phone: PhoneSpec) -> str:
        address = self.address(phone)
        said = self.client.connect(address, timeout=deadlines.ADB_CONNECT.s)
        if "connected" not in said or "cannot" in said or "failed" in said:
            raise BenchUnhealthy(f"{phone.name}: adb says: {said}")
        return address

    def check_health(self) -> None:
        """Raise `BenchUnhealthy` where the bench process has gone."""
        self.ask(op="advance", ns=0)

    def start_adb_server(self, within_s: float) -> None:
        """Wait until its adb server answers: it is a child of the bench process, which starts it again."""
        deadline, again = Deadline(within_s), threading.Event()
        while True:
            try:
                self.client.server_version()
                return
            except TROUBLE as error:
                if deadline.passed():
                    raise BenchUnhealthy(f"the adb server of the {self._name} has ended; run again") from error
            again.wait(0.05)

    def laptop_directory(self, spec: BenchSpec) -> str:
        """A folder on the laptop that is this bench's alone."""
        return str(self.started.get("laptop_directory") or f"{spec.laptop.directory}/{spec.name}")

    def begin(self, planned: PlannedTrial, seed: int, attempt: int) -> None:
        """Set the attempt's key, instant and possible routes, and a clean state."""
        trial = planned.trial.id
        start_ns = EPOCH_NS + planned.index * 3_600_000_000_000 + attempt % 6 * 600_000_000_000
        key, self._attempt = f"{seed}/{trial}/{attempt}", f"{trial}.{attempt}"
        self.ask(op="begin", key=key, trial=trial, attempt=attempt, start_ns=start_ns, direct=planned.direct)

    def end(self, truth: Path | None) -> list[str]:
        """Have the truth written; the commands that the phones did not know.

        Raises `AttemptVoid`, `bench_trouble`, where something inside the bench failed during the attempt.
        """
        answer = self.ask(op="end", truth=None if truth is None else str(truth.resolve()))
        self.left_in_call += [f"{self._attempt}: {phone}" for phone in answer.get("in_call", [])]
        if truth is not None and answer.get("trouble"):
            raise AttemptVoid("bench_trouble", str(answer["trouble"])[:300])
        return [str(command) for command in answer.get("refused", [])]

    def close(self) -> None:
        """End the bench process. It removes its root by itself; what a killed one left is removed here."""
        self._end.close()
