"""Endpoint identifiability (paper 3.3, 4.1): whose addresses does the other side's network see, and by which route do
the media go?"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from correlate.columns import Reason, explained
from correlate.pairs import CallPair, Sided, Vantage
from correlate.pairs.addresses import Role, is_clat, is_global_unicast
from correlate.pairs.conversations import Conversation
from correlate.pairs.established import named
from correlate.pairs.frames import Evidence, Frame, evidence
from correlate.pairs.transport import MEDIA_NOT_UDP
from correlate.pairs.unseen import Unseen
from correlate.pairs.window import IP_HEADER, Sighting
from correlate.stun import NAMES
from correlate.trace.addresses import Address

ROLES: tuple[Role, ...] = ("public", "private")
NAMED = frozenset(NAMES.values())
"""Attributes that hold addresses: another that looks as if it did may be anything."""
MAX_SHOWN = 8
UNRECORDED = "addresses of a phone were not recorded, or are not those of its capture"
UNEXPLAINED = "an unexplained address stands in a STUN attribute"
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
    trace; `seen` lists these and the places. `clat`, `unexplained` and `unseen` are of this phone's own trace: 464XLAT
    constants; global unicast addresses in STUN attributes that belong to neither phone nor to a server, and addresses
    of the other phone in bytes that nothing decodes; STUN that was not there to be looked at. `no_disclosure` is of
    the trial: nothing of either phone is seen.

    "Not seen" is False only where everything was looked at, else None: where the phone has no address of that role that
    anybody knew, or its addresses are not those of its capture; where the other's trace has unseen STUN, or the address
    in bytes that are no chance; where it shows in an attribute a private address that both phones have, as two VPNs of
    one app do. A `global` address (`correlate.pairs.addresses.Role`) that is seen leaves `exposed_public` None.
    Something unexplained in either trace leaves `no_disclosure` None as well.

    `established` is None where one side or a path that no rule claims shows what may be a conversation, `routing` then
    and without a conversation. `foreign_packets` are those of this trace's UDP flows with no end at this
    phone, or with both alike its own: nothing counts them, and many of them mean that an address of the phone was not
    recorded. `mixed_up` says why the two captures are not the two sides of one call; empty where nothing says so. The
    answer is what the trace that shows an address tells of it: media flow both ways from a frame on
    (`Vantage.answered`)."""

    phone: str
    vantage: str | None
    exposed_public: bool | None
    exposed_private: bool | None
    seen: tuple[Seen, ...]
    clat: tuple[str, ...]
    unexplained: tuple[str, ...]
    unseen: tuple[str, ...]
    no_disclosure: bool | None
    established: bool | None
    p2p_observed: bool
    routing: str | None
    direct_payload_bytes: int | None
    relayed_payload_bytes: int | None
    foreign_packets: int
    mixed_up: str
    evidence: tuple[Evidence, ...]
    reasons: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""

    @property
    def exposed(self) -> dict[Role, bool | None]:
        """`exposed_public` and `exposed_private` by the role."""
        return {"public": self.exposed_public, "private": self.exposed_private}


def measure(pair: CallPair) -> Sided[Endpoint]:
    """Exposure of both phones, and the route: `p2p` if at least half of the media's payload bytes go directly."""
    sides = ((pair.a, pair.b), (pair.b, pair.a))
    seen = [exposure(of, to, pair) for of, to in sides]
    doubts = [_doubts(of, to) for of, to in sides]
    silent = not any(seen)
    unexplained = [unexplained_in(of, pair) for of, _ in sides]
    direct_bytes, relayed_bytes = (_payload_bytes(pair, kind) for kind in ("direct", "server"))
    routing = _routing(direct_bytes, relayed_bytes, pair) if pair.has_media else None
    blocks = dict.fromkeys(each.text for every in doubts for each in every) if silent else {}
    if silent and any(unexplained):
        blocks[UNEXPLAINED] = None

    def side(own: Vantage, other: Vantage, number: int) -> Endpoint:
        found = {role: _seen_as(role, seen[number], doubts[number]) for role in ROLES}
        finding = Endpoint(
            phone=own.phone,
            vantage=own.seen_at,
            exposed_public=found["public"],
            exposed_private=found["private"],
            seen=seen[number],
            clat=tuple(sorted(str(address) for address in own.visible if is_clat(address))),
            unexplained=(*map(str, unexplained[number]), *map(str, own.hits)),
            unseen=_shown(own.unseen),
            no_disclosure=None if blocks else silent,
            established=pair.established,
            p2p_observed=_p2p_observed(pair),
            routing=routing,
            direct_payload_bytes=None if pair.media_not_udp else direct_bytes,
            relayed_payload_bytes=None if pair.media_not_udp else relayed_bytes,
            foreign_packets=foreign_packets(own),
            mixed_up=pair.mixed_up,
            evidence=evidence(_facts(own, other, pair, unexplained[number])),
        )
        return explained(finding, [*_reasons(pair, routing), *_doubtful(doubts[number], found, list(blocks))])

    return Sided(side(pair.a, pair.b, 0), side(pair.b, pair.a, 1))


