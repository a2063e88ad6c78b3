"""Endpoint identifiability (paper 3.3, 4.1): whose addresses does the other side's network see, and by which route do
the media go?"""

from __future__ import annotations

from dataclasses import dataclass

from correlate.pairs import CallPair, Vantage
from correlate.pairs.addresses import Address, is_clat, is_global_unicast
from correlate.pairs.sided import Sided
from correlate.pairs.transport import MEDIA_NOT_UDP
from correlate.pairs.vantage import IP_HEADER


@dataclass(frozen=True)
class Seen:
    """An address that a trace shows, and where: the IP header or STUN attributes."""

    address: str
    role: str
    where: tuple[str, ...]


@dataclass(frozen=True)
class Endpoint:
    """One phone. `exposed_*`: an address of it with that role is visible in the *other* phone's trace; `seen` lists
    these. `clat` and `unexplained` are of this phone's own trace: 464XLAT constants, and global unicast addresses in
    STUN attributes that belong to neither phone nor to a server. `no_disclosure` is of the trial: nothing of either
    phone is seen; None where something unexplained forbids to say so. What was not seen is None, not False, where the
    phone's addresses were not recorded: it may have others. `routing` is None without a conversation.
    `foreign_packets` are those of this trace's UDP flows with no end, or both, at this phone: nothing counts them, and
    many of them mean that an address of the phone was not recorded."""

    phone: str
    exposed_public: bool | None
    exposed_private: bool | None
    seen: tuple[Seen, ...]
    clat: tuple[str, ...]
    unexplained: tuple[str, ...]
    no_disclosure: bool | None
    established: bool
    p2p_observed: bool
    routing: str | None
    direct_payload_bytes: int
    relayed_payload_bytes: int
    foreign_packets: int
    reason: str


def measure(pair: CallPair) -> Sided[Endpoint]:
    """Exposure of both phones, and the route: `p2p` if at least half of the media's payload bytes go directly."""
    seen = {"a": exposure(pair.a, pair.b, pair.servers), "b": exposure(pair.b, pair.a, pair.servers)}
    unexplained = {"a": unexplained_in(pair.a, pair), "b": unexplained_in(pair.b, pair)}
    silent = not seen["a"] and not seen["b"]
    recorded = pair.a.recorded and pair.b.recorded
    blocked = bool(unexplained["a"] or unexplained["b"]) or not recorded
    direct_bytes, relayed_bytes = (_payload_bytes(pair, kind) for kind in ("direct", "server"))
    routing = ("p2p" if direct_bytes >= relayed_bytes else "relay") if pair.media_udp else None
    reasons = [] if routing else [f"routing: {MEDIA_NOT_UDP if pair.media_not_udp else 'no conversation'}"]
    if not recorded:
        reasons.append("exposed, no_disclosure: addresses of a phone were not recorded")
    elif silent and blocked:
        reasons.append("no_disclosure: an unexplained address stands in a STUN attribute")

    def side(vantage: Vantage, key: str) -> Endpoint:
        return Endpoint(
            phone=vantage.phone,
            exposed_public=_seen_as("public", seen[key], vantage),
            exposed_private=_seen_as("private", seen[key], vantage),
            seen=seen[key],
            clat=tuple(sorted(str(address) for address in vantage.visible if is_clat(address))),
            unexplained=unexplained[key],
            no_disclosure=None if silent and blocked else silent,
            established=pair.established,
            p2p_observed=_p2p_observed(pair),
            routing=routing,
            direct_payload_bytes=direct_bytes,
            relayed_payload_bytes=relayed_bytes,
            foreign_packets=foreign_packets(vantage),
            reason="; ".join(reasons),
        )

    return Sided(side(pair.a, "a"), side(pair.b, "b"))


def _seen_as(role: str, seen: tuple[Seen, ...], vantage: Vantage) -> bool | None:
    return any(each.role == role for each in seen) or (False if vantage.recorded else None)


def exposure(of: Vantage, to: Vantage, servers: frozenset[Address]) -> tuple[Seen, ...]:
    """The addresses of one phone that the other phone's trace shows; what the other phone or a server owns is none."""
    return tuple(
        Seen(str(address), role, to.visible[address])
        for address, role in sorted(of.own.items(), key=lambda item: str(item[0]))
        if address in to.visible and address not in to.own and address not in servers
    )


def unexplained_in(vantage: Vantage, pair: CallPair) -> tuple[str, ...]:
    """Global unicast addresses in STUN attributes of a trace that belong to nobody known."""
    known = pair.a.own.keys() | pair.b.own.keys() | pair.servers
    return tuple(
        sorted(
            str(address)
            for address, where in vantage.visible.items()
            if where != (IP_HEADER,) and address not in known and is_global_unicast(address)
        )
    )


def foreign_packets(vantage: Vantage) -> int:
    """Packets of UDP flows that are no conversation of this phone with somebody else."""
    all_packets = sum(flow.packets_ab + flow.packets_ba for flow in vantage.flows.table)
    return all_packets - sum(each.tx_packets + each.rx_packets for each in vantage.conversations)


def _payload_bytes(pair: CallPair, kind: str) -> int:
    media = [each.media for side in (pair.a, pair.b) for each in side.of_kind(kind)]
    return sum(each.tx_payload_bytes + each.rx_payload_bytes for each in media)


def _p2p_observed(pair: CallPair) -> bool:
    return any(each.tx_packets and each.rx_packets for side in (pair.a, pair.b) for each in side.of_kind("direct"))
