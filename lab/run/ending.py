"""Who ended a call. No record says so; it takes our tap, the order of what followed, and nobody else's.

The rules are those of docs/decisions/0016-witnesses.md. What cannot be told: that the other side acts within
`follow_s` of a tap of ours that was lost.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from correlate.dataset.record import Claim, Limits
from lab.definitions import Role
from lab.phone.witnesses.facts import LogEvent, Missing
from lab.run.heard import (
    ENDING,
    ON,
    OTHER,
    ROLES,
    Act,
    Acts,
    S,
    Says,
    Shape,
    SideEvidence,
    Sides,
    Witness,
    Word,
    conclude,
    last_act,
    seconds,
)
from lab.run.spans import Span, Spans, audio_of, known, own_calls

APART_S = 0.5
"""The other side's end may lie this much before ours, and the clocks' bounds more: tear-down has no order."""
LEAST_RING_S = 20.0
"""No app is known that gives up sooner; an unanswered call that ends before may have been ended by somebody."""

NO_SPAN = "no span of the app"
TOUCHES = ("notification_action_clicked", "input_interaction")
_OURS = frozenset({"LOCAL", "REJECTED"})
_THEIRS = frozenset({"REMOTE", "MISSED", "CANCELED"})


@dataclass(frozen=True)
class End:
    """When a call ended on one phone, by the controller's clock; None where its records do not tell, and `why`.

    `whole`: all that could tell was there, so that it may contradict; `source` is whose record it is. `missing`: they
    could not be asked; `moot`: there is no end that they could tell, and none is needed.
    """

    at_ns: int | None
    whole: bool
    source: Witness
    why: str
    missing: bool = False
    moot: bool = False
    ring_ns: int | None = None


def end_of(side: SideEvidence, answered: bool, until_ns: int | None) -> End:
    """The end of the call that went on at `until_ns` (of the last one, where that is None).

    Of a call that was answered it is the recorder's stop or the end of the mode, whichever is first: they are noted
    late, never early. Else it is the end of the mode; where the audio history does not tell, Telecom's word for it.
    """
    audio = audio_of(side)
    missing = next(
        (spans.why for spans in (audio.modes, *((audio.talks,) if answered else ())) if isinstance(spans, Missing)),
        None,
    )
    mode = _going(side, audio.modes, until_ns)
    talk = _going(side, audio.talks, until_ns) if answered else None
    ends = [span for span in (talk, mode) if span is not None]
    if talk is not None and mode is not None and not mode.overlaps(talk.first_ns, talk.last_ns):
        ends = [talk]
    if any(span.end_ns is None for span in ends):
        return End(None, False, "audio", "on to the last reading")
    sure = [span.end_ns for span in ends if span.sure and span.end_ns is not None]
    if sure:
        ring_ns = None if mode is None or mode.rang_ns is None else min(sure) - mode.rang_ns
        return End(side.at(min(sure)), missing is None, "audio", "", ring_ns=ring_ns)
    told = [event.at_ns for call in own_calls(side) for event in call.events if event.event == "SET_DISCONNECTED"]
    if told:
        return End(side.at(told[-1]), False, "telecom", "")
    if missing is not None:
        return End(None, False, "audio", missing, missing=True)
    silent = bool(ends) and ends[-1].silent
    return End(None, False, "audio", "the mode was taken from the app" if ends else NO_SPAN, moot=silent)


def _going(side: SideEvidence, spans: Spans | Missing, until_ns: int | None) -> Span | None:
    """The last span that had begun by then."""
    found = [span for span in known(spans) if until_ns is None or side.at(span.first_ns) <= until_ns]
    return found[-1] if found else None


def ended_by(shape: Shape, sides: Sides, acts: Acts, limits: Mapping[Role, Limits]) -> Claim:
    """Whether the call was ended by whom the scenario's steps say."""
    if shape.ended_by == "system":
        return conclude("system", None, list(_by_system(shape, sides, acts, limits)))
    by: Role = shape.ended_by
    act = last_act(acts, by, ENDING)
    if act is None or not act.used:
        return conclude(by, None, [Word(by, "tap", "against", "no way to end the call was used", "not_our_tap")])
    return conclude(by, None, list(_by_tap(shape, sides, act, limits)))


