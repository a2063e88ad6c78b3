"""Service type (paper 3.3, 4.5): does the traffic tell a voice call from a video call?"""

from __future__ import annotations

from dataclasses import dataclass

from correlate.pairs import CallPair, Vantage
from correlate.pairs.sided import Sided
from correlate.pairs.transport import MEDIA_NOT_UDP


@dataclass(frozen=True)
class ServiceType:
    """`service` is of the call: `voice`, `video` or None. `media_bytes_per_s`: the faster direction of this side's
    media payload over the conversation. `sessions_identical`: whether this side's sessions with servers have the same
    packets and bytes; None with fewer than two."""

    phone: str
    established: bool
    service: str | None
    media_bytes_per_s: float | None
    sessions_identical: bool | None
    reason: str


def measure(pair: CallPair) -> Sided[ServiceType]:
    """The service: in a conversation by the media's rate, without one by the app's own rule, if it has one."""
    rates = [media_rate(side) for side in (pair.a, pair.b)]
    identical = [identical_sessions(side) for side in (pair.a, pair.b)]
    if pair.media_not_udp:
        service, reason = None, f"{MEDIA_NOT_UDP}: no media rate"
    elif pair.established:
        is_video = max(rate or 0.0 for rate in rates) >= pair.analysis.video_bytes_per_s
        service, reason = "video" if is_video else "voice", ""
    elif pair.analysis.unanswered_service != "identical_sessions":
        service, reason = None, "no conversation, and no rule for calls without one"
    elif all(each is None for each in identical):
        service, reason = None, "no conversation, and fewer than two sessions on each side"
    else:
        service, reason = "voice" if any(identical) else "video", ""

    def side(vantage: Vantage, rate: float | None, same: bool | None) -> ServiceType:
        return ServiceType(vantage.phone, pair.established, service, rate, same, reason)

    return Sided(side(pair.a, rates[0], identical[0]), side(pair.b, rates[1], identical[1]))


def media_rate(side: Vantage) -> float | None:
    """Media payload in bytes/s in the faster direction, from the first to the last media datagram; None without."""
    media = [each.media for each in side.conversations if each.kind != "other"]
    firsts = [each.first_ns for each in media if each.first_ns is not None]
    lasts = [each.last_ns for each in media if each.last_ns is not None]
    if not firsts or max(lasts) <= min(firsts):
        return None
    most_bytes = max(sum(each.tx_payload_bytes for each in media), sum(each.rx_payload_bytes for each in media))
    return round(most_bytes / ((max(lasts) - min(firsts)) / 1e9), 3)


def identical_sessions(side: Vantage) -> bool | None:
    """Whether all sessions with servers show the same number of packets and bytes (paper 4.5, Figure 7)."""
    totals = [
        (each.tx_packets + each.rx_packets, each.tx_payload_bytes + each.rx_payload_bytes)
        for each in side.of_kind("server")
    ]
    return len(set(totals)) == 1 if len(totals) >= 2 else None
