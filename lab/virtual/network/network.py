"""The network of the virtual bench: its calls, probes and background, and what a test asks of them."""

from collections.abc import Mapping
from ipaddress import IPv6Address

from lab.definitions.bench import BenchSpec
from lab.definitions.machines import PhoneSpec
from lab.definitions.virtual_app import VirtualApp
from lab.definitions.virtual_network import AccessNetwork, PhoneEmulation
from lab.virtual.handset.exchange import Call
from lab.virtual.network import stunwire, vpn
from lab.virtual.network.addresses import VPN_IPV4, VPN_IPV6, Address, Endpoint, Interface
from lab.virtual.network.datapath import SHELL, Datapath
from lab.virtual.network.drops import Drop, drop
from lab.virtual.network.ledger import Ledger
from lab.virtual.network.meaning import Meaning
from lab.virtual.network.noise import Noise
from lab.virtual.network.otherclient import OtherClient
from lab.virtual.network.outages import Outages
from lab.virtual.network.traffic import CallTraffic
from lab.virtual.network.usage import OTHERS, Kind, Usage
from lab.virtual.network.wire import Wire
from lab.virtual.world import World

_MARKER = "im-call-lab"
_LOUD_PER_MILLE = 25
"""How many of a phone's attempts begin loud. Each phone draws for itself: one alone may be loud."""


def _emulation(phone: PhoneSpec) -> PhoneEmulation:
    if phone.emulation is None:
        raise ValueError(f"phone {phone.name} of a virtual bench has no emulation")
    return phone.emulation


