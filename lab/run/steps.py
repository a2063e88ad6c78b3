"""The verbs of a call scenario. Each does one thing and sees its effect on the phones, or voids the attempt."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from lab.clocks.bench_time import BenchClock
from lab.definitions import App, Drawn, Role, Scenario, Service, Shape, Step, Verb
from lab.errors import AttemptVoid
from lab.phone.call_state import CallState
from lab.phone.chains import Used
from lab.phone.phone import Phone
from lab.phone.witnesses.facts import Look
from lab.run.heard import OTHER, ROLES, Act
from lab.run.introductions import PARKED

LOOK_EVERY_S = 5.0
"""How often both phones are looked at while they ring and talk."""
LOST_S = 2.0
"""For so long a call's audio mode may be lost: Android takes it from an app that neither plays nor records."""


class Note(Protocol):
    """Writes one event with its fields (`events.jsonl`)."""

    def __call__(self, event: str, **fields: object) -> None: ...


@dataclass
class Seen:
    """What was seen of the call on the phones, whatever was asked for."""

    rang: bool = False
    rang_after_s: float | None = None
    connected: bool = False
    ended_by: Role | None = None
    ended: bool = False
    acts: list[Act] = field(default_factory=list)
    looks: dict[Role, list[Look]] = field(default_factory=lambda: {"caller": [], "callee": []})


@dataclass(frozen=True)
class Stage:
    """Where a scenario is played: the phones by role, the app, the drawn times, and what was seen so far.

    `drain` is called now and then while nothing is done. With `ring_limit_s` nobody is there to see who rings: a callee
    that does not ring within it may be a stranger, and nobody calls as this pair again. `placing` is called before a
    call is placed.
    """

    phones: Mapping[Role, Phone]
    app: App
    service: Service
    drawn: Drawn
    clock: BenchClock
    note: Note
    drain: Callable[[], None] = lambda: None
    ring_limit_s: float | None = None
    seen: Seen = field(default_factory=Seen)
    placing: Callable[[], None] = lambda: None

    @property
    def caller(self) -> Phone:
        return self.phones["caller"]

    @property
    def callee(self) -> Phone:
        return self.phones["callee"]

    def look(self, role: Role, expected: CallState) -> Look:
        """Look at a phone, and keep what was seen."""
        look = self.phones[role].calls.look(self.app, expected)
        self.seen.looks[role].append(look)
        return look

    def look_before(self, role: Role, states: Mapping[Role, CallState], reason: str) -> Mapping[Role, Look]:
        """Look at both phones before one of them acts, at that one last; it must be in its state."""
        before = {one: self.look(one, states[one]) for one in (OTHER[role], role)}
        _expect(self, role, before[role], states[role], reason)
        return before

    def act(self, verb: Verb, role: Role, do: Callable[[], tuple[Used, ...]], before: Mapping[Role, Look]) -> None:
        """Have a phone do something to the call, and keep which ways it took when."""
        used = do()
        ways = tuple(dict.fromkeys(one.way for one in used))
        self.seen.acts.append(Act(verb, role, used[0].from_ns, used[-1].to_ns, ways, before))

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
    before = stage.look_before("caller", IDLE, "still_in_call")
    _expect(stage, "callee", before["callee"], CallState.IDLE, "still_in_call")
    stage.placing()
    stage.act("place_call", "caller", lambda: stage.caller.place_call(stage.app, stage.service, step.within_s), before)
    stage.note("calling", phone=stage.caller.spec.name)


def wait_ringing(stage: Stage, step: Step) -> None:
    """The callee rings within the step's time, and still rings after the drawn `ring_s`."""
    before_ns, limit_s = stage.clock.now_ns(), stage.ring_limit_s
    within_s = step.within_s if limit_s is None else min(step.within_s, limit_s)
    if not stage.callee.calls.wait_for(stage.app, CallState.INCOMING, within_s):
        void = stage.callee.calls.void(stage.app, CallState.INCOMING, "callee_never_rang")
        raise void if limit_s is None else AttemptVoid(PARKED, f"no ring within {within_s:g} s: {void}")
    stage.seen.rang, stage.seen.rang_after_s = True, _since(stage, before_ns)
    stage.note("ringing", after_s=stage.seen.rang_after_s, ring_s=stage.drawn.ring_s)
    _stay(stage, stage.drawn.ring_s, RINGING, ("callee",), "call_ended_early")


def answer(stage: Stage, step: Step) -> None:
    """The callee answers; both phones are connected within the step's time."""
    before = stage.look_before("callee", RINGING, "call_ended_early")
    before_ns = stage.clock.now_ns()
    stage.act("answer", "callee", lambda: stage.callee.answer(stage.app, stage.service, step.within_s), before)
    for phone in (stage.callee, stage.caller):
        left_s = max(0.0, step.within_s - _since(stage, before_ns))
        if not phone.calls.wait_for(stage.app, CallState.CONNECTED, left_s):
            raise phone.calls.void(stage.app, CallState.CONNECTED, "not_connected")
    stage.seen.connected = True
    stage.note("connected", after_s=_since(stage, before_ns))


