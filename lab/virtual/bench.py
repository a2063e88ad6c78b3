"""The virtual bench put together: phones, exchange, network, laptop, resolver and adb server around one world."""

import asyncio
import json
import mmap
import os
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from lab.definitions import BenchSpec, VirtualApp
from lab.definitions.faults import Fault
from lab.errors import BadInput
from lab.virtual import visits
from lab.virtual.adb.door import Door
from lab.virtual.adb.server import AdbServer
from lab.virtual.adb.services import PhoneServices
from lab.virtual.commands.pcapdroid import Pcapdroid
from lab.virtual.commands.tables import of_emulated_phone
from lab.virtual.faults import Faults
from lab.virtual.handset.exchange import Exchange
from lab.virtual.handset.handset import Handset
from lab.virtual.laptop import VirtualLaptop
from lab.virtual.network.ledger import Ledger
from lab.virtual.network.network import Network
from lab.virtual.network.resolver import PtrResponder, server_names
from lab.virtual.phone import VirtualPhone
from lab.virtual.rehearsal import Rehearsal
from lab.virtual.restarts import Restarts
from lab.virtual.shell.machine import Machine
from lab.virtual.standin.server import StandIns
from lab.virtual.troubles import Troubles
from lab.virtual.visits import Visits
from lab.virtual.world import World

BOOT_NS = 1_767_500_000_000_000_000
"""Bench time before the first attempt begins."""


