"""Endpoint identifiability (paper 3.3, 4.1): whose addresses does the other side's network see, and by which route do
the media go?"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from correlate.columns import Reason, explained
from correlate.pairs import CallPair, Sided, Vantage
from correlate.pairs.addresses import Role, is_clat, is_global_unicast
from correlate.pairs.frames import Evidence, Frame, evidence
from correlate.pairs.transport import MEDIA_NOT_UDP
from correlate.pairs.window import IP_HEADER, Sighting
from correlate.trace.addresses import Address

ROLES: tuple[Role, ...] = ("public", "private")
CONNECTING_NS = 3_000_000_000
"""A call that was answered takes up to this long until media flow; in that time the wire does not tell the answer."""


@dataclass(frozen=True)
class Seen:
    """An address of one phone at one place in the other's trace: the IP header or a STUN attribute, the innermost
    container of a nested message (`data`, `channel` or None), and when that place first shows it: `before` the answer,
    `at` it (up to CONNECTING_NS before media flow both ways) or `after` it; None without an answer."""

    address: str
    role: str
    where: str
    nested: str | None
    answer: str | None


@dataclass(frozen=True)
class Endpoint:
    """One phone, captured at `vantage`. `exposed_*`: an address of it with that role is visible in the *other* phone's
    trace; `seen` lists these and the places. `clat` and `unexplained` are of this phone's own trace: 464XLAT constants,
    and global unicast addresses in STUN attributes that belong to neither phone nor to a server. `no_disclosure` is of
    the trial: nothing of either phone is seen; None where something unexplained forbids to say so. What was not seen is
    None, not False, where the phone's addresses were not recorded, or are not those of its capture: it may have others;
    so is `exposed_private` where the other's trace shows in an attribute an address that both phones have, as two VPNs
    of one app do: whose it is there nobody tells. `routing` is None without a conversation. `foreign_packets` are those
    of this trace's UDP flows with no end at this phone, or with both alike its own: nothing counts them, and many of
    them mean that an address of the phone was not
    recorded. The answer is what the trace that shows an address tells of it: media flow both ways from a frame on
    (`Vantage.answered`)."""

    phone: str
    vantage: str | None
    exposed_public: bool | None
    exposed_private: bool | None
    seen: tuple[Seen, ...]
    clat: tuple[str, ...]
    unexplained: tuple[str, ...]
    no_disclosure: bool | None
    established: bool
    p2p_observed: bool
    routing: str | None
    direct_payload_bytes: int | None
    relayed_payload_bytes: int | None
    foreign_packets: int
    evidence: tuple[Evidence, ...]
    reasons: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""

    @property
    def exposed(self) -> dict[Role, bool | None]:
        """`exposed_public` and `exposed_private` by the role."""
        return {"public": self.exposed_public, "private": self.exposed_private}


def measure(pair: CallPair) -> Sided[Endpoint]:
    """Exposure of both phones, and the route: `p2p` if at least half of the media's payload bytes go directly."""
    unexplained = {"a": unexplained_in(pair.a, pair), "b": unexplained_in(pair.b, pair)}
    seen = {"a": exposure(pair.a, pair.b, pair), "b": exposure(pair.b, pair.a, pair)}
    silent = not seen["a"] and not seen["b"]
    recorded = pair.a.recorded and pair.b.recorded
    shared = {"a": shared_private(pair.a, pair.b), "b": shared_private(pair.b, pair.a)}
    blocked = any([*unexplained.values(), *shared.values(), not recorded])
    direct_bytes, relayed_bytes = (_payload_bytes(pair, kind) for kind in ("direct", "server"))
    routing = ("p2p" if direct_bytes >= relayed_bytes else "relay") if pair.media_udp else None
    reasons = _reasons(pair, silent and blocked, shared["a"] | shared["b"])

    def side(own: Vantage, other: Vantage, key: str) -> Endpoint:
        finding = Endpoint(
            phone=own.phone,
            vantage=own.seen_at,
            exposed_public=_seen_as("public", seen[key], own.recorded),
            exposed_private=_seen_as("private", seen[key], own.recorded and not shared[key]),
            seen=seen[key],
            clat=tuple(sorted(str(address) for address in own.visible if is_clat(address))),
            unexplained=tuple(str(address) for address in unexplained[key]),
            no_disclosure=None if silent and blocked else silent,
            established=pair.established,
            p2p_observed=_p2p_observed(pair),
            routing=routing,
            direct_payload_bytes=None if pair.media_not_udp else direct_bytes,
            relayed_payload_bytes=None if pair.media_not_udp else relayed_bytes,
            foreign_packets=foreign_packets(own),
            evidence=evidence(_facts(own, other, pair, unexplained[key])),
        )
        return explained(finding, reasons)

    return Sided(side(pair.a, pair.b, "a"), side(pair.b, pair.a, "b"))


