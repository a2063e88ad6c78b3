"""How each fault of a rehearsal is made, at the seams that hardware has."""

from collections.abc import Mapping
from typing import Protocol

from lab.definitions.faults import LAPTOP, Fault
from lab.virtual.adb.door import Door
from lab.virtual.adb.server import AdbServer
from lab.virtual.faults import Faults
from lab.virtual.handset.exchange import Exchange
from lab.virtual.handset.handset import Handset
from lab.virtual.laptop import VirtualLaptop
from lab.virtual.network.network import Network
from lab.virtual.phone import VirtualPhone
from lab.virtual.rehearsal import States, Strikes
from lab.virtual.restarts import COMES_UP_NS, Restarts
from lab.virtual.visits import Visits

CANNOT_FORK = "/system/bin/sh: can't fork - try again"
"""What mksh says on a machine that has no processes left."""
DENIED = {"said": "Permission denied", "code": 1}
"""What Magisk's su says where it refuses."""
_PEOPLE = {
    "person_answers": "answer",
    "person_rejects": "reject",
    "person_hangs_up": "hang_up",
    "gsm_call": "gsm_call",
    "screen_locked": "lock",
}


class Seams(Protocol):
    """What of a bench faults are made at; a phone has its door once the bench has started."""

    phones: dict[str, VirtualPhone]
    doors: dict[str, Door]
    laptop: VirtualLaptop
    network: Network
    adb: AdbServer
    exchange: Exchange
    visits: Visits
    faults: Faults
    restarts: Restarts


