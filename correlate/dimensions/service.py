"""Service type (paper 3.3, 4.5): does the traffic tell a voice call from a video call?"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from correlate.columns import Reason, explained
from correlate.dataset.record.analysis import VIDEO_BYTES_PER_S
from correlate.pairs import CallPair, Sided, Vantage
from correlate.pairs.conversations import Conversation
from correlate.pairs.frames import Evidence, Frame, evidence
from correlate.pairs.sessions import media_span
from correlate.pairs.transport import MEDIA_NOT_UDP


@dataclass(frozen=True)
class ServiceType:
    """`service` is of the call: `voice`, `video` or None, and `rule` is what told it. `margin`: the media rate that
    decides, over the threshold: video from 1 on. `media_bytes_per_s`: the faster direction of this side's media payload
    over the conversation. `sessions_identical`: whether this side's sessions with servers have the same packets and
    bytes; None with fewer than two."""

    phone: str
    established: bool | None
    service: str | None
    rule: str | None
    margin: float | None
    media_bytes_per_s: float | None
    sessions_identical: bool | None
    evidence: tuple[Evidence, ...]
    reasons: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""


@dataclass(frozen=True)
class _Decision:
    """The service of the call and what decided it; `missing` says why a value is None."""

    service: str | None = None
    rule: str | None = None
    margin: float | None = None
    missing: Reason | None = None


def measure(pair: CallPair) -> Sided[ServiceType]:
    """The service: in a conversation by the media's rate, without one by the app's own rule, if it has one."""
    sides = pair.a, pair.b
    rates = [None if pair.media_not_udp else media_rate(side) for side in sides]
    identical = [identical_sessions(side) for side in sides]
    decision = _by_rate(pair, rates) if pair.established else _by_sessions(pair, identical)

    def side(own: Vantage, rate: float | None, same: bool | None) -> ServiceType:
        reasons = [decision.missing] if decision.missing else []
        if rate is None:
            reasons.append(Reason(("media_bytes_per_s",), MEDIA_NOT_UDP if pair.media_not_udp else "no media"))
        if same is None:
            reasons.append(Reason(("sessions_identical",), "fewer than two sessions with servers"))
        finding = ServiceType(
            phone=own.phone,
            established=pair.established,
            service=decision.service,
            rule=decision.rule,
            margin=decision.margin,
            media_bytes_per_s=rate,
            sessions_identical=same,
            evidence=evidence(_facts(own)),
        )
        return explained(finding, reasons)

    return Sided(*(side(*each) for each in zip(sides, rates, identical, strict=True)))


def _by_rate(pair: CallPair, rates: list[float | None]) -> _Decision:
    known = [rate for rate in rates if rate is not None]
    if not known:
        missing = MEDIA_NOT_UDP if pair.media_not_udp else "all media at one instant"
        return _undecided(f"{missing}, so no media rate")
    least = pair.analysis.video_bytes_per_s
    rule = f"media rate, video from {least} bytes/s{' (generic)' if least == VIDEO_BYTES_PER_S else ''}"
    return _Decision("video" if max(known) >= least else "voice", rule, round(max(known) / least, 4))


def _by_sessions(pair: CallPair, identical: list[bool | None]) -> _Decision:
    if pair.analysis.unanswered_service != "identical_sessions":
        return _undecided("no conversation, and no rule for calls without one")
    if all(each is None for each in identical):
        return _undecided("no conversation, and fewer than two sessions on each side")
    service = "voice" if any(identical) else "video"
    return _Decision(service, "identical sessions: voice", None, Reason(("margin",), "sessions decide, not a rate"))


def _undecided(text: str) -> _Decision:
    return _Decision(missing=Reason(("service", "rule", "margin"), text))


def _facts(own: Vantage) -> Iterator[tuple[str, str, Frame | None]]:
    """The media that are measured, and the sessions that are compared."""
    first, last = media_span(own) or (None, None)
    yield "media first", own.phone, first
    yield "media last", own.phone, last
    for each in own.of_kind("server"):
        packets, payload_bytes = _total(each)
        what = f"session {each.remote} port {each.remote_port}: {packets} packets, {payload_bytes} bytes of payload"
        yield what, own.phone, each.first


def media_rate(side: Vantage) -> float | None:
    """Media payload in bytes/s in the faster direction, from the first to the last media datagram; None without."""
    first, last = media_span(side) or (None, None)
    if first is None or last is None or last.time_ns <= first.time_ns:
        return None
    most_bytes = max(way.payload_bytes for way in side.media)
    return round(most_bytes / ((last.time_ns - first.time_ns) / 1e9), 3)


def identical_sessions(side: Vantage) -> bool | None:
    """Whether all sessions with servers show the same number of packets and bytes (paper 4.5, Figure 7)."""
    totals = [_total(each) for each in side.of_kind("server")]
    return len(set(totals)) == 1 if len(totals) >= 2 else None


def _total(session: Conversation) -> tuple[int, int]:
    return session.both.packets, session.both.payload_bytes
