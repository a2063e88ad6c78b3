"""Voice or video: which button was tapped, and whether the app had a camera while they talked."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from correlate.dataset.record import Claim
from lab.definitions import Role, Service
from lab.phone.witnesses.facts import Missing
from lab.run.heard import (
    ENDING,
    ON,
    OTHER,
    ROLES,
    Acts,
    S,
    Shape,
    SideEvidence,
    Sides,
    Witness,
    Word,
    conclude,
    last_act,
    seconds,
    share,
)
from lab.run.spans import STAMP_NS, Span, Spans, audio_of, cameras_of, known

EDGE_NS = 2 * S
"""A camera connects and disconnects around a call; what counts is what happens this far inside of the conversation."""
DIALLED_NS = 1 * S
"""A call begins at once when it is dialled: nothing has to come from the network. One that begins later is perhaps of
another tap, and of another service."""
OFF_NS = 3 * S
"""A video call in which a phone's camera is off for longer than this was perhaps none all the time."""
_CAMERA: tuple[Witness, ...] = ("camera",)


@dataclass(frozen=True)
class Talk:
    """When they talked, by one phone's clock; `sure` where both phones' recorders tell."""

    first_ns: int
    last_ns: int
    sure: bool


def service(shape: Shape, sides: Sides, acts: Acts) -> Claim:
    """Whether it was a call of the service that was asked."""
    asked = shape.service
    denied: Service = "voice" if asked == "video" else "video"
    tapped = list(_tapped(sides["caller"], acts, asked))
    if shape.answered:
        return conclude(asked, denied, [*tapped, *_by_cameras(asked, sides, acts)], ROLES, one_of=_CAMERA)
    return conclude(asked, denied, [*tapped, *_followed(sides, acts), *_recorded_only(asked, sides, acts)])


def _tapped(side: SideEvidence, acts: Acts, asked: Service) -> Iterator[Word]:
    """The button of the service was tapped, and the call that followed is this tap's."""
    act = last_act(acts, "caller", ("place_call",))
    if act is None or not act.used:
        yield Word("caller", "tap", "against", f"no way to a {asked} call was used", "not_our_tap")
        return
    answer = last_act(acts, "callee", ("answer",))
    spans = [span for span in known(audio_of(side).modes) if span.begin_ns is not None]
    begin_ns = side.at(spans[-1].first_ns) if spans else act.t1_ns
    text = f"{asked} call by {', '.join(act.used)}"
    if begin_ns < act.t0_ns - side.bound_ns:
        early = f"{text}, and it had begun {seconds(act.t0_ns - begin_ns)} before"
        yield Word("caller", "tap", "unclear", early, "placed_before_we_did")
    elif answer is not None and begin_ns >= answer.t0_ns - side.bound_ns:
        # An app may ask for the mode no sooner than it is answered, which says nothing of the dialling.
        yield Word("caller", "tap", "for", text, both=True)
    elif begin_ns > act.t1_ns + side.bound_ns + DIALLED_NS:
        late = f"{text}, and it began {seconds(begin_ns - act.t1_ns)} after"
        yield Word("caller", "tap", "unclear", late, "late_effect")
    else:
        yield Word("caller", "tap", "for", text, both=True)


def _followed(sides: Sides, acts: Acts) -> Iterator[Word]:
    """The call that the tap was for was shown after it."""
    act = last_act(acts, "caller", ("place_call",))
    for role in ROLES:
        looks = [look for look in sides[role].looks if act is not None and look.at_ns >= act.t0_ns]
        shown = [look for look in looks if look.state in ON]
        if shown:
            yield Word(role, "screen", "for", f"{shown[0].state} at {share(len(shown), len(looks))}")


def _recorded_only(asked: Service, sides: Sides, acts: Acts) -> Iterator[Word]:
    """A camera proves nothing of a call that nobody answered; one that opens in a voice call is no proof of it."""
    act = last_act(acts, "caller", ("place_call",))
    for role in ROLES:
        cameras = cameras_of(sides[role])
        begun = [
            span
            for span in known(cameras)
            if act is not None and span.begin_ns is not None and sides[role].at(span.begin_ns) > act.t1_ns
        ]
        if isinstance(cameras, Missing):
            yield Word(role, "camera", "missing", cameras.why)
        elif begun and asked == "voice":
            yield Word(role, "camera", "unclear", "a camera of the app opened", "camera_in_voice")
        else:
            yield Word(role, "camera", "nothing", f"the app had a camera {len(cameras)} times")


