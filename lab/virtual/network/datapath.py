"""The datapath of the virtual bench: the accesses, VPNs and wires by which each phone's datagrams pass."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from lab.definitions.virtual_network import AccessNetwork
from lab.virtual.network.addresses import VPN_IPV4, VPN_IPV6, Access, Address, Endpoint, Interface
from lab.virtual.network.datagrams import Integers, Link, frame, frames, hop_limit_left, overhead_bytes
from lab.virtual.network.ledger import Ledger
from lab.virtual.network.meaning import Meaning
from lab.virtual.network.media import Packets
from lab.virtual.network.passing import Batch
from lab.virtual.network.tcp import ACK, FIN, HEADER_BYTES, PSH, SYN, Numbers, Segments, Transmission, segment, segments
from lab.virtual.network.vpn import Vpn
from lab.virtual.network.wire import Wire
from lab.virtual.world import World

SHELL = "com.android.shell"
"""The package that has the shell's uid."""

_RAW = Link(False, "", "")


@dataclass(frozen=True)
class _Attachment:
    """Where a socket's datagrams pass on a phone."""

    access: Access
    wire: Wire
    link: Link


@dataclass(frozen=True)
class Pipe:
    """The phone, the local socket and the far end of a TCP connection."""

    phone: str
    socket: Endpoint
    remote: Endpoint


