"""Traffic volume symmetry (paper 3.3, 4.4): how much does each side send and receive?"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from correlate.columns import Reason, explained
from correlate.pairs import CallPair, Sided, Vantage
from correlate.pairs.established import named
from correlate.pairs.frames import Evidence, evidence
from correlate.pairs.sessions import RULES, Session, media_span
from correlate.pairs.transport import MEDIA_NOT_UDP

CUT_OFF = "frames are cut off or were not captured"
VOLUMES = ("longest_relay", "best_match", "p2p", "media", "relayed", "crosswise", "tcp", "quic")


@dataclass(frozen=True)
class Traffic:
    """One side's volume under one rule: packets, UDP payload (canonical) and whole frames (the paper's)."""

    tx_packets: int | None = None
    rx_packets: int | None = None
    tx_payload_bytes: int | None = None
    rx_payload_bytes: int | None = None
    tx_frame_bytes: int | None = None
    rx_frame_bytes: int | None = None


@dataclass(frozen=True)
class MediaTotals:
    """The call's datagrams that are no STUN, and of TURN over TCP its frames that are none; zero, not None, in a silent
    call; None where this side's media are in TCP that nobody can look into or of which frames are cut off or lost, were
    captured twice, or may be on a path that no rule claims."""

    tx_packets: int | None = None
    rx_packets: int | None = None
    tx_payload_bytes: int | None = None
    rx_payload_bytes: int | None = None


@dataclass(frozen=True)
class Relayed:
    """Packets of all conversations with servers of the call, STUN and media."""

    tx_packets: int | None = None
    rx_packets: int | None = None


@dataclass(frozen=True)
class Crosswise:
    """What this side sent less what the other side received of the media (section 3.3), signed; None without media.

    `edge_packets` of these were sent or received where the other capture does not reach, give or take the bounds of
    both clocks: so much of the difference may be due to the captures; None where a clock was never compared.
    `received_more`: in a conversation the other side received more than this side sent, and more than stands at the
    edges. No network makes media, so something counts that is not the other side's, if only keep-alives that a server
    answers; it is told, and leaves the trial where it is.
    """

    tx_less_rx_packets: int | None = None
    tx_less_rx_payload_bytes: int | None = None
    edge_packets: int | None = None
    received_more: bool | None = None


@dataclass(frozen=True)
class Payload:
    """Payload of one transport between the markers, the app's and everything else's."""

    tx_payload_bytes: int | None = None
    rx_payload_bytes: int | None = None


@dataclass(frozen=True)
class Volumes:
    """One side's traffic under each of the four rules, with all servers together, its media, and what went over TCP and
    QUIC. `transport` is what carries this side's media of a conversation: `udp`, `tcp` (TURN over TCP) or `udp and
    tcp`; `media_not_udp`, TCP that nobody can look into; None without a conversation. `above_mtu`: this side's capture
    holds UDP frames above the MTU, so its packets are not those of the wire; its bytes are. `tx_duplicates` and
    `rx_duplicates` are datagrams that this side's capture shows a second time; `captured_twice`: so many that none of
    its volumes is the wire's, so they are None. `not_followed` says which frames of this side's capture hold packets
    that nobody looked into: what is in there is in no volume."""

    phone: str
    longest_relay: Traffic
    best_match: Traffic
    p2p: Traffic
    media_union: Traffic
    relayed: Relayed
    media: MediaTotals
    crosswise: Crosswise
    tcp: Payload
    quic: Payload
    transport: str | None
    above_mtu: bool
    captured_twice: bool
    tx_duplicates: int
    rx_duplicates: int
    not_followed: tuple[str, ...]
    evidence: tuple[Evidence, ...]
    reasons: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""

    def under(self, rule: str) -> Traffic:
        """The session under one of `RULES`."""
        traffic: Traffic = getattr(self, rule)
        return traffic


def measure(pair: CallPair) -> Sided[Volumes]:
    """Volumes on both sides."""
    choices = {name: rule(pair) for name, rule in RULES.items()}
    missing = [Reason((name,), choice.reason) for name, choice in choices.items() if choice.reason]
    media_a, media_b = _media(pair, pair.a), _media(pair, pair.b)
    edge_a, edge_b = pair.edge_packets or (None, None)

    def side(
        own: Vantage, other: Vantage, media: tuple[MediaTotals, MediaTotals], edge: int | None, key: str
    ) -> Volumes:
        first, last = media_span(own) or (None, None)
        crosswise = _crosswise(pair, own, other, *media, edge)
        traffic = {name: traffic_of(own, getattr(choice, key)) for name, choice in choices.items()}
        finding = Volumes(
            phone=own.phone,
            longest_relay=traffic["longest_relay"],
            best_match=traffic["best_match"],
            p2p=traffic["p2p"],
            media_union=traffic["media_union"],
            relayed=relayed_of(own),
            media=media[0],
            crosswise=crosswise,
            tcp=_tcp(own),
            quic=_quic(own),
            transport=_transport(pair, own),
            above_mtu=bool(_said(own, "above_mtu")),
            captured_twice=own.repeats.flagged,
            tx_duplicates=own.repeats.sent_twice,
            rx_duplicates=own.repeats.received_twice,
            not_followed=_said(own, "not_followed"),
            evidence=evidence([("media first", own.phone, first), ("media last", own.phone, last)]),
        )
        reasons = [*_twice(own, other), *_reasons(pair, own, other), *missing, *_received_more(own, other, crosswise)]
        return explained(finding, reasons)

    return Sided(
        side(pair.a, pair.b, (media_a, media_b), edge_a, "a"), side(pair.b, pair.a, (media_b, media_a), edge_b, "b")
    )


def _said(side: Vantage, kind: str) -> tuple[str, ...]:
    return tuple(str(damage) for damage in side.trace.damage if damage.kind == kind)


def _twice(own: Vantage, other: Vantage) -> list[Reason]:
    """Why volumes are None where datagrams were captured twice: all of that side, of the other what compares both."""
    reasons = []
    for side, names in ((own, VOLUMES), (other, ("crosswise",))):
        if side.repeats.flagged:
            reasons.append(Reason(names, f"captured twice on {side.phone}: {side.repeats}"))
    return reasons


def _transport(pair: CallPair, side: Vantage) -> str | None:
    if not pair.established:
        return None
    used = {each.transport for each in side.of_call if each.media.first is not None}
    return MEDIA_NOT_UDP if _is_hidden(pair, side) else " and ".join(sorted(used, reverse=True))


def _is_hidden(pair: CallPair, side: Vantage) -> bool:
    """Whether one side of a conversation has its media where nobody can look."""
    return bool(pair.established) and side.holds == MEDIA_NOT_UDP


def _is_whole(side: Vantage) -> bool:
    return all(each.is_whole for each in side.of_call)


def _reasons(pair: CallPair, own: Vantage, other: Vantage) -> list[Reason]:
    reasons = [
        Reason(("media", "crosswise") if side is own else ("crosswise",), f"TURN over TCP on {side.phone}: {CUT_OFF}")
        for side in (own, other)
        if not _is_whole(side)
    ]
    for side in (own, other):
        if side.unclaimed:
            names = ("media", "crosswise") if side is own else ("crosswise",)
            reasons.append(Reason(names, named(side.phone, side.unclaimed)))
    hidden = [side for side in (own, other) if _is_hidden(pair, side)]
    if hidden:
        where = "both sides" if len(hidden) == 2 else hidden[0].phone
        names = ("media", "crosswise") if own in hidden else ("crosswise",)
        reasons.append(Reason(names, f"{MEDIA_NOT_UDP}, no UDP session in an answered call, TCP on {where}"))
    elif not pair.established:
        reasons.append(Reason(("transport", "crosswise_received_more"), pair.undecided or "no conversation"))
    if not hidden and media_span(pair.a) is None and media_span(pair.b) is None:
        reasons.append(Reason(("crosswise",), "no media on either side"))
    elif not (pair.a.clock.known and pair.b.clock.known):
        reasons.append(Reason(("crosswise_edge_packets", "crosswise_received_more"), "a clock was never compared"))
    return reasons


def _crosswise(
    pair: CallPair, own: Vantage, other: Vantage, sent: MediaTotals, received: MediaTotals, edge: int | None
) -> Crosswise:
    if sent.tx_packets is None or received.rx_packets is None or (media_span(own) or media_span(other)) is None:
        return Crosswise()
    less = sent.tx_packets - received.rx_packets
    return Crosswise(
        less,
        (sent.tx_payload_bytes or 0) - (received.rx_payload_bytes or 0),
        edge,
        less + edge < 0 if pair.established and edge is not None else None,
    )


def _received_more(own: Vantage, other: Vantage, crosswise: Crosswise) -> Iterator[Reason]:
    if crosswise.received_more:
        less = -(crosswise.tx_less_rx_packets or 0)
        text = (
            f"{other.phone} received {less} packets more than {own.phone} sent, {crosswise.edge_packets} at the edges"
        )
        yield Reason(("crosswise_received_more",), text)


def _tcp(side: Vantage) -> Payload:
    used = side.transport.tcp
    if side.repeats.flagged:
        return Payload()
    return Payload(sum(each.tx_payload_bytes for each in used), sum(each.rx_payload_bytes for each in used))


def _quic(side: Vantage) -> Payload:
    if side.repeats.flagged:
        return Payload()
    return Payload(side.transport.quic_tx_payload_bytes, side.transport.quic_rx_payload_bytes)


def traffic_of(side: Vantage, session: Session | None) -> Traffic:
    """The volume of one side's session; nothing where it has none, or where its volumes are not those of the wire."""
    if session is None or side.repeats.flagged:
        return Traffic()
    tx, rx = session.tx, session.rx
    return Traffic(tx.packets, rx.packets, tx.payload_bytes, rx.payload_bytes, tx.frame_bytes, rx.frame_bytes)


def relayed_of(side: Vantage) -> Relayed:
    """The packets of one side's conversations with servers; nothing where they are not those of the wire."""
    sessions = side.of_kind("server")
    if side.repeats.flagged:
        return Relayed()
    return Relayed(sum(each.tx.packets for each in sessions), sum(each.rx.packets for each in sessions))


def _media(pair: CallPair, side: Vantage) -> MediaTotals:
    if _is_hidden(pair, side) or side.repeats.flagged or not _is_whole(side) or side.unclaimed:
        return MediaTotals()
    tx, rx = side.media
    return MediaTotals(tx.packets, rx.packets, tx.payload_bytes, rx.payload_bytes)
