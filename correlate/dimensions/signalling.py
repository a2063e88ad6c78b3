"""Signalling artefacts (paper 3.3, 4.6): user ids that both sides show, and packet counts that tell who called."""

import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from correlate.columns import Reason, explained
from correlate.dataset.record import Analysis, RoleRule, Searched
from correlate.pairs import CallPair, Sided, Vantage
from correlate.pairs.conversations import Conversation
from correlate.pairs.frames import Evidence, Frame, evidence

ICE_CHARS = frozenset(string.ascii_letters + string.digits + "+/")
"""An ice-char is one of 64 (RFC 8839, 5.4): 6 bits."""
LEAST_BITS = 24
"""What a fragment has at least (RFC 8445, 5.3): less, both sides may show by chance."""


@dataclass(frozen=True)
class Signals:
    """`calling`: whether the wire shows this side to be the calling leg, and `role_rule` the rule that says so; None
    where it does not tell. `pair_packets`: the two sessions that the rule looks at. `user_ids`: ICE fragments that both
    traces show, by `user_id_rule`; None where they carry fewer than LEAST_BITS together, and where there is none but
    some of other lengths, or something was not looked into. `user_id_bits` is the most that each of those that both
    show can carry, in order of their text; `own_fragments` counts all that this side shows. `identifier_in_clear`:
    which of the lab's own identifiers (a number, a user id) stand in this side's capture as they are written, anywhere
    in it, whole within a frame; None where nobody looked, and where there is none but frames are cut."""

    phone: str
    calling: bool | None
    role_rule: str | None
    pair_packets: tuple[int, ...] | None
    user_ids: tuple[str, ...] | None
    user_id_bits: tuple[int, ...]
    user_id_rule: str
    own_fragments: int
    identifier_in_clear: tuple[str, ...] | None
    evidence: tuple[Evidence, ...]
    reasons: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""


def measure(pair: CallPair) -> Sided[Signals]:
    """User ids on both wires, and the calling leg by the app's role rule."""
    own = [fragments(side, pair.analysis) for side in (pair.a, pair.b)]
    shared = tuple(sorted(own[0] & own[1]))
    undecided = _undecided(pair, shared)
    rule = pair.analysis.role
    sessions = [closest_sessions(side, rule) if rule else () for side in (pair.a, pair.b)]
    packets = [tuple(_packets(each) for each in of_side) for of_side in sessions]
    a_calls, why = _calling(packets[0], packets[1], rule)

    def side(vantage: Vantage, number: int) -> Signals:
        missing = ("calling", "role_rule") if packets[number] else ("calling", "role_rule", "pair_packets")
        finding = Signals(
            phone=vantage.phone,
            calling=None if a_calls is None else a_calls == (number == 0),
            role_rule=None if rule is None or a_calls is None else _named(rule),
            pair_packets=packets[number] or None,
            user_ids=None if undecided else shared,
            user_id_bits=tuple(bits(fragment) for fragment in shared),
            user_id_rule=_lengths(pair.analysis),
            own_fragments=len(own[number]),
            identifier_in_clear=None if (unlooked := _not_looked(vantage.identifiers)) else _in_clear(vantage),
            evidence=evidence(
                [*_role_facts(vantage, sessions[number]), *_id_facts(vantage, shared), *_in_clear_facts(vantage)]
            ),
        )
        reasons = [Reason(missing, why)] if why else []
        reasons += [Reason(("user_ids",), undecided)] if undecided else []
        reasons += [Reason(("identifier_in_clear",), unlooked)] if unlooked else []
        return explained(finding, reasons)

    return Sided(side(pair.a, 0), side(pair.b, 1))


def _undecided(pair: CallPair, shared: tuple[str, ...]) -> str:
    """Why nobody can tell whether both traces show a user id; "" where it is certain."""
    carried = sum(bits(fragment) for fragment in shared)
    if shared:
        few = f"the fragments that both sides show carry {carried} bits, fewer than {LEAST_BITS}"
        return few if carried < LEAST_BITS else ""
    if _of_any_length(pair.a) & _of_any_length(pair.b):
        return "both sides show fragments, but none of a length that the app's have"
    unseen = [f"{side.phone}: {each.what}" for side in (pair.a, pair.b) for each in side.unseen]
    return f"no fragment on both sides, but not everything was looked into ({unseen[0]})" if unseen else ""


