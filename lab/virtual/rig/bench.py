"""The rig put together: emulated handsets, and around them what is real: networks, browsers, captures, time."""

import asyncio
import wave
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.definitions import BenchSpec, VirtualApp
from lab.definitions.base import Role
from lab.definitions.virtual_network import AccessNetwork
from lab.errors import BadInput, BenchUnhealthy
from lab.virtual.adb.daemon import listen
from lab.virtual.adb.server import AdbServer
from lab.virtual.adb.services import PhoneServices
from lab.virtual.bench import write_json
from lab.virtual.commands.tables import of_phone
from lab.virtual.faults import Faults
from lab.virtual.handset.exchange import Call, Exchange
from lab.virtual.handset.handset import Handset
from lab.virtual.network.resolver import PtrResponder, server_names
from lab.virtual.network.truth import call_truth
from lab.virtual.phone import VirtualPhone
from lab.virtual.rig import nat, needs
from lab.virtual.rig.calls import SIDES, RigCall, RigOperator
from lab.virtual.rig.children import SYSTEM_PATH, run
from lab.virtual.rig.chromium import Chromium
from lab.virtual.rig.coturn import Coturn, Relayed
from lab.virtual.rig.layout import layout
from lab.virtual.rig.network import RigNetwork
from lab.virtual.rig.policy import options
from lab.virtual.rig.programs import commands
from lab.virtual.rig.spaces import Spaces, sweep
from lab.virtual.rig.truth import contradictions, side_of
from lab.virtual.rig.truth import truth as truth_of
from lab.virtual.rig.world import RealWorld

SPEECH = (
    "The quick brown fox jumps over the lazy dog. We measure how a call is carried from one phone to another, how long "
    "it lasts, which servers take part in it, and what each side may learn of the other."
)

NOBODY: dict[str, Any] = {
    "sim_calls": 0,
    "other_calls": 0,
    "other_calls_touched": 0,
    "interruptions": [],
    "marked": {"begin_ns": None, "end_ns": None},
}
"""Nobody visits the phones of a rig; when their markers pass, only captures tell."""


