"""A bench: two phones, a laptop, their captures and a clock. The only room that knows a bench may be virtual.

What differs between the two kinds stands in two small classes, `RealBench` and `VirtualBench`; all that drives phones
gets the same `Phone`, `Laptop`, `Capture` and `Clock`, behind a socket or an argv.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol, Self

import lab.virtual
from lab import hold, pcapdroid
from lab.adb import TROUBLE, Adb, LabClient
from lab.agentlink import AgentDumpcap, AgentLaptop
from lab.awake import kept_awake
from lab.capture import Capture, HostDumpcap, PhoneTcpdump, sweep
from lab.clock import Clock, Stop, WallClock
from lab.definitions import App, BenchSpec, Lab, PhoneSpec, Trial
from lab.errors import BenchUnhealthy, LabError, PhoneTrouble
from lab.laptop import Laptop
from lab.lease import Hotspot, Lease, find_lease
from lab.phone import Phone
from lab.process import Program
from lab.timeline import Burst

EPOCH_NS = 1_767_571_200_000_000_000
"""The virtual bench's first instant: 2026-01-05 00:00:00 UTC."""
START_S, CONTROL_S = 30.0, 120.0
_NOT_IN_FILES = re.compile(r"[^A-Za-z0-9.-]")
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
    hint: str

    def serial(self, phone: PhoneSpec) -> str: ...

    def begin(self, planned: PlannedTrial, seed: int, attempt: int) -> None: ...

    def end(self, truth: Path | None) -> list[str]: ...

    def close(self) -> None: ...


class RealBench:
    """Phones on the adb server of this machine; bench time is wall time."""

    def __init__(self, spec: BenchSpec, stop: Stop, *, phones: bool = True) -> None:
        self.clock: Clock = WallClock(stop)
        self.client = LabClient("127.0.0.1", int(os.environ.get("ANDROID_ADB_SERVER_PORT", "5037")))
        self.laptop_prefix = list(spec.laptop.connect)
        self.resolver = None if spec.resolver is None else (str(spec.resolver.address), spec.resolver.port)
        self._held = ExitStack()
        with ExitStack() as stack:
            for phone in spec.phones:
                if phones and phone.serial is not None:
                    lock = Path(tempfile.gettempdir()) / f"im-call-lab-{_NOT_IN_FILES.sub('_', phone.serial)}.lock"
                    stack.enter_context(hold.held(lock, f"the phone {phone.name} of bench {spec.name}"))
            self.hint = stack.enter_context(kept_awake())
            self._held = stack.pop_all()

    def serial(self, phone: PhoneSpec) -> str:
        if phone.serial is None:
            raise PhoneTrouble(f"{phone.name} has no serial; write it into the bench's *.local.yaml")
        return phone.serial

    def begin(self, planned: PlannedTrial, seed: int, attempt: int) -> None:
        """Nothing to do: a real bench has no state that could be set."""

    def end(self, truth: Path | None) -> list[str]:
        """Nobody knows the truth of a real trial."""
        return []

    def close(self) -> None:
        """The adb server and the phones stay as they are; others may use them."""
        self._held.close()


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
        self.clock: Clock = VirtualClock(self, stop)
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
            raise BenchUnhealthy(f"the virtual bench has ended: {self._last_words()}; run again") from error
        if "error" in answer:
            raise BenchUnhealthy(f"the virtual bench refuses: {answer['error']}")
        return dict(answer)

    def _last_words(self) -> str:
        self._log.seek(0)
        lines = self._log.read().decode("utf-8", "replace").strip().splitlines()
        return lines[-1][:300] if lines else "it left no message"

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


def open_kind(lab_: Lab, spec: BenchSpec, stop: Stop, *, phones: bool = True) -> Kind:
    """The bench's own kind, started; without `phones`, for its clock and its resolver, it holds no phone."""
    return VirtualBench(lab_, spec, stop) if spec.kind == "virtual" else RealBench(spec, stop, phones=phones)


