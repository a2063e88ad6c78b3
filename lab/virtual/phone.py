"""A virtual phone: the machine that its shells run on, with its files, settings, log, apps and wrong clock."""

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv6Address
from pathlib import Path
from typing import Protocol, TypeVar
from uuid import UUID

from lab.definitions import PhoneEmulation, PhoneSpec
from lab.virtual.adb.daemon import AdbStream
from lab.virtual.clocks import DriftingClock
from lab.virtual.faults import Faults
from lab.virtual.files import Files
from lab.virtual.handset.handset import Handset
from lab.virtual.network.addresses import Interface
from lab.virtual.network.usage import Usage
from lab.virtual.processes import ProcessTable
from lab.virtual.props import properties
from lab.virtual.shell.terminal import tariffs

SYSTEM_PACKAGES = ("android", "com.android.settings", "com.android.systemui", "com.google.android.apps.nexuslauncher")
SHELL_PLACES = ("/data/local/tmp", "/sdcard")
BOOT_SETTINGS = {
    "global": {"stay_on_while_plugged_in": "0", "airplane_mode_on": "0", "adb_enabled": "1"},
    "system": {"screen_off_timeout": "30000"},
    "secure": {},
}
UPTIME, BOOT_ID = "/proc/uptime", "/proc/sys/kernel/random/boot_id"
UP_NS = 3 * 86_400_000_000_000
"""What a phone has been up for when an attempt begins."""
T = TypeVar("T")


@dataclass(frozen=True)
class LogLine:
    """A line of the log: when by the phone's clock, priority (V, D, I, W, E, F), tag and text."""

    at_ns: int
    priority: str
    tag: str
    text: str


class PortService(Protocol):
    """A program of the phone that listens on a TCP port; it can be killed, and hang."""

    port: int

    async def serve(self, stream: AdbStream) -> None: ...

    def kill(self) -> None: ...

    def hang(self) -> None: ...


class InstalledApp(Protocol):
    """An app beside the emulated ones; `on_intent` takes the extras of an intent to its `component`."""

    package: str
    component: str
    version: str

    def begin(self) -> None: ...

    def on_intent(self, extras: Mapping[str, str]) -> None: ...

    def kill(self) -> None: ...


class PhoneNetwork(Protocol):
    """What a phone tells of its network, by the phone's name: an emulated one, or the kernel's."""

    def interfaces(self, phone: str) -> list[Interface]: ...

    def usage(self, phone: str) -> Usage: ...

    def clat(self, phone: str) -> tuple[str, IPv6Address | None]:
        """The interface of the default network, and the address of a CLAT on it."""
        ...

    def raise_other_vpn(self, phone: str) -> None:
        """Some other app's VPN goes up."""
        ...


