"""`dumpsys telephony.registry`: whether a SIM's call rings or goes on now, never an app's (AOSP, TelephonyRegistry)."""

import re

from lab.phone.adb import Adb
from lab.phone.witnesses import dumps
from lab.phone.witnesses.facts import Missing, Sims, SimState

COMMAND = dumps.command("telephony.registry", "Phone Id|mCallState=")
MAX_SIMS = 16
_PHONE = re.compile(r"\s{0,20}Phone Id=(\d{1,4})\b")
_STATE = re.compile(r"\s{0,20}mCallState=([0-9]{1,4})\b")


def look(adb: Adb) -> Sims | Missing:
    """The state of each SIM now; one cheap line of the shell. Raises `PhoneTrouble` where the shell fails."""
    return parse(adb.run(COMMAND).text)


def parse(text: str) -> Sims | Missing:
    """By a whole dump or by its lines of interest. Where a phone prints several states of one SIM, a call wins."""
    if missing := dumps.unusable("telephony.registry", text):
        return missing
    states: dict[int, int | None] = {}
    current: int | None = None
    for line in text.splitlines():
        if phone := _PHONE.match(line):
            current = int(phone[1])
            states.setdefault(current, None)
        elif current is not None and (state := _STATE.match(line)):
            states[current] = max(states[current] or 0, int(state[1]))
    sims = tuple(SimState(number, state) for number, state in sorted(states.items()) if state is not None)
    if not sims or len(sims) < len(states) or len(sims) > MAX_SIMS:
        return Missing("cannot be read: dumpsys telephony.registry names no call state of a SIM")
    strange = next((sim.call_state for sim in sims if sim.call_state > 2), None)
    if strange is not None:
        return Missing(f"cannot be read: dumpsys telephony.registry names the call state {strange}")
    return sims