def reject(stage: Stage, step: Step) -> None:
    """The callee rejects the call while it rings."""
    before = stage.look_before("callee", RINGING, "call_ended_early")
    stage.act("reject", "callee", lambda: stage.callee.reject(stage.app, step.within_s), before)
    stage.seen.ended_by = "callee"
    stage.note("rejected", phone=stage.callee.spec.name)


def cancel(stage: Stage, step: Step) -> None:
    """The caller cancels the call while it goes out; where nobody waited for ringing, after the drawn `ring_s`."""
    if not stage.seen.rang:
        stage.clock.sleep(stage.drawn.ring_s)
    before = stage.look_before("caller", RINGING, "call_ended_early")
    stage.act("cancel", "caller", lambda: stage.caller.cancel(stage.app, step.within_s), before)
    stage.seen.ended_by = "caller"
    stage.note("cancelled", phone=stage.caller.spec.name)


def talk(stage: Stage, step: Step) -> None:
    """The conversation lasts the drawn `talk_s`; both phones are still connected at its end."""
    if stage.drawn.talk_s is None:
        raise ValueError("a talk step needs a drawn talk_s")
    stage.note("talking", talk_s=stage.drawn.talk_s)
    _stay(stage, stage.drawn.talk_s, TALKING, ("caller", "callee"), "dropped_while_talking")


def hang_up(stage: Stage, step: Step) -> None:
    """One side ends the conversation."""
    if step.by is None:
        raise ValueError("a hang_up step needs somebody who hangs up")
    phone = stage.phones[step.by]
    before = stage.look_before(step.by, TALKING, "call_ended_early")
    stage.act("hang_up", step.by, lambda: phone.hang_up(stage.app, step.within_s), before)
    stage.seen.ended_by = step.by
    stage.note("hung_up", phone=phone.spec.name)


def wait_ended(stage: Stage, step: Step) -> None:
    """Both phones are idle within the step's time, and are looked at meanwhile; the time it took is recorded."""
    before_ns = stage.clock.now_ns()
    for phone in (stage.caller, stage.callee):
        left_s = step.within_s - _since(stage, before_ns)
        while not phone.calls.wait_idle(stage.app, max(0.0, min(LOOK_EVERY_S, left_s))):
            left_s = step.within_s - _since(stage, before_ns)
            if left_s <= 0:
                state = phone.calls.state(stage.app)
                against = f"; {why}" if (why := phone.calls.contradiction(stage.app)) else ""
                text = f"{phone.spec.name} is {state.value} after {step.within_s:g} s{against}"
                raise AttemptVoid("still_in_call", text)
            stage.drain()
            for role in ROLES:
                stage.look(role, CallState.IDLE)
    stage.seen.ended = True
    stage.note("ended", after_s=_since(stage, before_ns))


def _stay(
    stage: Stage, seconds: float, states: Mapping[Role, CallState], required: tuple[Role, ...], reason: str
) -> None:
    """Stay for so long, looking at both phones now and then; those that are `required` must be in their states."""
    end_ns = stage.clock.now_ns() + round(seconds * 1e9)
    while (left_s := (end_ns - stage.clock.now_ns()) / 1e9) > 0:
        stage.clock.sleep(min(LOOK_EVERY_S, left_s))
        stage.drain()
        for role in ROLES if left_s > LOOK_EVERY_S else ():
            look = stage.look(role, states[role])
            if role in required:
                _expect(stage, role, look, states[role], reason)
    for role in required:
        _expect(stage, role, stage.look(role, states[role]), states[role], reason)


def _expect(stage: Stage, role: Role, look: Look, state: CallState, reason: str) -> None:
    """Void the attempt where a look did not see the state, and none of the next ones does."""
    if look.state == state.value:
        return
    phone = stage.phones[role]
    found = phone.calls.state(stage.app)
    if found is CallState.UNKNOWN and phone.calls.wait_for(stage.app, state, LOST_S):
        return
    if found is not state:
        against = f"; {why}" if (why := phone.calls.contradiction(stage.app)) else ""
        raise AttemptVoid(reason, f"{phone.spec.name} should be {state.value}, is {found.value}{against}")


def _since(stage: Stage, before_ns: int) -> float:
    return round((stage.clock.now_ns() - before_ns) / 1e9, 3)


IDLE: Mapping[Role, CallState] = {"caller": CallState.IDLE, "callee": CallState.IDLE}
RINGING: Mapping[Role, CallState] = {"caller": CallState.OUTGOING, "callee": CallState.INCOMING}
TALKING: Mapping[Role, CallState] = {"caller": CallState.CONNECTED, "callee": CallState.CONNECTED}

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