def _by_tap(shape: Shape, sides: Sides, act: Act, limits: Mapping[Role, Limits]) -> Iterator[Word]:
    yield Word(act.role, "tap", "nothing", f"{act.verb} by {', '.join(act.used)}")
    yield from _looks_before(act, shape)
    yield from _still_shown(sides, act, limits)
    ends = {role: end_of(sides[role], shape.answered, act.t1_ns) for role in ROLES}
    callee = ends["callee"]
    if shape.rang is None and callee.why == NO_SPAN:
        # A caller who cancels at once may be faster than the ringing.
        ends["callee"] = replace(callee, moot=True)
    yield from _in_time(sides, act, limits[act.role], ends)
    for role in ROLES:
        yield from _causes(sides[role], role, act)
    yield from _events(sides, act, ends)


def _looks_before(act: Act, shape: Shape) -> Iterator[Word]:
    """The call was on at both phones before the tap."""
    looks = {role: look for role, look in act.before.items() if look.at_ns <= act.t0_ns}
    states = {role: looks[role].state for role in ROLES if role in looks}
    needed = [state for role, state in states.items() if role == act.role or shape.rang is not None]
    if len(states) < len(ROLES):
        yield Word(act.role, "screen", "missing", "not both phones were looked at before the tap")
    elif all(state in ON for state in needed):
        yield Word(act.role, "screen", "for", f"before the tap {_both(states)}")
    elif "idle" in needed:
        yield Word(act.role, "screen", "unclear", f"before the tap {_both(states)}", "idle_before_the_tap")
    else:
        yield Word(act.role, "screen", "nothing", f"before the tap {_both(states)}")


def _both(states: Mapping[Role, str]) -> str:
    return ", ".join(f"the {role} was {state}" for role, state in states.items())


def _still_shown(sides: Sides, act: Act, limits: Mapping[Role, Limits]) -> Iterator[Word]:
    """A call that is shown is not over, whatever the records say."""
    after_ns = act.t1_ns + round(limits[act.role].late_s * S)
    for role in ROLES:
        late = [look for look in sides[role].looks if look.at_ns > after_ns and look.state in ON]
        if late:
            text = f"{late[-1].state} {seconds(late[-1].at_ns - act.t1_ns)} after the tap"
            yield Word(role, "screen", "unclear", text, "still_shown")


def _in_time(sides: Sides, act: Act, limits: Limits, ends: Mapping[Role, End]) -> Iterator[Word]:
    """When the call ended on each phone, against our tap and against each other."""
    told = [word for role in ROLES for word in _against_tap(role, sides[role], ends[role], act, limits)]
    yield from told
    if any(word.says in ("against", "unclear") for word in told):
        return
    bound_ns = sum(sides[role].bound_ns for role in ROLES)
    if bound_ns > round(limits.follow_s * S):
        yield Word(act.role, "audio", "unclear", f"the clocks are known to {seconds(bound_ns)} only", "clocks_unclear")
        return
    x_ns, y_ns = ends[act.role].at_ns, ends[OTHER[act.role]].at_ns
    if x_ns is None or y_ns is None:
        moot = next((end for end in ends.values() if end.moot), None)
        end_ns = y_ns if x_ns is None else x_ns
        if moot is None or end_ns is None:
            return
        text = f"the end follows the tap on one phone; on the other {moot.why}"
        in_time = end_ns <= act.t1_ns + round(limits.follow_s * S)
        yield Word(act.role, _source(ends), "for" if in_time else "unclear", text, "late_effect")
        return
    apart = f"the other phone's end {seconds(y_ns - x_ns)} after"
    if y_ns < x_ns - bound_ns - round(APART_S * S):
        yield Word(act.role, "audio", "unclear", apart, "other_end_first")
    elif y_ns > x_ns + bound_ns + round(limits.apart_s * S):
        yield Word(act.role, "audio", "unclear", apart, "ends_apart")
    else:
        yield Word(act.role, _source(ends), "for", f"both ends follow the tap, {apart}")


def _source(ends: Mapping[Role, End]) -> Witness:
    """Whose word both ends are: they are no better than the lesser one."""
    return "audio" if all(end.source == "audio" for end in ends.values()) else "telecom"


