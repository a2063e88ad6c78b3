"""`dumpsys audio`: who had the audio mode, and who recorded, each to the millisecond.

Formats: AudioService.PhoneStateEvent and RecordingActivityMonitor.RecordingEvent of AOSP 12 to 16, and public dumps of
Xiaomi and Samsung phones. The logs keep 20 and 50 entries, oldest or newest first.
"""

import re
from collections.abc import Callable
from typing import TypeVar

from lab.phone.witnesses import dates, dumps
from lab.phone.witnesses.facts import Missing, ModeChange, Modes, PhoneDate, RecorderEvent, Recorders

MODE_LINES = "Actual mode|mAudioModeOwner"
"""What grep finds the mode of now by: AOSP's words, and a Samsung's."""
COMMAND = dumps.command(
    "audio", f"phone state|recording activity|setMode|riid:|rec st|rec up|rec rel|{MODE_LINES}", after=1
)
MODES_KEPT, RECORDERS_KEPT = 20, 50
MODES = frozenset(
    f"MODE_{name}"
    for name in (
        "NORMAL",
        "RINGTONE",
        "IN_CALL",
        "IN_COMMUNICATION",
        "CALL_SCREENING",
        "CALL_REDIRECT",
        "COMMUNICATION_REDIRECT",
    )
)
"""AudioSystem.modeToString; any other is one that nothing here knows the meaning of."""
RECORDER_EVENTS = frozenset({"start", "update", "stop", "release"})
_NOW = (
    re.compile(r"Actual mode {1,20}= (\S{1,60})"),
    re.compile(r"mAudioModeOwner: AudioModeInfo: mMode=([^,\s]{1,60})"),
)
"""AOSP's, and what a Samsung has instead."""
_MODE = re.compile(
    r"setMode\(([^()]{1,60})\) from package=(\S{1,255})(?: pid=(-?\d{1,10}))?"
    r"(?: selected mode=(\S{1,60}))?(?: by pid=(-?\d{1,10}))?"
)
_RECORDER = re.compile(
    r"rec\s{1,4}(\w{1,20})\s{1,4}(?:riid:(-?\d{1,10}) )?uid:(-?\d{1,10}) session:-?\d{1,10} "
    r"src:(.{1,60}?)(?: (?:not )?silenced)?(?: pack:(\S{1,255}))?"
)
T = TypeVar("T", ModeChange, RecorderEvent)


def mode(text: str) -> str | Missing:
    """The actual audio mode now, e.g. `MODE_NORMAL`; one that is not known is Missing."""
    if missing := dumps.unusable("audio", text):
        return missing
    found = next((match[1] for form in _NOW if (match := form.search(text))), None)
    if found is None:
        return Missing("cannot be read: dumpsys audio names no mode")
    if found not in MODES:
        return Missing(f"cannot be read: dumpsys audio names a mode that is not known: {found!r}")
    return found


def modes(text: str, date: PhoneDate) -> Modes | Missing:
    """The log of the audio mode. A line that cannot be read stands in it with its text as the mode."""
    return _log(text, date, "phone state", _MODE, _mode_change)


def recorders(text: str, date: PhoneDate) -> Recorders | Missing:
    """The log of the recorders. A line that cannot be read stands in it with its text as the event."""
    return _log(text, date, "recording activity", _RECORDER, _recorder_event)


def _mode_change(at_ns: int, text: str) -> ModeChange:
    found = _MODE.fullmatch(text)
    if found is None:
        return ModeChange(at_ns, text[:80], "", None, None)
    return ModeChange(at_ns, found[4] or found[1], found[2], _number(found[3]), _number(found[5]))


def _recorder_event(at_ns: int, text: str) -> RecorderEvent:
    found = _RECORDER.fullmatch(text)
    if found is None:
        return RecorderEvent(at_ns, text[:80], -1, -1, "", "")
    riid = -1 if found[2] is None else int(found[2])
    return RecorderEvent(at_ns, found[1], riid, int(found[3]), found[4], found[5] or "")


def _number(text: str | None) -> int | None:
    return None if text is None else int(text)


def _log(
    text: str, date: PhoneDate, title: str, form: re.Pattern[str], read: Callable[[int, str], T]
) -> tuple[T, ...] | Missing:
    """One log; Missing where a line of it has no stamp, or stands outside of it."""
    if missing := dumps.unusable("audio", text):
        return missing
    lines = dumps.under(text, title)
    if lines is None:
        return Missing(f"cannot be read: dumpsys audio has no log whose heading names '{title}'")
    if len(lines) > dumps.MAX_ENTRIES:
        return Missing(f"its log '{title}' has {len(lines)} lines")
    entries = [dates.stamped(line, date) for line in lines]
    whole = [entry for entry in entries if entry is not None]
    if len(whole) < len(entries):
        return Missing(f"cannot be read: its log '{title}' has {lines[entries.index(None)][:80]!r}")
    everywhere = [entry for line in text.splitlines() if (entry := dates.stamped(line, date)) is not None]
    if _readable(everywhere, form) > _readable(whole, form):
        return Missing(f"cannot be read: lines of its log '{title}' stand outside of it")
    return dates.oldest_first([read(*entry) for entry in whole], lambda entry: entry.at_ns)


def _readable(entries: list[tuple[int, str]], form: re.Pattern[str]) -> int:
    return sum(form.fullmatch(text) is not None for _, text in entries)
