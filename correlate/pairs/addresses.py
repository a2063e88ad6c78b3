"""Whose address is this? Roles by how an address was learned, never by what its range is called (DESIGN, Addresses)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Literal

import numpy as np

from correlate.pairs.window import Window
from correlate.stun import ALLOCATED, CLIENT_ADDRESSES, SERVER_ADDRESSES, Message, is_success
from correlate.trace import Datagrams
from correlate.trace.addresses import Address, fold
from correlate.trace.records import Mask

Role = Literal["public", "private"]
OwnAddresses = Mapping[Address, int]
"""A phone's own addresses (folded): HOST, those of its interfaces, or SERVER_REFLEXIVE, those that only others see (RFC
8445 4). Of two own addresses the host's is the phone's end: phones behind one NAT that talk to each other have its
public address at the far end (hairpin, RFC 4787 6)."""
HOST, SERVER_REFLEXIVE = 2, 1

CLAT = IPv4Network("192.0.0.0/29")
"""IPv4 Service Continuity Prefix (RFC 7335): the same constants on every phone, so they tell nothing about one."""

NOT_GLOBAL_V4 = tuple(
    IPv4Network(text)
    for text in [
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "224.0.0.0/3",
    ]
)
GLOBAL_V6 = IPv6Network("2000::/3")


def folded(recorded: Iterable[Address]) -> frozenset[Address]:
    """Recorded addresses, folded; a zone is left out."""
    return frozenset(fold(type(address)(int(address))) for address in recorded)


@lru_cache(maxsize=65536)
def is_clat(address: Address) -> bool:
    """One of the constants that 464XLAT puts on a phone's own stack."""
    return isinstance(address, IPv4Address) and address in CLAT


@lru_cache(maxsize=65536)
def is_global_unicast(address: Address) -> bool:
    """An address that names one place on the internet. Documentation ranges count: the virtual bench lives there."""
    if isinstance(address, IPv6Address):
        return address in GLOBAL_V6
    return not any(address in network for network in NOT_GLOBAL_V4)


@dataclass(frozen=True)
class Learned:
    """What one phone's own side tells about addresses, all folded.

    `interface` and `probed` were recorded for the trial; `mapped` stood in STUN responses that reached the phone in
    its own trace; `remote` are the far ends of its UDP conversations; `relays` are XOR-RELAYED and ALTERNATE-SERVER
    addresses in its trace.
    """

    interface: frozenset[Address]
    probed: frozenset[Address]
    mapped: frozenset[Address]
    remote: frozenset[Address]
    relays: frozenset[Address]


def own_addresses(host: Iterable[Address], server_reflexive: Iterable[Address]) -> OwnAddresses:
    """What is in both is the host's."""
    return {**dict.fromkeys(server_reflexive, SERVER_REFLEXIVE), **dict.fromkeys(host, HOST)}


def is_sent(udp: Datagrams, own: OwnAddresses) -> Mask:
    """Which rows the phone sends."""
    nearness = np.array([own.get(fold(address), 0) for address in udp.addresses], dtype=np.int8)
    src, dst = nearness[udp.src], nearness[udp.dst]
    return np.asarray((src > 0) & (src >= dst))


def learn(window: Window, interface: frozenset[Address], probed: frozenset[Address]) -> Learned:
    """What this side tells about whose address is which. What an Allocate response maps is the client's, whoever else
    is met at that address (RFC 8656 7.3)."""
    own = own_addresses(interface, probed)
    ends = [(fold(flow.a), fold(flow.b)) for flow in window.flows.table]
    remote = {other for a, b in ends for end, other in ((a, b), (b, a)) if own.get(end, 0) > own.get(other, 0)}
    responses = [
        message
        for message in window.messages
        if is_success(message.type) and fold(message.dst) in own and fold(message.src) not in own
    ]
    allocated = [message for message in responses if message.type == ALLOCATED]
    return Learned(
        interface=interface,
        probed=probed,
        mapped=_named(responses, CLIENT_ADDRESSES),
        remote=frozenset(remote) - _named(allocated, CLIENT_ADDRESSES),
        relays=_named(window.messages, SERVER_ADDRESSES),
    )


def _named(messages: Iterable[Message], attributes: tuple[int, ...]) -> frozenset[Address]:
    """The addresses (folded) in these attributes."""
    return frozenset(fold(address) for each in messages for kind, address, _ in each.addresses if kind in attributes)


@dataclass(frozen=True)
class Known:
    """Two phones' own addresses by role, CLAT constants left out, and the addresses of servers."""

    a: Mapping[Address, Role]
    b: Mapping[Address, Role]
    servers: frozenset[Address]


def attribute(a: Learned, b: Learned) -> Known:
    """Tells own addresses from servers' for both phones of a trial.

    A mapped address that the same phone talks to, or that a relay was given, is a server's: checks through a relay
    are answered with the relay's address. What either phone owns is taken out of the servers, so a direct peer is none.
    """
    relays = a.relays | b.relays
    own_a, own_b = _own(a, relays), _own(b, relays)
    servers = (a.remote | b.remote | relays) - own_a.keys() - own_b.keys()
    return Known(own_a, own_b, frozenset(address for address in servers if not is_clat(address)))


def _own(side: Learned, relays: frozenset[Address]) -> dict[Address, Role]:
    public = side.probed | (side.mapped - side.remote - relays)
    roles: dict[Address, Role] = {address: "private" for address in side.interface}
    roles.update({address: "public" for address in public})
    return {address: role for address, role in roles.items() if not is_clat(address)}