@dataclass(frozen=True)
class Doubt:
    """Why nobody can say "not seen" of the addresses of one phone that have these roles."""

    roles: tuple[Role, ...]
    text: str


def _doubts(of: Vantage, to: Vantage) -> list[Doubt]:
    """Of the addresses of one phone in the other's trace."""
    found = []
    if not of.recorded:
        found.append(Doubt(ROLES, UNRECORDED))
    elif "public" not in of.own.values():
        found.append(Doubt(("public",), f"no public address of {of.phone} is known: no probe and no response told one"))
    if shared := shared_private(of, to):
        named = ", ".join(sorted(map(str, shared)))
        found.append(Doubt(("private",), f"both phones have {named}, which a STUN attribute shows"))
    for address, role in of.own.items():
        if role == "global" and any(place for _, _, place in _exposed(of, to, address)):
            text = f"{address} of an interface of {of.phone} is seen, and no probe told whether it is public"
            found.append(Doubt(("public",), text))
    no_chance = [each for each in to.hits if not each.is_chance]
    for hit in {each.address: each for each in reversed(no_chance)}.values():
        number = sum(each.address == hit.address for each in no_chance) - 1
        text = f"the trace of {to.phone} has {hit}{f', and {number} more' if number else ''}"
        role = of.own[hit.address]
        found.append(Doubt(ROLES if role == "global" else (role,), text))
    if to.unseen:
        first, *more = to.unseen
        others = f", and {len(more)} more" if more else ""
        text = f"the trace of {to.phone} was not looked at as a whole: frame {first.frame.number}: {first.what}{others}"
        found.append(Doubt(ROLES, text))
    return found


def _doubtful(doubts: list[Doubt], found: Mapping[Role, bool | None], blocks: list[str]) -> Iterator[Reason]:
    """Why columns of one side are null: what is not known to be exposed, and what forbids to say no disclosure."""
    roles: dict[str, tuple[Role, ...]] = dict.fromkeys(blocks, ())
    for each in doubts:
        roles[each.text] = tuple(role for role in each.roles if found[role] is None)
    for text, open_roles in roles.items():
        exposed = ("exposed",) if open_roles == ROLES else tuple(f"exposed_{role}" for role in open_roles)
        columns = (*exposed, *(["no_disclosure"] if text in blocks else []))
        if columns and text != UNRECORDED:
            yield Reason(columns, text)


def _reasons(pair: CallPair, routing: str | None) -> list[Reason]:
    reasons = []
    if None in (pair.a.seen_at, pair.b.seen_at):
        reasons.append(Reason(("vantage",), "where a phone was captured was not recorded"))
    if pair.media_not_udp:
        reasons.append(Reason(("routing", "answer", "direct", "relayed"), MEDIA_NOT_UDP))
    elif pair.undecided:
        reasons.append(Reason(("established", "routing", "answer"), pair.undecided))
    elif not pair.established:
        reasons.append(Reason(("routing", "answer"), "no conversation"))
    elif pair.a.answered is None or pair.b.answered is None:
        reasons.append(Reason(("answer",), "media do not flow both ways at once"))
    if pair.has_media and routing is None:
        paths = [named(side.phone, side.unclaimed) for side in pair.sides if side.unclaimed]
        reasons.append(Reason(("routing",), " and ".join(paths)))
    if not (pair.a.recorded and pair.b.recorded):
        reasons.append(Reason(("exposed", "no_disclosure"), UNRECORDED))
    return reasons


