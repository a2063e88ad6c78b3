"""Service type (paper 3.3, 4.5): does the traffic tell a voice call from a video call?"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from correlate.columns import Reason, explained
from correlate.dataset.record.analysis import VIDEO_BYTES_PER_S
from correlate.pairs import CallPair, Sided, Vantage, rtp
from correlate.pairs.conversations import Conversation
from correlate.pairs.frames import Evidence, Frame, evidence
from correlate.pairs.rtp import Stream
from correlate.pairs.sessions import media_span
from correlate.pairs.transport import MEDIA_NOT_UDP

CLEAR = 1.25
"""A rate that is not at least so many times above or below the threshold tells nothing."""


@dataclass(frozen=True)
class ServiceType:
    """`service_found` is of the call: `voice`, `video` or None, and `rule` is what told it. `margin`: the media rate
    over the threshold where no RTP tells it: video from CLEAR on, voice to 1 / CLEAR. `media_bytes_per_s`: the faster
    direction of this side's media payload over the conversation. `sessions_identical`: whether this side's sessions
    with servers have the same packets and bytes; None with fewer than two."""

    phone: str
    established: bool | None
    service_found: str | None
    rule: str | None
    margin: float | None
    media_bytes_per_s: float | None
    sessions_identical: bool | None
    evidence: tuple[Evidence, ...]
    reasons: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""

    @property
    def service(self) -> str | None:
        """`service_found`, by the name that truth has for it."""
        return self.service_found


@dataclass(frozen=True)
class _Decision:
    """The service of the call and what decided it; `missing` says why a value is None."""

    service: str | None = None
    rule: str | None = None
    margin: float | None = None
    missing: Reason | None = None


def measure(pair: CallPair) -> Sided[ServiceType]:
    """The service: in a conversation by its RTP, where that says nothing by the media's rate, and without one by the
    app's own rule, if it has one."""
    sides = pair.a, pair.b
    rates = [None if pair.established and side.holds == MEDIA_NOT_UDP else media_rate(side) for side in sides]
    identical = [identical_sessions(side) for side in sides]
    streams = [rtp.streams(side) if pair.established else () for side in sides]
    if pair.undecided:
        decision = _undecided(pair.undecided)
    elif pair.established:
        decision = _by_rtp(sides, streams) or _by_rate(pair, rates)
    else:
        decision = _by_sessions(pair, identical)

    def side(own: Vantage, rate: float | None, same: bool | None, of: tuple[Stream, ...]) -> ServiceType:
        reasons = [decision.missing] if decision.missing else []
        if rate is None:
            is_hidden = pair.established and own.holds == MEDIA_NOT_UDP
            reasons.append(Reason(("media_bytes_per_s",), MEDIA_NOT_UDP if is_hidden else "no media"))
        if same is None:
            reasons.append(Reason(("sessions_identical",), "fewer than two sessions with servers"))
        finding = ServiceType(
            phone=own.phone,
            established=pair.established,
            service_found=decision.service,
            rule=decision.rule,
            margin=decision.margin,
            media_bytes_per_s=rate,
            sessions_identical=same,
            evidence=evidence(_facts(own, of)),
        )
        return explained(finding, reasons)

    return Sided(*(side(*each) for each in zip(sides, rates, identical, streams, strict=True)))


def _by_rtp(sides: tuple[Vantage, Vantage], streams: list[tuple[Stream, ...]]) -> _Decision | None:
    """What the RTP of both sides says; None where it says nothing."""
    found = [rtp.service(side, of) for side, of in zip(sides, streams, strict=True)]
    services = sorted({service for service, _ in found if service})
    why = "; ".join(dict.fromkeys(why for _, why in found if why))
    if why or len(services) > 1:
        return _undecided(why or "the RTP of one side says voice, that of the other video")
    if not services:
        return None
    clocks = {each.clock_hz for of in streams for each in of if each.clock_hz}
    rule = f"RTP clocks: {', '.join(f'{clock} Hz' for clock in sorted(clocks))}"
    return _Decision(services[0], rule, None, Reason(("margin",), "RTP decides, not a rate"))


def _by_rate(pair: CallPair, rates: list[float | None]) -> _Decision:
    known = [rate for rate in rates if rate is not None]
    if not known:
        missing = MEDIA_NOT_UDP if pair.media_not_udp else "all media at one instant"
        return _undecided(f"{missing}, so no media rate")
    least = pair.analysis.video_bytes_per_s
    rule = f"media rate, video from {least} bytes/s{' (generic)' if least == VIDEO_BYTES_PER_S else ''}"
    most = max(known)
    if most >= CLEAR * least or most * CLEAR <= least:
        return _Decision("video" if most >= least else "voice", rule, round(most / least, 4))
    text = f"the media rate is not {CLEAR:g} times above or below the threshold of {least} bytes/s"
    return _Decision(None, None, round(most / least, 4), Reason(("service_found", "rule"), text))


def _by_sessions(pair: CallPair, identical: list[bool | None]) -> _Decision:
    """Identical sessions are those of a voice call; that others differ tells nothing (paper 4.5)."""
    if pair.analysis.unanswered_service != "identical_sessions":
        return _undecided("no conversation, and no rule for calls without one")
    if all(each is None for each in identical):
        return _undecided("no conversation, and fewer than two sessions on each side")
    if not any(identical):
        return _undecided("no conversation, and sessions that are not identical tell nothing")
    return _Decision("voice", "identical sessions: voice", None, Reason(("margin",), "sessions decide, not a rate"))


def _undecided(text: str) -> _Decision:
    return _Decision(missing=Reason(("service_found", "rule", "margin"), text))


def _facts(own: Vantage, streams: tuple[Stream, ...]) -> Iterator[tuple[str, str, Frame | None]]:
    """The media that are measured, their RTP, and the sessions that are compared."""
    first, last = media_span(own) or (None, None)
    yield "media first", own.phone, first
    yield "media last", own.phone, last
    for stream in streams:
        yield str(stream), own.phone, stream.first
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
