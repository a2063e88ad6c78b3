"""A real bench."""

import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from adbutils import adb_path

from lab.clocks.bench_time import BenchClock, WallClock
from lab.clocks.stop import Stop
from lab.definitions import BenchSpec, PhoneSpec, PlannedTrial
from lab.definitions.faults import Faults
from lab.errors import BadInput, BenchUnhealthy, NeedsPerson
from lab.phone.adb import TROUBLE, LabClient
from lab.phone.serials import own_serial
from lab.programs import locks, processes
from lab.programs.sleep_inhibitor import kept_awake

STARTS = 3
"""How often a run starts an adb server that has gone."""


class NoAdbServer(BenchUnhealthy):
    """No adb server answers on this machine, or none can be started; the text is the same for every phone."""


class NoSerial(NeedsPerson):
    """The bench says of no phone which one it is."""


class RealBench:
    """Phones on the adb server of this machine; bench time is wall time."""

    def __init__(self, spec: BenchSpec, stop: Stop, *, phones: bool = True) -> None:
        self.clock: BenchClock = WallClock(stop)
        self.client = LabClient("127.0.0.1", int(os.environ.get("ANDROID_ADB_SERVER_PORT", "5037")))
        self._served, self._starts_left = False, STARTS
        self.laptop_prefix = list(spec.laptop.connect)
        self.resolver = None if spec.resolver is None else (str(spec.resolver.address), spec.resolver.port)
        with ExitStack() as stack:
            for phone in spec.phones:
                if phones and phone.serial is not None:
                    lock = locks.of_phone(own_serial(phone.serial) or phone.serial)
                    stack.enter_context(locks.held(lock, f"the phone {phone.name} of bench {spec.name}"))
            self.hint = stack.enter_context(kept_awake())
            self._held = stack.pop_all()

    def address(self, phone: PhoneSpec) -> str:
        if phone.serial is None:
            raise NoSerial(f"{phone.name} has no serial; write it into the bench's *.local.yaml")
        return phone.serial

    def serial(self, phone: PhoneSpec) -> str:
        serial = self.address(phone)
        self._require_server()
        self._served = True
        return serial

    def _require_server(self) -> None:
        """None is started here, for nobody is told; the recovery ladder does where none answers."""
        host, port = self.client.host, self.client.port
        try:
            self.client.server_version()
        except TROUBLE as error:
            start = "adb start-server" if port == 5037 else f"adb -P {port} start-server"
            raise NoAdbServer(f"no adb server answers at {host}:{port} ({error}); start it: {start}") from error

    def check_health(self) -> None:
        """Phones and laptop answer for themselves; without the adb server that there was no phone can."""
        if self._served:
            self._require_server()

    def start_adb_server(self, within_s: float) -> None:
        """None answers: start one on its port, with the adb of this machine, at most `STARTS` times.

        Phones that were connected by address are to be connected again.
        """
        if self._starts_left <= 0:
            raise NoAdbServer(f"the adb server has gone for the {STARTS + 1}th time; find out who ends it")
        self._starts_left -= 1
        argv = [adb_path(), "-P", str(self.client.port), "start-server"]
        try:
            done = processes.run(argv, timeout_s=within_s)
        except (OSError, TimeoutError) as error:
            raise NoAdbServer(f"the adb server cannot be started: {error}; start it: adb start-server") from error
        if done.code != 0:
            said = processes.last_line_of(done.stderr.decode("utf-8", "replace"))
            raise NoAdbServer(f"the adb server cannot be started: {said}; start it: adb start-server")

    def rehearse(self, faults: Faults, seed: int, night_s: float, trials: Sequence[str]) -> None:
        """Raises `BadInput`: what is real fails by itself."""
        raise BadInput(f"faults {faults.name}: are rehearsed on a virtual bench; what is real fails by itself")

    def laptop_directory(self, spec: BenchSpec) -> str:
        return f"{spec.laptop.directory}/{spec.name}"

    def begin(self, planned: PlannedTrial, seed: int, attempt: int) -> None:
        """Nothing to do: a real bench has no state that could be set."""

    def end(self, truth: Path | None) -> list[str]:
        """Nobody knows the truth of a real trial."""
        return []

    def close(self) -> None:
        """The adb server and the phones stay as they are; others may use them."""
        self._held.close()
