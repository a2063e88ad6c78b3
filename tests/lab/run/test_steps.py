from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast, get_args

import pytest

from lab.definitions import App, Drawn, Scenario, Step, Verb
from lab.definitions.yaml import read
from lab.errors import AttemptVoid
from lab.phone.call_state import CallState
from lab.phone.chains import Used
from lab.phone.phone import Phone
from lab.phone.witnesses.facts import Look
from lab.run.steps import VERBS, Seen, Stage, fits, observe

SCENARIOS = Path(__file__).resolve().parents[3] / "scenarios"
IDLE, OUTGOING, INCOMING, CONNECTED = CallState.IDLE, CallState.OUTGOING, CallState.INCOMING, CallState.CONNECTED


@dataclass
class World:
    """One fake call between two fake phones, and a clock; `plan` says what happens by itself, by the second."""

    ns: int = 0
    states: dict[str, CallState] = field(default_factory=lambda: {"caller": IDLE, "callee": IDLE})
    plan: list[tuple[int, str, CallState]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    rings: bool = True
    connects: bool = True
    gives_up_s: float = 40.0

    def now_ns(self) -> int:
        return self.ns

    def sleep(self, seconds: float) -> None:
        self.ns += round(seconds * 1e9)
        for change in [one for one in self.plan if one[0] <= self.ns]:
            self.plan.remove(change)
            self.states[change[1]] = change[2]

    def after(self, seconds: float, who: str, state: CallState) -> None:
        self.plan.append((self.ns + round(seconds * 1e9), who, state))

    def end(self) -> None:
        self.plan.clear()
        for who in self.states:
            self.after(0.3, who, IDLE)

    def note(self, event: str, **fields: object) -> None:
        self.events.append({"event": event, **fields})


@dataclass
class FakePhone:
    role: str
    world: World

    @property
    def spec(self) -> SimpleNamespace:
        return SimpleNamespace(name=f"{self.role}phone")

    @property
    def calls(self) -> FakePhone:
        return self

    def state(self, app: App) -> CallState:
        return self.world.states[self.role]

    def look(self, app: App, expected: CallState) -> Look:
        return Look(self.world.ns, self.state(app).value, True, ())

    def contradiction(self, app: App) -> str | None:
        return None

    def is_in(self, app: App, state: CallState) -> bool:
        return self.world.states[self.role] is state

    def wait_for(self, app: App, state: CallState, within_s: float) -> bool:
        end_ns = self.world.ns + round(within_s * 1e9)
        while not self.is_in(app, state):
            if self.world.ns >= end_ns:
                return False
            self.world.sleep(0.2)
        return True

    def wait_idle(self, app: App, within_s: float) -> bool:
        return self.wait_for(app, IDLE, within_s)

    def void(self, app: App, wanted: CallState, reason: str) -> AttemptVoid:
        return AttemptVoid(reason, f"{self.role} is not {wanted.value}")

    def used(self, way: str) -> tuple[Used, ...]:
        return (Used(way, self.world.ns - 50, self.world.ns - 20),)

    def place_call(self, app: App, service: str, within_s: float) -> tuple[Used, ...]:
        assert (self.role, service) == ("caller", "video")
        self.world.states["caller"] = OUTGOING
        if self.world.rings:
            self.world.after(1.0, "callee", INCOMING)
            self.world.after(1.0 + self.world.gives_up_s, "callee", IDLE)
            self.world.after(1.2 + self.world.gives_up_s, "caller", IDLE)
        return self.used("tap call")

    def answer(self, app: App, service: str, within_s: float) -> tuple[Used, ...]:
        assert (self.role, service) == ("callee", "video")
        self.world.plan.clear()
        self.world.states["callee"] = CONNECTED
        if self.world.connects:
            self.world.after(0.8, "caller", CONNECTED)
        return self.used("swipe up")

    def reject(self, app: App, within_s: float) -> tuple[Used, ...]:
        assert self.role == "callee"
        self.world.end()
        return self.used("tap decline")

    def cancel(self, app: App, within_s: float) -> tuple[Used, ...]:
        assert self.role == "caller"
        self.world.end()
        return self.used("tap cancel")

    def hang_up(self, app: App, within_s: float) -> tuple[Used, ...]:
        self.world.end()
        return self.used("tap end")


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def stage(world: World) -> Stage:
    phones = {"caller": cast(Phone, FakePhone("caller", world)), "callee": cast(Phone, FakePhone("callee", world))}
    app = read(SCENARIOS / "apps" / "whatsapp.yaml", App)
    return Stage(cast(Any, phones), app, "video", Drawn(5.0, 30.0), world, world.note)


def scenario(name: str) -> Scenario:
    return read(SCENARIOS / "calls" / f"{name}.yaml", Scenario)


def play(stage: Stage, name: str) -> str:
    for step in scenario(name).steps:
        VERBS[step.do](stage, step)
    return stage.observed(scenario(name))


def test_the_verbs_are_those_of_the_definitions():
    assert tuple(VERBS) == get_args(Verb)


@pytest.mark.parametrize(
    ("name", "seconds"),
    [
        ("caller_cancels", 6.4),
        ("callee_rejects", 6.4),
        ("system_timeout", 41.2),
        ("caller_hangs_up", 37.2),
        ("callee_hangs_up", 37.2),
        ("caller_cancels_early", 5.4),
        ("callee_answers_late", 37.2),
    ],
)
def test_each_scenario_is_observed_as_what_it_is(stage: Stage, world: World, name: str, seconds: float):
    assert play(stage, name) == name
    assert world.ns == pytest.approx(seconds * 1e9, abs=0.21e9)


def test_each_act_is_kept_with_its_instants_its_ways_and_a_look_at_both_phones_before_it(stage: Stage, world: World):
    play(stage, "callee_hangs_up")
    acts = [(act.verb, act.role, act.used) for act in stage.seen.acts]
    assert acts == [
        ("place_call", "caller", ("tap call",)),
        ("answer", "callee", ("swipe up",)),
        ("hang_up", "callee", ("tap end",)),
    ]
    states = [(list(act.before), [look.state for look in act.before.values()]) for act in stage.seen.acts]
    assert states == [
        (["callee", "caller"], ["idle", "idle"]),
        (["caller", "callee"], ["outgoing", "incoming"]),
        (["caller", "callee"], ["connected", "connected"]),
    ]
    assert all(act.t0_ns < act.t1_ns for act in stage.seen.acts)


def test_both_phones_are_looked_at_each_5_s_and_at_the_end_of_a_talk(stage: Stage, world: World):
    for step in read(SCENARIOS / "calls" / "caller_hangs_up.yaml", Scenario).steps[:3]:
        VERBS[step.do](stage, step)
    begin_ns, before = world.ns, len(stage.seen.looks["caller"])
    drained: list[int] = []
    VERBS["talk"](replace(stage, drain=lambda: drained.append(world.ns)), Step(do="talk"))
    for looks in stage.seen.looks.values():
        at = [(look.at_ns - begin_ns) / 1e9 for look in looks if look.at_ns > begin_ns]
        assert at == [5.0, 10.0, 15.0, 20.0, 25.0, 30.0]
    assert len(stage.seen.looks["caller"]) == before + 6
    assert len(drained) == 6


def test_a_call_that_drops_is_noticed_within_5_s(stage: Stage, world: World):
    for step in read(SCENARIOS / "calls" / "caller_hangs_up.yaml", Scenario).steps[:3]:
        VERBS[step.do](stage, step)
    begin_ns = world.ns
    world.after(7.0, "callee", IDLE)
    with pytest.raises(AttemptVoid, match="calleephone should be connected, is idle"):
        VERBS["talk"](stage, Step(do="talk"))
    assert world.ns - begin_ns == 10_000_000_000


@pytest.mark.parametrize("rings", [True, False])
def test_a_caller_that_cancels_early_does_so_whether_or_not_it_rang(stage: Stage, world: World, rings: bool):
    world.rings = rings
    assert play(stage, "caller_cancels_early") == "caller_cancels_early"


def test_what_was_seen_has_the_asked_name_only_in_the_asked_shape(stage: Stage, world: World):
    play(stage, "callee_hangs_up")
    asked = [scenario(name) for name in ("callee_hangs_up", "callee_answers_late", "caller_cancels_early")]
    assert [stage.observed(one) for one in asked] == ["callee_hangs_up", "callee_hangs_up", "callee_hangs_up"]
    assert [fits(stage.seen, one.shape) for one in asked] == [True, False, False]
    misnamed = asked[1].model_copy(update={"name": "callee_hangs_up"})
    assert stage.observed(misnamed) == "another_shape"


def test_the_time_out_of_the_system_is_measured(stage: Stage, world: World):
    play(stage, "system_timeout")
    assert [event["event"] for event in world.events] == ["calling", "ringing", "ended"]
    assert world.events[1]["ring_s"] == 5.0
    assert world.events[2]["after_s"] == pytest.approx(35.2, abs=0.21)


def test_a_callee_that_never_rings_voids_the_attempt(stage: Stage, world: World):
    world.rings = False
    with pytest.raises(AttemptVoid) as caught:
        play(stage, "callee_rejects")
    assert caught.value.reason == "callee_never_rang"
    assert stage.observed(scenario("callee_rejects")) == "never_rang"


def test_a_call_that_ends_while_it_should_ring_voids_the_attempt(stage: Stage, world: World):
    world.gives_up_s = 3.0
    with pytest.raises(AttemptVoid, match="calleephone should be incoming, is idle") as caught:
        play(stage, "callee_rejects")
    assert caught.value.reason == "call_ended_early"


def test_a_call_that_never_connects_voids_the_attempt(stage: Stage, world: World):
    world.connects = False
    with pytest.raises(AttemptVoid, match="caller is not connected") as caught:
        play(stage, "caller_hangs_up")
    assert caught.value.reason == "not_connected"
    assert not stage.seen.connected


def test_a_call_that_the_caller_has_lost_cannot_be_cancelled(stage: Stage, world: World):
    for step in read(SCENARIOS / "calls" / "caller_cancels.yaml", Scenario).steps[:2]:
        VERBS[step.do](stage, step)
    world.states["caller"] = IDLE
    with pytest.raises(AttemptVoid, match="callerphone should be outgoing, is idle") as caught:
        VERBS["cancel"](stage, Step(do="cancel", by="caller"))
    assert (caught.value.reason, stage.seen.ended_by) == ("call_ended_early", None)


def test_how_long_a_step_took_is_told_to_the_millisecond(stage: Stage, world: World):
    play(stage, "caller_hangs_up")
    took = {event["event"]: event["after_s"] for event in world.events if "after_s" in event}
    assert took == {"ringing": 1.0, "connected": 0.8, "ended": 0.4}


@pytest.mark.parametrize("who", ["caller", "callee"])
def test_a_conversation_that_drops_voids_the_attempt(stage: Stage, world: World, who: str):
    for step in read(SCENARIOS / "calls" / "caller_hangs_up.yaml", Scenario).steps[:3]:
        VERBS[step.do](stage, step)
    world.after(10.0, who, IDLE)
    with pytest.raises(AttemptVoid, match=f"{who}phone should be connected, is idle") as caught:
        VERBS["talk"](stage, Step(do="talk"))
    assert caught.value.reason == "dropped_while_talking"


@pytest.mark.parametrize(("who", "other"), [("caller", "callee"), ("callee", "caller")])
def test_a_phone_that_stays_in_the_call_voids_the_attempt(stage: Stage, world: World, who: str, other: str):
    world.states = {who: CONNECTED, other: IDLE}
    with pytest.raises(AttemptVoid, match=re.escape(f"{who}phone is connected after 20 s")) as caught:
        VERBS["wait_ended"](stage, Step(do="wait_ended"))
    assert caught.value.reason == "still_in_call"
    assert world.ns == pytest.approx(20e9, abs=0.21e9)


@pytest.mark.parametrize("who", ["caller", "callee"])
def test_no_call_is_placed_while_a_phone_is_in_one(stage: Stage, world: World, who: str):
    world.states[who] = OUTGOING
    with pytest.raises(AttemptVoid, match=f"{who}phone should be idle, is outgoing") as caught:
        VERBS["place_call"](stage, Step(do="place_call", by="caller"))
    assert caught.value.reason == "still_in_call"


@pytest.mark.parametrize(
    ("seen", "name"),
    [
        (Seen(), "never_rang"),
        (Seen(rang=True), "never_ended"),
        (Seen(rang=True, ended=True), "system_timeout"),
        (Seen(rang=True, ended=True, ended_by="caller"), "caller_cancels"),
        (Seen(rang=True, ended=True, ended_by="callee"), "callee_rejects"),
        (Seen(rang=True, connected=True, ended=True), "dropped"),
        (Seen(rang=True, connected=True, ended=True, ended_by="caller"), "caller_hangs_up"),
        (Seen(rang=True, connected=True, ended=True, ended_by="callee"), "callee_hangs_up"),
    ],
)
def test_what_was_seen_has_a_name(seen: Seen, name: str):
    assert observe(seen) == name