class RigBench:
    """All of one rig, and the operations of its control channel. Without `phones` it is a resolver alone."""

    def __init__(self, spec: BenchSpec, apps: Mapping[str, VirtualApp], root: Path, *, phones: bool = True) -> None:
        self.spec, self.apps, self.root, self._with_phones = spec, dict(apps), root, phones
        self.world = RealWorld()
        self._names = server_names(apps.values())
        self._servers: list[asyncio.Server] = []
        self._resolver: asyncio.DatagramTransport | None = None
        self._begun: dict[str, Any] = {}
        self.layout = layout(spec, apps.values())
        self.spaces = Spaces(self.layout, root)
        self.coturn = Coturn(self.layout.hosts, root, self.spaces.inside)
        speech = root / "speech.wav"
        self.browsers = {
            name: Chromium(self.spaces.inside(space), root, space, speech) for name, space in self.layout.spaces.items()
        }
        self.network = RigNetwork(self.layout, self._addresses, lambda name: self.browsers[name].pid)
        self.operator = RigOperator(self._new_call)
        self.exchange = Exchange(self.world, [self.network, self.operator], by_media=True)
        self.clock_reads: dict[str, list[int]] = {}
        self.captures: dict[str, int] = {}
        self.phones = {phone.name: self._phone(phone.name) for phone in spec.phones}
        self.exchange.networks = {phone.name: phone.network for phone in spec.phones}
        self.exchange.subscribers = {name: phone.handset.calls for name, phone in self.phones.items()}
        self.adb = AdbServer(root / "adb")

    def _phone(self, name: str) -> VirtualPhone:
        spec = self.spec.phone(name)
        if spec.emulation is None:
            raise BadInput(f"bench {self.spec.name}: phone {name} has no emulation; its handset is emulated")
        contacts = {contact.app: contact.address for contact in spec.contacts}
        titles = {app: spec.title_in(app) for app in contacts}
        handset = Handset(name, contacts, self.apps, self.world, self.exchange, spec.emulation, titles)
        return VirtualPhone(spec, spec.emulation, handset, self.network, self.root, Faults(), self._clock_read)

    async def _addresses(self, space: str) -> bytes:
        return await run(self.spaces.inside(space, "ip", "-j", "addr"))

    def _clock_read(self, who: str, offset_ns: int) -> None:
        self.clock_reads.setdefault(who, []).append(offset_ns)

    def _capture_started(self, phone: str) -> None:
        self.captures[phone] = self.captures.get(phone, 0) + 1

    # -- start and end

    async def start(self) -> dict[str, Any]:
        """Build everything; what the first line of the control channel says. Raises `BenchUnhealthy`."""
        loop = asyncio.get_running_loop()
        self._resolver, _ = await loop.create_datagram_endpoint(
            lambda: PtrResponder(self._names), local_addr=("127.0.0.1", 0)
        )
        resolver_port = self._resolver.get_extra_info("sockname")[1]
        if not self._with_phones:
            return {"resolver_port": resolver_port}
        if lacking := needs.lacking():
            raise BenchUnhealthy("; ".join(f"{need.what}: {need.fix}" for need in lacking))
        await sweep()
        await self.spaces.up()
        await self._speak()
        await self.coturn.start()
        await asyncio.gather(*(browser.start() for browser in self.browsers.values()))
        ports = []
        for name, phone in self.phones.items():
            software = of_phone(phone, commands(phone, self._inside(name), self._capture_started))
            server, port = await listen(PhoneServices(phone, software))
            self._servers.append(server)
            ports.append({"name": name, "port": port})
        await self.adb.start()
        await self.begin(key="boot", trial="", attempt=0, start_ns=0, direct=False)
        (self.root / "laptop").mkdir()
        return {
            "adb_port": self.adb.port,
            "phones": ports,
            "laptop": [*self.spaces.inside("laptop"), "env", f"PATH={SYSTEM_PATH}"],
            "laptop_directory": str(self.root / "laptop"),
            "resolver_port": resolver_port,
        }

    def _inside(self, phone: str) -> Any:
        space = self.layout.spaces[phone]
        return lambda *argv: self.spaces.inside(space, *argv)

    async def _speak(self) -> None:
        """What the phones say in their calls."""
        path = self.root / "speech.wav"
        await run(["espeak-ng", "-v", "en", "-s", "150", "-w", str(path), SPEECH])
        with wave.open(str(path)) as spoken:
            if spoken.getnframes() < spoken.getframerate():
                raise BenchUnhealthy("espeak-ng speaks for less than a second; install espeak-ng anew")

    async def close(self) -> None:
        """End all that was started."""
        for browser in self.browsers.values():
            await browser.end()
        await self.adb.close()
        for server in self._servers:
            server.close()
        if self._resolver is not None:
            self._resolver.close()
        if self._with_phones:
            await self.coturn.end()
            await self.spaces.down()

    # -- the operations

    def advance(self, ns: int) -> None:
        """Nothing moves this bench's time; that it answers is all."""

    async def begin(self, key: str, trial: str, attempt: int, start_ns: int, direct: bool) -> None:
        """Start an attempt: new NATs and conditions, browsers that live, a clean state of the handsets."""
        self.exchange.drop()
        await self.operator.begin()
        for phone in self.phones.values():
            phone.processes.begin()
        self.exchange.begin()
        for browser in self.browsers.values():
            if not browser.running():
                await browser.end()
                await browser.start()
        self.world.begin(key, start_ns)
        self._begun = {"trial": trial, "attempt": attempt, "direct": direct}
        self._nats = nat.drawn(direct, self.world.chance("nat"))
        await self.spaces.set_nats(self._nats)
        await self._set_conditions()
        await self.network.begin()
        self.captures.clear()
        for phone in self.phones.values():
            phone.begin()
            phone.handset.begin()
        self.clock_reads.clear()

    async def _set_conditions(self) -> None:
        def of(access: AccessNetwork, name: str) -> tuple[int, int, int]:
            chance = self.world.chance(f"conditions/{name}")
            delay_us = chance.randint(access.delay_low_us, access.delay_high_us)
            return delay_us, access.jitter_us, chance.randint(access.loss_low_ppm, access.loss_high_ppm)

        mobile, home = (of(self.layout.access(one), one.name) for one in (self.layout.mobile, self.layout.hotspot))
        await self.spaces.set_conditions(mobile, home, self.world.chance("cables").getrandbits(30))

    def _new_call(self, call: Call) -> RigCall:
        app = call.app.rig
        assert app is not None
        given = {}
        for side in SIDES:
            phone = self.spec.phone(getattr(call, side))
            user = self._user(side)
            link = self.layout.access(phone).link
            given[side] = options(
                app,
                side,
                phone.network,
                link,
                call.service,
                self._begun["direct"],
                lambda user=user: self.coturn.credential(user, self.world.now_ns),  # type: ignore[misc]
            )
        made = RigCall(call, app, self.browsers, given)
        made.on_connected, made.on_closed = self.exchange.media_connected, self.exchange.media_closed
        return made

    def _user(self, side: Role) -> str:
        """Who a side of this attempt is for the TURN server."""
        return f"{self._begun['trial']}.{self._begun['attempt']}.{side}"

    def plan(self, seed: int, faults: list[dict[str, Any]], night_ns: int, trials: list[str]) -> None:
        """Raises ValueError, as `fail_next` does."""
        raise ValueError("the rig makes no faults; the virtual bench does")

    def fail_next(self, what: str, on: str, times: int = 1, **details: Any) -> None:
        """Raises ValueError: what is real here fails by itself, and nobody visits its phones."""
        raise ValueError("the rig makes no faults; the virtual bench does")

    async def end(self, truth: str | None) -> dict[str, Any]:
        """End the attempt: the truth is written if a path is given and no browser failed; `trouble` says what did.

        `in_call` names the phones that were in a call until now.
        """
        in_call = [name for name, phone in self.phones.items() if phone.handset.call is not None]
        calls = [call_truth(one) for one in self.exchange.calls]
        self.exchange.drop()
        await self.operator.finish()
        call = self.operator.calls[-1] if self.operator.calls else None
        failures = [text for one in self.operator.calls for text in one.failures]
        if truth is not None and not failures:
            relayed = dict(zip(SIDES, await self.coturn.relayed([self._user(side) for side in SIDES]), strict=True))
            write_json(Path(truth), self._truth(call, relayed) | {"calls": calls} | NOBODY)
        refused = [text for phone in self.phones.values() for text in phone.refused]
        for phone in self.phones.values():
            phone.processes.begin()
            phone.refused.clear()
        return {"refused": refused, "in_call": in_call, "trouble": "; ".join(failures)}

    def _truth(self, call: RigCall | None, relayed: Mapping[Role, Relayed]) -> dict[str, Any]:
        public: dict[str, set[Any]] = {self.layout.mobile.name: {self.layout.carrier_ends()[0].ip}}
        public[self.layout.hotspot.name] = {self.layout.home_ends()[0].ip}
        ipv6 = self.layout.mobile_ipv6()
        if ipv6 is not None:
            public[self.layout.mobile.name].add(ipv6[0].ip)  # No NAT: what a server sees is the phone's own.
        private = {
            self.layout.mobile.name: {self.layout.mobile_ends()[0].ip},
            self.layout.hotspot.name: {self.layout.hotspot_ends()[0].ip},
        }
        addresses = {name: (frozenset(private[name]), frozenset(public[name])) for name in public}
        found = truth_of(call, addresses, relayed, self._names)
        if call is not None:
            found["rig"]["relayed"] = {
                side: {"allocations": one.allocations, "from_peers": one.from_peers, "to_peers": one.to_peers}
                for side, one in relayed.items()
            }
            found["rig"]["contradictions"] = contradictions(found, relayed)
        found["rig"]["nat"] = {"carrier": self._nats.carrier, "home": self._nats.home}
        found["clocks"] = self._clocks(call)
        found["capture_restarts"] = max([0, *(count - 1 for count in self.captures.values())])
        return {"trial": self._begun["trial"], "attempt": self._begun["attempt"]} | found

    def _clocks(self, call: RigCall | None) -> dict[str, Any]:
        """The laptop's clock is the controller's own."""
        clocks: dict[str, Any] = {"laptop": {"offset_before_ns": 0, "offset_after_ns": 0, "drift_ppm": 0.0}}
        for name, phone in self.phones.items():
            reads, side = self.clock_reads.get(name, []), side_of(name, call)
            if side is not None:
                before, after = (reads[0], reads[-1]) if reads else (None, None)
                drift_ppm = phone.clock.drift_ppb / 1000
                clocks[side] = {"offset_before_ns": before, "offset_after_ns": after, "drift_ppm": drift_ppm}
        return clocks
