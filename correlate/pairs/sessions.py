"""Which session is the call? Four rules, published side by side, because the paper does not say (facts: Table 6-8)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from correlate.pairs import CallPair, Vantage
from correlate.pairs.conversations import Kind
from correlate.pairs.frames import Frame
from correlate.pairs.identity import Identities, Identity
from correlate.pairs.segments import Segments, joined
from correlate.pairs.window import Amounts, total

LONGEST_S = 1.0


@dataclass(frozen=True)
class Session:
    """What one side shows of the call under one rule: its conversations (of all media together those of the session
    with most), its ends by that side's clock, its volumes per direction, and its far ends in words."""

    segments: Segments
    first: Frame
    last: Frame
    tx: Amounts
    rx: Amounts
    remote: str

    @property
    def duration_ns(self) -> int:
        """Last minus first packet."""
        return self.last.time_ns - self.first.time_ns

    @property
    def is_two_way(self) -> bool:
        """Whether there are packets both ways."""
        return bool(self.tx.packets and self.rx.packets)


@dataclass(frozen=True)
class Choice:
    """The sessions of both sides under one rule, or None with the reason; `identity` says by which sign they are the
    same session, None where there is none."""

    a: Session | None
    b: Session | None
    reason: str
    identity: Identity | None = None


def longest_relay(pair: CallPair) -> Choice:
    """Each side's longest session with servers of the call, of equally long ones the fullest. The headline: it looks at
    one side at a time."""
    return _longest(pair, lambda side: sessions(side, "server"), "no conversation with a server of the call")


def p2p(pair: CallPair) -> Choice:
    """Each side's longest session with the other phone that has packets both ways, chosen alike."""
    return _longest(
        pair,
        lambda side: [each for each in sessions(side, "direct") if each.is_two_way],
        "no direct conversation with packets both ways",
    )


def best_match(pair: CallPair) -> Choice:
    """Of the pairs of sessions that are the same on both sides (`Identities`) the one whose durations differ least,
    normalised; of equals the longest.

    It selects on the outcome, so it is never the headline. Sessions of one packet or of one direction, and checks of
    paths that never carried media, are left out.
    """
    identities = Identities(pair)
    a, b = (
        [each for kind in _KINDS for each in sessions(side, kind) if _is_alive(each, identities)]
        for side in (pair.a, pair.b)
    )
    if not a or not b:
        return Choice(None, None, "no two conversations to compare")
    same = [(x, y, sign) for x in a for y in b if (sign := identities.of(x.segments, y.segments))]
    if not same:
        return Choice(None, None, "no session of one side is the same as one of the other")
    x, y, sign = min(same, key=lambda ends: _difference(*ends[:2]))
    return Choice(x, y, "", sign)


def media_union(pair: CallPair) -> Choice:
    """All media of the call, relayed and direct, as if it were one session."""
    a, b = (_union(side) for side in (pair.a, pair.b))
    return _choice(pair, a, b, "no media")


RULES: dict[str, Callable[[CallPair], Choice]] = {
    "longest_relay": longest_relay,
    "best_match": best_match,
    "p2p": p2p,
    "media_union": media_union,
}
_KINDS: tuple[Kind, ...] = ("server", "direct")


def sessions(side: Vantage, kind: Kind) -> list[Session]:
    """The sessions of one kind on one side, conversations that follow one another joined."""
    return [_session(segments) for segments in joined(side.of_kind(kind))]


def _is_alive(session: Session, identities: Identities) -> bool:
    are_checks = all(identities.is_check(each) for each in session.segments)
    return session.is_two_way and session.duration_ns > 0 and not are_checks


def _longest(pair: CallPair, of: Callable[[Vantage], Sequence[Session]], reason: str) -> Choice:
    a, b = (_fullest_of_the_longest(of(side)) for side in (pair.a, pair.b))
    return _choice(pair, a, b, reason)


def _choice(pair: CallPair, a: Session | None, b: Session | None, reason: str) -> Choice:
    if a is None or b is None:
        missing = [side.phone for side, session in ((pair.a, a), (pair.b, b)) if session is None]
        return Choice(a, b, f"{reason} on {' and '.join(missing)}")
    return Choice(a, b, "", Identities(pair).of(a.segments, b.segments))


def _fullest_of_the_longest(found: Sequence[Session]) -> Session | None:
    """Of the sessions that last as long as the longest, to within LONGEST_S, the one with most payload.

    An app holds several relays open from the first to the last moment (paper, Figure 3: three that differ by 0.1 ms),
    and by microseconds each side would pick another one.
    """
    longest_s = max((_duration_s(each) for each in found), default=0.0)
    return max((each for each in found if _duration_s(each) >= longest_s - LONGEST_S), key=_fullness, default=None)


def _fullness(session: Session) -> tuple[int, float, str]:
    return (session.tx + session.rx).payload_bytes, _duration_s(session), session.remote


def _duration_s(session: Session) -> float:
    return session.duration_ns / 1e9


def _session(segments: Segments) -> Session:
    remotes = dict.fromkeys(f"{each.remote} port {each.remote_port}" for each in segments)
    return Session(
        segments,
        min((each.first for each in segments), key=_by_time),
        max((each.last for each in segments), key=_by_time),
        total(each.tx for each in segments),
        total(each.rx for each in segments),
        ", ".join(remotes),
    )


def media_span(side: Vantage) -> tuple[Frame, Frame] | None:
    """The first and the last media frame of the call on one side; None without media."""
    media = [each.media for each in side.of_call]
    firsts = [each.first for each in media if each.first is not None]
    lasts = [each.last for each in media if each.last is not None]
    if not firsts:
        return None
    return min(firsts, key=_by_time), max(lasts, key=_by_time)


def _by_time(frame: Frame) -> tuple[int, int]:
    return frame.time_ns, frame.number


def _union(side: Vantage) -> Session | None:
    found = [each.segments for kind in _KINDS for each in sessions(side, kind)]
    fullest, ends = max(found, key=_media_bytes, default=None), media_span(side)
    return Session(fullest, *ends, *side.media, "media") if ends and fullest else None


def _media_bytes(segments: Segments) -> int:
    return sum((each.media.tx + each.media.rx).payload_bytes for each in segments)


def _difference(a: Session, b: Session) -> tuple[float, float, str, str]:
    total_s = _duration_s(a) + _duration_s(b)
    return abs(_duration_s(a) - _duration_s(b)) / total_s, -total_s, a.remote, b.remote
