"""Whether a call was answered, and by our tap."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from correlate.dataset.record import Claim, Limits
from lab.definitions import Role
from lab.phone.witnesses.facts import Missing
from lab.run.ending import is_our_key
from lab.run.heard import (
    ENDING,
    ROLES,
    Act,
    Acts,
    S,
    Says,
    Shape,
    SideEvidence,
    Sides,
    Word,
    conclude,
    last_act,
    seconds,
    share,
)
from lab.run.spans import TALKING, Span, audio_of, is_own, known, own_calls

BYTES_PER_S = 1000
"""Fewer bytes than that for each second of a conversation need not be one; the signalling of a call is some too."""

_DENIED: Mapping[Says, Says] = {"for": "against", "nothing": "for", "missing": "missing"}


def answered(shape: Shape, sides: Sides, acts: Acts, limits: Mapping[Role, Limits]) -> Claim:
    """Whether the call was answered, or was not, as the scenario's steps say."""
    if not shape.answered:
        return conclude(False, True, _contradicted(list(_unanswered(sides))), ROLES)
    act = last_act(acts, "callee", ("answer",))
    if act is None or not act.used:
        return conclude(True, None, [Word("callee", "tap", "against", "no way to answer was used", "not_our_tap")])
    words = [word for role in ROLES for word in _of_phone(role, sides, act, acts, limits["callee"])]
    return conclude(True, False, [*words, *_never(words, sides), *_asked(sides["callee"], act)], ROLES)


def _of_phone(role: Role, sides: Sides, act: Act, acts: Acts, limits: Limits) -> Iterator[Word]:
    side = sides[role]
    looks = [look for look in side.looks if look.at_ns >= act.t1_ns]
    shown = sum(look.state == "connected" for look in looks)
    text = f"connected at {share(shown, len(looks))}"
    yield Word(role, "screen", ("for" if shown else "nothing") if looks else "missing", text)
    yield _recorder(role, sides, act, limits)
    yield from _active(role, side)
    end = next((each for each in reversed(acts) if each.verb in ENDING), None)
    seen = [look.at_ns for look in looks if look.state == "connected"]
    last_ns = end.t0_ns if end is not None else seen[-1] if seen else act.t1_ns
    yield _traffic(role, side, last_ns - act.t1_ns)


def _recorder(role: Role, sides: Sides, act: Act, limits: Limits) -> Word:
    """The callee's recorder starts after our tap; the caller's, which may have begun at dialling, runs with it."""
    talks, others = audio_of(sides[role]).talks, known(audio_of(sides["callee"]).talks)
    if isinstance(talks, Missing):
        return Word(role, "audio", "missing", talks.why)
    if not talks:
        return Word(role, "audio", "nothing", "no recorder in a call")
    if role == "callee":
        return _start(sides["callee"], talks[-1], act, limits)
    caller, callee = sides["caller"], sides["callee"]
    bound_ns = caller.bound_ns + callee.bound_ns
    with_it = any(
        talks[-1].overlaps(
            other.first_ns - callee.offset_ns + caller.offset_ns - bound_ns,
            other.last_ns - callee.offset_ns + caller.offset_ns + bound_ns,
        )
        for other in others
    )
    text = "its recorder ran with the callee's" if with_it else "its recorder did not run with the callee's"
    return Word(role, "audio", "for" if with_it else "nothing", text)


def _start(callee: SideEvidence, talk: Span, act: Act, limits: Limits) -> Word:
    if talk.begin_ns is None:
        return Word("callee", "audio", "nothing", "its recorder ran at the first reading")
    start_ns, look = callee.at(talk.begin_ns), act.before.get("callee")
    if start_ns > act.t1_ns + callee.bound_ns + round(limits.late_s * S):
        text = f"its recorder began {seconds(start_ns - act.t1_ns)} after the tap"
        return Word("callee", "audio", "unclear", text, "late_effect")
    if start_ns >= act.t0_ns - callee.bound_ns:
        return Word("callee", "audio", "for", f"its recorder began {seconds(start_ns - act.t0_ns)} after the tap")
    text = f"its recorder began {seconds(act.t0_ns - start_ns)} before the tap"
    if look is None or look.state != "incoming":
        return Word("callee", "audio", "unclear", text, "answered_before_we_did")
    if start_ns > look.at_ns + callee.bound_ns:
        return Word("callee", "audio", "against", text, "answered_before_we_did")
    if start_ns < look.at_ns - callee.bound_ns:
        # It was seen ringing after that: the app opens its recorder early, which says nothing.
        return Word("callee", "audio", "nothing", f"{text}, while it rang")
    return Word("callee", "audio", "unclear", text, "answered_before_we_did")


