"""How an attempt leaves the phones: in no call, in the same boot, asked why it failed, and what they showed is kept."""

import contextlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.clocks.bench_time import BenchClock
from lab.definitions import App, Role
from lab.errors import AttemptVoid, LabError, PhoneTrouble
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


class Boots:
    """In which boot each phone of an attempt was when it was identified."""

    def __init__(self) -> None:
        self._seen: list[tuple[Phone, str | None]] = []

    def identify(self, phone: Phone) -> None:
        """Raises what `Phone.require_booted` does."""
        self._seen.append((phone, phone.require_booted()))

    def require_same(self) -> None:
        """Raise `PhoneTrouble` for a phone that does not answer, or is in another boot now."""
        for phone, before in self._seen:
            now = phone.require_booted()
            if None not in (before, now) and now != before:
                raise PhoneTrouble(f"{phone.spec.name} restarted in the attempt")

    def explain(self, error: LabError) -> None:
        """Raise `PhoneTrouble` where an attempt is void because a phone has gone or restarted."""
        if isinstance(error, AttemptVoid):
            self.require_same()


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


def refuse_unknown(commands: list[str]) -> None:
    """Raise `AttemptVoid` for commands that an emulated phone did not know."""
    if commands:
        raise AttemptVoid("unknown_command", f"a phone did not know: {', '.join(commands)[:300]}")
