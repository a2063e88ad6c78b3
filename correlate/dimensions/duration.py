"""Call duration symmetry (paper 3.3, 4.3): how long does the call last on each side, and when?"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from correlate.columns import Reason, explained
from correlate.pairs import CallPair, Sided, Vantage
from correlate.pairs.frames import Evidence, Frame, Instant, evidence
from correlate.pairs.media import SUSTAINED_NS
from correlate.pairs.round_trip import ASSUMED_NS
from correlate.pairs.sessions import RULES, Choice, Session, media_span


@dataclass(frozen=True)
class Timing:
    """A session in time: its duration by this side's own clock, its ends in the controller's time, its far end, and by
    which sign the other side's is the same session (`correlate.pairs.identity`), None without any.

    Differences are this side's less the other's: of the first packets in the controller's time, and of the durations.
    `within_bound`: the clocks cannot tell the difference from zero.
    """

    duration_ns: int | None = None
    first_ns: Instant | None = None
    last_ns: Instant | None = None
    remote: str | None = None
    start_difference_ns: int | None = None
    start_within_bound: bool | None = None
    duration_difference_ns: int | None = None
    duration_within_bound: bool | None = None
    identity: str | None = None


@dataclass(frozen=True)
class MediaSpan:
    """A conversation's media, from where they flow both ways (`Vantage.answered`) to the last: this side's ends less
    the other's, in the controller's time. `differs`: by more than `bound_ns`, the bounds of both clocks and a round
    trip; their begin by a second more, since keep-alives so long before it may count as it. That is a sign of a fault
    on the way or in a capture; it is told, and leaves the trial where it is."""

    first_difference_ns: int | None = None
    last_difference_ns: int | None = None
    bound_ns: int | None = None
    differs: bool | None = None


@dataclass(frozen=True)
class Durations:
    """One side's session under each of the four rules. `bound_ns` bounds the error of this side's times in the
    controller's, `start_bound_ns` and `duration_bound_ns` that of the differences; drift between the readings of a
    clock is in all of them, and they are None where a clock was never compared. `round_trip_ns`: the longest that a
    STUN request of this phone took to be answered; a round trip between the phones is taken to last no longer than both
    sides' together."""

    phone: str
    longest_relay: Timing
    best_match: Timing
    p2p: Timing
    media_union: Timing
    bound_ns: int | None
    start_bound_ns: int | None
    duration_bound_ns: int | None
    round_trip_ns: int | None
    media_span: MediaSpan
    evidence: tuple[Evidence, ...]
    reasons: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""

    def under(self, rule: str) -> Timing:
        """The session under one of `RULES`."""
        timing: Timing = getattr(self, rule)
        return timing


@dataclass(frozen=True)
class _Bounds:
    start_ns: int | None
    duration_ns: int | None


def measure(pair: CallPair) -> Sided[Durations]:
    """Durations on both sides. Duration = last minus first packet of the conversations of a session."""
    choices = {name: rule(pair) for name, rule in RULES.items()}
    return Sided(_side(pair, pair.a, pair.b, choices), _side(pair, pair.b, pair.a, choices))


def _side(pair: CallPair, own: Vantage, other: Vantage, choices: Mapping[str, Choice]) -> Durations:
    is_known = own.clock.known and other.clock.known
    bounds = _Bounds(
        own.clock.bound_ns + other.clock.bound_ns if is_known else None,
        own.clock.elapsed_bound_ns + other.clock.elapsed_bound_ns if is_known else None,
    )
    ends = {name: (each.a, each.b) if own is pair.a else (each.b, each.a) for name, each in choices.items()}
    timings = {
        name: _timing(own, mine, other, theirs, bounds, choices[name].identity) for name, (mine, theirs) in ends.items()
    }
    span = _media_span(pair, own, other, bounds)
    finding = Durations(
        phone=own.phone,
        longest_relay=timings["longest_relay"],
        best_match=timings["best_match"],
        p2p=timings["p2p"],
        media_union=timings["media_union"],
        bound_ns=own.clock.bound_ns if own.clock.known else None,
        start_bound_ns=bounds.start_ns,
        duration_bound_ns=bounds.duration_ns,
        round_trip_ns=own.round_trip_ns,
        media_span=span,
        evidence=evidence(_facts(own, {name: mine for name, (mine, _) in ends.items()})),
    )
    return explained(finding, [*_reasons(own, other, choices), *_reasons_of_media(pair, own, other, span)])