def _reasons(pair: CallPair, is_blocked: bool, shared: frozenset[Address]) -> list[Reason]:
    reasons = []
    if None in (pair.a.seen_at, pair.b.seen_at):
        reasons.append(Reason(("vantage",), "where a phone was captured was not recorded"))
    if pair.media_not_udp:
        reasons.append(Reason(("routing", "answer", "direct", "relayed"), MEDIA_NOT_UDP))
    elif not pair.media_udp:
        reasons.append(Reason(("routing", "answer"), "no conversation"))
    elif pair.a.answered is None or pair.b.answered is None:
        reasons.append(Reason(("answer",), "media do not flow both ways at once"))
    if not (pair.a.recorded and pair.b.recorded):
        text = "addresses of a phone were not recorded, or are not those of its capture"
        reasons.append(Reason(("exposed", "no_disclosure"), text))
    elif shared:
        named = ", ".join(sorted(map(str, shared)))
        columns = ("exposed_private", "no_disclosure") if is_blocked else ("exposed_private",)
        reasons.append(Reason(columns, f"both phones have {named}, which a STUN attribute shows"))
    elif is_blocked:
        reasons.append(Reason(("no_disclosure",), "an unexplained address stands in a STUN attribute"))
    return reasons


def _facts(
    own: Vantage, other: Vantage, pair: CallPair, unexplained: tuple[Address, ...]
) -> Iterator[tuple[str, str, Frame | None]]:
    """Where the other phone's trace shows this one, its answer, and what nobody explains in this one's trace."""
    for address, role, place in _exposed(own, other):
        yield f"{role} address {address}, {place}", other.phone, place.frame
    for address in unexplained:
        place = next(each for each in own.visible[address] if each.where != IP_HEADER)
        yield f"unexplained address {address}, {place}", own.phone, place.frame
    if pair.media_udp:
        yield "answer: media flow both ways from here", other.phone, other.answered


def _seen_as(role: str, seen: tuple[Seen, ...], is_decided: bool) -> bool | None:
    return any(each.role == role for each in seen) or (False if is_decided else None)


def shared_private(of: Vantage, to: Vantage) -> frozenset[Address]:
    """Private addresses of one phone that the other has as well, and that the other's trace shows in a STUN attribute.

    They may be the one's or the other's. What is in IP headers there is the other's own.
    """
    both = (address for address, role in of.own.items() if role == "private" and address in to.own)
    shown = (address for address in both if any(each.where != IP_HEADER for each in to.visible.get(address, ())))
    return frozenset(shown)


def exposure(of: Vantage, to: Vantage, pair: CallPair) -> tuple[Seen, ...]:
    """The addresses of one phone that the other phone's trace shows, place by place."""
    answered = to.answered if pair.media_udp else None
    return tuple(
        Seen(str(address), role, place.where, place.nested, _relative(place.frame, answered))
        for address, role, place in _exposed(of, to)
    )


def _exposed(of: Vantage, to: Vantage) -> Iterator[tuple[Address, Role, Sighting]]:
    """What both phones own, as the public address of one NAT, is the other's only where it is the far end of their
    direct path. What a server has is in neither phone's own addresses (`correlate.pairs.addresses`)."""
    far = {each.remote for each in to.of_kind("direct")}
    for address, role in sorted(of.own.items(), key=lambda item: str(item[0])):
        for place in to.visible.get(address, ()):
            if address not in to.own or (address in far and place.where == IP_HEADER):
                yield address, role, place


def _relative(frame: Frame, media: Frame | None) -> str | None:
    """Before, at or after the answer, told by the frame from which media flow both ways."""
    if media is None:
        return None
    if frame.number >= media.number:
        return "after"
    return "at" if media.time_ns - frame.time_ns <= CONNECTING_NS else "before"


def unexplained_in(vantage: Vantage, pair: CallPair) -> tuple[Address, ...]:
    """Global unicast addresses in STUN attributes of a trace that belong to nobody known."""
    known = pair.a.own.keys() | pair.b.own.keys() | pair.servers
    found = (
        address
        for address, places in vantage.visible.items()
        if address not in known and is_global_unicast(address) and any(each.where != IP_HEADER for each in places)
    )
    return tuple(sorted(found, key=str))


def foreign_packets(vantage: Vantage) -> int:
    """Packets of UDP flows that are no conversation of this phone with somebody else."""
    all_packets = sum(flow.packets_ab + flow.packets_ba for flow in vantage.flows.table)
    return all_packets - vantage.repeats.left_out - sum(each.both.packets for each in vantage.conversations)


def _payload_bytes(pair: CallPair, kind: str) -> int:
    media = [each.media for side in (pair.a, pair.b) for each in side.of_kind(kind)]
    return sum((each.tx + each.rx).payload_bytes for each in media)


def _p2p_observed(pair: CallPair) -> bool:
    return any(each.tx.packets and each.rx.packets for side in (pair.a, pair.b) for each in side.of_kind("direct"))