def talk_of(role: Role, sides: Sides, acts: Acts) -> Talk | None:
    """When they talked, by the clock of one phone: by the recorders, else by the looks that saw it connected.

    The caller's recorder may begin at dialling, so its conversation begins no earlier than the callee's recorder; and
    a recorder may be noted late to stop, so it ends no later than our tap.
    """
    side, other = sides[role], sides[OTHER[role]]
    talks, others = known(audio_of(side).talks), known(audio_of(other).talks)
    if talks and talks[-1].begin_ns is not None and talks[-1].end_ns is not None:
        first_ns, last_ns = talks[-1].begin_ns, talks[-1].end_ns
        if role == "caller" and others and others[-1].begin_ns is not None:
            answer_ns = other.at(others[-1].begin_ns) + side.offset_ns + side.bound_ns + other.bound_ns
            first_ns = max(first_ns, answer_ns)
        taps = [act.t1_ns + side.offset_ns + side.bound_ns for act in acts if act.verb in ENDING and act.used]
        return Talk(first_ns, min([last_ns, *taps]), bool(others))
    seen = [look.at_ns + side.offset_ns for look in side.looks if look.state == "connected"]
    return Talk(seen[0] + side.bound_ns, seen[-1] - side.bound_ns, False) if seen else None


def _by_cameras(asked: Service, sides: Sides, acts: Acts) -> Iterator[Word]:
    words = [_camera(asked, role, sides, acts) for role in ROLES]
    talks = [talk_of(role, sides, acts) for role in ROLES]
    if all(word.reason == "no_camera" for word in words) and all(talk is not None and talk.sure for talk in talks):
        # Both logs are whole, and hold that it was a voice call.
        words = [replace(word, says="against", reason="wrong_service") for word in words]
    yield from words


def _camera(asked: Service, role: Role, sides: Sides, acts: Acts) -> Word:
    """What one phone's camera log holds of the conversation."""
    cameras, talk = cameras_of(sides[role]), talk_of(role, sides, acts)
    if isinstance(cameras, Missing):
        return Word(role, "camera", "missing", cameras.why)
    if asked == "voice" and not cameras:
        return Word(role, "camera", "for", "the app had no camera at all")
    if talk is None or talk.first_ns + EDGE_NS >= talk.last_ns - EDGE_NS:
        return Word(role, "camera", "nothing", "no conversation that is known, and long enough to tell")
    inside = talk.first_ns + EDGE_NS, talk.last_ns - EDGE_NS
    sure = any(_surely(span).overlaps(*inside) for span in cameras)
    perhaps = any(_perhaps(span).overlaps(*inside) for span in cameras)
    if asked == "voice":
        if sure and talk.sure:
            return Word(role, "camera", "against", "the app had a camera while they talked", "wrong_service")
        if sure or perhaps or any(_begins_in(span, talk) for span in cameras):
            return Word(role, "camera", "unclear", "the app had a camera at the edge of the talk", "camera_unclear")
        return Word(role, "camera", "for", "the app had no camera while they talked")
    if not perhaps:
        return Word(role, "camera", "unclear", "the app had no camera while they talked", "no_camera")
    off_ns = _longest_off(cameras, *inside)
    if not sure or off_ns > OFF_NS:
        return Word(role, "camera", "unclear", f"the app had no camera for {seconds(off_ns)}", "camera_off")
    return Word(role, "camera", "for", "the app had a camera while they talked")


def _surely(span: Span) -> Span:
    """The least that a span of whole seconds can have been."""
    return Span(None if span.begin_ns is None else span.begin_ns + STAMP_NS, span.end_ns)


def _perhaps(span: Span) -> Span:
    """The most that it can have been."""
    return Span(span.begin_ns, None if span.end_ns is None else span.end_ns + STAMP_NS)


def _begins_in(span: Span, talk: Talk) -> bool:
    begin_ns = span.begin_ns
    return begin_ns is not None and talk.first_ns <= begin_ns and begin_ns + STAMP_NS <= talk.last_ns


def _longest_off(cameras: Spans, first_ns: int, last_ns: int) -> int:
    """The longest stretch between two instants in which there was surely no camera."""
    longest_ns, on_ns = 0, first_ns
    for span in sorted((_perhaps(span) for span in cameras), key=lambda span: span.first_ns):
        if span.overlaps(first_ns, last_ns):
            longest_ns = max(longest_ns, span.first_ns - on_ns)
            on_ns = max(on_ns, span.last_ns)
    return max(longest_ns, last_ns - on_ns)