class VirtualPhone:
    """One phone of the bench. `agent` listens while it runs; `pcapdroid` is there where it is installed.

    `boots` is how often it has started, `booted_ns` when by the night clock; `on_reboot` has it restart.
    `refused` lists what a client asked that this phone does not have: a test fails on it.
    """

    shell_name = "sh"
    kernel = "Linux 6.1.99-android14-11-lab"
    architecture = "aarch64"

    def __init__(
        self,
        spec: PhoneSpec,
        emulation: PhoneEmulation,
        handset: Handset,
        network: PhoneNetwork,
        root: Path,
        faults: Faults,
        on_clock_read: Callable[[str, int], None],
    ) -> None:
        self.spec, self.emulation, self.name = spec, emulation, spec.name
        self.handset, self.apps, self.world = handset, handset.apps, handset.world
        self.network, self.faults = network, faults
        self.files = Files(root / spec.name, SHELL_PLACES)
        self.processes = ProcessTable()
        self.refused: list[str] = []
        self.props = properties(spec, emulation)
        self.clock = DriftingClock(spec.name, self.world, emulation.clock, faults, on_clock_read)
        self.costs = tariffs(emulation.adb)
        self.agent: PortService | None = None
        self.pcapdroid: InstalledApp | None = None
        self.log: list[LogLine] = []
        self.reset_settings()
        self.boots, self.booted_ns = 1, 0
        self.on_reboot: Callable[[], None] | None = None
        for path, tells in ((UPTIME, self._uptime), (BOOT_ID, self._boot_id)):
            self.files.on_disk(path).parent.mkdir(parents=True, exist_ok=True)
            self.files.on_disk(path).touch()
            self.files.live[path] = tells
        self.files.clock_ns = self.clock_ns

    def begin(self) -> None:
        """Clean state for an attempt: no process of the one before runs, settings are those of a phone that booted."""
        self.processes.begin()
        self.reset_settings()
        self.clock.begin()
        self.log.clear()
        self._write_anycast()
        if self.faults.take("vpn", self.name):
            self.network.raise_other_vpn(self.name)
        if self.pcapdroid is not None:
            self.pcapdroid.begin()

    def _write_anycast(self) -> None:
        """The addresses that are on no interface: a CLAT's is a member of an anycast group (Linux, ac6_seq_show)."""
        (interface, clat), file = self.network.clat(self.name), self.files.on_disk("/proc/net/anycast6")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("" if clat is None else f"{2:<4} {interface:<15} {int(clat):032x} {1:>5}\n")

    def _uptime(self) -> bytes:
        """Seconds since the phone booted, and what its processors idled meanwhile, together."""
        # Until it restarts each attempt finds it so old: a trial's bytes hang on no other's.
        up_ns = self.world.now_ns - self.world.started_ns + UP_NS
        hundredths = (up_ns if self.boots == 1 else self.world.night_ns - self.booted_ns) // 10_000_000
        return b"%d.%02d %d.%02d\n" % (*divmod(hundredths, 100), *divmod(hundredths * 7, 100))

    def _boot_id(self) -> bytes:
        """Another one after each restart."""
        digest = hashlib.blake2b(f"{self.name}/{self.boots}".encode(), digest_size=16).digest()
        return f"{UUID(bytes=digest, version=4)}\n".encode()

    def write_log(self, priority: str, tag: str, text: str) -> None:
        """A line of the log, as of now."""
        self.log.append(LogLine(self.clock_ns(), priority, tag, text))

    def reset_settings(self) -> None:
        """Settings of a phone that booted."""
        self.settings = {namespace: dict(values) for namespace, values in BOOT_SETTINGS.items()}
        if ("airplane_mode", self.name) in self.faults.held:
            self.settings["global"]["airplane_mode_on"] = "1"

    def clock_ns(self) -> int:
        """What the phone's clock shows to the phone itself."""
        return self.clock.at(self.world.now_ns)

    def clock_at(self, at_ns: int) -> int:
        """What it showed at an instant of the bench."""
        return self.clock.at(at_ns)

    @property
    def utc_offset_minutes(self) -> int:
        """Its time zone."""
        return self.emulation.utc_offset_minutes

    @property
    def battery_percent(self) -> int:
        """What its battery is charged to."""
        fault = self.faults.take("battery", self.name) or {}
        return int(fault.get("percent", self.emulation.battery_percent))

    @property
    def thermal_status(self) -> int:
        """How hot it is, by Android's PowerManager.THERMAL_STATUS_*."""
        return int(self.faults.held.get(("heat", self.name), {}).get("status", 0))

    def interfaces(self) -> list[Interface]:
        return self.network.interfaces(self.name)

    def usage(self) -> Usage:
        """What its apps sent and received."""
        return self.network.usage(self.name)

    def other_packages(self) -> Mapping[str, str]:
        """What is installed beside the system's packages and the apps that call, with versions."""
        return {} if self.pcapdroid is None else {self.pcapdroid.package: self.pcapdroid.version}

    def user_state(self, package: str) -> Mapping[str, str]:
        """What the first user can do with an installed app, in the words of `dumpsys package`."""
        state = {"installed": "true", "hidden": "false", "suspended": "false", "enabled": "0"}
        fault = self.faults.take("package", self.name, package) or {}
        return state | {name: str(fault[name]) for name in state if name in fault}

    def packages(self) -> list[str]:
        """Installed packages."""
        return sorted([*SYSTEM_PACKAGES, *self.other_packages(), *(app.package for app in self.apps.values())])

    async def charged_call(self, name: str, call: Callable[[], Awaitable[T]]) -> T:
        """Run a call of the agent between its way up and its way down; its answer may leave when this returns."""
        cost = self.costs["agent"]
        self.world.spend(*cost.up_ns, f"{self.name}/up/agent/{name}")
        try:
            return await call()
        finally:
            self.world.spend(*cost.down_ns, f"{self.name}/down/agent/{name}")
            await self.world.settle()
