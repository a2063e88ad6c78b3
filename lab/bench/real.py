"""A real bench."""

import os
from contextlib import ExitStack
from pathlib import Path

from lab.clocks.bench_time import BenchClock, WallClock
from lab.clocks.stop import Stop
from lab.definitions import BenchSpec, PhoneSpec, PlannedTrial
from lab.errors import BenchUnhealthy, PhoneTrouble
from lab.phone.adb import TROUBLE, LabClient
from lab.phone.serials import own_serial
from lab.programs import locks
from lab.programs.sleep_inhibitor import kept_awake


class NoAdbServer(BenchUnhealthy):
    """No adb server answers on this machine; the text is the same for every phone."""


class NoSerial(PhoneTrouble):
    """The bench says of no phone which one it is."""


class RealBench:
    """Phones on the adb server of this machine; bench time is wall time."""

    def __init__(self, spec: BenchSpec, stop: Stop, *, phones: bool = True) -> None:
        self.clock: BenchClock = WallClock(stop)
        self.client = LabClient("127.0.0.1", int(os.environ.get("ANDROID_ADB_SERVER_PORT", "5037")))
        self._served = False
        self.laptop_prefix = list(spec.laptop.connect)
        self.resolver = None if spec.resolver is None else (str(spec.resolver.address), spec.resolver.port)
        with ExitStack() as stack:
            for phone in spec.phones:
                if phones and phone.serial is not None:
                    lock = locks.of_phone(own_serial(phone.serial) or phone.serial)
                    stack.enter_context(locks.held(lock, f"the phone {phone.name} of bench {spec.name}"))
            self.hint = stack.enter_context(kept_awake())
            self._held = stack.pop_all()

    def serial(self, phone: PhoneSpec) -> str:
        if phone.serial is None:
            raise NoSerial(f"{phone.name} has no serial; write it into the bench's *.local.yaml")
        self._require_server()
        self._served = True
        return phone.serial

    def _require_server(self) -> None:
        """The lab starts no adb server: one that runs may be somebody else's, of another version."""
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