def _against_tap(role: Role, side: SideEvidence, end: End, act: Act, limits: Limits) -> Iterator[Word]:
    if end.at_ns is None:
        yield Word(role, "audio", "missing" if end.missing else "nothing", end.why)
        return
    before_ns, after_ns = act.t0_ns - end.at_ns, end.at_ns - act.t1_ns
    refutes: Says = "against" if end.whole else "unclear"
    if before_ns > side.bound_ns:
        yield Word(role, end.source, refutes, f"the end {seconds(before_ns)} before the tap", "ended_before_we_did")
        return
    text = f"the end {seconds(after_ns)} after the tap"
    follow_ns = round(limits.follow_s * S)
    if after_ns < -side.bound_ns and -before_ns > follow_ns:
        # Between two taps, and too late for the first.
        yield Word(role, end.source, "unclear", text, "late_effect")
    elif after_ns <= follow_ns or role != act.role:
        yield Word(role, end.source, "nothing", text)
    elif after_ns - side.bound_ns > round(limits.late_s * S):
        yield Word(role, end.source, refutes, text, "late_end")
    else:
        yield Word(role, end.source, "unclear", text, "late_effect")


def _causes(side: SideEvidence, role: Role, act: Act) -> Iterator[Word]:
    """Where the app registers its calls with Telecom, the cause that it gives, and who asked through Telecom."""
    for call in own_calls(side):
        asked = [event for event in call.events if event.event in ("REQUEST_DISCONNECT", "REQUEST_REJECT")]
        for event in asked:
            if not is_our_key(side, role, act, event.at_ns):
                text = f"{event.event} that is not ours"
                yield Word(role, "telecom", "against", text, "not_our_tap")
        # An app may call it REJECTED or CANCELED on the side that called, whoever did it.
        cause = None if not call.incoming and call.cause in ("REJECTED", "CANCELED") else call.cause
        if cause in _OURS | _THEIRS:
            fits = cause in (_OURS if role == act.role else _THEIRS)
            yield Word(role, "telecom", "for" if fits else "against", f"the cause is {cause}", "not_our_tap")


def is_our_key(side: SideEvidence, role: Role, act: Act, phone_ns: int) -> bool:
    """A key that we press goes through Telecom; a tap on the app's button does not."""
    first_ns, last_ns = act.t0_ns - side.bound_ns, act.t1_ns + side.bound_ns + 1 * S
    by_key = any(way.startswith("key ") for way in act.used)
    return role == act.role and by_key and first_ns <= side.at(phone_ns) <= last_ns


def _events(sides: Sides, act: Act, ends: Mapping[Role, End]) -> Iterator[Word]:
    """What the phones logged of touches: ours, and anybody else's on the other phone."""
    own, other = sides[act.role], OTHER[act.role]
    tapped = (act.t0_ns - own.bound_ns, act.t1_ns + own.bound_ns + 1 * S)
    for event in logged(own, ("notification_action_clicked",), *tapped):
        yield Word(act.role, "events", "for", f"{event.tag} of the app with the tap")
    for event in logged(own, ("input_cancel",), tapped[0], act.t1_ns + own.bound_ns):
        yield Word(act.role, "events", "unclear", f"{event.tag} amid the tap", "input_cancelled")
    end_ns, look = ends[other].at_ns, act.before.get(other)
    if end_ns is None or look is None:
        return
    bound_ns = sides[other].bound_ns
    for event in logged(sides[other], TOUCHES, look.at_ns + bound_ns, end_ns + bound_ns):
        yield Word(other, "events", "unclear", f"{event.tag} of the app before the end", "other_side_touched")


def logged(side: SideEvidence, tags: tuple[str, ...], first_ns: int, last_ns: int) -> list[LogEvent]:
    """The events of the app with one of `tags` between two instants of the controller's clock."""
    log = () if isinstance(side.since.events, Missing) else side.since.events
    return [
        event
        for event in log
        if event.tag in tags
        and first_ns <= side.at(event.at_ns) <= last_ns
        and any(side.package in field for field in event.fields)
    ]