def _not_looked(searched: Searched | None) -> str:
    """Why nobody can tell whether the capture shows an identifier; "" where it is certain."""
    if searched is None:
        return "nobody looked for the lab's identifiers in this capture"
    cut = searched.cut_frames
    return "" if searched.found or not cut else f"no identifier in what was captured, but {cut} frames are cut"


def _in_clear(own: Vantage) -> tuple[str, ...]:
    return tuple(each.identifier for each in own.identifiers.found) if own.identifiers else ()


def _in_clear_facts(own: Vantage) -> Iterator[tuple[str, str, Frame | None]]:
    for each in own.identifiers.found if own.identifiers else ():
        yield f"{each.identifier} in clear: {each.count} frames", own.phone, own.recorded_frame(each.frames[0])


def bits(fragment: str) -> int:
    """The most that a user id can carry: 6 bits an ice-char, 8 bits a byte where it has other characters."""
    return 6 * len(fragment) if ICE_CHARS.issuperset(fragment) else 8 * len(fragment.encode())


def fragments(side: Vantage, analysis: Analysis) -> frozenset[str]:
    """ICE fragments, outer and nested; of the app's lengths, if it has any."""
    lengths = analysis.user_id_lengths
    return frozenset(fragment for fragment in _of_any_length(side) if not lengths or len(fragment) in lengths)


def _of_any_length(side: Vantage) -> set[str]:
    return {fragment for message in side.messages for fragment in message.ice_fragments}


def closest_sessions(side: Vantage, rule: RoleRule) -> tuple[Conversation, ...]:
    """The two sessions on the rule's port that are closest in packets, both directions together; empty where there are
    fewer sessions than the rule needs. Of equally close ones those with the fewest packets."""
    sessions = sorted((each for each in side.of_kind("server") if each.remote_port == rule.port), key=_packets)
    if len(sessions) < max(2, rule.sessions):
        return ()
    counts = [_packets(each) for each in sessions]
    low = min(range(len(counts) - 1), key=lambda index: (counts[index + 1] - counts[index], index))
    return sessions[low], sessions[low + 1]


def _packets(session: Conversation) -> int:
    return session.both.packets


def _named(rule: RoleRule) -> str:
    return (
        f"the two closest of {rule.sessions} or more sessions on port {rule.port}: {rule.caller_at_least} packets or "
        "more at the calling side, fewer at the called one"
    )


def _lengths(analysis: Analysis) -> str:
    lengths = sorted(analysis.user_id_lengths)
    return f"fragments of {', '.join(map(str, lengths))} characters" if lengths else "fragments of any length (generic)"


def _role_facts(own: Vantage, sessions: tuple[Conversation, ...]) -> Iterator[tuple[str, str, Frame | None]]:
    for each in sessions:
        what = f"session {each.remote} port {each.remote_port}: {_packets(each)} packets"
        yield what, own.phone, each.first


def _id_facts(own: Vantage, shared: tuple[str, ...]) -> Iterator[tuple[str, str, Frame | None]]:
    """The first USERNAME with each user id."""
    first: dict[str, Frame] = {}
    for message in own.messages:
        for fragment in message.ice_fragments:
            first.setdefault(fragment, Frame(message.frame, message.time_ns))
    for user_id in shared:
        yield f"user id {user_id}", own.phone, first[user_id]


def _calling(a: tuple[int, ...], b: tuple[int, ...], rule: RoleRule | None) -> tuple[bool | None, str]:
    """Whether side a calls, or None with the reason."""
    if rule is None:
        return None, "no rule for this app"
    if not a or not b:
        return None, f"fewer than {rule.sessions} sessions on port {rule.port}"
    a_high, b_high = min(a) >= rule.caller_at_least, min(b) >= rule.caller_at_least
    a_low, b_low = max(a) < rule.caller_at_least, max(b) < rule.caller_at_least
    if a_high and b_low:
        return True, ""
    if b_high and a_low:
        return False, ""
    return None, f"not {rule.caller_at_least} packets or more on one side and fewer on the other"