class EmulatedBench:
    """All of one bench, and the operations of its control channel."""

    def __init__(self, spec: BenchSpec, apps: dict[str, VirtualApp], root: Path) -> None:
        if spec.laptop.emulation is None:
            raise BadInput(f"bench {spec.name}: the laptop has no emulation, so the bench cannot be virtual")
        self.spec, self.world = spec, World()
        self._clock_file = root / "clock"
        self._shown = shown_ns(self._clock_file)
        self.world.flushers.append(self._show)
        self.ledger = Ledger(self.world)
        self.network = Network(self.world, spec, apps, self.ledger)
        self.exchange = Exchange(self.world, [self.network])
        self.faults = Faults()
        self.phones = {phone.name: self._phone(phone.name, apps, root) for phone in spec.phones}
        self.exchange.networks = {phone.name: phone.network for phone in spec.phones}
        self.exchange.subscribers = {name: phone.handset.calls for name, phone in self.phones.items()}
        self.visits = Visits(self.world, self.exchange, {name: phone.handset for name, phone in self.phones.items()})
        self.exchange.listeners.append(self.visits)
        clock_read = self.ledger.clock_read
        self.laptop = VirtualLaptop(spec.laptop, spec.laptop.emulation, self.network, root, self.faults, clock_read)
        self.standins = StandIns(self.laptop, root / "laptop.token")
        self.adb = AdbServer(root / "adb")
        self.doors: dict[str, Door] = {}
        self.restarts = Restarts(self.world, self.phones, self.doors)
        self._resolver: asyncio.DatagramTransport | None = None
        self._names = server_names(apps.values())
        troubles = Troubles(self)
        self._rehearsal = Rehearsal(self.world, troubles.strikes, troubles.states)
        self.begin(key="boot", trial="", attempt=0, start_ns=BOOT_NS, direct=False)

    def _phone(self, name: str, apps: dict[str, VirtualApp], root: Path) -> VirtualPhone:
        spec = self.spec.phone(name)
        if spec.emulation is None:
            raise BadInput(f"bench {self.spec.name}: phone {name} has no emulation, so the bench cannot be virtual")
        contacts = {contact.app: contact.address for contact in spec.contacts}
        titles = {app: spec.title_in(app) for app in contacts}
        handset = Handset(name, contacts, apps, self.world, self.exchange, spec.emulation, titles)
        phone = VirtualPhone(spec, spec.emulation, handset, self.network, root, self.faults, self.ledger.clock_read)
        if spec.emulation.pcapdroid is not None:
            phone.pcapdroid = Pcapdroid(phone, self.network, spec.emulation.pcapdroid)
        return phone

    async def start(self) -> dict[str, Any]:
        """Open all ports; what the first line of the control channel says."""
        ports = []
        for phone in self.phones.values():
            door = self.doors[phone.name] = Door(PhoneServices(phone, of_emulated_phone(phone, self.network)))
            await door.open()
            ports.append({"name": phone.name, "port": door.port})
        prefix = await self.standins.start()
        loop = asyncio.get_running_loop()
        self._resolver, _ = await loop.create_datagram_endpoint(
            lambda: PtrResponder(self._names), local_addr=("127.0.0.1", 0)
        )
        await self.adb.start()
        return {
            "clock": str(self._clock_file),
            "adb_port": self.adb.port,
            "phones": ports,
            "laptop": prefix,
            "resolver_port": self._resolver.get_extra_info("sockname")[1],
        }

    async def close(self) -> None:
        """End all that was started."""
        await self.adb.close()
        await self.standins.close()
        for door in self.doors.values():
            door.close()
        if self._resolver is not None:
            self._resolver.close()

    def _show(self, now_ns: int) -> None:
        self._shown[0] = now_ns

    # -- the operations

    def advance(self, ns: int) -> None:
        """Let bench time pass."""
        if ns < 0:
            raise ValueError("ns must not be negative")
        self.world.advance_to(self.world.now_ns + ns)

    def begin(self, key: str, trial: str, attempt: int, start_ns: int, direct: bool) -> None:
        """Start an attempt in a clean state."""
        self.standins.end_captures()
        for phone in self.phones.values():
            phone.processes.begin()
        self.exchange.begin()
        self.world.begin(key, start_ns)
        self.ledger.begin(trial, attempt)
        self.network.begin(direct)
        for phone in self.phones.values():
            phone.begin()
            phone.handset.begin()
            self.ledger.drift(phone.name, phone.clock.drift_ppb / 1000)
        self.standins.begin()
        self.visits.begin(trial)
        self._rehearsal.begin(trial, attempt)
        self.ledger.drift(self.laptop.name, self.laptop.clock.drift_ppb / 1000)
        self._show(self.world.now_ns)

    def plan(self, seed: int, faults: list[dict[str, Any]], night_ns: int, trials: list[str]) -> None:
        """Have these faults strike from now on, in a night that has come so far (`lab.virtual.rehearsal`). Raises
        ValueError."""
        found = TypeAdapter(list[Fault]).validate_python(faults)
        self._rehearsal.plan(seed, found, night_ns, TypeAdapter(list[str]).validate_python(trials))
        self.exchange.listeners.append(self._rehearsal)
        self.faults.reached = self._rehearsal.reached
        for phone in self.phones.values():
            phone.handset.foreground.opened = lambda: self._rehearsal.reached("opened")
        self.world.settlers += [door.settled for door in self.doors.values()]

    def fail_next(self, what: str, on: str, times: int = 1, **details: Any) -> None:
        """Let the next uses of something fail, or somebody interfere (see `lab.virtual.visits`)."""
        if what == "drop_stun":
            self.network.drop_stun({"side": on, **details})
        elif on not in (*self.phones, self.laptop.name):
            raise ValueError(f"no machine {on!r}; there is {', '.join((*self.phones, self.laptop.name))}")
        elif what in visits.KINDS:
            self.visits.ask(what, on, times, **details)
        elif what == "move":
            self.network.move(on, **details)
        elif what == "elsewhere":
            self.network.elsewhere(on, **details)
        else:
            self.faults.add(what, on, times, **details)

    def _truth(self) -> dict[str, Any]:
        return self.ledger.truth(self.exchange) | self.visits.truth() | self._rehearsal.truth()

    def end(self, truth: str | None) -> dict[str, Any]:
        """End the attempt: the truth is written if a path is given; what was refused is told and forgotten.

        `in_call` names the phones that were in a call until now.
        """
        if truth is not None:
            write_json(Path(truth), self._truth())
        in_call = [name for name, phone in self.phones.items() if phone.handset.call is not None]
        self.world.end()
        self.visits.end()
        self._rehearsal.end()
        self.exchange.drop()
        self.standins.end_captures()
        machines: list[Machine] = [*self.phones.values(), self.laptop]
        refused = [text for machine in machines for text in machine.refused]
        for machine in machines:
            machine.processes.begin()
            machine.refused.clear()
        return {"refused": refused, "in_call": in_call}


def shown_ns(path: Path) -> memoryview:
    """The one number of a file that the controller maps: it reads bench time there hundreds of times a trial. Time
    moves only while the bench works on something, and nobody has an answer before it has moved."""
    with path.open("w+b") as file:
        file.truncate(8)
        return memoryview(mmap.mmap(file.fileno(), 8)).cast("q")


def write_json(path: Path, value: object) -> None:
    """Write a file whole or not at all: temporary name, fsync, rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)  # a link in its place is not followed
    with partial.open("x", encoding="utf-8") as file:
        file.write(json.dumps(value, sort_keys=True, indent=1) + "\n")
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
