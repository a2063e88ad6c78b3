"""Two readings of one phone compared: what happened between them, and what cannot be known of it.

A log is a ring: what the earlier reading had last must still be in the later one, else lines in between may be gone.
"""

from collections import Counter
from collections.abc import Callable
from typing import TypeVar

from lab.phone.witnesses import audio, camera, telecom
from lab.phone.witnesses.facts import (
    Calls,
    CameraEvent,
    Cameras,
    Log,
    Missing,
    ModeChange,
    PhoneDate,
    Reading,
    RecorderEvent,
    Sims,
    SimState,
    Since,
    TelecomCall,
)

STEP_S = 2.0
"""Dates are cut to seconds. Smaller steps show in the offsets that are measured around the call."""
EARLY_S = 2
"""How far before the earlier date a line may be stamped that its dump, made after it, has not: cut to seconds, too."""
_DAY_NS = 86_400_000_000_000
T = TypeVar("T", ModeChange, RecorderEvent, CameraEvent)


def since(before: Reading, after: Reading, uid: int | None, events: Log | Missing) -> Since:
    """What happened between two readings. A witness that did not see all of it is Missing.

    Where the clock was set, the zone changed or the phone was started again in between, all that is stamped is Missing.
    Of `sims` each has the larger of both states: what is in a call at one of the readings is not idle.
    """
    sims = _sims(before.sims, after.sims)
    wrong = _clock(before.date, after.date)
    if wrong is not None or isinstance(before.date, Missing):
        why = wrong or Missing("the phone's date is missing")
        return Since(uid, why, why, why, (), why, sims, why)
    begin_ns = (before.date.epoch_s - EARLY_S) * 1_000_000_000
    modes = _news("the log of modes", before.modes, after.modes, audio.MODES_KEPT, begin_ns, _mode_is_known)
    recorders = _news(
        "the log of recorders", before.recorders, after.recorders, audio.RECORDERS_KEPT, begin_ns, _recorder_is_known
    )
    cameras = _news("the camera's log", before.cameras, after.cameras, camera.KEPT, begin_ns, _camera_is_known)
    cameras, cameras_open = _clients(before.cameras, cameras)
    return Since(uid, modes, recorders, cameras, cameras_open, _new_calls(before.calls, after.calls), sims, events)


def _clock(before: PhoneDate | Missing, after: PhoneDate | Missing) -> Missing | None:
    """Why stamps of the two readings cannot be compared, if so."""
    if isinstance(before, Missing):
        return before
    if isinstance(after, Missing):
        return after
    if before.utc_offset_s != after.utc_offset_s:
        return Missing("the phone's zone changed between the readings")
    passed_s = after.epoch_s - before.epoch_s
    if before.since_boot_s is None or after.since_boot_s is None:
        return Missing("the phone's clock ran backwards between the readings") if passed_s < 0 else None
    if after.since_boot_s < before.since_boot_s:
        return Missing("the phone was started again between the readings")
    step_s = passed_s - (after.since_boot_s - before.since_boot_s)
    return (
        Missing(f"the phone's clock was set by {step_s:+.0f} s between the readings") if abs(step_s) > STEP_S else None
    )


def _news(
    name: str,
    before: tuple[T, ...] | Missing,
    after: tuple[T, ...] | Missing,
    kept: int,
    begin_ns: int,
    is_known: Callable[[T], bool],
) -> tuple[T, ...] | Missing:
    """What the later of two logs has more of; equal lines are counted."""
    if isinstance(before, Missing):
        return before
    if isinstance(after, Missing):
        return after
    if (before and before[-1] not in after) or (not before and len(after) >= kept):
        return Missing(f"{name} ran over: it has no longer what it had at the earlier reading")
    old = Counter(before)
    new: list[T] = []
    for entry in after:
        if old[entry] > 0:
            old[entry] -= 1
        else:
            new.append(entry)
    if any(entry.at_ns < begin_ns for entry in new):
        return Missing(f"{name} has a line from before the earlier reading, which had it not: was the clock set?")
    strange = next((entry for entry in new if not is_known(entry)), None)
    return tuple(new) if strange is None else Missing(f"{name} has a line that is not known: {_shown(strange)!r}")


def _mode_is_known(change: ModeChange) -> bool:
    return change.mode in audio.MODES


def _recorder_is_known(event: RecorderEvent) -> bool:
    return event.event in audio.RECORDER_EVENTS


def _camera_is_known(event: CameraEvent) -> bool:
    return event.event in camera.CLIENT_EVENTS or event.event in camera.OTHER_EVENTS


def _shown(entry: ModeChange | RecorderEvent | CameraEvent) -> str:
    return entry.mode if isinstance(entry, ModeChange) else entry.event


def _clients(
    before: Cameras | Missing, new: Cameras | Missing
) -> tuple[Cameras | Missing, tuple[tuple[str, str], ...]]:
    """What is new of the cameras' clients, and who was one at the earlier reading."""
    if isinstance(before, Missing) or isinstance(new, Missing):
        return new, ()
    own = tuple(event for event in new if event.event in camera.CLIENT_EVENTS)
    return own, camera.open_clients(before, own)


def _new_calls(before: Calls | Missing, after: Calls | Missing) -> Calls | Missing:
    """The calls whose numbers are new: numbers only grow until the phone is started again."""
    if isinstance(before, Missing):
        return before
    if isinstance(after, Missing):
        return after
    had, has = {call.number: call for call in before}, {call.number: call for call in after}
    newest = max(had, default=0)
    if had and has and max(has) < newest:
        return Missing("the numbers of Telecom's calls start anew: was the phone started again?")
    if (had and newest not in has) or (not had and len(has) >= telecom.KEPT):
        return Missing("Telecom's history ran over: it has no longer what it had at the earlier reading")
    if had and _identity(had[newest]) != _identity(has[newest]):
        return Missing(f"Telecom's call TC@{newest} is another one than before: was the phone started again?")
    return tuple(call for number, call in sorted(has.items()) if number > newest)


def _identity(call: TelecomCall) -> tuple[bool, bool, int]:
    """What stays of a call; its first event by the time of day, as its day is read by the date of the reading."""
    return call.self_managed, call.incoming, call.events[0].at_ns % _DAY_NS if call.events else 0


def _sims(before: Sims | Missing, after: Sims | Missing) -> Sims | Missing:
    if isinstance(before, Missing):
        return before
    if isinstance(after, Missing):
        return after
    states: dict[int, int] = {}
    for sim in (*before, *after):
        states[sim.phone_id] = max(sim.call_state, states.get(sim.phone_id, 0))
    return tuple(SimState(*item) for item in sorted(states.items()))
