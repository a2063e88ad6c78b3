"""Addresses of the emulated networks: interfaces, NATs and NAT64, drawn anew for each attempt."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network

from lab.definitions.virtual_network import AccessNetwork

Address = IPv4Address | IPv6Address

NAT64_PREFIX = IPv6Network("64:ff9b::/96")
"""The well-known prefix of RFC 6052 section 2.1."""

_POOL_SHARE = 4
_LINK_LOCAL = IPv6Address("fe80::")
_CLAT_IPV4 = IPv4Interface("192.0.0.4/32")
"""What Android gives the near side of its CLAT, of the range of RFC 7335."""
_CLAT_MTU_BYTES = 28
_FIRST_PORT, _LAST_PORT = 32_768, 60_999
VPN_IPV4 = IPv4Interface("10.215.173.1/30")
VPN_IPV6 = IPv6Interface("fd00:2:fd00:1:fd00:1:fd00:1/128")
"""What PCAPdroid gives its VPN, on every phone."""
_VPN_ROUTES = (IPv6Network("2000::/3"), IPv6Network("fc00::/7"))


@dataclass(frozen=True)
class Interface:
    """A network interface as `ip addr` shows it."""

    name: str
    mac: str | None
    addresses: tuple[IPv4Interface | IPv6Interface, ...]
    mtu: int
    up: bool


@dataclass(frozen=True)
class Endpoint:
    """An address and a UDP port."""

    address: Address
    port: int


def nat64(address: IPv4Address) -> IPv6Address:
    """The IPv6 address under which a NAT64 offers an IPv4 one (RFC 6052 section 2.2)."""
    return IPv6Address(int(NAT64_PREFIX.network_address) | int(address))


def folded(address: Address) -> Address:
    """The IPv4 address behind a NAT64 one; any other address as it is."""
    if isinstance(address, IPv6Address) and address in NAT64_PREFIX:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


class Access:
    """One phone's network in one attempt: its interface addresses, MACs, NAT mappings, delay and loss.

    A NAT maps by local socket alone (RFC 4787 REQ-1), so one mapping serves every destination of that socket.
    `reserved` are addresses that no phone may get: the hotspot's own, the STUN servers'. Where the network's addresses
    are constant they are drawn by `name` alone.
    """

    def __init__(
        self, spec: AccessNetwork, chance: random.Random, reserved: Iterable[Address] = (), name: str = ""
    ) -> None:
        self.spec, self._reserved = spec, frozenset(reserved)
        draw = self._draw = random.Random(f"addresses/{name}") if spec.addresses == "constant" else chance
        self.mac, self.gateway_mac = drawn_mac(draw), drawn_mac(draw)
        self.ipv4 = self._interface_ipv4() if not spec.clat else _CLAT_IPV4
        self.ipv6 = self._interface_ipv6()
        self.link_local = IPv6Interface((int(_LINK_LOCAL) | draw.getrandbits(64), 64))
        self.clat = self._clat_ipv6()
        self._public = self._share(spec.nat_pool)
        self._nat64 = self._share(spec.nat64_pool) if spec.nat64_pool is not None else []
        self._mappings: dict[tuple[Endpoint, Address | None], Endpoint] = {}
        self._below: Access | None = None
        self.up = True
        draw = self._draw = chance
        self._next_port = draw.randrange(34_000, 42_000)
        self.delay_ns = draw.randint(spec.delay_low_us, spec.delay_high_us) * 1000
        self.jitter_ns = spec.jitter_us * 1000
        self.loss_ppm = draw.randint(spec.loss_low_ppm, spec.loss_high_ppm)

    def through_vpn(self, ipv6: bool) -> Access:
        """The same network as an app meets it behind PCAPdroid's VPN: with the VPN's addresses, and no CLAT to see.

        Its proxy opens a socket of its own for each conversation, so what the far end sees differs from one far end to
        the next, and comes from the network below. NAT64's prefix is on none of its routes.
        """
        inner = copy.copy(self)
        inner.ipv4, inner.ipv6, inner.clat = VPN_IPV4, VPN_IPV6 if ipv6 else None, None
        inner._below = self
        return inner

    def local(self, destination: Address) -> Address | None:
        """The source address towards a destination; None where the phone has no route of that family."""
        if isinstance(destination, IPv4Address):
            return self.ipv4.ip
        if self._below is not None and not any(destination in network for network in _VPN_ROUTES):
            return None
        return self.ipv6.ip if self.ipv6 is not None else None

    def open_port(self) -> int:
        """A local UDP port that no socket has had for more than an hour.

        Linux gives them out of a range, over and over (ip_local_port_range; its default).
        """
        self._next_port += self._draw.randrange(1, 17)
        if self._next_port > _LAST_PORT:
            self._next_port -= _LAST_PORT - _FIRST_PORT
        return self._next_port

    def mapped(self, socket: Endpoint, destination: Address) -> Endpoint:
        """What the far end sees as the source of a socket's datagrams: behind NAT44, NAT64, or the socket itself."""
        through_nat64 = self.spec.clat and isinstance(socket.address, IPv4Address)
        through_nat64 |= isinstance(destination, IPv6Address) and destination in NAT64_PREFIX
        key = (socket, None if self._below is None else destination)
        native = isinstance(socket.address, IPv6Address) and not through_nat64
        if native and self._below is None:
            return socket
        if key not in self._mappings:
            shared = self._nat64 if through_nat64 else self._public
            public = self._below.ipv6.ip if native and self._below and self._below.ipv6 else self._draw.choice(shared)
            self._mappings[key] = Endpoint(public, self._draw.randrange(1024, 65_000))
        return self._mappings[key]

    def delay(self, draw: random.Random) -> int:
        """The one-way delay of one datagram, in nanoseconds."""
        return self.delay_ns + draw.randrange(self.jitter_ns + 1)

    def interfaces(self) -> list[Interface]:
        """Loopback, the interface that leads to the Internet and, with a CLAT, the one stacked on it."""
        name, mtu = self.spec.interface, self.spec.mtu
        loopback = (IPv4Interface("127.0.0.1/8"), IPv6Interface("::1/128"))
        addresses = (*((self.ipv6,) if self.ipv6 is not None else ()), self.link_local)
        mac = self.mac if self.spec.link == "ethernet" else None
        found = [Interface("lo", None, loopback, 65_536, True)]
        if not self.up:
            return [*found, Interface(name, mac, (), mtu, False)]
        if self.spec.clat:
            stacked = Interface(f"v4-{name}", None, (self.ipv4,), mtu - _CLAT_MTU_BYTES, True)
            return [*found, Interface(name, mac, addresses, mtu, True), stacked]
        return [*found, Interface(name, mac, (self.ipv4, *addresses), mtu, True)]

    def towards(self, destination: Address) -> Interface | None:
        """The interface that the routing table names; None where there is no route of that family."""
        if self.local(destination) is None:
            return None
        _, underneath, *stacked = self.interfaces()
        return stacked[0] if stacked and isinstance(destination, IPv4Address) else underneath

    def on_wire(self, socket: Endpoint, remote: Endpoint) -> tuple[Endpoint, Endpoint]:
        """A local socket and its far end as frames show them: a CLAT makes IPv6 of IPv4 (RFC 6877)."""
        if self.clat is None or not isinstance(remote.address, IPv4Address):
            return socket, remote
        return Endpoint(self.clat, socket.port), Endpoint(nat64(remote.address), remote.port)

    def own(self) -> set[Address]:
        """The addresses that can be used beyond the link; the near side of a CLAT is the same on every phone."""
        return {self.clat or self.ipv4.ip, *([self.ipv6.ip] if self.ipv6 is not None else [])}

    def _interface_ipv4(self) -> IPv4Interface:
        network = self._draw.choice(self.spec.ipv4)
        while True:
            address = drawn_host(network, self._draw)
            found = IPv4Interface((address, self.spec.ipv4_prefix))
            edges = (found.network.network_address, found.network.broadcast_address)
            if address not in edges and address not in self._reserved:
                return found

    def _interface_ipv6(self) -> IPv6Interface | None:
        if self.spec.ipv6 is None:
            return None
        subnets = 64 - self.spec.ipv6.prefixlen
        subnet = self._draw.getrandbits(subnets) if subnets else 0
        base = int(self.spec.ipv6.network_address) | subnet << 64
        return IPv6Interface((base | self._draw.getrandbits(64), 64))

    def _clat_ipv6(self) -> IPv6Address | None:
        """The address of the /64 that the CLAT keeps for itself."""
        if not self.spec.clat or self.ipv6 is None:
            return None
        return self.ipv6.network[self._draw.getrandbits(64)]

    def _share(self, pool: IPv4Network) -> list[IPv4Address]:
        """The public addresses of this pool that the phone's flows may come from."""
        wanted = _POOL_SHARE if self.spec.nat == "per_flow" else 1
        share: list[IPv4Address] = []
        while len(share) < wanted:
            address = drawn_host(pool, self._draw)
            if address not in share and address not in self._reserved:
                share.append(address)
        return share


def drawn_mac(draw: random.Random) -> str:
    """A MAC as a phone makes one up for a network: locally administered, of one client."""
    octets = [draw.randrange(256) & 0xFC | 0x02, *(draw.randrange(256) for _ in range(5))]
    return ":".join(f"{octet:02x}" for octet in octets)


def drawn_host(network: IPv4Network, draw: random.Random) -> IPv4Address:
    """An address of a network that a host may have."""
    return network[draw.randrange(1, network.num_addresses - 1)]
