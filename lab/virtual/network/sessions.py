"""One phone's leg of a call: its sessions with the app's servers, and the STUN messages on them.

A session is one local socket and one server. `turn` sessions speak RFC 8656; `warp` sessions use its header with
methods 0x0800-0x0805 and attributes 0x4000-0x4007. Lengths are those of real messages (docs/decisions/0011-snaplen.md).
STUN is never lost on the way.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lab.definitions.base import Role
from lab.definitions.virtual_network import AppNetwork, Packets, Party, Relay
from lab.virtual.network import stunwire
from lab.virtual.network.addresses import Address, Endpoint, folded, nat64
from lab.virtual.network.datapath import Datapath
from lab.virtual.network.meaning import Meaning, Server
from lab.virtual.network.stream import TcpStream
from lab.virtual.network.stunwire import ALLOCATE, ERROR, SUCCESS, Attribute
from lab.virtual.network.unrelayed import Unrelayed

_UDP_TRANSPORT = bytes([17, 0, 0, 0])
_EARLY_SPACING_NS = 180_000_000
_LINGER_NS = 60_000_000
_WARP_PARAMETERS = (16, 14, 16)


@dataclass(frozen=True)
class Plan:
    """Requests of a session before and beside media: `early` ones at once, at most `most` in all.

    `size`: bytes by which a warp ping is filled up. Each is answered. One of `most` is the farewell. `period_ns` apart
    once the early ones are through.
    """

    early: int
    most: int | None
    size: int
    period_ns: int


def secondary_plan(packets: Packets, draw: random.Random, size: int, period_ns: int) -> Plan:
    """A plan that keeps to `packets`, both ways together, however short or long the call."""
    early = max((packets.low + 1) // 2, 1)
    most = max(early + 1, draw.randint(packets.low, packets.high) // 2)
    return Plan(early, most, size, period_ns)


class Session:
    """One local socket and one server."""

    def __init__(self, leg: Leg, relay: Relay, number: int) -> None:
        self.leg, self.relay = leg, relay
        address, name = leg.reach(relay)
        self.remote = Endpoint(address, relay.port)
        self.server = Server(f"{number}", folded(address), relay.port, name)
        self.local = Endpoint(leg.local(address), leg.access.open_port())
        self.relayed = Endpoint(relay.ipv4, leg.draw.randrange(40_100, 60_000))
        self.channel = leg.draw.randrange(0x4000, 0x4FF0)
        self.requests = 0
        self._credentials = leg.app.credentials
        self._nonce = _letters(leg.draw, self._credentials.nonce_bytes)
        self._key = leg.draw.randbytes(16)
        self.stream: TcpStream | None = None
        if leg.over_tcp:
            plain = Meaning("call", True, server=self.server)
            self.stream = TcpStream(leg.datapath, leg.access, leg.phone, self.remote, self.local, plain)

    @property
    def candidate(self) -> Endpoint:
        """Where the other phone reaches this one: the relayed address, which shows nothing of the phone."""
        return self.relayed

    shows: tuple[tuple[str, Address], ...] = ()

    @property
    def mapped(self) -> Endpoint:
        """What the server sees as this socket's address."""
        return self.leg.access.mapped(self.local, self.remote.address)

    def send(self, payload: bytes, *, stun: bool = True, marks: bool = True, **fields: Any) -> None:
        """A message from the phone to the server, now; `fields` are further ones of its `Meaning`."""
        meaning = Meaning("call", True, stun, marks, self.server, **fields)
        self._pass(payload, meaning, self.leg.datapath.world.now_ns)

    def receive(self, payload: bytes, when_ns: int, *, stun: bool = True, marks: bool = True, **fields: Any) -> None:
        """A message from the server that reaches the phone at an instant, later if TCP has to be opened first."""
        self._pass(payload, Meaning("call", False, stun, marks, self.server, **fields), when_ns)

    def _pass(self, payload: bytes, meaning: Meaning, when_ns: int) -> None:
        if self.stream is None:
            self.leg.datapath.forward(self.leg.phone, self.local, self.remote, payload, meaning, when_ns)
            return
        if not self.stream.opened:
            self.stream.open()
        # RFC 8656 section 12.5: over TCP ChannelData is padded; STUN is as long as a multiple of four anyway.
        padded = payload + bytes(-len(payload) % 4)
        self.stream.send(padded, meaning, when_ns + self.stream.waits_ns)

    def to_peer(self, peer: Endpoint, text: bytes, bound: bool, **fields: Any) -> None:
        """STUN from the phone to a peer: in ChannelData if that is `bound`, else in a Send indication."""
        payload = stunwire.channel_data(self.channel, text) if bound else self.indication(stunwire.SEND, peer, text)
        self.send(payload, stun=not bound, inside="stun", **fields)

    def from_peer(self, peer: Endpoint, text: bytes, bound: bool, when_ns: int, **fields: Any) -> None:
        """STUN of a peer that reaches the phone at an instant."""
        payload = stunwire.channel_data(self.channel, text) if bound else self.indication(stunwire.DATA, peer, text)
        self.receive(payload, when_ns, stun=not bound, inside="stun", **fields)

    def binding(self) -> None:
        """A bare Binding and its answer, which tells the phone its public address."""
        transaction = stunwire.new_transaction(self.leg.draw)
        self.send(stunwire.message(stunwire.BINDING, transaction), marks=False)
        reply = stunwire.binding_success(transaction, self.mapped)
        self.receive(reply, self.leg.answer_ns(), marks=False, mapped=self.mapped.address)

    def request(self, plan: Plan) -> None:
        """The next request of a plan, and its response."""
        self.requests += 1
        if self.relay.framing == "warp" and self.requests == 1:
            self._warp_allocate()
        elif self.relay.framing == "warp":
            self._warp_ping(plan.size)
        elif self.requests == 1:
            self._challenge()
        elif self.requests == 2:
            self._allocate()
        else:
            self._refresh(600)

    def farewell(self, plan: Plan) -> None:
        """The last request, and its response; then a TCP connection ends."""
        if self.relay.framing == "warp":
            self._warp_bye(plan.size)
        else:
            self._refresh(0)
        if self.stream is not None:
            self.leg.datapath.world.at(self.leg.answer_ns() + self.stream.waits_ns + _LINGER_NS, self.stream.close)

    def create_permission(self, peer: Endpoint, shows: tuple[tuple[str, Address], ...] = ()) -> None:
        """CreatePermission for a peer's address."""
        transaction = stunwire.new_transaction(self.leg.draw)
        address = stunwire.xor_address(stunwire.XOR_PEER_ADDRESS, peer, transaction)
        self._authenticated(stunwire.CREATE_PERMISSION, transaction, [address], shows=shows)

    def channel_bind(self, peer: Endpoint, shows: tuple[tuple[str, Address], ...] = ()) -> None:
        """ChannelBind of this session's channel to a peer's address."""
        number = (stunwire.CHANNEL_NUMBER, self.channel.to_bytes(2, "big") + bytes(2))
        transaction = stunwire.new_transaction(self.leg.draw)
        address = stunwire.xor_address(stunwire.XOR_PEER_ADDRESS, peer, transaction)
        self._authenticated(stunwire.CHANNEL_BIND, transaction, [number, address], shows=shows)

    def indication(self, kind: int, peer: Endpoint, data: bytes) -> bytes:
        """A Send or Data indication that carries `data` to or from a peer."""
        transaction = stunwire.new_transaction(self.leg.draw)
        address = stunwire.xor_address(stunwire.XOR_PEER_ADDRESS, peer, transaction)
        return stunwire.message(kind, transaction, self._ordered([address], [(stunwire.DATA_ATTRIBUTE, data)]))

    def _ordered(self, address: list[Attribute], others: list[Attribute]) -> list[Attribute]:
        """Attributes in the app's order, which RFC 8489 section 14 leaves to it."""
        return [*others, *address] if self.leg.app.peer_address == "last" else [*address, *others]

    def _authenticated(
        self,
        method: int,
        transaction: bytes,
        attributes: list[Attribute],
        response: Sequence[Attribute] = (),
        *,
        shows: tuple[tuple[str, Address], ...] = (),
        mapped: Address | None = None,
    ) -> None:
        """A request with long-term credentials (RFC 8489 section 9.2) and its success response."""
        user = _letters(self.leg.draw, self._credentials.username_bytes)
        everything = self._ordered(attributes, [(stunwire.USERNAME, user), *self._realm()])
        self.send(stunwire.protected(method, transaction, everything, self._key), shows=shows)
        reply = stunwire.protected(method | SUCCESS, transaction, response, self._key)
        self.receive(reply, self.leg.answer_ns(), mapped=mapped)

    def _challenge(self) -> None:
        """RFC 8489 section 9.2.4: the first Allocate has no credentials; its error response has realm and nonce."""
        transaction = stunwire.new_transaction(self.leg.draw)
        self.send(stunwire.message(ALLOCATE, transaction, [(stunwire.REQUESTED_TRANSPORT, _UDP_TRANSPORT)]))
        error = [(stunwire.ERROR_CODE, b"\0\0\x04\x01Unauthorized"), *self._realm()]
        self.receive(stunwire.message(ALLOCATE | ERROR, transaction, error), self.leg.answer_ns())

    def _realm(self) -> list[Attribute]:
        return [(stunwire.REALM, self._credentials.realm.encode()), (stunwire.NONCE, self._nonce)]

    def _allocate(self) -> None:
        transaction = stunwire.new_transaction(self.leg.draw)
        response = [
            stunwire.xor_address(stunwire.XOR_RELAYED_ADDRESS, self.relayed, transaction),
            (stunwire.LIFETIME, (600).to_bytes(4, "big")),
            stunwire.xor_address(stunwire.XOR_MAPPED_ADDRESS, self.mapped, transaction),
        ]
        transport = (stunwire.REQUESTED_TRANSPORT, _UDP_TRANSPORT)
        self._authenticated(ALLOCATE, transaction, [transport], response, mapped=self.mapped.address)

    def _refresh(self, lifetime_s: int) -> None:
        lifetime = (stunwire.LIFETIME, lifetime_s.to_bytes(4, "big"))
        self._authenticated(stunwire.REFRESH, stunwire.new_transaction(self.leg.draw), [lifetime], [lifetime])

    def _warp_allocate(self) -> None:
        draw, transaction = self.leg.draw, stunwire.new_transaction(self.leg.draw)
        token = (stunwire.WARP_TOKEN, draw.randbytes(self.leg.app.warp.token_bytes))
        parameters = [(stunwire.WARP_PARAMETERS, draw.randbytes(length)) for length in _WARP_PARAMETERS]
        attributes = [token, *parameters, self._own_address(transaction)]
        self.send(stunwire.sealed(ALLOCATE, transaction, attributes, self._key))
        answer = [stunwire.xor_address(stunwire.XOR_MAPPED_ADDRESS, self.mapped, transaction), self._warp_state()]
        reply = stunwire.sealed(ALLOCATE | SUCCESS, transaction, answer, self._key)
        self.receive(reply, self.leg.answer_ns(), mapped=self.mapped.address)

    def _warp_ping(self, padding: int) -> None:
        transaction = stunwire.new_transaction(self.leg.draw)
        number = (stunwire.WARP_NUMBER, b"\xff")
        ping = [number, (stunwire.WARP_PADDING, bytes(padding))]
        self.send(stunwire.message(stunwire.WARP_PING, transaction, ping))
        pong = stunwire.message(stunwire.WARP_PONG, transaction, [self._warp_state(), number])
        self.receive(pong, self.leg.answer_ns())

    def _warp_bye(self, padding: int) -> None:
        transaction = stunwire.new_transaction(self.leg.draw)
        bye = [(stunwire.WARP_REASON, self.leg.draw.randbytes(2)), self._own_address(transaction)]
        self.send(stunwire.sealed(stunwire.WARP_BYE, transaction, bye, self._key))
        answer = [self._warp_state(), (stunwire.WARP_PADDING, bytes(padding))]
        self.receive(stunwire.sealed(stunwire.WARP_BYE_REPLY, transaction, answer, self._key), self.leg.answer_ns())

    def _warp_state(self) -> Attribute:
        return stunwire.WARP_STATE, self.leg.draw.randbytes(8)

    def _own_address(self, transaction: bytes) -> Attribute:
        """The relay's own address, as WhatsApp sends it back to the relay."""
        return stunwire.xor_address(
            stunwire.XOR_RELAYED_ADDRESS, Endpoint(self.relay.ipv4, self.relay.port), transaction
        )


