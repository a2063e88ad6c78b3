"""What the phones' own witnesses hold of a call: a verdict on each claim, from evidence alone.

The witnesses: the audio history, the stream of events, Telecom and telephony, the camera log, the screen, the app's
bytes, and our own taps. A claim is proven by two that are independent, and none against; refuted by one that positively
says otherwise; else undecided. A witness that is missing never says that nothing happened, and where two disagree,
something wins over nothing. Why: docs/decisions/0016-witnesses.md.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from correlate.dataset.record import Claim, Limits, Observed
from lab.definitions import Role
from lab.phone.witnesses.facts import Look, Missing
from lab.run.answering import answered
from lab.run.ending import ended_by
from lab.run.heard import (
    ENDING,
    ON,
    ROLES,
    Act,
    Acts,
    Says,
    Shape,
    SideEvidence,
    Sides,
    Witness,
    Word,
    conclude,
    counted,
    last_act,
    seconds,
    share,
)
from lab.run.others import is_call_notification, nothing_else
from lab.run.service import service
from lab.run.spans import REOPENED_NS, Audio, Span, audio_of, known, own_calls, united

__all__ = ["Act", "Shape", "SideEvidence", "judge", "refused"]

COUNTING: tuple[Witness, ...] = ("audio", "telecom")
"""The witnesses that tell one call from two."""
_CALLEE: tuple[Role, ...] = ("callee",)
ORDER = ("calls", "nothing_else", "rang", "answered", "service", "ended_by", "in_front")
"""In which a refuted claim is named: another call explains what follows, not the other way round."""


def judge(shape: Shape, sides: Sides, acts: Acts, limits: Mapping[Role, Limits]) -> Observed:
    """The verdict on each claim of a trial whose scenario has this shape.

    `acts` are ours, in order; `limits` are those of each phone with this app.
    """
    return Observed(
        calls=_calls(shape, sides),
        rang=_rang(shape, sides, acts),
        answered=answered(shape, sides, acts, limits),
        ended_by=ended_by(shape, sides, acts, limits),
        service=service(shape, sides, acts),
        nothing_else=nothing_else(sides),
        in_front=_in_front(shape, sides, acts),
    )


def refused(observed: Observed) -> tuple[str, str] | None:
    """The reason and the text of the first claim that is refuted; None where none is."""
    for name in ORDER:
        claim: Claim = getattr(observed, name)
        if claim.verdict == "refuted" and claim.reason is not None:
            witness, _, said = claim.witnesses[0].partition(": ")
            return claim.reason, f"{name}: {witness} said {said}"
    return None


def _calls(shape: Shape, sides: Sides) -> Claim:
    words: list[Word] = []
    most = 1
    for role in ROLES:
        side = sides[role]
        audio, registered = audio_of(side), len(own_calls(side))
        most = max(most, audio.calls, registered)
        words += _calls_by_audio(shape, role, audio, side.package)
        if isinstance(side.since.calls, Missing):
            words.append(Word(role, "telecom", "missing", side.since.calls.why))
        elif registered:
            says: Says = "for" if registered == 1 else "against"
            text = f"{counted(registered, 'call')} of {side.package}"
            words.append(Word(role, "telecom", says, text, "second_call"))
        words += [*_calls_by_looks(shape, role, side), *_traffic(role, side)]
    return conclude(1, most, words, ROLES, COUNTING)


def _calls_by_audio(shape: Shape, role: Role, audio: Audio, package: str) -> Iterator[Word]:
    """Spans of a call's mode and of its recorders. On a phone whose mode stays as it is the recorders tell."""
    modes, talks = known(audio.modes), known(audio.talks)
    spans = max(modes, talks, united((*modes, *talks), REOPENED_NS), key=len)
    lengths = " and ".join(_length(span) for span in spans[:5])
    text = f"{counted(audio.calls, 'span')} of {lengths} by {package}"
    kinds = (audio.modes, audio.talks) if shape.answered else (audio.modes,)
    need_not = shape.rang is None and role == "callee"
    missing = next((one.why for one in kinds if isinstance(one, Missing)), None)
    if audio.calls > 1:
        yield Word(role, "audio", "against", text, "second_call")
    elif audio.unclear is not None:
        yield Word(role, "audio", "unclear", text, audio.unclear)
    elif missing is not None:
        yield Word(role, "audio", "missing", missing)
    elif not audio.calls:
        yield Word(role, "audio", "for" if need_not else "nothing", f"no span by {package}")
    else:
        yield Word(role, "audio", "for", text)


def _length(span: Span) -> str:
    if span.begin_ns is None or span.end_ns is None:
        return "unknown length"
    return seconds(span.end_ns - span.begin_ns)


