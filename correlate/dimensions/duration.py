"""Call duration symmetry (paper 3.3, 4.3): how long does the call last on each side, and when?"""

from __future__ import annotations

from dataclasses import dataclass

from correlate.pairs import CallPair, Vantage
from correlate.pairs.sessions import RULES, Session
from correlate.pairs.sided import Sided


@dataclass(frozen=True)
class Timing:
    """A session in time: its duration by this side's own clock, its ends in the controller's time, its far end."""

    duration_ns: int | None
    first_ns: int | None
    last_ns: int | None
    remote: str | None


@dataclass(frozen=True)
class Durations:
    """One side's session under each of the four rules; `bound_ns` bounds the error of the controller's times, which
    are None where this side's clock was never compared."""

    phone: str
    longest_relay: Timing
    best_match: Timing
    p2p: Timing
    media_union: Timing
    bound_ns: int | None
    reason: str


def measure(pair: CallPair) -> Sided[Durations]:
    """Durations on both sides. Duration = last minus first packet of a UDP conversation."""
    choices = {name: rule(pair) for name, rule in RULES.items()}
    reason = "; ".join(f"{name}: {choice.reason}" for name, choice in choices.items() if choice.reason)

    def side(vantage: Vantage, sessions: dict[str, Session | None]) -> Durations:
        timings = {name: _timing(vantage, session) for name, session in sessions.items()}
        known = vantage.clock.known
        why = (
            reason if known else "; ".join(filter(None, ["first, last, bound: this clock was never compared", reason]))
        )
        bound_ns = vantage.clock.bound_ns if known else None
        return Durations(phone=vantage.phone, bound_ns=bound_ns, reason=why, **timings)

    return Sided(
        side(pair.a, {name: choice.a for name, choice in choices.items()}),
        side(pair.b, {name: choice.b for name, choice in choices.items()}),
    )


def _timing(vantage: Vantage, session: Session | None) -> Timing:
    if session is None:
        return Timing(None, None, None, None)
    known = vantage.clock.known
    return Timing(
        duration_ns=session.last_ns - session.first_ns,
        first_ns=vantage.clock.to_controller(session.first_ns) if known else None,
        last_ns=vantage.clock.to_controller(session.last_ns) if known else None,
        remote=session.remote,
    )