class Network:
    """Background, probes and calls of one bench over its `datapath`; a listener of the exchange.

    `begin` comes after `World.begin` and `Ledger.begin`.
    """

    def __init__(self, world: World, bench: BenchSpec, apps: Mapping[str, VirtualApp], ledger: Ledger) -> None:
        self.world, self.bench, self.apps, self.ledger = world, bench, apps, ledger
        self.phones = {phone.name: phone for phone in bench.phones}
        self.datapath = Datapath(world, {name: _emulation(phone).access for name, phone in self.phones.items()}, ledger)
        for wire in (*self.datapath.wires.values(), *self.datapath.tuns.values()):
            self._watch(wire)
        self.direct_allowed = False
        self.calls: list[CallTraffic] = []
        self._drops: list[Drop] = []
        self._dropping: list[Drop] = []
        self._moves: list[tuple[str, str]] = []
        self._elsewhere: list[tuple[str, Kind, int]] = []
        self.down: set[str] = set()
        self.outages = Outages()

    def _watch(self, wire: Wire) -> None:
        wire.reaches = lambda meaning: self.outages.reaches(wire.phone, meaning)
        wire.admit = lambda meaning: self._admit(wire.phone, meaning)
        wire.on_pass = lambda meaning, packets, size: self._count(wire.phone, meaning, packets, size)

    def begin(self, direct: bool) -> None:
        """Start an attempt: new addresses, empty wires, quiet calls, background noise."""
        self.direct_allowed = direct
        self.calls, self._dropping = [], []
        self._stun_frames = dict.fromkeys(self.phones, 0)
        hotspot = self.bench.laptop.hotspot_address
        reserved: list[Address] = [hotspot, *(server.address for server in self.bench.stun_servers)]
        self.others: dict[str, OtherClient] = {}
        self.usages = {name: Usage() for name in self.phones}
        self.datapath.begin()
        for name, phone in self.phones.items():
            reserved.append(self.datapath.attach(name, self._access_of(phone), reserved).ipv4.ip)
            self.ledger.drift(name, _emulation(phone).clock.drift_ppb / 1000)
            loud = self.world.chance(f"noise/loud/{name}").randrange(1000) < _LOUD_PER_MILLE
            self.datapath.accesses[name].up = name not in self.down
            Noise(self.datapath, name, hotspot, loud=loud).start()
        # Only now all phones have their addresses, which no other client may have.
        for name, access in self.datapath.accesses.items():
            if access.spec.link == "ethernet":
                taken = [one.ipv4.ip for one in self.datapath.accesses.values()]
                taken += [hotspot, *(other.address for other in self.others.values())]
                self.others[name] = OtherClient(self.datapath, name, taken)
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

    def take_down(self, phone: str) -> None:
        """A phone has no network from now on, in this attempt and those that follow; what is in flight still passes."""
        self.down.add(phone)
        self.datapath.accesses[phone].up = False

    def bring_up(self, phone: str) -> None:
        """It has it again, with the addresses that it had."""
        self.down.discard(phone)
        self.datapath.accesses[phone].up = True

    def move(self, phone: str, like: str) -> None:
        """Have a phone's default network be in the next attempt what the other phone's is: Wi-Fi for LTE, say."""
        self._moves.append((phone, like))

    def elsewhere(self, phone: str, kind: Kind, payload_bytes: int) -> None:
        """Have the app send so many bytes of its next call over a network that is not the phone's default one."""
        self._elsewhere.append((phone, kind, payload_bytes))

    def interfaces(self, phone: str) -> list[Interface]:
        """A phone's interfaces, its VPN's too."""
        return self.datapath.interfaces(phone)

    def usage(self, phone: str) -> Usage:
        """What the apps of a phone sent and received in this attempt."""
        return self.usages[phone]

    def clat(self, phone: str) -> tuple[str, IPv6Address | None]:
        """The interface of a phone's default network, and the address of a CLAT on it."""
        access = self.datapath.accesses[phone]
        return access.spec.interface, access.clat

    def raise_other_vpn(self, phone: str) -> None:
        """A VPN of some other app goes up on a phone."""
        self.datapath.raise_vpn(phone, vpn.other())

    def kind(self, phone: str) -> Kind:
        """What kind of network a phone's default one is."""
        return "wifi" if self.datapath.accesses[phone].spec.interface.startswith("wlan") else "cellular"

    def _count(self, phone: str, meaning: Meaning, packets: int, size: int) -> None:
        is_call = meaning.kind in ("call", "direct")
        if meaning.kind == "noise" or (is_call and self.calls):
            app = self.calls[-1].call.app.name if is_call else OTHERS
            now_ns, outgoing = self.world.now_ns, meaning.outgoing
            self.usages[phone].add(
                self.kind(phone), app, now_ns, outgoing=outgoing, packets=packets, payload_bytes=size
            )

    def send_udp(self, phone: str, destination: Address, port: int, payload: bytes, timeout_ns: int) -> bytes | None:
        """Send one datagram from a new socket and wait for the answer, at most `timeout_ns` of bench time.

        STUN servers of the bench answer Binding requests; nobody else answers. None without an answer, and at once
        without a route.
        """
        access = self.datapath.access(phone, SHELL)
        local = access.local(destination)
        if local is None:
            return None
        socket, remote = Endpoint(local, access.open_port()), Endpoint(destination, port)
        self.datapath.forward(phone, socket, remote, payload, _as_marker(payload))
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
        self.datapath.forward(phone, socket, remote, reply, meaning, self.world.now_ns + round_trip_ns)
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
        running = bool(self.calls) and not self.calls[-1].over
        (self._dropping if running else self._drops).append(drop(selector, self.phones))

    def placed(self, call: Call) -> None:
        """A call was placed: the caller's sessions open."""
        self._dropping, self._drops = [*self._dropping, *self._drops], []
        stimuli = {name: phone.stimulus for name, phone in self.phones.items()}
        self.calls.append(CallTraffic(self.datapath, stimuli, call, len(self.calls), self.direct_allowed))
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
            own = {*self.datapath.accesses[owner].own(), VPN_IPV4.ip, VPN_IPV6.ip}
            role = "private" if address in own else "public"
            if any(drop.shows == f"{side}_{role}" and owner == name for side, name in owners.items()):
                return True
        return False


def _as_marker(payload: bytes) -> Meaning:
    words = payload.decode("ascii", errors="replace").split()
    if len(words) == 3 and words[0] == _MARKER and words[2] in ("begin", "end"):
        return Meaning("marker", outgoing=True, marker=(words[1], words[2]))
    return Meaning("noise", outgoing=True)
