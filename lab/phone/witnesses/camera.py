"""`dumpsys media.camera`: which app had which camera, to the second.

Format: CameraService::dumpEventLog and `log*` of AOSP, public dumps of Samsung phones. The log keeps 100 entries, the
newest on top; of equal ones it shows one.
"""

import re

from lab.phone.witnesses import dates, dumps
from lab.phone.witnesses.facts import CameraEvent, Cameras, Missing, PhoneDate

COMMAND = dumps.command("media.camera", "Camera service event|..-.. ..:..:..", after=1)
KEPT = 100
TITLE = "camera service event"
CLIENT_EVENTS = frozenset({"CONNECT", "DISCONNECT", "EVICT", "DIED"})
OTHER_EVENTS = frozenset({"ADD", "REMOVE", "REJECT", "USER_SWITCH", "Torch", "SERVICE"})
"""CameraService's other words: they tell of no client that came or went."""
_CLIENT = re.compile(r"([A-Z]{1,20})(?: offline)? device (\S{1,60}) client (?:for|held by) package (\S{1,255})(?: .*)?")
_WORD = re.compile(r"[^\s:]{1,40}")


def events(text: str, date: PhoneDate) -> Cameras | Missing:
    """All lines of the log; one that tells of no client has neither device nor package."""
    if missing := dumps.unusable("media.camera", text):
        return missing
    lines = dumps.under(text, TITLE)
    if lines is None:
        return Missing("cannot be read: dumpsys media.camera has no log of events")
    if len(lines) > dumps.MAX_ENTRIES:
        return Missing(f"the camera's log has {len(lines)} lines")
    found = []
    for line in lines:
        stamped = dates.stamped(line, date)
        if stamped is None:
            return Missing(f"cannot be read: the camera's log has {line[:80]!r}")
        found.append(_event(*stamped))
    return dates.oldest_first(found, lambda event: event.at_ns, newest_on_top=True)


def _event(at_ns: int, text: str) -> CameraEvent:
    if client := _CLIENT.fullmatch(text):
        return CameraEvent(at_ns, client[1], client[2], client[3])
    word = _WORD.match(text)
    return CameraEvent(at_ns, word[0] if word else text[:40], "", "")


def open_clients(events: Cameras, later: Cameras = ()) -> tuple[tuple[str, str], ...]:
    """Device and package of each client that is connected after `events`.

    One whose first word in what is `later` is that it went was connected too: its CONNECT is older than the log.
    """
    connected: dict[tuple[str, str], bool] = {}
    for event in events:
        if event.event in ("CONNECT", "DISCONNECT", "EVICT"):
            connected[event.device, event.package] = event.event == "CONNECT"
    first: dict[tuple[str, str], str] = {}
    for event in later:
        if event.device:
            first.setdefault((event.device, event.package), event.event)
    for client, word in first.items():
        if word in ("DISCONNECT", "EVICT"):
            connected[client] = True
    return tuple(sorted(client for client, is_open in connected.items() if is_open))
