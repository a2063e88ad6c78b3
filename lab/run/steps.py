"""The verbs of a call scenario. Each does one thing and sees its effect on the phones, or voids the attempt."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from lab.clocks.bench_time import BenchClock
from lab.definitions import App, Drawn, Role, Scenario, Service, Shape, Step, Verb
from lab.errors import AttemptVoid
from lab.phone.call_state import CallState
from lab.phone.phone import Phone


class Note(Protocol):
    """Writes one event with its fields (`events.jsonl`)."""

    def __call__(self, event: str, **fields: object) -> None: ...


@dataclass
class Seen:
    """What was seen of the call on the phones, whatever was asked for."""

    rang: bool = False
    connected: bool = False
    ended_by: Role | None = None
    ended: bool = False


@dataclass(frozen=True)
class Stage:
    """Where a scenario is played: the phones by role, the app, the drawn times, and what was seen so far."""

    phones: Mapping[Role, Phone]
    app: App
    service: Service
    drawn: Drawn
    clock: BenchClock
    note: Note
    seen: Seen = field(default_factory=Seen)

    @property
    def caller(self) -> Phone:
        return self.phones["caller"]

    @property
    def callee(self) -> Phone:
        return self.phones["callee"]

    def observed(self, asked: Scenario) -> str:
        """The name of the scenario that was asked for where what was seen has its shape, else what it was instead."""
        if fits(self.seen, asked.shape):
            return asked.name
        instead = observe(self.seen)
        return instead if instead != asked.name else "another_shape"


def fits(seen: Seen, shape: Shape) -> bool:
    """Whether a call that was seen has the shape that a scenario's steps ask for."""
    rang = shape.rang is None or seen.rang == shape.rang
    ended = seen.ended and (seen.ended_by or "system") == shape.ended_by
    return rang and seen.connected == shape.answered and ended


def observe(seen: Seen) -> str:
    """The name of what was seen: one of the five scenarios of the paper's 3.2; `never_rang`, `never_ended` and
    `dropped` (a conversation that nobody ended) are none of them."""
    if not seen.rang:
        return "never_rang"
    if not seen.ended:
        return "never_ended"
    if seen.connected:
        return "dropped" if seen.ended_by is None else f"{seen.ended_by}_hangs_up"
    return {None: "system_timeout", "caller": "caller_cancels", "callee": "callee_rejects"}[seen.ended_by]


def place_call(stage: Stage, step: Step) -> None:
    """The caller starts the call; both phones must be idle before, and the caller shows it going out after."""
    for phone in stage.phones.values():
        state = phone.calls.state(stage.app)
        if state is not CallState.IDLE:
            raise AttemptVoid("still_in_call", f"{phone.spec.name} is {state.value} before the call")
    stage.caller.place_call(stage.app, stage.service, step.within_s)
    stage.note("calling", phone=stage.caller.spec.name)


def wait_ringing(stage: Stage, step: Step) -> None:
    """The callee rings within the step's time, and still rings after the drawn `ring_s`."""
    before_ns = stage.clock.now_ns()
    if not stage.callee.calls.wait_for(stage.app, CallState.INCOMING, step.within_s):
        raise stage.callee.calls.void(stage.app, CallState.INCOMING, "callee_never_rang")
    stage.seen.rang = True
    stage.note("ringing", after_s=_since(stage, before_ns), ring_s=stage.drawn.ring_s)
    stage.clock.sleep(stage.drawn.ring_s)
    _require(stage, stage.callee, CallState.INCOMING, "call_ended_early")


def answer(stage: Stage, step: Step) -> None:
    """The callee answers; both phones are connected within the step's time."""
    _require(stage, stage.callee, CallState.INCOMING, "call_ended_early")
    before_ns = stage.clock.now_ns()
    stage.callee.answer(stage.app, stage.service, step.within_s)
    for phone in (stage.callee, stage.caller):
        left_s = max(0.0, step.within_s - _since(stage, before_ns))
        if not phone.calls.wait_for(stage.app, CallState.CONNECTED, left_s):
            raise phone.calls.void(stage.app, CallState.CONNECTED, "not_connected")
    stage.seen.connected = True
    stage.note("connected", after_s=_since(stage, before_ns))


def reject(stage: Stage, step: Step) -> None:
    """The callee rejects the call while it rings."""
    _require(stage, stage.callee, CallState.INCOMING, "call_ended_early")
    stage.callee.reject(stage.app, step.within_s)
    stage.seen.ended_by = "callee"
    stage.note("rejected", phone=stage.callee.spec.name)


def cancel(stage: Stage, step: Step) -> None:
    """The caller cancels the call while it goes out; where nobody waited for ringing, after the drawn `ring_s`."""
    if not stage.seen.rang:
        stage.clock.sleep(stage.drawn.ring_s)
    _require(stage, stage.caller, CallState.OUTGOING, "call_ended_early")
    stage.caller.cancel(stage.app, step.within_s)
    stage.seen.ended_by = "caller"
    stage.note("cancelled", phone=stage.caller.spec.name)


def talk(stage: Stage, step: Step) -> None:
    """The conversation lasts the drawn `talk_s`; both phones are still connected at its end."""
    if stage.drawn.talk_s is None:
        raise ValueError("a talk step needs a drawn talk_s")
    stage.note("talking", talk_s=stage.drawn.talk_s)
    stage.clock.sleep(stage.drawn.talk_s)
    for phone in stage.phones.values():
        _require(stage, phone, CallState.CONNECTED, "dropped_while_talking")


def hang_up(stage: Stage, step: Step) -> None:
    """One side ends the conversation."""
    if step.by is None:
        raise ValueError("a hang_up step needs somebody who hangs up")
    phone = stage.phones[step.by]
    _require(stage, phone, CallState.CONNECTED, "call_ended_early")
    phone.hang_up(stage.app, step.within_s)
    stage.seen.ended_by = step.by
    stage.note("hung_up", phone=phone.spec.name)


def wait_ended(stage: Stage, step: Step) -> None:
    """Both phones are idle within the step's time; the time it took is recorded."""
    before_ns = stage.clock.now_ns()
    for phone in (stage.caller, stage.callee):
        left_s = max(0.0, step.within_s - _since(stage, before_ns))
        if not phone.calls.wait_idle(stage.app, left_s):
            state = phone.calls.state(stage.app)
            raise AttemptVoid("still_in_call", f"{phone.spec.name} is {state.value} after {step.within_s:g} s")
    stage.seen.ended = True
    stage.note("ended", after_s=_since(stage, before_ns))


def _since(stage: Stage, before_ns: int) -> float:
    return round((stage.clock.now_ns() - before_ns) / 1e9, 3)


def _require(stage: Stage, phone: Phone, state: CallState, reason: str) -> None:
    if phone.calls.is_in(stage.app, state):
        return
    found = phone.calls.state(stage.app)
    if found is not state:
        raise AttemptVoid(reason, f"{phone.spec.name} should be {state.value}, is {found.value}")


VERBS: dict[Verb, Callable[[Stage, Step], None]] = {
    "place_call": place_call,
    "wait_ringing": wait_ringing,
    "answer": answer,
    "reject": reject,
    "cancel": cancel,
    "talk": talk,
    "hang_up": hang_up,
    "wait_ended": wait_ended,
}
