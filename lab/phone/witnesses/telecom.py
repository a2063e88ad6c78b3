"""`dumpsys telecom`: the calls that Telecom knows, of a SIM or of an app that registers them.

Format: Call.getDescription and EventManager.dump of LineageOS Telecomm 19.1 to 21.0; no public dump of an app's call
was found. It keeps 10 calls. The head's date is localised and the events have none, so a call is told by its number.
"""

import re
from dataclasses import dataclass, field

from lab.phone.witnesses import dates, dumps
from lab.phone.witnesses.facts import Calls, Missing, PhoneDate, TelecomCall, TelecomEvent

COMMAND = dumps.command("telecom", "Historical Events|CallTC@|PhoneAccount: | - CREATED| - SET_| - REQUEST_")
KEPT = 10
MAX_EVENTS = 2_000
_HEAD = re.compile(r"\s{0,20}((?:\S{1,20} )?)CallTC@(\d{1,9})\b.{0,200}\((MO - outgoing|MT - incoming)\).{0,200}")
_ACCOUNT = re.compile(r".{0,40}Target PhoneAccount: ComponentInfo\{([^/{}\s]{1,255})/.{0,500}")
_EVENT = re.compile(
    r"\s{0,20}(\d{2}):(\d{2}):(\d{2})\.(\d{3}) - ([A-Z][A-Z0-9_ ]{0,60}?)(?: \((.{0,1000})\))?(?::\S{0,200})?\s*"
)
_CAUSE = re.compile(r"DisconnectCause \[ ?Code: \(([A-Z_]{1,40})\)")


@dataclass
class _Call:
    number: int
    self_managed: bool
    incoming: bool
    package: str | None = None
    events: dict[TelecomEvent, None] = field(default_factory=dict)


def calls(text: str, date: PhoneDate) -> Calls | Missing:
    """The calls below `Historical Events:`, by number; one that is printed twice is one."""
    if missing := dumps.unusable("telecom", text):
        return missing
    _, heading, section = text.partition("Historical Events:")
    if not heading:
        return Missing("cannot be read: dumpsys telecom has no 'Historical Events:'")
    found: dict[int, _Call] = {}
    current: _Call | None = None
    for line in section.splitlines():
        if "CallTC@" in line:
            head = _HEAD.fullmatch(line)
            if head is None:
                return Missing(f"cannot be read: dumpsys telecom has {line.strip()[:80]!r}")
            made = _Call(int(head[2]), head[1] == "SelfMgd ", head[3] == "MT - incoming")
            current = found.setdefault(made.number, made)
        elif current is not None and (account := _ACCOUNT.fullmatch(line)):
            current.package = account[1]
        elif current is not None and (event := _event(line, date)) and len(current.events) < MAX_EVENTS:
            current.events[event] = None
    whole = tuple(_whole(call) for _, call in sorted(found.items()))
    mute = next((call.number for call in whole if not call.events), None)
    return whole if mute is None else Missing(f"cannot be read: dumpsys telecom has no event of CallTC@{mute}")


def _event(line: str, date: PhoneDate) -> TelecomEvent | None:
    found = _EVENT.fullmatch(line)
    if found is None:
        return None
    at_ns = dates.of_day_ns(date, *(int(part) for part in found.groups()[:4]))
    return None if at_ns is None else TelecomEvent(at_ns, found[5], found[6] or "")


def _whole(call: _Call) -> TelecomCall:
    events = dates.oldest_first(list(call.events), lambda event: event.at_ns)
    causes = [cause[1] for event in events if (cause := _CAUSE.search(event.data))]
    return TelecomCall(
        call.number, call.self_managed, call.incoming, call.package, events, causes[-1] if causes else None
    )