def _by_system(shape: Shape, sides: Sides, acts: Acts, limits: Mapping[Role, Limits]) -> Iterator[Word]:
    """Nobody's tap, and an end on both phones at about the same time, once it had rung for long."""
    for act in acts:
        if act.verb in ENDING and act.used:
            yield Word(act.role, "tap", "against", f"{act.verb} by {', '.join(act.used)}", "our_tap")
    ends = {role: end_of(sides[role], shape.answered, None) for role in ROLES}
    for role in ROLES:
        if ends[role].at_ns is None:
            yield Word(role, "audio", "missing" if ends[role].missing else "nothing", ends[role].why)
        yield from _touched(sides[role], role, ends[role], acts)
        yield from _causes_of_system(sides[role], role)
    yield from _together(shape, sides, ends, limits)
    rung = [look for look in sides["callee"].looks if look.state in ON]
    unheard = next((side.since.events for side in sides.values() if isinstance(side.since.events, Missing)), None)
    if unheard is not None:
        yield Word("callee", "screen", "missing", f"whether it was touched is not known: {unheard.why}")
    elif rung:
        yield Word("callee", "screen", "for", f"{rung[-1].state} at {len(rung)} looks, and nothing was touched")


def _together(shape: Shape, sides: Sides, ends: Mapping[Role, End], limits: Mapping[Role, Limits]) -> Iterator[Word]:
    caller_ns, callee_ns = ends["caller"].at_ns, ends["callee"].at_ns
    if caller_ns is None or callee_ns is None:
        return
    bound_ns = sum(sides[role].bound_ns for role in ROLES)
    most_ns = bound_ns + round(max(limits[role].apart_s for role in ROLES) * S)
    text = f"the end {seconds(callee_ns - caller_ns)} after the caller's"
    ring_ns = ends["callee"].ring_ns
    source = _source(ends)
    if abs(callee_ns - caller_ns) > most_ns:
        yield Word("callee", source, "unclear", text, "ends_apart")
    elif not shape.answered and ring_ns is None:
        yield Word("callee", source, "nothing", f"{text}; how long it rang is not known")
    elif not shape.answered and ring_ns is not None and (odd := _odd_ring(ring_ns, limits["callee"])):
        yield Word("callee", source, "unclear", f"{text}, after {seconds(ring_ns)} of ringing{odd}", "short_ring")
    else:
        rung = "" if ring_ns is None else f", after {seconds(ring_ns)} of ringing"
        yield Word("callee", source, "for", f"{text}{rung}")


def _odd_ring(ring_ns: int, of: Limits) -> str:
    """Why it did not ring as long as it does when the app gives up by itself; empty where it did."""
    if of.unanswered_s is None:
        return "" if ring_ns >= round(LEAST_RING_S * S) else f", less than {LEAST_RING_S:g} s"
    usual_ns = round(of.unanswered_s * S)
    return "" if abs(ring_ns - usual_ns) <= round(of.apart_s * S) else f", {seconds(usual_ns)} is usual"


def _touched(side: SideEvidence, role: Role, end: End, acts: Acts) -> Iterator[Word]:
    """Somebody touched the app after our last act and before the end."""
    if end.at_ns is None:
        return
    last_ns = max((act.t1_ns for act in acts), default=end.at_ns)
    for event in logged(side, TOUCHES, last_ns + side.bound_ns + 1 * S, end.at_ns + side.bound_ns):
        yield Word(role, "events", "unclear", f"{event.tag} of the app before the end", "touched")


def _causes_of_system(side: SideEvidence, role: Role) -> Iterator[Word]:
    for call in own_calls(side):
        if any(event.event in ("REQUEST_DISCONNECT", "REQUEST_REJECT") for event in call.events):
            yield Word(role, "telecom", "against", "the end was asked for", "not_our_tap")
        if call.incoming and call.cause in _OURS:
            yield Word(role, "telecom", "against", f"the cause is {call.cause}", "not_our_tap")
        elif call.cause in _OURS:
            yield Word(role, "telecom", "unclear", f"the cause is {call.cause}", "cause_of_the_caller")
        elif call.cause == "MISSED":
            yield Word(role, "telecom", "for", "the cause is MISSED")
