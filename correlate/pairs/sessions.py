"""Which session is the call? Four rules, published side by side, because the paper does not say (facts: Table 6-8)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from correlate.pairs import CallPair, Vantage
from correlate.pairs.conversations import Conversation
from correlate.pairs.frames import Frame
from correlate.pairs.window import Amounts

LONGEST_S = 1.0


@dataclass(frozen=True)
class Session:
    """What one side shows of the call under one rule: its ends by that side's clock, its volumes per direction."""

    first: Frame
    last: Frame
    tx: Amounts
    rx: Amounts
    remote: str

    @property
    def duration_ns(self) -> int:
        """Last minus first packet."""
        return self.last.time_ns - self.first.time_ns


@dataclass(frozen=True)
class Choice:
    """The sessions of both sides under one rule, or None with the reason."""

    a: Session | None
    b: Session | None
    reason: str


def longest_relay(pair: CallPair) -> Choice:
    """Each side's longest conversation with a server of the call, of equally long ones the fullest. The headline: it
    looks at one side at a time."""
    return _longest(pair, lambda side: side.of_kind("server"), "no conversation with a server of the call")


def p2p(pair: CallPair) -> Choice:
    """Each side's longest conversation with the other phone that has packets both ways, chosen alike."""
    return _longest(
        pair,
        lambda side: [each for each in side.of_kind("direct") if each.tx.packets and each.rx.packets],
        "no direct conversation with packets both ways",
    )


def best_match(pair: CallPair) -> Choice:
    """The pair of relayed or of direct conversations whose durations differ least, normalised; of equals the longest.

    It selects on the outcome, so it is never the headline. Conversations of one packet are left out.
    """
    candidates = [
        (a, b)
        for kind in ("server", "direct")
        for a in pair.a.of_kind(kind)
        for b in pair.b.of_kind(kind)
        if a.duration_s > 0 and b.duration_s > 0
    ]
    if not candidates:
        return Choice(None, None, "no two conversations to compare")
    a, b = min(candidates, key=lambda ends: _difference(*ends))
    return Choice(_session(a), _session(b), "")


def media_union(pair: CallPair) -> Choice:
    """All media of the call, relayed and direct, as if it were one session."""
    a, b = (_union(side) for side in (pair.a, pair.b))
    return Choice(a, b, "" if a and b else "no media on " + _missing(pair, a, b))


RULES: dict[str, Callable[[CallPair], Choice]] = {
    "longest_relay": longest_relay,
    "best_match": best_match,
    "p2p": p2p,
    "media_union": media_union,
}


def _longest(pair: CallPair, of: Callable[[Vantage], Sequence[Conversation]], reason: str) -> Choice:
    chosen = [_fullest_of_the_longest(of(side)) for side in (pair.a, pair.b)]
    a, b = (_session(each) if each else None for each in chosen)
    return Choice(a, b, "" if a and b else f"{reason} on {_missing(pair, a, b)}")


def _fullest_of_the_longest(sessions: Sequence[Conversation]) -> Conversation | None:
    """Of the conversations that last as long as the longest, to within LONGEST_S, the one with most payload.

    An app holds several relays open from the first to the last moment (paper, Figure 3: three that differ by 0.1 ms),
    and by microseconds each side would pick another one.
    """
    longest_s = max((each.duration_s for each in sessions), default=0.0)
    return max((each for each in sessions if each.duration_s >= longest_s - LONGEST_S), key=_fullness, default=None)


def _fullness(conversation: Conversation) -> tuple[int, float, str]:
    return conversation.both.payload_bytes, conversation.duration_s, _remote(conversation)


def _missing(pair: CallPair, a: Session | None, b: Session | None) -> str:
    return " and ".join(side.phone for side, session in ((pair.a, a), (pair.b, b)) if session is None)


def _session(of: Conversation) -> Session:
    return Session(of.first, of.last, of.tx, of.rx, _remote(of))


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
    ends = media_span(side)
    return ends and Session(*ends, *side.media, "media")


def _remote(conversation: Conversation) -> str:
    return f"{conversation.remote} port {conversation.remote_port}"


def _difference(a: Conversation, b: Conversation) -> tuple[float, float, str, str]:
    total_s = a.duration_s + b.duration_s
    return abs(a.duration_s - b.duration_s) / total_s, -total_s, _remote(a), _remote(b)