def _facts(
    own: Vantage, other: Vantage, pair: CallPair, unexplained: tuple[Address, ...]
) -> Iterator[tuple[str, str, Frame | None]]:
    """Where the other phone's trace shows this one, its answer, and what nobody explains in this one's trace."""
    for address, role, place in _exposed(own, other):
        yield f"{role} address {address}, {place}", other.phone, place.frame
    for address in unexplained:
        place = next(each for each in own.visible[address] if each.where in NAMED)
        yield f"unexplained address {address}, {place}", own.phone, place.frame
    for each in own.unseen:
        yield f"not looked at: {each.what}", own.phone, each.frame
    for hit in own.hits:
        yield f"unexplained bytes: {hit}", own.phone, hit.frame
    if pair.has_media:
        yield "answer: media flow both ways from here", other.phone, other.answered


def _shown(unseen: tuple[Unseen, ...]) -> tuple[str, ...]:
    """The first of them in words, and how many more there are."""
    shown = [f"frame {each.frame.number}: {each.what}" for each in unseen[:MAX_SHOWN]]
    return (*shown, *([f"and {len(unseen) - MAX_SHOWN} more"] if len(unseen) > MAX_SHOWN else []))


def _seen_as(role: Role, seen: tuple[Seen, ...], doubts: list[Doubt]) -> bool | None:
    return any(each.role == role for each in seen) or (None if any(role in each.roles for each in doubts) else False)


def shared_private(of: Vantage, to: Vantage) -> frozenset[Address]:
    """Private addresses of one phone that the other has as well, and that the other's trace shows in a STUN attribute.

    They may be the one's or the other's. What is in IP headers there is the other's own.
    """
    both = (address for address, role in of.own.items() if role == "private" and address in to.own)
    shown = (address for address in both if any(each.where != IP_HEADER for each in to.visible.get(address, ())))
    return frozenset(shown)


def exposure(of: Vantage, to: Vantage, pair: CallPair) -> tuple[Seen, ...]:
    """The addresses of one phone that the other phone's trace shows, place by place."""
    answered = to.answered if pair.has_media else None
    return tuple(
        Seen(str(address), role, place.where, place.nested, _relative(place.frame, answered))
        for address, role, place in _exposed(of, to)
    )


def _exposed(of: Vantage, to: Vantage, only: Address | None = None) -> Iterator[tuple[Address, Role, Sighting]]:
    """What both phones own, as the public address of one NAT, is the other's only where it is the far end of their
    direct path. What a server has is in neither phone's own addresses (`correlate.pairs.addresses`)."""
    far = {each.remote for each in to.of_kind("direct")}
    for address, role in sorted(of.own.items(), key=lambda item: str(item[0])):
        for place in to.visible.get(address, ()) if only in (None, address) else ():
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
        if address not in known and is_global_unicast(address) and any(each.where in NAMED for each in places)
    )
    return tuple(sorted(found, key=str))


def foreign_packets(vantage: Vantage) -> int:
    """Packets of UDP flows that are no conversation of this phone with somebody else."""
    all_packets = sum(flow.packets_ab + flow.packets_ba for flow in vantage.flows.table)
    return all_packets - vantage.repeats.left_out - sum(each.both.packets for each in vantage.conversations)


def _routing(direct_bytes: int, relayed_bytes: int, pair: CallPair) -> str | None:
    """None where the route would be the other one if media on paths that no rule claims were the call's."""
    unclaimed_bytes = _media_bytes(each for side in pair.sides for each in side.unclaimed)
    if direct_bytes >= relayed_bytes:
        return "p2p" if direct_bytes >= relayed_bytes + unclaimed_bytes else None
    return "relay" if direct_bytes + unclaimed_bytes < relayed_bytes else None


def _payload_bytes(pair: CallPair, kind: str) -> int:
    return _media_bytes(each for side in pair.sides for each in side.of_kind(kind))


def _media_bytes(conversations: Iterable[Conversation]) -> int:
    return sum((each.media.tx + each.media.rx).payload_bytes for each in conversations)


def _p2p_observed(pair: CallPair) -> bool:
    return any(each.tx.packets and each.rx.packets for side in (pair.a, pair.b) for each in side.of_kind("direct"))
