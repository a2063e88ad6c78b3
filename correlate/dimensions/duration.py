"""Call duration symmetry (paper 3.3, 4.3): how long does the call last on each side, and when?"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from correlate.columns import Reason, explained
from correlate.pairs import CallPair, Sided, Vantage
from correlate.pairs.frames import Evidence, Frame, evidence
from correlate.pairs.sessions import RULES, Session


@dataclass(frozen=True)
class Timing:
    """A session in time: its duration by this side's own clock, its ends in the controller's time, its far end.

    Differences are this side's less the other's: of the first packets in the controller's time, and of the durations.
    `within_bound`: the clocks cannot tell the difference from zero.
    """

    duration_ns: int | None = None
    first_ns: int | None = None
    last_ns: int | None = None
    remote: str | None = None
    start_difference_ns: int | None = None
    start_within_bound: bool | None = None
    duration_difference_ns: int | None = None
    duration_within_bound: bool | None = None


@dataclass(frozen=True)
class Durations:
    """One side's session under each of the four rules. `bound_ns` bounds the error of this side's times in the
    controller's, `start_bound_ns` and `duration_bound_ns` that of the differences; drift between the readings of a
    clock is in all of them, and they are None where a clock was never compared."""

    phone: str
    longest_relay: Timing
    best_match: Timing
    p2p: Timing
    media_union: Timing
    bound_ns: int | None
    start_bound_ns: int | None
    duration_bound_ns: int | None
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
    """Durations on both sides. Duration = last minus first packet of a UDP conversation."""
    choices = {name: rule(pair) for name, rule in RULES.items()}
    missing = [Reason((name,), choice.reason) for name, choice in choices.items() if choice.reason]
    a, b = ({name: getattr(choice, side) for name, choice in choices.items()} for side in ("a", "b"))
    return Sided(_side(pair.a, pair.b, a, b, missing), _side(pair.b, pair.a, b, a, missing))


def _side(
    own: Vantage,
    other: Vantage,
    sessions: Mapping[str, Session | None],
    others: Mapping[str, Session | None],
    missing: list[Reason],
) -> Durations:
    is_known = own.clock.known and other.clock.known
    bounds = _Bounds(
        own.clock.bound_ns + other.clock.bound_ns if is_known else None,
        own.clock.elapsed_bound_ns + other.clock.elapsed_bound_ns if is_known else None,
    )
    timings = {name: _timing(own, session, other, others[name], bounds) for name, session in sessions.items()}
    why = [] if is_known else [Reason(("start", "within_bound", "bound"), "the other side's clock was never compared")]
    if not own.clock.known:
        why = [Reason(("first", "last", "start", "within_bound", "bound"), "this clock was never compared")]
    finding = Durations(
        phone=own.phone,
        longest_relay=timings["longest_relay"],
        best_match=timings["best_match"],
        p2p=timings["p2p"],
        media_union=timings["media_union"],
        bound_ns=own.clock.bound_ns if own.clock.known else None,
        start_bound_ns=bounds.start_ns,
        duration_bound_ns=bounds.duration_ns,
        evidence=evidence(_facts(own, sessions)),
    )
    return explained(finding, [*why, *missing])


def _facts(own: Vantage, sessions: Mapping[str, Session | None]) -> Iterator[tuple[str, str, Frame | None]]:
    for name, session in sessions.items():
        if session is not None:
            yield f"{name} first", own.phone, session.first
            yield f"{name} last", own.phone, session.last


def _timing(own: Vantage, session: Session | None, other: Vantage, theirs: Session | None, bounds: _Bounds) -> Timing:
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
    )


def _controller(side: Vantage, frame: Frame) -> int | None:
    return side.clock.to_controller(frame.time_ns) if side.clock.known else None


def _within(difference_ns: int | None, bound_ns: int | None) -> bool | None:
    return None if difference_ns is None or bound_ns is None else abs(difference_ns) <= bound_ns
