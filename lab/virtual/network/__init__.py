"""The network of the virtual bench: what leaves and reaches each phone, and what its vantage sees of it."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lab.definitions.bench import BenchSpec, PhoneSpec
from lab.definitions.virtual_app import VirtualApp
from lab.definitions.virtual_network import AccessNetwork, PhoneEmulation
from lab.virtual.network import stunwire
from lab.virtual.network.addresses import VPN_IPV4, VPN_IPV6, Access, Address, Endpoint, Interface
from lab.virtual.network.datagrams import Integers, Link, frame, frames, hops_left, overhead_bytes
from lab.virtual.network.drops import Drop, drop
from lab.virtual.network.ledger import Ledger, Meaning
from lab.virtual.network.media import Packets
from lab.virtual.network.noise import Noise
from lab.virtual.network.otherclient import OtherClient
from lab.virtual.network.traffic import CallTraffic
from lab.virtual.network.usage import Kind, Usage
from lab.virtual.network.vpn import Vpn
from lab.virtual.network.wire import Batch, Wire
from lab.virtual.world import World

if TYPE_CHECKING:
    from lab.virtual.handset.exchange import Call

SHELL = "com.android.shell"
"""The package that has the shell's uid."""

_MARKER = "im-call-lab"
_RAW = Link(False, "", "")
_LOUD_PER_MILLE = 50


@dataclass(frozen=True)
class _Way:
    """Where a socket's datagrams pass on a phone."""

    access: Access
    wire: Wire
    link: Link


def _emulation(phone: PhoneSpec) -> PhoneEmulation:
    if phone.emulation is None:
        raise ValueError(f"phone {phone.name} of a virtual bench has no emulation")
    return phone.emulation