class Bench:
    """A bench that is open: phones reachable and their agents running.

    All phones that cannot be reached are named in one error, or with `partly` in `unreachable`. A bench that is open
    for trials is swept first: nothing of an earlier run is left on it.
    """

    def __init__(self, lab_: Lab, spec: BenchSpec, stop: Stop, *, partly: bool = False) -> None:
        self.lab, self.spec, self.stop = lab_, spec, stop
        self.phones: dict[str, Phone] = {}
        self.unreachable: dict[str, LabError] = {}
        self._partly = partly
        self._exit = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.kind = open_kind(self.lab, self.spec, self.stop)
            stack.callback(self.kind.close)
            self.clock = self.kind.clock
            self.laptop = self._open_laptop()
            stack.callback(self.laptop.close)
            if not self._partly:
                self.laptop.prepare()
            for spec in self.spec.phones:
                try:
                    self.phones[spec.name] = self._connect(spec, stack)
                except BenchUnhealthy as error:
                    self.unreachable[spec.name] = error
            if self.unreachable and not self._partly:
                raise PhoneTrouble("; ".join(str(error) for error in self.unreachable.values()))
            self._exit = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._exit.close()

    def _open_laptop(self) -> Laptop | AgentLaptop:
        spec, prefix = self.spec.laptop, self.kind.laptop_prefix
        if spec.agent is None:
            # A bench has a folder of its own: what captures into it is never another bench's.
            return Laptop(prefix, f"{spec.directory}/{self.spec.name}")
        return AgentLaptop([*prefix, *spec.agent], spec.directory, self.spec.name)

    def _connect(self, spec: PhoneSpec, stack: ExitStack) -> Phone:
        import uiautomator2  # costs half a second, and nothing but a bench needs it

        trouble = (*TROUBLE, uiautomator2.exceptions.BaseException)
        try:
            adb = Adb(self.kind.client, self.kind.serial(spec))
            stack.callback(adb.close)
            agent = uiautomator2.connect(adb)
        except trouble as error:
            raise PhoneTrouble(f"{spec.name} cannot be reached: {error}; is it connected and allowed?") from error
        # A phone or bench that has gone can no longer be tidied, and says so where it is asked for something.
        stack.callback(_quietly, partial(agent.stop_uiautomator, wait=False), trouble)
        stack.callback(_quietly, partial(_put_back, adb, _stays_awake(adb)), (LabError,))
        phone = Phone(spec, adb, agent, self.clock)
        if spec.rooted and not self._partly:
            sweep(adb, PHONE_DIRECTORY)
        if spec.capture == "pcapdroid" and not self._partly:
            pcapdroid.sweep(phone)
        return phone

    def begin(self, item: PlannedTrial, seed: int, attempt: int) -> None:
        """Make ready for an attempt: what an earlier one left on the laptop is ended, and its hotspot is on."""
        self.kind.begin(item, seed, attempt)
        self.laptop.prepare()

    def check_health(self) -> None:
        """Raise `BenchUnhealthy` unless the bench, both phones' shells and the laptop's answer."""
        self.clock.now_ns()
        for phone in self.phones.values():
            phone.device.run("true")
        self.laptop.run("true")

    def hotspot(self) -> Hotspot:
        """The laptop's hotspot. Raises `LaptopTrouble` where no interface holds its address."""
        return self.laptop.hotspot(self.spec.laptop.hotspot_address)

    def lease(self, phone: Phone, hotspot: Hotspot) -> Lease:
        """The phone's lease on the hotspot; raises what `lab.lease.find_lease` does."""
        return find_lease(phone.spec.name, phone.interface_addresses(), hotspot, self.laptop)

    def stamp(self, lease: Lease | None, text: str) -> Burst | None:
        """Have the laptop send a burst to a phone of its hotspot, for its capture to stamp; what it sent.

        None where no agent's laptop captures: phones and laptops behind bash stamp by their system's clock.
        """
        if lease is None or not isinstance(self.laptop, AgentLaptop):
            return None
        return self.laptop.stamp(self.spec.laptop.hotspot_address, lease.address, text)

    def new_capture(self, phone: Phone, app: App, name: str) -> Capture:
        """A capture of what `phone` sends and receives, not yet started: on itself, or on the hotspot by its MAC.

        PCAPdroid captures `app` alone; the others all apps.
        """
        snaplen = self.spec.snaplen_bytes
        if phone.spec.capture == "pcapdroid":
            return pcapdroid.new_capture(phone, app.package, snaplen, name)
        if phone.spec.capture == "tcpdump":
            return PhoneTcpdump(phone.device, self.clock, phone.route_interface(), snaplen, PHONE_DIRECTORY, name)
        hotspot = self.hotspot()
        lease = self.lease(phone, hotspot)
        if isinstance(self.laptop, AgentLaptop):
            return AgentDumpcap(self.laptop, hotspot.interface, lease, snaplen, name)
        return HostDumpcap(self.laptop, self.clock, hotspot.interface, lease, snaplen, self.laptop.directory, name)


STAY_AWAKE = "stay_on_while_plugged_in"
"""Android's setting that waking a phone for a trial changes."""


def _stays_awake(adb: Adb) -> str:
    return adb.run(f"settings get global {STAY_AWAKE}").text.strip()


def _put_back(adb: Adb, setting: str) -> None:
    if _stays_awake(adb) != setting and re.fullmatch(r"\d{1,3}|null", setting):
        verb = f"delete global {STAY_AWAKE}" if setting == "null" else f"put global {STAY_AWAKE} {setting}"
        adb.run(f"settings {verb}")


def _quietly(tidy: Callable[[], object], trouble: tuple[type[BaseException], ...]) -> None:
    with suppress(*trouble):
        tidy()


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
