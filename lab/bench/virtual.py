"""The virtual bench, as its controller sees it."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import lab.virtual
from lab.clocks.bench_time import BenchClock
from lab.clocks.stop import Stop
from lab.definitions import BenchSpec, Lab, PhoneSpec, PlannedTrial
from lab.errors import BenchUnhealthy
from lab.phone.adb import LabClient
from lab.programs.processes import Program, last_line

EPOCH_NS = 1_767_571_200_000_000_000
"""The virtual bench's first instant: 2026-01-05 00:00:00 UTC."""

START_S, CONTROL_S = 30.0, 120.0


class VirtualClock:
    """Bench time of the virtual bench: it moves when it is told to."""

    def __init__(self, bench: VirtualBench, stop: Stop) -> None:
        self._bench, self._stop = bench, stop

    def now_ns(self) -> int:
        return int(self._bench.ask(op="advance", ns=0)["now_ns"])

    def sleep(self, seconds: float) -> None:
        self._stop.check()
        self._bench.ask(op="advance", ns=round(seconds * 1e9))


class VirtualBench:
    """The bench process and its control channel: advance, begin, fail_next, end."""

    def __init__(self, lab_: Lab, spec: BenchSpec, stop: Stop) -> None:
        with ExitStack() as stack:
            # A file without a name: whatever way this process ends, nobody has to remove it.
            self._log = stack.enter_context(tempfile.TemporaryFile())
            self._root = Path(tempfile.mkdtemp(prefix="im-call-lab-"))
            stack.callback(shutil.rmtree, self._root, ignore_errors=True)
            self._program = Program([sys.executable, "-m", lab.virtual.__name__], other=self._log.fileno())
            stack.callback(self._program.end)
            self.started = self._asked(
                START_S, scenarios=str(lab_.directory.resolve()), bench=spec.name, root=str(self._root)
            )
            self._end = stack.pop_all()
        self.clock: BenchClock = VirtualClock(self, stop)
        self.client = LabClient("127.0.0.1", self.started["adb_port"])
        self.laptop_prefix = [str(part) for part in self.started["laptop"]]
        self.resolver: tuple[str, int] | None = ("127.0.0.1", self.started["resolver_port"])
        self.hint = f"The phones are behind an adb server of their own: adb -P {self.started['adb_port']} devices"
        self._ports = {phone["name"]: phone["port"] for phone in self.started["phones"]}

    def ask(self, **request: Any) -> dict[str, Any]:
        """One request over the control channel. Raises `BenchUnhealthy` when the bench is gone or refuses it."""
        return self._asked(CONTROL_S, **request)

    def _asked(self, within_s: float, **request: Any) -> dict[str, Any]:
        try:
            self._program.send(json.dumps(request).encode() + b"\n")
            answer = json.loads(self._program.read_line(within_s))
        except TimeoutError as error:
            raise BenchUnhealthy(f"the virtual bench does not answer in {within_s:g} s; run again") from error
        except (EOFError, OSError, ValueError) as error:
            said = last_line(self._log) or "it left no message"
            raise BenchUnhealthy(f"the virtual bench has ended: {said}; run again") from error
        if "error" in answer:
            raise BenchUnhealthy(f"the virtual bench refuses: {answer['error']}")
        return dict(answer)

    def serial(self, phone: PhoneSpec) -> str:
        address = f"127.0.0.1:{self._ports[phone.name]}"
        said = self.client.connect(address, timeout=START_S)
        if "connected" not in said or "cannot" in said or "failed" in said:
            raise BenchUnhealthy(f"{phone.name}: adb says: {said}")
        return address

    def begin(self, planned: PlannedTrial, seed: int, attempt: int) -> None:
        """Set the attempt's key, instant and possible routes, and a clean state."""
        trial = planned.trial.id
        start_ns = EPOCH_NS + planned.index * 3_600_000_000_000 + attempt % 6 * 600_000_000_000
        key = f"{seed}/{trial}/{attempt}"
        self.ask(op="begin", key=key, trial=trial, attempt=attempt, start_ns=start_ns, direct=planned.direct)

    def end(self, truth: Path | None) -> list[str]:
        """Have the truth written; the commands that the phones did not know."""
        answer = self.ask(op="end", truth=None if truth is None else str(truth.resolve()))
        return [str(command) for command in answer.get("refused", [])]

    def close(self) -> None:
        """End the bench process. It removes its root by itself; what a killed one left is removed here."""
        self._end.close()
