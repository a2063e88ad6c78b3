"""How an attempt leaves the phones: in no call, and with what they showed kept where it failed."""

import contextlib
from collections.abc import Collection, Mapping
from pathlib import Path

from lab.clocks.bench_time import BenchClock
from lab.definitions import App, Role
from lab.errors import LabError
from lab.phone.call_state import CallState
from lab.phone.phone import Phone
from lab.run.steps import Note

LOOKS, LOOK_S = 3, 1.0
"""How often it is made sure that no phone is in a call, and how long after one was hung up it is looked at again."""


def leave_idle(phones: Collection[Phone], app: App, clock: BenchClock, note: Note) -> None:
    """Leave no phone in a call of the app, whatever happened; a call may still be on its way to the other phone."""
    for _ in range(LOOKS):
        if not any([_was_in_call(phone, app, note) for phone in phones]):
            return
        clock.sleep(LOOK_S)


def _was_in_call(phone: Phone, app: App, note: Note) -> bool:
    """Whether a phone was in a call, which is ended now, or could not be looked at."""
    try:
        if phone.calls.state(app) is CallState.IDLE:
            return False
        against = phone.calls.contradiction(app)
        phone.end_any_call(app)
        note("ended_a_call", phone=phone.spec.name, **({"contradiction": against} if against else {}))
    except LabError as error:
        note("not_hung_up", phone=phone.spec.name, text=str(error))
    return True


def keep_evidence(phones: Mapping[Role, Phone], folder: Path) -> None:
    """Screens, hierarchy and log of both phones, for whoever asks why the attempt is void."""
    for role, phone in phones.items():
        with contextlib.suppress(LabError):
            for name, data in phone.evidence().items():
                (folder / f"{role}-{name}").write_bytes(data)
