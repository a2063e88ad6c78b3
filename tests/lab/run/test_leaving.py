"""How an attempt leaves its phones."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from lab.definitions import App
from lab.errors import AttemptVoid, PhoneTrouble
from lab.phone.call_state import CallState
from lab.phone.phone import Phone
from lab.run.leaving import BY_THE_CALLEE, Boots, keep_evidence, leave_idle, refused_by_callee

APP = cast(App, None)


@dataclass
class FakePhone:
    """A phone in the states that it is in, one look after the other; the last one stays."""

    name: str
    states: list[CallState | Exception]
    against: str | None = None
    ended: int = 0
    refuses: AttemptVoid | PhoneTrouble | None = None
    fronts: int = 0

    def refusal_in_front(self, app: App) -> AttemptVoid | None:
        self.fronts += 1
        if isinstance(self.refuses, PhoneTrouble):
            raise self.refuses
        return self.refuses

    @property
    def spec(self) -> FakePhone:
        return self

    @property
    def calls(self) -> FakePhone:
        return self

    def state(self, app: App) -> CallState:
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        if isinstance(state, Exception):
            raise state
        return state

    def contradiction(self, app: App) -> str | None:
        return self.against

    def end_any_call(self, app: App) -> None:
        self.ended += 1

    def evidence(self) -> dict[str, bytes]:
        if isinstance(self.states[0], Exception):
            raise self.states[0]
        return {"screen.jpg": self.name.encode()}


@dataclass
class Notes:
    """Bench time that only sleeping moves, and what was noted."""

    slept: list[float] = field(default_factory=list)
    noted: list[dict[str, Any]] = field(default_factory=list)

    def now_ns(self) -> int:
        return 0

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def note(self, event: str, **fields: object) -> None:
        self.noted.append({"event": event, **fields})


def left(*phones: FakePhone) -> Notes:
    notes = Notes()
    leave_idle(cast(tuple[Phone, ...], phones), APP, notes, notes.note)
    return notes


def test_phones_that_are_idle_are_looked_at_once_and_left_alone():
    phones = [FakePhone("a", [CallState.IDLE]), FakePhone("b", [CallState.IDLE])]
    notes = left(*phones)
    assert ([phone.ended for phone in phones], notes.slept, notes.noted) == ([0, 0], [], [])


@pytest.mark.parametrize("state", [CallState.CONNECTED, CallState.INCOMING, CallState.OUTGOING, CallState.UNKNOWN])
def test_a_phone_in_any_other_state_is_hung_up_and_both_are_looked_at_again(state: CallState):
    calling, other = FakePhone("a", [state, CallState.IDLE]), FakePhone("b", [CallState.IDLE])
    notes = left(calling, other)
    assert (calling.ended, other.ended, notes.slept) == (1, 0, [1.0])
    assert notes.noted == [{"event": "ended_a_call", "phone": "a"}]


def test_a_call_that_reaches_the_other_phone_meanwhile_is_ended_there():
    calling = FakePhone("a", [CallState.OUTGOING, CallState.IDLE])
    called = FakePhone("b", [CallState.IDLE, CallState.INCOMING, CallState.IDLE])
    left(calling, called)
    assert (calling.ended, called.ended) == (1, 1)


def test_what_the_screen_shows_against_the_audio_mode_is_named():
    phone = FakePhone("a", [CallState.UNKNOWN, CallState.IDLE], against="a shows text=0:07, but is in MODE_NORMAL")
    (noted,) = left(phone).noted
    assert noted["contradiction"] == "a shows text=0:07, but is in MODE_NORMAL"


def test_a_phone_that_stays_in_a_call_is_given_up_after_three_looks():
    phone = FakePhone("a", [CallState.CONNECTED])
    assert (left(phone).slept, phone.ended) == ([1.0, 1.0, 1.0], 3)


def test_a_phone_that_does_not_answer_costs_the_other_nothing():
    dead, calling = FakePhone("a", [PhoneTrouble("gone")]), FakePhone("b", [CallState.CONNECTED, CallState.IDLE])
    notes = left(dead, calling)
    assert calling.ended == 1
    assert {"event": "not_hung_up", "phone": "a", "text": "gone"} in notes.noted


def test_evidence_of_each_phone_is_kept_under_its_role(tmp_path: Path):
    phones: Any = {"caller": FakePhone("a", [PhoneTrouble("gone")]), "callee": FakePhone("b", [CallState.IDLE])}
    keep_evidence(phones, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"callee-screen.jpg": b"b"}


@pytest.mark.parametrize("broken", [0, 1])
def test_an_error_that_nobody_foresaw_on_one_phone_leaves_the_other_in_no_call(broken: int) -> None:
    phones = [FakePhone(name, [CallState.CONNECTED, CallState.IDLE]) for name in ("pixel6", "pixel6pro")]
    phones[broken].states = [TypeError("a bug")]
    with pytest.raises(TypeError, match="a bug"):
        leave_idle(cast(list[Phone], phones), APP, cast(Any, Notes()), lambda event, **fields: None)
    assert [phone.ended for phone in phones] == [int(index != broken) for index in range(2)]


def asked(callee: FakePhone, reason: str) -> tuple[AttemptVoid | None, list[dict[str, Any]]]:
    notes = Notes()
    return refused_by_callee(AttemptVoid(reason, "why"), cast(Phone, callee), APP, notes.note), notes.noted


@pytest.mark.parametrize("reason", sorted(BY_THE_CALLEE))
def test_a_callee_that_says_why_gives_the_reason_of_what_it_did_not_do(reason: str) -> None:
    out = AttemptVoid("logged_out", "it says so")
    noted = {"event": "refused", "phone": "b", "reason": "logged_out", "instead_of": reason}
    assert asked(FakePhone("b", [CallState.IDLE], refuses=out), reason) == (out, [noted])
    assert asked(FakePhone("b", [CallState.IDLE]), reason) == (None, [])


@pytest.mark.parametrize("reason", ["marker_not_captured", "dialog", "selector_not_found", "bug"])
def test_what_the_callee_cannot_explain_does_not_bring_its_app_to_the_front(reason: str) -> None:
    callee = FakePhone("b", [CallState.IDLE], refuses=AttemptVoid("logged_out", "it says so"))
    assert (asked(callee, reason), callee.fronts) == ((None, []), 0)


def test_a_callee_that_cannot_be_looked_at_leaves_the_reason_as_it_is() -> None:
    callee = FakePhone("b", [CallState.IDLE], refuses=PhoneTrouble("gone"))
    assert asked(callee, "callee_never_rang") == (None, [{"event": "not_looked_at", "phone": "b", "text": "gone"}])


class Booted:
    """A phone whose boot id a test sets; None cannot be read."""

    spec = SimpleNamespace(name="pixel6")

    def __init__(self, boot_id: str | None) -> None:
        self.boot_id = boot_id

    def require_booted(self) -> str | None:
        if self.boot_id == "gone":
            raise PhoneTrouble("pixel6: no whole answer")
        return self.boot_id


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        ("a", "a", None),
        ("a", "b", "pixel6 restarted in the attempt"),
        ("a", "gone", "pixel6: no whole answer"),
        (None, "b", None),
        ("a", None, None),
        (None, None, None),
    ],
)
def test_a_phone_in_another_boot_than_when_it_was_identified_is_told_and_one_that_cannot_tell_is_not(before, now, told):
    boots, phone = Boots(), Booted(before)
    boots.require_same()
    boots.identify(cast(Phone, phone))
    phone.boot_id = now
    if told is None:
        boots.require_same()
        return
    with pytest.raises(PhoneTrouble) as raised:
        boots.require_same()
    assert str(raised.value) == told
