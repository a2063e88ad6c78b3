"""Signalling artefacts (paper 3.3, 4.6): user ids that both sides show, and packet counts that tell who called."""

from __future__ import annotations

from dataclasses import dataclass

from correlate.pairs import CallPair, Vantage
from correlate.pairs.analysis import Analysis, RoleRule
from correlate.pairs.sided import Sided

BITS_PER_CHARACTER = 6
"""An ice-char is one of 64 (RFC 8839, 5.4)."""


@dataclass(frozen=True)
class Signals:
    """`calling`: whether the wire shows this side to be the calling leg; None where it does not tell. `pair_packets`:
    the two sessions that say so. `user_ids`: ICE fragments that both traces show; `user_id_bits` is the most that one
    of them can carry; `own_fragments` counts all that this side shows."""

    phone: str
    calling: bool | None
    pair_packets: tuple[int, ...]
    user_ids: tuple[str, ...]
    user_id_bits: int
    own_fragments: int
    reason: str


def measure(pair: CallPair) -> Sided[Signals]:
    """User ids on both wires, and the calling leg by the app's role rule."""
    own = [fragments(side, pair.analysis) for side in (pair.a, pair.b)]
    shared = tuple(sorted(own[0] & own[1]))
    bits = max((len(fragment) * BITS_PER_CHARACTER for fragment in shared), default=0)
    rule = pair.analysis.role
    packets = [closest_sessions(side, rule) if rule else () for side in (pair.a, pair.b)]
    a_calls, reason = _calling(packets[0], packets[1], rule)
    b_calls = None if a_calls is None else not a_calls
    return Sided(
        Signals(pair.a.phone, a_calls, packets[0], shared, bits, len(own[0]), reason),
        Signals(pair.b.phone, b_calls, packets[1], shared, bits, len(own[1]), reason),
    )


def fragments(side: Vantage, analysis: Analysis) -> frozenset[str]:
    """ICE fragments in USERNAMEs with a colon, outer and nested; of the app's lengths, if it has any."""
    names = {message.username for message in side.messages if message.username and ":" in message.username}
    found = {fragment for name in names for fragment in name.split(":") if fragment}
    lengths = analysis.user_id_lengths
    return frozenset(fragment for fragment in found if not lengths or len(fragment) in lengths)


def closest_sessions(side: Vantage, rule: RoleRule) -> tuple[int, ...]:
    """Packets, both directions together, of the two sessions on the rule's port that are closest in count; empty where
    there are fewer sessions than the rule needs. Of equally close ones those with the fewest packets."""
    counts = sorted(
        each.tx_packets + each.rx_packets for each in side.of_kind("server") if each.remote_port == rule.port
    )
    if len(counts) < max(2, rule.sessions):
        return ()
    low = min(range(len(counts) - 1), key=lambda index: (counts[index + 1] - counts[index], index))
    return counts[low], counts[low + 1]


def _calling(a: tuple[int, ...], b: tuple[int, ...], rule: RoleRule | None) -> tuple[bool | None, str]:
    """Whether side a calls, or None with the reason."""
    if rule is None:
        return None, "calling: no rule for this app"
    if not a or not b:
        return None, f"calling: fewer than {rule.sessions} sessions on port {rule.port}"
    a_high, b_high = min(a) >= rule.caller_at_least, min(b) >= rule.caller_at_least
    a_low, b_low = max(a) < rule.caller_at_least, max(b) < rule.caller_at_least
    if a_high and b_low:
        return True, ""
    if b_high and a_low:
        return False, ""
    return None, f"calling: not {rule.caller_at_least} packets or more on one side and fewer on the other"
