"""A bench: two phones, a laptop, their captures and a clock. The only room that knows a bench may be virtual.

What differs between the two kinds stands in two small classes, `RealBench` and `VirtualBench`; all that drives phones
gets the same `Phone`, `Laptop`, `Capture` and `Clock`, behind a socket or an argv.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

import lab.virtual
from lab.adb import TROUBLE, Adb, LabClient
from lab.capture import Capture, HostDumpcap, PhoneTcpdump, sweep
from lab.clock import Clock, Stop, WallClock
from lab.definitions import BenchSpec, Lab, PhoneSpec, Trial
from lab.errors import BenchUnhealthy, LaptopTrouble, PhoneTrouble
from lab.laptop import Laptop
from lab.phone import Phone
from lab.process import Program

EPOCH_NS = 1_767_571_200_000_000_000
"""The virtual bench's first instant: 2026-01-05 00:00:00 UTC."""
START_S, CONTROL_S = 30.0, 120.0
PHONE_DIRECTORY = "/data/local/tmp/im-call-lab"


@dataclass(frozen=True)
class PlannedTrial:
    """A trial with its place in the full matrix and, on a virtual bench, whether a direct route is possible."""

    trial: Trial
    index: int
    direct: bool


class Kind(Protocol):
    """What a real and a virtual bench do differently."""

    clock: Clock
    client: LabClient
    laptop_prefix: list[str]
    resolver: tuple[str, int] | None

    def serial(self, phone: PhoneSpec) -> str: ...

    def begin(self, planned: PlannedTrial, seed: int, attempt: int) -> None: ...

    def end(self, truth: Path | None) -> list[str]: ...

    def close(self) -> None: ...


class RealBench:
    """Phones on the adb server of this machine; bench time is wall time."""

    def __init__(self, spec: BenchSpec, stop: Stop) -> None:
        self.clock: Clock = WallClock(stop)
        self.client = LabClient("127.0.0.1", int(os.environ.get("ANDROID_ADB_SERVER_PORT", "5037")))
        self.laptop_prefix = list(spec.laptop.connect)
        self.resolver = None if spec.resolver is None else (str(spec.resolver.address), spec.resolver.port)

    def serial(self, phone: PhoneSpec) -> str:
        if phone.serial is None:
            raise BenchUnhealthy(f"{phone.name} has no serial; write it into the bench's *.local.yaml")
        return phone.serial

    def begin(self, planned: PlannedTrial, seed: int, attempt: int) -> None:
        """Nothing to do: a real bench has no state that could be set."""

    def end(self, truth: Path | None) -> list[str]:
        """Nobody knows the truth of a real trial."""
        return []

    def close(self) -> None:
        """The adb server and the phones stay as they are."""


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
        self._root = Path(tempfile.mkdtemp(prefix="im-call-lab-"))
        self._log = self._root / "bench.log"
        with self._log.open("wb") as log:
            self._program = Program([sys.executable, "-m", lab.virtual.__name__], other=log.fileno())
        try:
            config = {"scenarios": str(lab_.directory.resolve()), "bench": spec.name, "root": str(self._root)}
            self._program.send(json.dumps(config).encode() + b"\n")
            self.started = self._answer(START_S)
        except BaseException:
            self.close()
            raise
        self.clock: Clock = VirtualClock(self, stop)
        self.client = LabClient("127.0.0.1", self.started["adb_port"])
        self.laptop_prefix = [str(part) for part in self.started["laptop"]]
        self.resolver: tuple[str, int] | None = ("127.0.0.1", self.started["resolver_port"])
        self._ports = {phone["name"]: phone["port"] for phone in self.started["phones"]}

    def ask(self, **request: Any) -> dict[str, Any]:
        """One request over the control channel. Raises `BenchUnhealthy` when the bench is gone or refuses it."""
        try:
            self._program.send(json.dumps(request).encode() + b"\n")
        except OSError as error:
            raise BenchUnhealthy(f"the virtual bench has gone: {self._last_words()}") from error
        return self._answer(CONTROL_S)

    def _answer(self, timeout_s: float) -> dict[str, Any]:
        try:
            answer = json.loads(self._program.read_line(timeout_s))
        except (EOFError, TimeoutError, ValueError) as error:
            raise BenchUnhealthy(f"the virtual bench does not answer: {self._last_words()}") from error
        if "error" in answer:
            raise BenchUnhealthy(f"the virtual bench refuses: {answer['error']}")
        return dict(answer)

    def _last_words(self) -> str:
        lines = self._log.read_text("utf-8", "replace").strip().splitlines() if self._log.exists() else []
        return lines[-1][:300] if lines else "it left no message"

    def serial(self, phone: PhoneSpec) -> str:
        address = f"127.0.0.1:{self._ports[phone.name]}"
        said = self.client.connect(address, timeout=START_S)
        if "connected" not in said or "cannot" in said or "failed" in said:
            raise BenchUnhealthy(f"{phone.name}: adb says: {said}")
        return address

    def begin(self, planned: PlannedTrial, seed: int, attempt: int) -> None:
        trial = planned.trial.id
        start_ns = EPOCH_NS + planned.index * 3_600_000_000_000 + attempt % 6 * 600_000_000_000
        key = f"{seed}/{trial}/{attempt}"
        self.ask(op="begin", key=key, trial=trial, attempt=attempt, start_ns=start_ns, direct=planned.direct)

    def end(self, truth: Path | None) -> list[str]:
        answer = self.ask(op="end", truth=None if truth is None else str(truth.resolve()))
        return [str(command) for command in answer.get("refused", [])]

    def close(self) -> None:
        self._program.end()
        shutil.rmtree(self._root, ignore_errors=True)


