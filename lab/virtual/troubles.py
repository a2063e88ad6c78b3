"""How each fault of a rehearsal is made, at the seams that hardware has."""

from collections.abc import Mapping
from typing import Protocol

from lab.definitions.faults import LAPTOP, Fault
from lab.virtual.adb.door import Door
from lab.virtual.adb.server import AdbServer
from lab.virtual.app_troubles import AppTroubles, OfApps
from lab.virtual.capture_troubles import CaptureTroubles
from lab.virtual.faults import Faults
from lab.virtual.laptop import VirtualLaptop
from lab.virtual.network_troubles import NetworkTroubles, OfNetworks
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
    "redial": "place_voice",
    "other_side_first": "place_voice",
}


class Seams(OfApps, OfNetworks, Protocol):
    """What of a bench faults are made at; a phone has its door once the bench has started."""

    doors: dict[str, Door]
    adb: AdbServer
    visits: Visits
    faults: Faults
    restarts: Restarts


class Troubles:
    """The faults of one bench, by name."""

    def __init__(self, bench: Seams) -> None:
        self._bench = bench
        apps, captures, networks = AppTroubles(bench), CaptureTroubles(bench.faults), NetworkTroubles(bench)
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
            **dict.fromkeys(_PEOPLE, self._person),
            **apps.strikes,
            **captures.strikes,
            "clock_jump": lambda fault: self._machine(fault).clock.jump(round((fault.jump_s or 0.0) * 1e9)),
        }
        self.states: States = {
            "adb_away": self._away,
            "adb_silent": self._silent,
            "adb_unauthorised": self._unauthorised,
            "su_denied": lambda fault, on: self._hold("su", fault, on, DENIED),
            "battery": lambda fault, on: self._hold("battery", fault, on, {"percent": fault.battery_percent}),
            "adb_slow": lambda fault, on: self._door(fault).slow((fault.slow_ms or 0) / 1000 if on else 0.0),
            "answers_late": self._late,
            "heat": lambda fault, on: self._hold("heat", fault, on, {"status": fault.thermal_status}),
            "airplane_mode": self._fly,
            "phone_disk_full": self._fill,
            "laptop_disk_full": self._fill,
            "adb_offline": self._wedge,
            "reboot": self._reboot,
            **apps.states,
            **networks.states,
        }

    def _phone(self, fault: Fault) -> VirtualPhone:
        return self._bench.phones[fault.on]

    def _door(self, fault: Fault) -> Door:
        return self._bench.doors[fault.on]

    def _machine(self, fault: Fault) -> VirtualLaptop | VirtualPhone:
        return self._bench.laptop if fault.on == LAPTOP else self._phone(fault)

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

    # Networks and disks

    def _fly(self, fault: Fault, on: bool) -> None:
        """Somebody switches airplane mode on, or off again: a phone has no network of any kind then."""
        self._hold("airplane_mode", fault, on, {})
        phone, network = self._phone(fault), self._bench.network
        phone.settings["global"]["airplane_mode_on"] = "1" if on else "0"
        (network.take_down if on else network.bring_up)(fault.on)

    def _fill(self, fault: Fault, on: bool) -> None:
        self._machine(fault).files.full = on

    # Programs

    def _kill_agent(self, fault: Fault) -> None:
        if (agent := self._phone(fault).agent) is not None:
            agent.kill()

    def _hang_agent(self, fault: Fault) -> None:
        if (agent := self._phone(fault).agent) is not None:
            agent.hang()

    def _kill_capture(self, fault: Fault) -> None:
        for _, process in tuple(self._machine(fault).processes):
            if process.args[0].rpartition("/")[2] == self._tool(fault):
                process.kill()

    def _late(self, fault: Fault, on: bool) -> None:
        self._bench.exchange.late_ns[fault.on] = round((fault.late_s or 0.0) * 1e9) if on else 0

    # People

    def _person(self, fault: Fault) -> None:
        self._bench.visits.ask("visit", fault.on, 1, when="begun", after_s=0.0, do=_PEOPLE[fault.what])
