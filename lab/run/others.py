"""Whether there was any other call on the phones: of another app, or of a SIM."""

from collections.abc import Iterator

from correlate.dataset.record import Claim
from lab.definitions import Role
from lab.phone.witnesses.facts import Missing
from lab.run.heard import ROLES, SideEvidence, Sides, Word, conclude, counted
from lab.run.spans import CALLING, NORMAL, TALKING, TELECOM, is_own, is_own_mode, own_calls, own_pids

ENQUEUE = "notification_enqueue"
PACKAGE, NOTIFICATION = 2, 6
"""Where its package and what is posted stand among the fields of `notification_enqueue`."""


def nothing_else(sides: Sides) -> Claim:
    """Two of the audio history, Telecom and the events saw no other call, on each phone; one that did is enough."""
    words = [word for role in ROLES for word in _of_phone(role, sides[role])]
    return conclude(True, False, words, ROLES)


def _of_phone(role: Role, side: SideEvidence) -> Iterator[Word]:
    yield from _by_audio(role, side)
    yield from _by_telecom(role, side)
    yield from _by_events(role, side)


def _by_audio(role: Role, side: SideEvidence) -> Iterator[Word]:
    modes, recorders = side.since.modes, side.since.recorders
    found = [*_modes(role, side), *_recorders(role, side)]
    yield from found
    missing = next((one.why for one in (modes, recorders) if isinstance(one, Missing)), None)
    if missing is not None:
        yield Word(role, "audio", "missing", missing)
    elif all(word.says == "nothing" for word in found):
        yield Word(role, "audio", "for", "no other call")


def _modes(role: Role, side: SideEvidence) -> Iterator[Word]:
    """The mode of somebody else; one that Telecom set is a SIM's call or that of an app that registers."""
    if isinstance(side.since.modes, Missing):
        return
    pids = own_pids(side.since.modes, side.package)
    others = {
        change.pid
        for change in side.since.modes
        if change.requester not in (side.package, TELECOM, "android") and change.pid is not None
    }
    for change in side.since.modes:
        text = f"{change.mode} by {change.requester}"
        if change.mode == NORMAL:
            if change.requester not in (side.package, TELECOM, "android"):
                yield Word(role, "audio", "unclear", text, "mode_of_others")
        elif change.mode == "MODE_IN_CALL":
            yield Word(role, "audio", "against", text, "other_call")
        elif change.mode not in CALLING:
            yield Word(role, "audio", "unclear", text, "unknown_mode")
        elif not is_own_mode(change, side, pids):
            is_others = change.requester not in (TELECOM, "android") or change.owner_pid in others
            yield Word(role, "audio", "against" if is_others else "unclear", text, _reason(is_others))


def _reason(is_others: bool) -> str:
    return "other_call" if is_others else "mode_of_others"


def _recorders(role: Role, side: SideEvidence) -> Iterator[Word]:
    """The recorders of others: in a call, or of another kind, which is only told."""
    if isinstance(side.since.recorders, Missing):
        return
    ours = is_own(side)
    others = [event for event in side.since.recorders if not ours(event) and event.event != "release"]
    for package, source in sorted({(event.package, event.source) for event in others}):
        if source in TALKING:
            yield Word(role, "audio", "against", f"{package} recorded {source}", "other_call")
        else:
            yield Word(role, "audio", "nothing", f"other_recorder: {package} recorded {source}")


def _by_telecom(role: Role, side: SideEvidence) -> Iterator[Word]:
    calls = side.since.calls
    looked = [side.since.sims, *(look.sims for look in side.looks)]
    busy = [sim for sims in looked if not isinstance(sims, Missing) for sim in sims if sim.call_state != 0]
    if busy:
        text = f"SIM {busy[0].phone_id} was in call state {busy[0].call_state}"
        yield Word(role, "telecom", "against", text, "other_call")
    if isinstance(calls, Missing):
        yield Word(role, "telecom", "missing", calls.why)
        return
    own = own_calls(side)
    for call in (call for call in calls if call not in own):
        if call.self_managed and call.package is None:
            yield Word(role, "telecom", "unclear", f"TC@{call.number} of nobody knows whom", "call_of_others")
        else:
            whose = call.package if call.self_managed else "a SIM"
            yield Word(role, "telecom", "against", f"TC@{call.number} of {whose}", "other_call")
    if len(own) == len(calls) and not busy:
        yield Word(role, "telecom", "for", f"no other call, SIMs idle at {counted(len(looked), 'look')}")


def _by_events(role: Role, side: SideEvidence) -> Iterator[Word]:
    log = side.since.events
    if isinstance(log, Missing):
        yield Word(role, "events", "missing", log.why)
        return
    others = sorted(
        {
            event.fields[PACKAGE]
            for event in log
            if is_call_notification(event.tag, event.fields) and event.fields[PACKAGE] != side.package
        }
    )
    for package in others:
        yield Word(role, "events", "against", f"a call's notification of {package}", "other_call")
    if not others:
        yield Word(role, "events", "for", "no other call's notification")


def is_call_notification(tag: str, fields: tuple[str, ...]) -> bool:
    """Whether an event is a notification of a call that was posted, whosever it is."""
    text = " ".join(fields[NOTIFICATION:])
    return tag == ENQUEUE and "category=call" in text.replace(")", " ").split()
