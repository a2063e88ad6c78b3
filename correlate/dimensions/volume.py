"""Traffic volume symmetry (paper 3.3, 4.4): how much does each side send and receive?"""

from __future__ import annotations

from dataclasses import dataclass

from correlate.pairs import CallPair, Vantage
from correlate.pairs.sessions import RULES, Session
from correlate.pairs.sided import Sided
from correlate.pairs.transport import MEDIA_NOT_UDP


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
    """What this side sent less what the other side received of the media (section 3.3), signed."""

    tx_less_rx_packets: int | None
    tx_less_rx_payload_bytes: int | None


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
    reason: str


def measure(pair: CallPair) -> Sided[Volumes]:
    """Volumes on both sides."""
    choices = {name: rule(pair) for name, rule in RULES.items()}
    reason = "; ".join(f"{name}: {choice.reason}" for name, choice in choices.items() if choice.reason)
    if pair.media_not_udp:
        reason = f"{MEDIA_NOT_UDP}: no UDP session in an answered call, TCP on both sides; {reason}"
    media_a, media_b = (_NO_MEDIA, _NO_MEDIA) if pair.media_not_udp else (_media(pair.a), _media(pair.b))
    carried = MEDIA_NOT_UDP if pair.media_not_udp else "udp" if pair.established else None

    def side(vantage: Vantage, own: MediaTotals, other: MediaTotals, sessions: dict[str, Session | None]) -> Volumes:
        return Volumes(
            phone=vantage.phone,
            relayed=_relayed(vantage),
            media=own,
            crosswise=Crosswise(
                _less(own.tx_packets, other.rx_packets), _less(own.tx_payload_bytes, other.rx_payload_bytes)
            ),
            tcp=_tcp(vantage),
            quic=Payload(vantage.transport.quic_tx_payload_bytes, vantage.transport.quic_rx_payload_bytes),
            transport=carried,
            above_mtu=any(damage.kind == "above_mtu" for damage in vantage.trace.damage),
            reason=reason,
            **{name: _traffic(session) for name, session in sessions.items()},
        )

    return Sided(
        side(pair.a, media_a, media_b, {name: choice.a for name, choice in choices.items()}),
        side(pair.b, media_b, media_a, {name: choice.b for name, choice in choices.items()}),
    )


def _less(sent: int | None, received: int | None) -> int | None:
    return None if sent is None or received is None else sent - received


def _tcp(side: Vantage) -> Payload:
    used = side.transport.tcp
    return Payload(sum(each.tx_payload_bytes for each in used), sum(each.rx_payload_bytes for each in used))


def _traffic(session: Session | None) -> Traffic:
    if session is None:
        return Traffic(None, None, None, None, None, None)
    return Traffic(
        session.tx_packets,
        session.rx_packets,
        session.tx_payload_bytes,
        session.rx_payload_bytes,
        session.tx_frame_bytes,
        session.rx_frame_bytes,
    )


def _relayed(side: Vantage) -> Relayed:
    sessions = side.of_kind("server")
    return Relayed(sum(each.tx_packets for each in sessions), sum(each.rx_packets for each in sessions))


def _media(side: Vantage) -> MediaTotals:
    media = [each.media for each in side.conversations if each.kind != "other"]
    return MediaTotals(
        tx_packets=sum(each.tx_packets for each in media),
        rx_packets=sum(each.rx_packets for each in media),
        tx_payload_bytes=sum(each.tx_payload_bytes for each in media),
        rx_payload_bytes=sum(each.rx_payload_bytes for each in media),
    )
