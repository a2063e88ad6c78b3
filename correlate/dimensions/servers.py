"""Server connectivity (paper 3.3, 4.2): which servers does each side talk to, and which do both use at one time?"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address

from correlate.columns import Reason, explained
from correlate.pairs import CallPair, Sided, Vantage
from correlate.pairs.conversations import Conversation
from correlate.pairs.frames import Evidence, Frame, evidence
from correlate.trace.addresses import Address

MATCHES = ("address", "group", "prefix")
HOST_BITS = {4: 8, 6: 80}
"""What a /24 of IPv4 and a /48 of IPv6 leave out."""


@dataclass(frozen=True)
class Server:
    """A server of the call: folded address, UDP port, host name if one was resolved."""

    address: str
    port: int
    name: str | None


@dataclass(frozen=True)
class Match:
    """A server of this side and the one on the same port that matches it best at the `other` side: the same `address`,
    a host name of the same `group`, or the same `prefix` (/24, /48). `overlap_ns`: how long both were in use at once,
    in the controller's time; negative within the bound, None where a clock was never compared."""

    address: str
    port: int
    match: str
    other: str
    overlap_ns: int | None


@dataclass(frozen=True)
class Servers:
    """One side's servers. `shared` are those of this side's list that the other side uses at the same time: the same
    address and port, or the same group of host names and port; None where a clock was never compared. `matches` has
    these, and servers of one prefix, with the overlap in time, right to within `overlap_bound_ns`. `rule` says what
    makes a server one of the call. Payload is split by the far end's IP version."""

    phone: str
    servers: tuple[Server, ...]
    shared: tuple[Server, ...] | None
    matches: tuple[Match, ...]
    overlap_bound_ns: int | None
    server_addresses: int
    ipv4_payload_bytes: int
    ipv6_payload_bytes: int
    rule: str
    evidence: tuple[Evidence, ...]
    reasons: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""


@dataclass(frozen=True)
class _Meeting:
    """Two conversations on one port, one a side, and how long they lasted together."""

    mine: Conversation
    theirs: Conversation
    match: str
    overlap_ns: int

    @property
    def rank(self) -> tuple[int, int, str]:
        return MATCHES.index(self.match), -self.overlap_ns, str(self.theirs.remote)


def measure(pair: CallPair) -> Sided[Servers]:
    """The servers of the call on both sides; empty lists, never None, where there are none."""
    return Sided(_side(pair.a, pair.b, pair), _side(pair.b, pair.a, pair))


def _side(own: Vantage, other: Vantage, pair: CallPair) -> Servers:
    used = own.of_kind("server")
    is_known = own.clock.known and other.clock.known
    bound_ns = own.clock.bound_ns + other.clock.bound_ns if is_known else None
    meetings = _best(_meetings(own, other, pair, bound_ns))
    reasons = [] if used else [Reason((), "no server of the call")]
    reasons += [] if is_known else [Reason(("shared", "overlap"), "a clock was never compared")]
    finding = Servers(
        phone=own.phone,
        servers=tuple(_listed(used, pair)),
        shared=tuple(_listed((each.mine for each in meetings if each.match != "prefix"), pair)) if is_known else None,
        matches=tuple(_match(each, is_known) for each in meetings),
        overlap_bound_ns=bound_ns,
        server_addresses=len({each.remote for each in used}),
        ipv4_payload_bytes=sum(_payload_bytes(each) for each in used if not each.over_ipv6),
        ipv6_payload_bytes=sum(_payload_bytes(each) for each in used if each.over_ipv6),
        rule=_rule(pair.analysis.relay_ports),
        evidence=evidence([*_signs(own, used), *(_ends(own, other, meetings) if is_known else ())]),
    )
    return explained(finding, reasons)


def _rule(relay_ports: list[int]) -> str:
    ports = "port " + ", ".join(str(port) for port in sorted(set(relay_ports))) if relay_ports else "any port (generic)"
    return f"STUN beyond a bare Binding, or TURN data, on {ports}"


def _meetings(own: Vantage, other: Vantage, pair: CallPair, bound_ns: int | None) -> Iterator[_Meeting]:
    """Conversations that match; where both clocks are known, those at the same time give or take the bound."""
    theirs = [(each, _group(each, pair), other.span_ns(each)) for each in other.of_kind("server")]
    for mine in own.of_kind("server"):
        group, (first_ns, last_ns) = _group(mine, pair), own.span_ns(mine)
        for their, their_group, (their_first_ns, their_last_ns) in theirs:
            match = _kind(mine, group, their, their_group)
            overlap_ns = min(last_ns, their_last_ns) - max(first_ns, their_first_ns)
            if match is not None and (bound_ns is None or overlap_ns >= -bound_ns):
                yield _Meeting(mine, their, match, overlap_ns)


def _group(conversation: Conversation, pair: CallPair) -> str | None:
    return pair.analysis.cluster(pair.names.get(str(conversation.remote)))


def _kind(mine: Conversation, group: str | None, theirs: Conversation, their_group: str | None) -> str | None:
    if mine.remote_port != theirs.remote_port:
        return None
    if mine.remote == theirs.remote:
        return "address"
    if group is not None and group == their_group:
        return "group"
    return "prefix" if _prefix(mine.remote) == _prefix(theirs.remote) else None


def _prefix(address: Address) -> tuple[int, int]:
    version = 4 if isinstance(address, IPv4Address) else 6
    return version, int(address) >> HOST_BITS[version]


def _best(meetings: Iterable[_Meeting]) -> list[_Meeting]:
    """Of each server's meetings the best match, and of equally good ones the longest; by address and port."""
    best: dict[tuple[str, int], _Meeting] = {}
    for each in meetings:
        key = str(each.mine.remote), each.mine.remote_port
        if key not in best or each.rank < best[key].rank:
            best[key] = each
    return [best[key] for key in sorted(best)]


def _match(of: _Meeting, is_known: bool) -> Match:
    overlap_ns = of.overlap_ns if is_known else None
    return Match(str(of.mine.remote), of.mine.remote_port, of.match, str(of.theirs.remote), overlap_ns)


def _signs(own: Vantage, used: Iterable[Conversation]) -> Iterator[tuple[str, str, Frame | None]]:
    """The frame that makes each server one of the call."""
    first: dict[tuple[str, int], Frame] = {}
    for each in used:
        key = str(each.remote), each.remote_port
        if each.sign is not None and (key not in first or each.sign < first[key]):
            first[key] = each.sign
    for address, port in sorted(first):
        yield f"server {address} port {port}", own.phone, first[address, port]


def _ends(own: Vantage, other: Vantage, meetings: list[_Meeting]) -> Iterator[tuple[str, str, Frame | None]]:
    """The frames between which both sides used a server."""
    for each in meetings:
        (mine_first, mine_last), (their_first, their_last) = own.span_ns(each.mine), other.span_ns(each.theirs)
        begins = (own, each.mine) if mine_first >= their_first else (other, each.theirs)
        ends = (own, each.mine) if mine_last <= their_last else (other, each.theirs)
        what = f"{each.mine.remote} port {each.mine.remote_port}"
        yield f"overlap begins, {what}", begins[0].phone, begins[1].first
        yield f"overlap ends, {what}", ends[0].phone, ends[1].last


def _listed(used: Iterable[Conversation], pair: CallPair) -> Iterator[Server]:
    for address, port in sorted({(str(each.remote), each.remote_port) for each in used}):
        yield Server(address, port, pair.names.get(address))


def _payload_bytes(conversation: Conversation) -> int:
    return conversation.both.payload_bytes