class Network:
    """Accesses, wires, background and calls of one bench; a listener of the exchange.

    `begin` comes after `World.begin` and `Ledger.begin`.
    """

    def __init__(self, world: World, bench: BenchSpec, apps: Mapping[str, VirtualApp], ledger: Ledger) -> None:
        self.world, self.bench, self.apps, self.ledger = world, bench, apps, ledger
        self.phones = {phone.name: phone for phone in bench.phones}
        self.wires = {phone.name: self._wire(phone) for phone in bench.phones}
        self.tuns = {name: self._tun(wire) for name, wire in self.wires.items()}
        self.vpns: dict[str, Vpn] = {}
        self.direct_allowed = False
        self._drops: list[Drop] = []
        self._dropping: list[Drop] = []
        self._moves: list[tuple[str, str]] = []
        self._elsewhere: list[tuple[str, Kind, int]] = []
        world.flushers.append(self.flush)

    def _wire(self, phone: PhoneSpec) -> Wire:
        access = _emulation(phone).access
        return self._watched(Wire(phone.name, access.link, access.interface, self.world, self.ledger))

    def _tun(self, below: Wire) -> Wire:
        """What passes the VPN of the phone that has this wire."""
        return self._watched(Wire(below.phone, "raw", "tun0", self.world, self.ledger, below.positions))

    def _watched(self, wire: Wire) -> Wire:
        wire.admit = lambda meaning: self._admit(wire.phone, meaning)
        wire.on_pass = lambda meaning, packets, size: self._count(wire.phone, meaning, packets, size)
        return wire

    def begin(self, direct: bool) -> None:
        """Start an attempt: new addresses, empty wires, quiet calls, background noise."""
        self.direct_allowed = direct
        self.calls: list[CallTraffic] = []
        self._dropping = []
        self._stun_frames = dict.fromkeys(self.phones, 0)
        reserved: list[Address] = [
            self.bench.laptop.hotspot_address,
            *(server.address for server in self.bench.stun_servers),
        ]
        self.accesses: dict[str, Access] = {}
        self.others: dict[str, OtherClient] = {}
        self.usages = {name: Usage() for name in self.phones}
        self._links: dict[str, Link] = {}
        self._identifications: dict[str, int] = {}
        self.vpns = {}
        loud = self.world.chance("noise/loud").randrange(1000) < _LOUD_PER_MILLE
        for name, phone in self.phones.items():
            access = Access(self._access_of(phone), self.world.chance(f"access/{name}"), reserved)
            self.accesses[name] = access
            reserved.append(access.ipv4.ip)
            self.wires[name].name, self.wires[name].link_type = access.spec.interface, access.spec.link
            self._links[name] = Link(access.spec.link == "ethernet", access.mac, access.gateway_mac)
            self._identifications[name] = self.world.chance(f"identification/{name}").randrange(1 << 16)
            self.ledger.phone(name, access.own())
            self.ledger.drift(name, _emulation(phone).clock.drift_ppb / 1000)
            self.wires[name].begin()
            self.tuns[name].begin()
            Noise(self, name, loud=loud).start()
        # Only now all phones have their addresses, which no other client may have.
        for name, access in self.accesses.items():
            if access.spec.link == "ethernet":
                self.others[name] = OtherClient(self, name)
                self.others[name].start()
        if self.bench.laptop.emulation is not None:
            self.ledger.drift("laptop", self.bench.laptop.emulation.clock.drift_ppb / 1000)

    def _access_of(self, phone: PhoneSpec) -> AccessNetwork:
        """The access of the bench file, or the one that the phone was moved to for this attempt."""
        move = next((move for move in self._moves if move[0] == phone.name), None)
        if move is None:
            return _emulation(phone).access
        self._moves.remove(move)
        return _emulation(self.phones[move[1]]).access

    def move(self, phone: str, like: str) -> None:
        """Have a phone's default network be in the next attempt what the other phone's is: Wi-Fi for LTE, say."""
        self._moves.append((phone, like))

    def elsewhere(self, phone: str, kind: Kind, payload_bytes: int) -> None:
        """Have the app send so many bytes of its next call over a network that is not the phone's default one."""
        self._elsewhere.append((phone, kind, payload_bytes))

    def kind(self, phone: str) -> Kind:
        """What kind of network a phone's default one is."""
        return "wifi" if self.accesses[phone].spec.interface.startswith("wlan") else "cellular"

    def _count(self, phone: str, meaning: Meaning, packets: int, size: int) -> None:
        if meaning.kind in ("call", "direct") and self.calls:
            app = self.calls[-1].call.app.name
            now_ns, outgoing = self.world.now_ns, meaning.outgoing
            self.usages[phone].add(
                self.kind(phone), app, now_ns, outgoing=outgoing, packets=packets, payload_bytes=size
            )

    def flush(self, now_ns: int) -> None:
        """Let all frames pass that are due by now."""
        for wire in (*self.wires.values(), *self.tuns.values()):
            wire.flush(now_ns)

    def interfaces(self, phone: str) -> list[Interface]:
        """The interfaces of a phone, loopback first, a VPN's last."""
        vpn = self.vpns.get(phone)
        return [*self.accesses[phone].interfaces(), *([] if vpn is None else [vpn.interface])]

    def route(self, phone: str, destination: Address) -> Interface | None:
        """The interface towards a destination for the shell; None where there is no route of that family."""
        vpn = self.vpns.get(phone)
        if vpn is None or not vpn.takes(SHELL):
            return self.accesses[phone].towards(destination)
        return None if vpn.inner is not None and vpn.inner.local(destination) is None else vpn.interface

    def path(self, phone: str, package: str) -> Access:
        """The network as a package on a phone meets it now."""
        vpn = self.vpns.get(phone)
        return vpn.inner if vpn is not None and vpn.inner is not None and vpn.takes(package) else self.accesses[phone]

    def raise_vpn(self, phone: str, vpn: Vpn) -> None:
        """A VPN comes up; behind PCAPdroid's the phone's vantage is what passes it."""
        self.flush(self.world.now_ns)
        self.vpns[phone] = vpn
        if vpn.inner is not None:
            self.ledger.more_addresses(phone, [one.ip for one in vpn.interface.addresses])
            self.wires[phone].is_vantage = False

    def lower_vpn(self, phone: str) -> None:
        """It goes, and what was to pass it with it."""
        self.flush(self.world.now_ns)
        self.vpns.pop(phone, None)
        self.wires[phone].is_vantage = True

    def send_udp(self, phone: str, destination: Address, port: int, payload: bytes, timeout_ns: int) -> bytes | None:
        """Send one datagram from a new socket and wait for the answer, at most `timeout_ns` of bench time.

        STUN servers of the bench answer Binding requests; nobody else answers. None without an answer, and at once
        without a route.
        """
        access = self.path(phone, SHELL)
        local = access.local(destination)
        if local is None:
            return None
        socket, remote = Endpoint(local, access.open_port()), Endpoint(destination, port)
        self.outgoing(phone, socket, remote, payload, _as_marker(payload))
        served = {(server.address, server.port) for server in self.bench.stun_servers}
        if (destination, port) not in served or not stunwire.is_binding_request(payload):
            self.world.advance_to(self.world.now_ns + timeout_ns)
            return None
        mapped = access.mapped(socket, destination)
        reply = stunwire.binding_success(payload[8:20], mapped)
        round_trip_ns = 2 * access.delay(self.world.chance(f"probe/{phone}/{socket.port}"))
        if round_trip_ns > timeout_ns:
            self.world.advance_to(self.world.now_ns + timeout_ns)
            return None
        meaning = Meaning("noise", outgoing=False, stun=True, mapped=mapped.address)
        self.incoming(phone, socket, remote, reply, meaning, self.world.now_ns + round_trip_ns)
        self.ledger.probed(phone, mapped.address)
        self.world.advance_to(self.world.now_ns + round_trip_ns)
        return reply

    def drop_stun(self, selector: Mapping[str, object]) -> None:
        """Have STUN frames of the next call not pass: {"side": PHONE, "n": K}, or {"side": PHONE, "shows": WHOSE}.

        K counts from 1 along that phone's wire. WHOSE is `caller_public`, `caller_private`, `callee_public` or
        `callee_private`. It holds for one call, the next or the running one, and is forgotten with its attempt.

        Raises:
            ValueError: the selector names no phone of the bench, or not exactly one of n and shows.
        """
        running = bool(getattr(self, "calls", [])) and not self.calls[-1].over
        (self._dropping if running else self._drops).append(drop(selector, self.phones))

    def placed(self, call: Call) -> None:
        """A call was placed: the caller's sessions open."""
        self._dropping, self._drops = [*self._dropping, *self._drops], []
        self.calls.append(CallTraffic(self, call, len(self.calls)))
        for phone, kind, size in self._elsewhere:
            usage, now_ns = self.usages[phone], self.world.now_ns
            usage.add(kind, call.app.name, now_ns, outgoing=True, packets=size // 1200 + 1, payload_bytes=size)
        self._elsewhere = []

    def rung(self, call: Call) -> None:
        """The callee rings: its sessions open."""
        self._of(call).rung()

    def answered(self, call: Call) -> None:
        """The conversation begins."""
        self._of(call).answered()

    def ended(self, call: Call) -> None:
        """The call is over: nothing more is sent but farewells."""
        self._of(call).ended()

    def _of(self, call: Call) -> CallTraffic:
        return next(traffic for traffic in self.calls if traffic.call is call)

    def outgoing(
        self, phone: str, socket: Endpoint, remote: Endpoint, payload: bytes, meaning: Meaning, when_ns: int = 0
    ) -> None:
        """A phone sends a datagram (now, unless `when_ns` is later)."""
        if (way := self._way(phone, socket)) is None:
            return
        socket, remote = way.access.on_wire(socket, remote)
        header = way.link.header(remote.address, outgoing=True)
        octets = frame(header, socket, remote, payload, identification=self._identify(phone), hops=64)
        way.wire.put(when_ns, octets, len(payload), meaning)

    def incoming(
        self, phone: str, socket: Endpoint, remote: Endpoint, payload: bytes, meaning: Meaning, when_ns: int
    ) -> None:
        """A datagram reaches a phone's vantage at an instant."""
        if (way := self._way(phone, socket)) is None:
            return
        socket, remote = way.access.on_wire(socket, remote)
        header = way.link.header(socket.address, outgoing=False)
        octets = frame(
            header, remote, socket, payload, identification=self._identify(phone), hops=hops_left(remote.address)
        )
        way.wire.put(when_ns, octets, len(payload), meaning)

    def stream(
        self,
        phone: str,
        socket: Endpoint,
        remote: Endpoint,
        packets: Packets,
        times_ns: Integers,
        meaning: Meaning,
        group: str,
    ) -> None:
        """Many datagrams of one flow pass a phone's vantage at `times_ns`, in that order."""
        if (way := self._way(phone, socket)) is None:
            return
        socket, remote = way.access.on_wire(socket, remote)
        source, destination = (socket, remote) if meaning.outgoing else (remote, socket)
        header = way.link.header(destination.address, meaning.outgoing)
        first = self._identify(phone, len(times_ns))
        rows = frames(
            header,
            source,
            destination,
            packets.rows,
            packets.sizes,
            identifications=(first + np.arange(len(times_ns))) & 0xFFFF,
            hops=64 if meaning.outgoing else hops_left(remote.address),
        )
        lengths = packets.sizes + overhead_bytes(header, source.address)
        way.wire.put_batch(Batch(times_ns, packets.sent_ns, lengths, packets.sizes, rows, meaning, group))

    def cut(self, phone: str, group: str) -> None:
        """Take back what was to leave or reach a phone in a group from now on."""
        for wire in (self.wires[phone], self.tuns[phone]):
            wire.cut(group, self.world.now_ns)

    def _way(self, phone: str, socket: Endpoint) -> _Way | None:
        """By its address a socket's datagrams pass the VPN or not; None where that has gone."""
        if socket.address not in (VPN_IPV4.ip, VPN_IPV6.ip):
            return _Way(self.accesses[phone], self.wires[phone], self._links[phone])
        vpn = self.vpns.get(phone)
        return None if vpn is None or vpn.inner is None else _Way(vpn.inner, self.tuns[phone], _RAW)

    def draw(self, name: str) -> random.Random:
        """Chance of this attempt, by name."""
        return self.world.chance(f"network/{name}")

    def _identify(self, phone: str, count: int = 1) -> int:
        first = self._identifications[phone]
        self._identifications[phone] = (first + count) & 0xFFFF
        return first

    def _admit(self, phone: str, meaning: Meaning) -> bool:
        if meaning.kind not in ("call", "direct") or not (meaning.stun or meaning.marks):
            return True
        self._stun_frames[phone] += 1
        return not any(self._hits(one, meaning) for one in self._dropping if one.side == phone)

    def _hits(self, drop: Drop, meaning: Meaning) -> bool:
        if drop.n is not None:
            return self._stun_frames[drop.side] == drop.n
        call = self.calls[-1].call
        owners = {"caller": call.caller, "callee": call.callee}
        for owner, address in meaning.shows:
            own = {*self.accesses[owner].own(), VPN_IPV4.ip, VPN_IPV6.ip}
            role = "private" if address in own else "public"
            if any(drop.shows == f"{side}_{role}" and owner == name for side, name in owners.items()):
                return True
        return False


def _as_marker(payload: bytes) -> Meaning:
    words = payload.decode("ascii", errors="replace").split()
    if len(words) == 3 and words[0] == _MARKER and words[2] in ("begin", "end"):
        return Meaning("marker", outgoing=True, marker=(words[1], words[2]))
    return Meaning("noise", outgoing=True)