def _active(role: Role, side: SideEvidence) -> Iterator[Word]:
    if isinstance(side.since.calls, Missing):
        yield Word(role, "telecom", "missing", side.since.calls.why)
        return
    for call in own_calls(side):
        active = any(event.event == "SET_ACTIVE" for event in call.events)
        yield Word(role, "telecom", "for" if active else "nothing", "SET_ACTIVE" if active else "no SET_ACTIVE")


def _traffic(role: Role, side: SideEvidence, talk_ns: int) -> Word:
    if side.app_bytes is None:
        return Word(role, "traffic", "missing", "nobody counted")
    enough = talk_ns > 0 and side.app_bytes * S >= BYTES_PER_S * talk_ns
    return Word(role, "traffic", "for" if enough else "nothing", f"{side.app_bytes} bytes in {seconds(talk_ns)}")


def _never(words: list[Word], sides: Sides) -> Iterator[Word]:
    """Nobody answered where both histories are whole and neither they nor any look hold a conversation."""
    told = [word for word in words if word.witness in ("audio", "screen", "telecom")]
    silent = [word for word in told if word.says == "nothing"]
    asked = {(word.role, word.witness) for word in silent}
    positive = any(word.says in ("for", "unclear") for word in told)
    whole = all((role, "screen") in asked and audio_of(sides[role]).talks == () for role in ROLES)
    if whole and not positive:
        yield from (replace(word, says="against", reason="not_answered") for word in silent)


def _asked(callee: SideEvidence, act: Act) -> Iterator[Word]:
    """Who accepts through Telecom is a headset, a car, or a key of ours."""
    for event in (event for call in own_calls(callee) for event in call.events if event.event == "REQUEST_ACCEPT"):
        if not is_our_key(callee, "callee", act, event.at_ns):
            yield Word("callee", "telecom", "against", f"{event.event} that is not ours", "not_our_tap")


def _unanswered(sides: Sides) -> Iterator[Word]:
    """What each phone holds of no answer; `against` is what shows one, whatever else there is."""
    for role in ROLES:
        side = sides[role]
        shown = sum(look.state == "connected" for look in side.looks)
        text = f"connected at {share(shown, len(side.looks))}"
        yield Word(role, "screen", ("against" if shown else "for") if side.looks else "missing", text)
        yield _no_recorder(role, side)
        for word in _active(role, side):
            yield replace(word, says=_DENIED[word.says])


def _no_recorder(role: Role, side: SideEvidence) -> Word:
    recorders = side.since.recorders
    if isinstance(recorders, Missing):
        return Word(role, "audio", "missing", recorders.why)
    own = [event for event in recorders if is_own(side)(event) and event.event != "release"]
    if any(event.source in TALKING for event in own):
        return Word(role, "audio", "against", "its recorder ran as in a call")
    if own:
        return Word(role, "audio", "unclear", f"its recorder ran with {own[0].source}", "recorded")
    return Word(role, "audio", "for", "no recorder of the app")


def _contradicted(words: list[Word]) -> list[Word]:
    """Two that show a conversation refute that there was none; a single one makes it unclear."""
    kinds = {word.witness for word in words if word.says == "against"}
    if len(kinds) > 1:
        return [replace(word, reason="answered") if word.says == "against" else word for word in words]
    unclear = [replace(word, says="unclear", reason="perhaps_answered") for word in words if word.says == "against"]
    return [*unclear, *(word for word in words if word.says != "against")]
