"""How an attempt leaves the phones: in no call, with what they showed kept where it failed, and asked why it did."""

import contextlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.clocks.bench_time import BenchClock
from lab.definitions import App, Role
from lab.errors import AttemptVoid, LabError
from lab.phone.call_state import CallState
from lab.phone.phone import Phone
from lab.run.introductions import PARKED
from lab.run.steps import Note

LOOKS, LOOK_S = 3, 1.0
"""How often it is made sure that no phone is in a call, and how long after one was hung up it is looked at again."""

BY_THE_CALLEE = frozenset(
    (PARKED, "callee_never_rang", "not_connected", "call_ended_early", "dropped_while_talking", "still_in_call")
)
"""What the caller alone sees where the callee's app does not call: its own screen tells of nothing."""


def leave_idle(phones: Collection[Phone], app: App, clock: BenchClock, note: Note) -> None:
    """Leave no phone in a call of the app, whatever happened; a call may still be on its way to the other phone."""
    for _ in range(LOOKS):
        with contextlib.ExitStack() as each:  # one is hung up whatever becomes of the other
            looks = [_Look(phone, app, note) for phone in phones]
            for look in reversed(looks):
                each.callback(look.take)
        if not any(look.in_call for look in looks):
            return
        clock.sleep(LOOK_S)


@dataclass
class _Look:
    """A look at one phone; `in_call`: it was in a call, which is ended now, or could not be looked at."""

    phone: Phone
    app: App
    note: Note
    in_call: bool = True

    def take(self) -> None:
        phone, name = self.phone, self.phone.spec.name
        try:
            if phone.calls.state(self.app) is CallState.IDLE:
                self.in_call = False
                return
            against = phone.calls.contradiction(self.app)
            phone.end_any_call(self.app)
            self.note("ended_a_call", phone=name, **({"contradiction": against} if against else {}))
        except LabError as error:
            self.note("not_hung_up", phone=name, text=str(error))


def keep_evidence(phones: Mapping[Role, Phone], folder: Path) -> None:
    """Screens, hierarchy and log of both phones, for whoever asks why the attempt is void."""
    for role, phone in phones.items():
        with contextlib.suppress(LabError):
            for name, data in phone.evidence().items():
                (folder / f"{role}-{name}").write_bytes(data)


def refused_by_callee(void: AttemptVoid, callee: Phone, app: App, note: Note) -> AttemptVoid | None:
    """What the callee's app says by itself, where an attempt is void by what that may explain; None for nothing.

    Its app is brought to the front, so the phones must be in no call, and no capture may run.
    """
    if void.reason not in BY_THE_CALLEE:
        return None
    try:
        found = callee.refusal_in_front(app)
    except LabError as error:
        note("not_looked_at", phone=callee.spec.name, text=str(error))
        return None
    if found is not None:
        note("refused", phone=callee.spec.name, reason=found.reason, instead_of=void.reason)
    return found
