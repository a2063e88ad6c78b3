"""Traffic volume symmetry (paper 3.3, 4.4): how much does each side send and receive?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from correlate.pairs import CallPair, Vantage
from correlate.pairs.frames import Evidence, evidence
from correlate.pairs.sessions import RULES, Session, media_span
from correlate.pairs.sided import Sided
from correlate.pairs.transport import MEDIA_NOT_UDP
from correlate.pairs.vantage import media_rows


@dataclass(frozen=True)
class Traffic:
    """One side's volume under one rule: packets, UDP payload (canonical) and whole frames (the paper's)."""

    tx_packets: int | None
    rx_packets: int | None
    tx_payload_bytes: int | None
    rx_payload_bytes: int | None
    tx_frame_bytes: int | None
    rx_frame_bytes: int | None


@dataclass(frozen=True)
class MediaTotals:
    """The call's datagrams that are no STUN; zero, not None, in a silent call, and None where the media are not UDP."""

    tx_packets: int | None
    rx_packets: int | None
    tx_payload_bytes: int | None
    rx_payload_bytes: int | None


_NO_MEDIA = MediaTotals(None, None, None, None)


@dataclass(frozen=True)
class Relayed:
    """Packets of all conversations with servers of the call, STUN and media."""

    tx_packets: int
    rx_packets: int


@dataclass(frozen=True)
class Crosswise:
    """What this side sent less what the other side received of the media (section 3.3), signed; None without media.

    `edge_packets` of these were sent or received where the other capture does not reach, give or take the bounds of
    both clocks: so much of the difference may be due to the captures; None where a clock was never compared.
    """

    tx_less_rx_packets: int | None
    tx_less_rx_payload_bytes: int | None
    edge_packets: int | None


@dataclass(frozen=True)
class Payload:
    """Payload of one transport between the markers, the app's and everything else's."""

    tx_payload_bytes: int
    rx_payload_bytes: int


@dataclass(frozen=True)
class Volumes:
    """One side's traffic under each of the four rules, with all servers together, its media, and what went over TCP and
    QUIC. `transport` is of the call: `udp`, `media_not_udp` for a conversation without a UDP session, None without a
    conversation. `above_mtu`: this side's capture holds UDP frames above the MTU, so its packets are not those of the
    wire; its bytes are."""

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
    evidence: tuple[Evidence, ...]
    reason: str


def measure(pair: CallPair) -> Sided[Volumes]:
    """Volumes on both sides."""
    choices = {name: rule(pair) for name, rule in RULES.items()}
    reason = _reason(pair, [f"{name}: {choice.reason}" for name, choice in choices.items() if choice.reason])
    media_a, media_b = (_NO_MEDIA, _NO_MEDIA) if pair.media_not_udp else (_media(pair.a), _media(pair.b))
    carried = MEDIA_NOT_UDP if pair.media_not_udp else "udp" if pair.established else None

    def side(own: Vantage, other: Vantage, media: tuple[MediaTotals, MediaTotals], key: str) -> Volumes:
        first, last = media_span(own) or (None, None)
        return Volumes(
            phone=own.phone,
            relayed=_relayed(own),
            media=media[0],
            crosswise=_crosswise(own, other, *media),
            tcp=_tcp(own),
            quic=Payload(own.transport.quic_tx_payload_bytes, own.transport.quic_rx_payload_bytes),
            transport=carried,
            above_mtu=any(damage.kind == "above_mtu" for damage in own.trace.damage),
            evidence=evidence([("media first", own.phone, first), ("media last", own.phone, last)]),
            reason=reason,
            **{name: _traffic(getattr(choice, key)) for name, choice in choices.items()},
        )

    return Sided(
        side(pair.a, pair.b, (media_a, media_b), "a"),
        side(pair.b, pair.a, (media_b, media_a), "b"),
    )


def _reason(pair: CallPair, missing: list[str]) -> str:
    reasons = []
    if pair.media_not_udp:
        reasons.append(f"media, crosswise: {MEDIA_NOT_UDP}, no UDP session in an answered call, TCP on both sides")
    elif not pair.established:
        reasons.append("transport: no conversation")
    if not pair.media_not_udp and media_span(pair.a) is None and media_span(pair.b) is None:
        reasons.append("crosswise: no media on either side")
    elif not (pair.a.clock.known and pair.b.clock.known):
        reasons.append("crosswise_edge_packets: a clock was never compared")
    return "; ".join([*reasons, *missing])


def _crosswise(own: Vantage, other: Vantage, sent: MediaTotals, received: MediaTotals) -> Crosswise:
    if sent.tx_packets is None or received.rx_packets is None or (media_span(own) or media_span(other)) is None:
        return Crosswise(None, None, None)
    is_known = own.clock.known and other.clock.known
    return Crosswise(
        sent.tx_packets - received.rx_packets,
        (sent.tx_payload_bytes or 0) - (received.rx_payload_bytes or 0),
        _beyond(own, other, "tx") + _beyond(other, own, "rx") if is_known else None,
    )


def _beyond(side: Vantage, other: Vantage, way: str) -> int:
    """Media packets of one side, one way, at times when the other's capture may not have run."""
    span = media_span(side)
    bound_ns = side.clock.bound_ns + other.clock.bound_ns
    begin_ns, end_ns = (other.clock.to_controller(time_ns) for time_ns in other.window_ns)

    def is_covered(time_ns: int) -> bool:
        return begin_ns + bound_ns <= side.clock.to_controller(time_ns) <= end_ns - bound_ns

    if span is None or all(is_covered(frame.time_ns) for frame in span):
        return 0
    return sum(not is_covered(time_ns) for time_ns in _media_times(side, way))


def _media_times(side: Vantage, way: str) -> list[int]:
    """The times of the media sent (`tx`) or received (`rx`) by one side."""
    of_call = [each for each in side.conversations if each.kind != "other"]
    rows = media_rows(side.trace.udp)
    rows = rows[np.isin(side.flows.of[rows], [each.flow for each in of_call])]
    is_a = np.zeros(len(side.flows.table), bool)
    for each in of_call:
        flow = side.flows.table[each.flow]
        is_a[each.flow] = (flow.a, flow.a_port) == (each.local, each.local_port)
    is_sent = side.flows.from_a[rows] == is_a[side.flows.of[rows]]
    times: list[int] = side.trace.udp.time_ns[rows[is_sent == (way == "tx")]].tolist()
    return times


def _tcp(side: Vantage) -> Payload:
    used = side.transport.tcp
    return Payload(sum(each.tx_payload_bytes for each in used), sum(each.rx_payload_bytes for each in used))


def _traffic(session: Session | None) -> Traffic:
    if session is None:
        return Traffic(None, None, None, None, None, None)
    return Traffic(
        session.tx.packets,
        session.rx.packets,
        session.tx.payload_bytes,
        session.rx.payload_bytes,
        session.tx.frame_bytes,
        session.rx.frame_bytes,
    )


def _relayed(side: Vantage) -> Relayed:
    sessions = side.of_kind("server")
    return Relayed(sum(each.tx.packets for each in sessions), sum(each.rx.packets for each in sessions))


def _media(side: Vantage) -> MediaTotals:
    media = [each.media for each in side.conversations if each.kind != "other"]
    return MediaTotals(
        tx_packets=sum(each.tx.packets for each in media),
        rx_packets=sum(each.rx.packets for each in media),
        tx_payload_bytes=sum(each.tx.payload_bytes for each in media),
        rx_payload_bytes=sum(each.rx.payload_bytes for each in media),
    )