def _reasons(own: Vantage, other: Vantage, choices: Mapping[str, Choice]) -> Iterator[Reason]:
    if not own.clock.known:
        yield Reason(("first", "last", "start", "within_bound", "bound", "media_span"), "this clock was never compared")
    elif not other.clock.known:
        yield Reason(("start", "within_bound", "bound", "media_span"), "the other side's clock was never compared")
    for name, choice in choices.items():
        if choice.reason:
            yield Reason((name,), choice.reason)
        elif choice.identity is None:
            yield Reason((f"{name}_identity",), "nothing says that both sides' are one session")


def _media_span(pair: CallPair, own: Vantage, other: Vantage, bounds: _Bounds) -> MediaSpan:
    spans = [_conversation(side) for side in (own, other)]
    if not pair.established or bounds.start_ns is None or spans[0] is None or spans[1] is None:
        return MediaSpan()
    first_ns, last_ns = (mine - theirs for mine, theirs in zip(*spans, strict=True))
    round_trip_ns = sum(ASSUMED_NS if side.round_trip_ns is None else side.round_trip_ns for side in (own, other))
    bound_ns = bounds.start_ns + round_trip_ns
    return MediaSpan(first_ns, last_ns, bound_ns, max(abs(first_ns) - SUSTAINED_NS, abs(last_ns)) > bound_ns)


def _conversation(side: Vantage) -> tuple[int, int] | None:
    """From where media flow both ways to the last of them, in the controller's time."""
    _, last = media_span(side) or (None, None)
    if side.answered is None or last is None:
        return None
    return side.clock.to_controller(side.answered.time_ns), side.clock.to_controller(last.time_ns)


def _reasons_of_media(pair: CallPair, own: Vantage, other: Vantage, span: MediaSpan) -> Iterator[Reason]:
    silent = [side.phone for side in (own, other) if _conversation(side) is None]
    if own.round_trip_ns is None:
        text = f"no request of {own.phone} with its response; {ASSUMED_NS / 1e9:g} s are assumed (ITU-T G.114)"
        yield Reason(("round_trip",), text)
    if not pair.established:
        yield Reason(("media_span",), "no conversation")
    elif silent:
        yield Reason(("media_span",), f"media do not flow both ways on {' and '.join(silent)}")
    elif span.differs:
        ends_s = [f"{(each or 0) / 1e9:+.3f} s" for each in (span.first_difference_ns, span.last_difference_ns)]
        text = f"{own.phone}'s begin {ends_s[0]} and end {ends_s[1]} after {other.phone}'s"
        yield Reason(
            ("media_span_differs",), f"{text}; clocks and a round trip allow {(span.bound_ns or 0) / 1e9:.3f} s"
        )


def _facts(own: Vantage, sessions: Mapping[str, Session | None]) -> Iterator[tuple[str, str, Frame | None]]:
    for name, session in sessions.items():
        if session is not None:
            yield f"{name} first", own.phone, session.first
            yield f"{name} last", own.phone, session.last


def _timing(
    own: Vantage,
    session: Session | None,
    other: Vantage,
    theirs: Session | None,
    bounds: _Bounds,
    identity: str | None,
) -> Timing:
    if session is None:
        return Timing()
    first_ns, last_ns = (_controller(own, frame) for frame in (session.first, session.last))
    their_first_ns = _controller(other, theirs.first) if theirs else None
    start_ns = None if first_ns is None or their_first_ns is None else first_ns - their_first_ns
    longer_ns = session.duration_ns - theirs.duration_ns if theirs else None
    return Timing(
        duration_ns=session.duration_ns,
        first_ns=first_ns,
        last_ns=last_ns,
        remote=session.remote,
        start_difference_ns=start_ns,
        start_within_bound=_within(start_ns, bounds.start_ns),
        duration_difference_ns=longer_ns,
        duration_within_bound=_within(longer_ns, bounds.duration_ns),
        identity=identity,
    )


def _controller(side: Vantage, frame: Frame) -> int | None:
    return side.clock.to_controller(frame.time_ns) if side.clock.known else None


def _within(difference_ns: int | None, bound_ns: int | None) -> bool | None:
    return None if difference_ns is None or bound_ns is None else abs(difference_ns) <= bound_ns
