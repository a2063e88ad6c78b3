"""`dumpsys notification`: whose incoming call is posted now.

Format: NotificationManagerService, NotificationRecord.toString and Notification.toString of AOSP. Titles and texts are
left redacted: names have no place in a record. Flags may be numbers or names (API 36).
"""

import re

from lab.phone.adb import Adb
from lab.phone.witnesses import dumps
from lab.phone.witnesses.facts import Missing, Posted

HEADING = "Current Notification Manager state"
"""The list below has a heading of its own only where something is posted."""
COMMAND = dumps.command("notification", f"{HEADING}|Notification List:| List:|NotificationRecord")
_RECORD = re.compile(
    r"\s{0,20}NotificationRecord\(0x[0-9a-f]{1,16}: pkg=(\S{1,255}) user=\S{1,60} id=(-?\d{1,10}) "
    r".{0,2000}?: Notification\((.{0,2000})"
)
_CATEGORY = re.compile(r" category=([A-Za-z0-9_.]{1,60})")
_ACTIONS = re.compile(r" actions=(\d{1,3})")


def posted(adb: Adb) -> tuple[Posted, ...] | Missing:
    """What is posted now, in the dump's order. Raises `PhoneTrouble` where the shell fails."""
    return parse(adb.run(COMMAND).text)


def parse(text: str) -> tuple[Posted, ...] | Missing:
    """By a whole dump or by its lines of interest; what is only enqueued, snoozed or archived is not posted."""
    if missing := dumps.unusable("notification", text):
        return missing
    if HEADING not in text:
        return Missing("cannot be read: dumpsys notification does not say its state")
    found: list[Posted] = []
    inside = False
    for line in text.splitlines():
        if line.strip().endswith(" List:"):
            inside = line.strip() == "Notification List:"
        elif inside and "NotificationRecord(" in line:
            record = _RECORD.match(line)
            if record is None:
                return Missing(f"cannot be read: dumpsys notification has {line.strip()[:80]!r}")
            found.append(_posted(record[1], int(record[2]), record[3]))
    return tuple(found) if len(found) <= dumps.MAX_ENTRIES else Missing(f"{len(found)} notifications are posted")


def _posted(package: str, number: int, notification: str) -> Posted:
    own = notification.partition(" publicVersion=")[0]
    category, actions = _CATEGORY.search(own), _ACTIONS.search(own)
    return Posted(package, number, category[1] if category else "", int(actions[1]) if actions else 0)