def _letters(draw: random.Random, length: int) -> bytes:
    """A user name or nonce of `length` characters."""
    return draw.randbytes(-(-length // 2)).hex()[:length].encode()


class Leg:
    """One phone in a call. `gathered` is the socket that its candidates and a direct path come from."""

    def __init__(self, datapath: Datapath, app: AppNetwork, package: str, phone: str, role: Role, key: str) -> None:
        self.datapath, self.app, self.phone, self.role = datapath, app, phone, role
        self.access = datapath.access(phone, package)
        self.draw = datapath.world.chance(f"network/{key}/{role}")
        self.over_tcp = self._is(app.turn_over_tcp)
        relays = app.relays if self._is(app.relayed) else []
        self.sessions = [Session(self, relay, number) for number, relay in enumerate(relays)]
        self.media = next((one for one in self.sessions if one.relay.purpose == "media"), None) or self._unrelayed()
        self.candidates = next((session for session in self.sessions if session.relay.candidates), None)
        self.fragment = stunwire.new_fragment(self.draw, app.user_ids.length) if app.user_ids is not None else None
        self.key = self.draw.randbytes(16)
        self.started = False
        self.plans: list[Plan] = []
        self.gathered = False
        through = self.candidates or self.media
        own = isinstance(through, Unrelayed) or (through.local.address.version == 4 and through.stream is None)
        self._gathers_on = through if own else None
        apart = Endpoint(self.access.ipv4.ip, self.access.open_port())
        self.socket = apart if self._gathers_on is None else self._gathers_on.local
        self._gather_remote = Endpoint(through.relay.ipv4, through.relay.port)

    def _is(self, party: Party) -> bool:
        """Whether this phone is of those that an app names."""
        link = "mobile" if self.access.spec.link == "raw" else "hotspot"
        return party in ("both", self.role, link)

    def _unrelayed(self) -> Unrelayed:
        relay = next(relay for relay in self.app.relays if relay.purpose == "media")
        return Unrelayed(self.datapath, self.access, self.phone, relay, self.reach(relay)[0], self.draw)

    def reach(self, relay: Relay) -> tuple[Address, str | None]:
        """The address by which this phone reaches a relay, and the name of the address that its server has."""
        if self.access.ipv6 is not None and self.app.mobile_ipv6 == "native" and relay.ipv6 is not None:
            return relay.ipv6, relay.ipv6_name
        behind = nat64(relay.ipv4)
        has_nat64 = self.access.local(behind) is not None and self.access.spec.nat64_pool is not None
        if has_nat64 and self.app.mobile_ipv6 == "nat64":
            return behind, relay.name
        return relay.ipv4, relay.name

    def local(self, destination: Address) -> Address:
        """The source address towards a destination that `reach` gave."""
        address = self.access.local(destination)
        if address is None:
            raise ValueError(f"{self.phone} has no route to {destination}")
        return address

    @property
    def server_reflexive(self) -> Endpoint:
        """The IPv4 address and port that others see of this leg's direct socket."""
        return self.access.mapped(self.socket, self._gather_remote.address)

    @property
    def host(self) -> Endpoint:
        """The interface address and port of this leg's direct socket."""
        return self.socket

    def answer_ns(self) -> int:
        """When the answer to a request sent now is here."""
        return self.datapath.world.now_ns + self.access.delay(self.draw) + self.access.delay_ns

    def gather(self) -> None:
        """Learn the public address of the direct socket, once."""
        if self.gathered:
            return
        self.gathered = True
        if self._gathers_on is not None:
            self._gathers_on.binding()
            return
        transaction = stunwire.new_transaction(self.draw)
        request = stunwire.message(stunwire.BINDING, transaction)
        reply = stunwire.binding_success(transaction, self.server_reflexive)
        self.datapath.forward(self.phone, self.socket, self._gather_remote, request, Meaning("call", True, stun=True))
        answered = Meaning("call", False, stun=True, mapped=self.server_reflexive.address)
        self.datapath.forward(self.phone, self.socket, self._gather_remote, reply, answered, self.answer_ns())

    def early_ns(self, index: int) -> int:
        """How long after the start of its session the early request number `index` goes out."""
        return index * _EARLY_SPACING_NS