def open_kind(lab_: Lab, spec: BenchSpec, stop: Stop) -> Kind:
    """The bench's own kind, started."""
    return VirtualBench(lab_, spec, stop) if spec.kind == "virtual" else RealBench(spec, stop)


class Bench:
    """A bench that is open: phones reachable and their agents running, nothing of an earlier run left on them."""

    def __init__(self, lab_: Lab, spec: BenchSpec, stop: Stop) -> None:
        self.lab, self.spec, self.stop = lab_, spec, stop
        self._exit = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.kind = open_kind(self.lab, self.spec, self.stop)
            stack.callback(self.kind.close)
            self.clock = self.kind.clock
            self.laptop = Laptop(self.kind.laptop_prefix, self.spec.laptop.directory)
            stack.callback(self.laptop.close)
            self.phones = {spec.name: self._connect(spec, stack) for spec in self.spec.phones}
            self._exit = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._exit.close()

    def _connect(self, spec: PhoneSpec, stack: ExitStack) -> Phone:
        import uiautomator2  # costs half a second, and nothing but a bench needs it

        try:
            adb = Adb(self.kind.client, self.kind.serial(spec))
            stack.callback(adb.close)
            agent = uiautomator2.connect(adb)
        except (*TROUBLE, uiautomator2.exceptions.DeviceError) as error:
            raise PhoneTrouble(f"{spec.name} cannot be reached: {error}; is it connected and allowed?") from error
        stack.callback(agent.stop_uiautomator, wait=False)
        if spec.rooted:
            sweep(adb, PHONE_DIRECTORY)
        return Phone(spec, adb, agent, self.clock)

    def check_health(self) -> None:
        """Raise `BenchUnhealthy` unless both phones' shells and the laptop's answer."""
        for phone in self.phones.values():
            phone.device.run("true")
        self.laptop.run("true")

    def hotspot_interface(self) -> str:
        """The laptop's interface that holds the hotspot's address. Raises `LaptopTrouble` where none does."""
        for line in self.laptop.run("ip -o addr").text.splitlines():
            words = line.split()
            if len(words) > 3 and words[3].split("/")[0] == str(self.spec.laptop.hotspot_address):
                return words[1]
        raise LaptopTrouble(f"no interface of the laptop holds {self.spec.laptop.hotspot_address}; start the hotspot")

    def new_capture(self, phone: Phone, name: str) -> Capture:
        """A capture of what `phone` sends and receives, not yet started: on itself, or on the hotspot."""
        snaplen = self.spec.snaplen_bytes
        if phone.spec.capture == "tcpdump":
            return PhoneTcpdump(phone.device, self.clock, phone.route_interface(), snaplen, PHONE_DIRECTORY, name)
        interface = self.hotspot_interface()
        return HostDumpcap(self.laptop, self.clock, interface, snaplen, self.laptop.directory, name)


def plan_routes(lab_: Lab, trials: Sequence[Trial], spec: BenchSpec, seed: int) -> list[PlannedTrial]:
    """The trials of a full matrix with their place, and on a virtual bench whether a direct route is possible.

    Of each full cell (app, caller's network, scenario) of the emulated app's `direct` counts an exact sample is drawn
    by seed; of a smaller cell the same share, rounded down or up by chance.
    """
    direct: set[str] = set()
    for app in lab_.virtual_apps.values() if spec.kind == "virtual" else ():
        for count in app.network.direct:
            cell = sorted(
                trial.id
                for trial in trials
                if (trial.app, trial.scenario) == (app.name, count.scenario)
                and spec.caller_of(trial.direction).network == count.caller_network
            )
            chance = random.Random(f"{seed}/direct/{app.name}/{count.caller_network}/{count.scenario}")
            share = len(cell) * count.direct
            number = share // count.of + (chance.randrange(count.of) < share % count.of)
            direct.update(chance.sample(cell, number))
    return [PlannedTrial(trial, index, trial.id in direct) for index, trial in enumerate(trials)]