class Troubles:
    """The faults of one bench, by name."""

    def __init__(self, bench: Seams) -> None:
        self._bench = bench
        self.strikes: Strikes = {
            "adb_reset": lambda fault: self._door(fault).reset(),
            "adb_server_killed": lambda fault: bench.adb.kill(),
            "agent_killed": self._kill_agent,
            "agent_hung": self._hang_agent,
            "agent_fails": lambda fault: bench.faults.add("agent", fault.on, 1, says="a fault of the rehearsal"),
            "shell_fails": lambda fault: bench.faults.add("shell", fault.on, 1, text=CANNOT_FORK),
            "capture_killed": self._kill_capture,
            "capture_refused": lambda fault: bench.faults.add(self._tool(fault), fault.on, 1),
            "tap_lost": lambda fault: bench.faults.add("tap", fault.on, 1, reaches=0),
            "tap_twice": lambda fault: bench.faults.add("tap", fault.on, 1, reaches=2),
            "app_crash": self._crash,
            **dict.fromkeys(_PEOPLE, self._person),
        }
        self.states: States = {
            "adb_away": self._away,
            "adb_silent": self._silent,
            "adb_unauthorised": self._unauthorised,
            "su_denied": lambda fault, on: self._hold("su", fault, on, DENIED),
            "battery": lambda fault, on: self._hold("battery", fault, on, {"percent": fault.battery_percent}),
            "logged_out": self._log_out,
            "updated": self._update,
            "never_rings": self._unreach,
            "answers_late": self._late,
            "hotspot_gone": self._stop_hotspot,
            "adb_offline": self._wedge,
            "reboot": self._reboot,
        }

    def _phone(self, fault: Fault) -> VirtualPhone:
        return self._bench.phones[fault.on]

    def _door(self, fault: Fault) -> Door:
        return self._bench.doors[fault.on]

    def _tool(self, fault: Fault) -> str:
        return "dumpcap" if fault.on == LAPTOP else "tcpdump"

    def _hold(self, what: str, fault: Fault, on: bool, details: Mapping[str, object]) -> None:
        if on:
            self._bench.faults.held[what, fault.on] = dict(details)
        else:
            self._bench.faults.held.pop((what, fault.on), None)

    # The path to a phone

    def _away(self, fault: Fault, on: bool) -> None:
        (self._door(fault).shut if on else self._door(fault).reopen)()

    def _silent(self, fault: Fault, on: bool) -> None:
        (self._door(fault).hush if on else self._door(fault).speak)()

    def _unauthorised(self, fault: Fault, on: bool) -> None:
        (self._door(fault).ask_for_key if on else self._door(fault).accept_keys)()

    def _wedge(self, fault: Fault, on: bool) -> None:
        (self._door(fault).wedge if on else self._door(fault).unwedge)()

    def _reboot(self, fault: Fault, on: bool) -> None:
        """It is away until the fault is over; one with a PIN is back sooner, and waits for somebody to enter that."""
        restarts = self._bench.restarts
        if on:
            restarts.go_down(fault.on, up_ns=COMES_UP_NS if fault.pin else None, pin=fault.pin)
        else:
            restarts.come_up(fault.on)
            restarts.unlock(fault.on)

    def _stop_hotspot(self, fault: Fault, on: bool) -> None:
        network = self._bench.network
        self._bench.laptop.hotspot_on = not on
        for phone, access in network.datapath.accesses.items():
            if access.spec.link == "ethernet":
                (network.take_down if on else network.bring_up)(phone)

    # Programs

    def _kill_agent(self, fault: Fault) -> None:
        if (agent := self._phone(fault).agent) is not None:
            agent.kill()

    def _hang_agent(self, fault: Fault) -> None:
        if (agent := self._phone(fault).agent) is not None:
            agent.hang()

    def _kill_capture(self, fault: Fault) -> None:
        machine = self._bench.laptop if fault.on == LAPTOP else self._phone(fault)
        for _, process in tuple(machine.processes):
            if process.args[0].rpartition("/")[2] == self._tool(fault):
                process.kill()

    def _crash(self, fault: Fault) -> None:
        """The process ends, with its call; a call that comes starts it again."""
        phone = self._phone(fault)
        package = self._package(phone.handset, fault)
        if package not in phone.handset.running():
            return
        phone.write_log("E", "AndroidRuntime", "FATAL EXCEPTION: main")
        phone.write_log("E", "AndroidRuntime", f"Process: {package}, PID: {phone.handset.packages.pid(package)}")
        phone.handset.force_stop(package)
        phone.handset.packages.stopped.discard(package)

    def _package(self, handset: Handset, fault: Fault) -> str:
        """The app's that the fault names, else of the call, else of the app in front."""
        if fault.app is not None:
            return handset.apps[fault.app].package
        return handset.call.call.app.package if handset.call is not None else handset.package

    # Apps and accounts

    def _packages(self, fault: Fault) -> set[str]:
        """Those that a fault is about: of the app that it names, else all."""
        apps = self._phone(fault).apps
        return {app.package for app in ([apps[fault.app]] if fault.app is not None else apps.values())}

    def _log_out(self, fault: Fault, on: bool) -> None:
        handset = self._phone(fault).handset
        packages = self._packages(fault)
        if not on:
            handset.packages.logged_out -= packages
            return
        handset.packages.logged_out |= packages
        if handset.call is not None and handset.call.call.app.package in packages:
            self._bench.exchange.hang_up(fault.on)

    def _update(self, fault: Fault, on: bool) -> None:
        updated = self._phone(fault).handset.packages.updated
        for package in self._packages(fault):
            if on and fault.version is not None:
                updated[package] = fault.version
            else:
                updated.pop(package, None)

    def _unreach(self, fault: Fault, on: bool) -> None:
        unreached = self._phone(fault).handset.packages.unreached
        (unreached.update if on else unreached.difference_update)(self._packages(fault))

    def _late(self, fault: Fault, on: bool) -> None:
        self._bench.exchange.late_ns[fault.on] = round((fault.late_s or 0.0) * 1e9) if on else 0

    # People

    def _person(self, fault: Fault) -> None:
        self._bench.visits.ask("visit", fault.on, 1, when="begun", after_s=0.0, do=_PEOPLE[fault.what])
