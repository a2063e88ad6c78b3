"""Whose address is this? Roles by how an address was learned, never by what its range is called (DESIGN, Addresses)."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Literal

import numpy as np

from correlate.pairs.window import Window
from correlate.stun import (
    ALLOCATED,
    CLIENT_ADDRESSES,
    RELAY_ADDRESSES,
    SERVER_ADDRESSES,
    TURN_REQUESTS,
    Message,
    is_success,
)
from correlate.trace import Datagrams
from correlate.trace.addresses import Address, fold
from correlate.trace.records import Mask
from correlate.trace.tcp import Segments

Role = Literal["public", "private", "global"]
"""`global`: a global IPv6 address of an interface that nobody outside was seen to see. Nothing translates it as a rule,
but whether the world reaches the phone there nobody proved, so it is neither of the others."""
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

COMMON_SHARE = 0.9
"""At a phone's own interface, or its hotspot's, all but a little multicast has the phone at one end."""


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
    its own trace; `remote` are the far ends of its UDP conversations and of TCP connections with STUN; `relays` are
    XOR-RELAYED and ALTERNATE-SERVER addresses in its trace; `named` are what a server's responses say of its own
    addresses (RFC 5780 7.3, 7.4).
    """

    interface: frozenset[Address]
    probed: frozenset[Address]
    mapped: frozenset[Address]
    remote: frozenset[Address]
    relays: frozenset[Address]
    named: frozenset[Address] = frozenset()


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
    ends += [(fold(each.src), fold(each.dst)) for each in window.messages if each.transport == "tcp"]
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
        relays=_named(window.messages, RELAY_ADDRESSES),
        named=_named(responses, SERVER_ADDRESSES),
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
    servers = (a.remote | b.remote | relays | a.named | b.named) - own_a.keys() - own_b.keys()
    return Known(own_a, own_b, frozenset(address for address in servers if not is_clat(address)))


def _own(side: Learned, relays: frozenset[Address]) -> dict[Address, Role]:
    public = side.probed | (side.mapped - side.remote - relays)
    roles: dict[Address, Role] = {
        address: "global" if address.version == 6 and is_global_unicast(address) else "private"
        for address in side.interface
    }
    roles.update({address: "public" for address in public})
    return {address: role for address, role in roles.items() if not is_clat(address)}


def fits(window: Window, own: frozenset[Address]) -> bool:
    """Whether these addresses are the phone's: one of them is an end of at least half of the packets of each IP version
    that the capture has. Without any packet, whether the markers came from one; nothing contradicts where there are
    none either."""
    total, hits = _ends(window, own)
    if not total:
        return window.sender is None or window.sender in own
    return all(2 * hits[version] >= count for version, count in total.items())


def is_blind(window: Window, own: frozenset[Address]) -> bool:
    """Whether less than half of the packets have one of these addresses at an end."""
    total, hits = _ends(window, own)
    return 2 * hits.total() < total.total()


def _ends(window: Window, own: frozenset[Address]) -> tuple[Counter[int], Counter[int]]:
    """By IP version: UDP datagrams and TCP segments with payload, and how many have an address of `own` at an end.
    Multicast, link-local addresses and CLAT constants tell nothing."""
    total, hits = Counter[int](), Counter[int]()
    of: Datagrams | Segments
    for of in (window.trace.udp, window.segments.with_payload()):
        is_own = np.array([fold(each) in own for each in of.addresses], dtype=bool)
        is_telling = np.array(
            [not (each.is_multicast or each.is_link_local or is_clat(each)) for each in of.addresses], dtype=bool
        )
        versions = np.array([each.version for each in of.addresses], dtype=np.int8)
        counts = is_telling[of.src] & is_telling[of.dst]
        for version in (4, 6):
            rows = counts & (versions[of.src] == version)
            total[version] += int(rows.sum())
            hits[version] += int((rows & (is_own[of.src] | is_own[of.dst])).sum())
    return +total, hits


def inferred(window: Window) -> frozenset[Address]:
    """The phone's interface addresses as its capture tells them, folded; none where it does not tell.

    Whoever sends the markers, and TURN requests, is the phone. Of an IP version without TURN requests, the one address
    that is an end of at least nine tenths of the UDP datagrams and TCP segments, if there is just one such.
    """
    clients = {fold(message.src) for message in window.messages if message.type in TURN_REQUESTS}
    found = clients | ({window.sender} if window.sender else set())
    for version in (4, 6):
        if not any(address.version == version for address in clients):
            found |= _common_end(window, version)
    return frozenset(found)


def _common_end(window: Window, version: int) -> set[Address]:
    counted: Counter[Address] = Counter()
    total = 0
    of: Datagrams | Segments
    for of in (window.trace.udp, window.segments.with_payload()):
        ends, counts = np.unique(np.stack([of.src, of.dst]), axis=1, return_counts=True)
        for src, dst, count in zip(*ends.tolist(), counts.tolist(), strict=True):
            source, target = fold(of.addresses[src]), fold(of.addresses[dst])
            if source.version == target.version == version and not source.is_multicast and not target.is_multicast:
                total += count
                for address in {source, target}:
                    counted[address] += count
    common = {address for address, count in counted.items() if count >= COMMON_SHARE * total and not is_clat(address)}
    return common if len(common) == 1 else set()