def _calls_by_looks(shape: Shape, role: Role, side: SideEvidence) -> Iterator[Word]:
    """One stretch of looks that show a call; the other direction of one is another call than ours."""
    reverse = "incoming" if role == "caller" else "outgoing"
    shown = [look.state in ON for look in side.looks]
    if any(look.state == reverse for look in side.looks):
        yield Word(role, "screen", "unclear", f"the call was {reverse} there", "other_direction")
    elif True in shown:
        last = len(shown) - shown[::-1].index(True)
        between = side.looks[shown.index(True) : last]
        idle = sum(look.state == "idle" for look in between)
        text = f"one call at {share(len(between) - idle, len(between))}"
        yield Word(role, "screen", "nothing" if idle else "for", text)
    elif shown and shape.rang is None and role == "callee":
        yield Word(role, "screen", "for", f"no call at {counted(len(shown), 'look')}")


def _traffic(role: Role, side: SideEvidence) -> Iterator[Word]:
    if side.app_bytes is None:
        yield Word(role, "traffic", "missing", "nobody counted")
    else:
        yield Word(role, "traffic", "for" if side.app_bytes else "nothing", f"{side.app_bytes} bytes of the app")


def _rang(shape: Shape, sides: Sides, acts: Acts) -> Claim:
    callee = sides["callee"]
    answer = last_act(acts, "callee", ("answer",))
    placed = last_act(acts, "caller", ("place_call",))
    until_ns = None if answer is None else answer.t1_ns
    looks = [
        look
        for look in callee.looks
        if (until_ns is None or look.at_ns <= until_ns) and (placed is None or look.at_ns >= placed.t1_ns)
    ]
    words = [
        _rang_by_looks(looks),
        _rang_by_audio(callee),
        _rang_by_events(callee, until_ns),
        _rang_by_telecom(callee),
    ]
    if shape.rang is None and all(word.says in ("nothing", "missing") for word in words):
        quiet = [replace(word, says="for" if word.says == "nothing" else word.says) for word in words]
        return conclude(False, None, quiet, _CALLEE)
    if looks and all(word.says == "nothing" for word in words):
        words = [replace(word, says="against", reason="callee_never_rang") for word in words]
    return conclude(True, False, words, _CALLEE)


def _rang_by_looks(looks: list[Look]) -> Word:
    ringing = sum(look.state == "incoming" for look in looks)
    text = f"incoming at {share(ringing, len(looks))}"
    return Word("callee", "screen", ("for" if ringing else "nothing") if looks else "missing", text)


def _rang_by_audio(callee: SideEvidence) -> Word:
    modes = audio_of(callee).modes
    if isinstance(modes, Missing):
        return Word("callee", "audio", "missing", modes.why)
    rang = any(span.rang_ns is not None for span in modes)
    return Word("callee", "audio", "for" if rang else "nothing", "RINGTONE of the app" if rang else "no RINGTONE")


def _rang_by_events(callee: SideEvidence, until_ns: int | None) -> Word:
    """The notification of an incoming call; that of a call that goes on is posted once it is answered."""
    log = callee.since.events
    if isinstance(log, Missing):
        return Word("callee", "events", "missing", log.why)
    posted = [
        event
        for event in log
        if is_call_notification(event.tag, event.fields)
        and event.fields[2] == callee.package
        and (until_ns is None or callee.at(event.at_ns) <= until_ns + callee.bound_ns)
    ]
    text = "its call's notification was posted" if posted else "no call's notification was posted"
    return Word("callee", "events", "for" if posted else "nothing", text)


def _rang_by_telecom(callee: SideEvidence) -> Word:
    if isinstance(callee.since.calls, Missing):
        return Word("callee", "telecom", "missing", callee.since.calls.why)
    rang = any(event.event == "SET_RINGING" for call in own_calls(callee) for event in call.events)
    return Word("callee", "telecom", "for" if rang else "nothing", "SET_RINGING" if rang else "no SET_RINGING")


def _in_front(shape: Shape, sides: Sides, acts: Acts) -> Claim:
    """The caller's call is in front from dialling on, the callee's from the answer on, until somebody ends it.

    The screen alone can tell, so this claim takes one witness; it is refuted where no look of several saw it.
    """
    placed, answer = last_act(acts, "caller", ("place_call",)), last_act(acts, "callee", ("answer",))
    words = [_looked("caller", sides["caller"], placed, acts)]
    if shape.answered:
        words.append(_looked("callee", sides["callee"], answer, acts))
    return conclude(True, False, words, [word.role for word in words], least=1)


def _looked(role: Role, side: SideEvidence, since: Act | None, acts: Acts) -> Word:
    end = next((act for act in reversed(acts) if act.verb in ENDING), None)
    looks = [
        look
        for look in side.looks
        if since is not None
        and look.at_ns >= since.t1_ns
        and look.state != "idle"
        and (end is None or look.at_ns <= end.t0_ns)
    ]
    seen = sum(look.in_front for look in looks)
    text = f"in front at {share(seen, len(looks))}"
    if not looks:
        return Word(role, "screen", "missing", "not looked at while it had to be in front")
    if seen == len(looks):
        return Word(role, "screen", "for", text)
    refuted = not seen and len(looks) > 1
    return Word(role, "screen", "against" if refuted else "unclear", text, "not_in_front")
