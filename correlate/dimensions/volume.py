"""Traffic volume symmetry (paper 3.3, 4.4): how much does each side send and receive?"""

from __future__ import annotations

from dataclasses import dataclass

from correlate.pairs import CallPair, Vantage
from correlate.pairs.sessions import RULES, Session
from correlate.pairs.sided import Sided


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
    """The call's datagrams that are no STUN; zero, not None, in a silent call."""

    tx_packets: int
    rx_packets: int
    tx_payload_bytes: int
    rx_payload_bytes: int


@dataclass(frozen=True)
class Relayed:
    """Packets of all conversations with servers of the call, STUN and media."""

    tx_packets: int
    rx_packets: int


@dataclass(frozen=True)
class Crosswise:
    """What this side sent less what the other side received of the media (section 3.3), signed."""

    tx_less_rx_packets: int
    tx_less_rx_payload_bytes: int


@dataclass(frozen=True)
class Volumes:
    """One side's traffic under each of the four rules, with all servers together, and its media."""

    phone: str
    longest_relay: Traffic
    best_match: Traffic
    p2p: Traffic
    media_union: Traffic
    relayed: Relayed
    media: MediaTotals
    crosswise: Crosswise
    reason: str


def measure(pair: CallPair) -> Sided[Volumes]:
    """Volumes on both sides."""
    choices = {name: rule(pair) for name, rule in RULES.items()}
    reason = "; ".join(f"{name}: {choice.reason}" for name, choice in choices.items() if choice.reason)
    media_a, media_b = _media(pair.a), _media(pair.b)

    def side(vantage: Vantage, own: MediaTotals, other: MediaTotals, sessions: dict[str, Session | None]) -> Volumes:
        return Volumes(
            phone=vantage.phone,
            relayed=_relayed(vantage),
            media=own,
            crosswise=Crosswise(own.tx_packets - other.rx_packets, own.tx_payload_bytes - other.rx_payload_bytes),
            reason=reason,
            **{name: _traffic(session) for name, session in sessions.items()},
        )

    return Sided(
        side(pair.a, media_a, media_b, {name: choice.a for name, choice in choices.items()}),
        side(pair.b, media_b, media_a, {name: choice.b for name, choice in choices.items()}),
    )


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