class Datapath:
    """Sends and delivers datagrams of the phones; `accesses` are those of the bench file, by phone.

    `begin` comes after `World.begin` and `Ledger.begin`.
    """

    def __init__(self, world: World, accesses: Mapping[str, AccessNetwork], ledger: Ledger) -> None:
        self.world, self._ledger = world, ledger
        self.wires = {name: Wire(name, spec.link, spec.interface, world, ledger) for name, spec in accesses.items()}
        # What passes the VPN of a phone counts with what passes its wire.
        self.tuns = {name: Wire(name, "raw", "tun0", world, ledger, one.positions) for name, one in self.wires.items()}
        self.accesses: dict[str, Access] = {}
        self.vpns: dict[str, Vpn] = {}
        self._links: dict[str, Link] = {}
        self._identifications: dict[str, int] = {}
        world.flushers.append(self.flush)

    def begin(self) -> None:
        """Start an attempt: no phone is attached to a network."""
        self.accesses, self.vpns = {}, {}

    def attach(self, phone: str, spec: AccessNetwork, reserved: Iterable[Address]) -> Access:
        """Give a phone its network of this attempt: new addresses (none of `reserved`), empty wires."""
        access = self.accesses[phone] = Access(spec, self.world.chance(f"access/{phone}"), reserved, phone)
        self.wires[phone].name, self.wires[phone].link_type = spec.interface, spec.link
        self._links[phone] = Link(spec.link == "ethernet", access.mac, access.gateway_mac)
        self._identifications[phone] = self.world.chance(f"identification/{phone}").randrange(1 << 16)
        self._ledger.phone(phone, access.own())
        self.wires[phone].begin()
        self.tuns[phone].begin()
        return access

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
        if not self.accesses[phone].up:
            return None
        if vpn is None or not vpn.takes(SHELL):
            return self.accesses[phone].towards(destination)
        return None if vpn.inner is not None and vpn.inner.local(destination) is None else vpn.interface

    def access(self, phone: str, package: str) -> Access:
        """The network as a package on a phone meets it now."""
        vpn = self.vpns.get(phone)
        return vpn.inner if vpn is not None and vpn.inner is not None and vpn.takes(package) else self.accesses[phone]

    def raise_vpn(self, phone: str, vpn: Vpn) -> None:
        """A VPN comes up; behind PCAPdroid's the phone's vantage is what passes it."""
        self.flush(self.world.now_ns)
        self.vpns[phone] = vpn
        if vpn.inner is not None:
            self._ledger.more_addresses(phone, [one.ip for one in vpn.interface.addresses])
            self.wires[phone].is_vantage = False

    def lower_vpn(self, phone: str) -> None:
        """It goes, and what was to pass it with it."""
        self.flush(self.world.now_ns)
        self.vpns.pop(phone, None)
        self.wires[phone].is_vantage = True

    def forward(
        self, phone: str, socket: Endpoint, remote: Endpoint, payload: bytes, meaning: Meaning, when_ns: int = 0
    ) -> None:
        """Have one datagram pass a phone's vantage, now unless `when_ns` is later."""
        if (attachment := self._attachment(phone, socket)) is None:
            return
        socket, remote = attachment.access.on_wire(socket, remote)
        source, destination = (socket, remote) if meaning.outgoing else (remote, socket)
        header = attachment.link.header(destination.address, meaning.outgoing)
        limit = 64 if meaning.outgoing else hop_limit_left(remote.address)
        octets = frame(header, source, destination, payload, identification=self._identify(phone), hop_limit=limit)
        attachment.wire.put(when_ns, octets, len(payload), meaning)

    def forward_stream(
        self,
        phone: str,
        socket: Endpoint,
        remote: Endpoint,
        packets: Packets,
        times_ns: Integers,
        meaning: Meaning,
        group: str,
    ) -> None:
        """Have many datagrams of one flow pass a phone's vantage at `times_ns`, in that order."""
        if (attachment := self._attachment(phone, socket)) is None:
            return
        socket, remote = attachment.access.on_wire(socket, remote)
        source, destination = (socket, remote) if meaning.outgoing else (remote, socket)
        header = attachment.link.header(destination.address, meaning.outgoing)
        first = self._identify(phone, len(times_ns))
        rows = frames(
            header,
            source,
            destination,
            packets.rows,
            packets.sizes,
            identifications=(first + np.arange(len(times_ns))) & 0xFFFF,
            hop_limit=64 if meaning.outgoing else hop_limit_left(remote.address),
        )
        lengths = packets.sizes + overhead_bytes(header, source.address)
        attachment.wire.put_batch(Batch(times_ns, packets.sent_ns, lengths, packets.sizes, rows, meaning, group))

    def segment(
        self,
        numbers: Numbers,
        pipe: Pipe,
        body: bytes,
        meaning: Meaning,
        when_ns: int,
        *,
        flags: int,
        message_bytes: int = 0,
    ) -> None:
        """Have one TCP segment pass a phone's vantage. The body of a SYN is its options.

        In it a message ends of `message_bytes`, or none if that is 0.
        """
        if (attachment := self._attachment(pipe.phone, pipe.socket)) is None:
            return
        source, destination, header, limit = self._ends(attachment, pipe, meaning)
        number = int(numbers.identify(1)[0])
        octets = segment(header, source, destination, flags, body, identification=number, hop_limit=limit)
        consumes = 1 if flags & (SYN | FIN) else len(body)
        tcp = Transmission(numbers, overhead_bytes(header, source.address) - 8, np.array([consumes]))
        attachment.wire.put(when_ns, octets, message_bytes, meaning, 1 if message_bytes else 0, tcp)

    def segments(
        self, numbers: Numbers, pipe: Pipe, stream: Segments, times_ns: Integers, meaning: Meaning, group: str
    ) -> None:
        """Have many TCP segments of one direction pass a phone's vantage at `times_ns`, in that order."""
        if (attachment := self._attachment(pipe.phone, pipe.socket)) is None:
            return
        source, destination, header, limit = self._ends(attachment, pipe, meaning)
        packets = stream.packets
        flags = PSH | ACK if packets.rows.shape[1] else ACK
        rows = segments(
            header,
            source,
            destination,
            packets.rows,
            packets.sizes,
            flags=flags,
            identifications=numbers.identify(len(times_ns)),
            hop_limit=limit,
        )
        start = overhead_bytes(header, source.address) - 8
        lengths = packets.sizes + start + HEADER_BYTES
        tcp = Transmission(numbers, start, packets.sizes)
        batch = Batch(times_ns, packets.sent_ns, lengths, stream.ended_bytes, rows, meaning, group, stream.ended, tcp)
        attachment.wire.put_batch(batch)

    def _ends(self, attachment: _Attachment, pipe: Pipe, meaning: Meaning) -> tuple[Endpoint, Endpoint, bytes, int]:
        """Source, destination, link header and hop limit of one direction of a connection as its frames show them."""
        socket, remote = attachment.access.on_wire(pipe.socket, pipe.remote)
        source, destination = (socket, remote) if meaning.outgoing else (remote, socket)
        header = attachment.link.header(destination.address, meaning.outgoing)
        return source, destination, header, 64 if meaning.outgoing else hop_limit_left(remote.address)

    def cut(self, phone: str, group: str) -> None:
        """Take back what was to leave or reach a phone in a group from now on."""
        for wire in (self.wires[phone], self.tuns[phone]):
            wire.cut(group, self.world.now_ns)

    def _attachment(self, phone: str, socket: Endpoint) -> _Attachment | None:
        """By its address a socket's datagrams pass the VPN or not; None where that has gone."""
        if socket.address not in (VPN_IPV4.ip, VPN_IPV6.ip):
            return _Attachment(self.accesses[phone], self.wires[phone], self._links[phone])
        vpn = self.vpns.get(phone)
        return None if vpn is None or vpn.inner is None else _Attachment(vpn.inner, self.tuns[phone], _RAW)

    def _identify(self, phone: str, count: int = 1) -> int:
        first = self._identifications[phone]
        self._identifications[phone] = (first + count) & 0xFFFF
        return first
