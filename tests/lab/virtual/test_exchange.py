"""The exchange: who learns what of a call, and when."""

from dataclasses import dataclass, field

import pytest

from lab.virtual.handset.exchange import Call, Exchange
from lab.virtual.handset.handset import Handset
from lab.virtual.world import World
from tests.lab.virtual.emulated_apps import emulated

S = 1_000_000_000
A, B = "15555550101", "15555550102"


@dataclass
class Listener:
    world: World
    heard: list[tuple[str, int]] = field(default_factory=list)

    def placed(self, call: Call) -> None:
        self.heard.append(("placed", self.world.now_ns))

    def rung(self, call: Call) -> None:
        self.heard.append(("rung", self.world.now_ns))

    def answered(self, call: Call) -> None:
        self.heard.append(("answered", self.world.now_ns))

    def ended(self, call: Call) -> None:
        self.heard.append(("ended", self.world.now_ns))


class Bench:
    def __init__(self, name="whatsapp", key="seed/trial/1", phones=("a", "b"), by_media=False):
        self.world = World()
        self.world.begin(key, 1000 * S)
        self.listener = Listener(self.world)
        self.exchange = Exchange(self.world, [self.listener], by_media=by_media)
        self.app = emulated(name)
        for number, phone in enumerate(phones, 1):
            contacts = {name: f"1555555010{number}"}
            handset = Handset(phone, contacts, {name: self.app}, self.world, self.exchange)
            self.exchange.subscribers[phone] = handset.calls
            setattr(self, phone, handset)

    def run(self, seconds):
        self.world.advance_to(self.world.now_ns + round(seconds * S))

    def run_until(self, event):
        while event not in [name for name, _ in self.listener.heard]:
            when = self.world.next_event_ns()
            assert when is not None, f"{event} never comes"
            self.world.advance_to(when)

    def place(self, service="voice"):
        return self.exchange.place("a", self.app, service, B)


def test_a_call_rings_after_the_ring_delay_and_the_caller_learns_it_later():
    bench = Bench()
    call = bench.place()
    assert (bench.a.call.state, bench.a.call.phase, bench.b.call) == ("outgoing", "calling", None)
    bench.run_until("rung")
    assert 0.4 * S <= call.rung_ns - call.placed_ns <= 1.8 * S
    assert (bench.b.call.state, bench.b.call.peer) == ("incoming", A)
    assert bench.a.call.phase == "calling"
    bench.run(0.25)
    assert bench.a.call.phase == "ringing"


def ring_delays(network: str) -> list[float]:
    """How long 100 calls of Messenger take to ring on a phone of that network, in seconds."""
    delays = []
    for number in range(100):
        bench = Bench("messenger", key=f"seed/{number}")
        bench.exchange.networks = {"a": "fixed", "b": network}
        call = bench.place()
        bench.run_until("rung")
        delays.append((call.rung_ns - call.placed_ns) / S)
    return sorted(delays)


def test_some_calls_ring_late_on_the_network_that_the_app_names_and_on_no_other():
    usual, late = ring_delays("fixed"), ring_delays("lte")
    assert 0.4 <= usual[0] < usual[-1] <= 1.6
    assert sum(delay <= 1.6 for delay in late) == pytest.approx(45 + 4, abs=12)
    assert 9 < late[-1] <= 1.6 + 9.5


def test_an_answer_connects_the_callee_first():
    bench = Bench()
    call = bench.place("video")
    bench.run_until("rung")
    bench.run(3)
    answer_ns = bench.world.now_ns
    bench.exchange.answer("b")
    assert (bench.b.call.state, bench.a.call.state) == ("connected", "outgoing")
    bench.run_until("answered")
    assert 0.15 * S <= call.answered_ns - answer_ns <= 0.5 * S
    bench.run(1.5)
    assert (bench.a.call.phase, bench.b.call.phase) == ("talking", "talking")
    assert call.scenario is None


def test_where_media_decide_phones_talk_once_they_flow_and_leave_once_they_are_closed():
    bench = Bench(by_media=True)
    call = bench.place()
    bench.run_until("rung")
    bench.run(0.3)
    bench.exchange.answer("b")
    bench.run_until("answered")
    bench.run(20)
    assert (bench.a.call.phase, bench.b.call.phase) == ("ringing", "connecting")
    bench.exchange.media_connected(call)
    bench.run(2)
    assert (bench.a.call.phase, bench.b.call.phase) == ("talking", "talking")
    bench.exchange.media_closed(call)
    assert bench.a.call is not None  # Nobody has hung up.
    bench.exchange.hang_up("a")
    bench.run(5)
    assert (call.ended_by, bench.a.call.phase, bench.b.call.phase) == ("caller", "talking", "talking")
    bench.exchange.media_closed(call)
    assert (bench.a.call, bench.b.call) == (None, None)
    bench.exchange.media_connected(call)
    assert bench.a.call is None


@pytest.mark.parametrize(
    ("answered", "ended_by", "scenario"),
    [
        (False, "a", "caller_cancels"),
        (False, "b", "callee_rejects"),
        (True, "a", "caller_hangs_up"),
        (True, "b", "callee_hangs_up"),
    ],
)
def test_who_ends_a_call_names_its_scenario(answered, ended_by, scenario):
    bench = Bench()
    call = bench.place()
    bench.run_until("rung")
    if answered:
        bench.exchange.answer("b")
        bench.run(20)
    end_ns = bench.world.now_ns
    bench.exchange.hang_up(ended_by)
    assert (call.scenario, call.ended_ns) == (scenario, end_ns)
    ender, other = (bench.a, bench.b) if ended_by == "a" else (bench.b, bench.a)
    assert (ender.call is None, other.call is None) == (True, False)
    bench.run(0.5)
    assert other.call is None


def test_the_system_ends_an_unanswered_call_within_the_apps_bounds():
    bench = Bench("snapchat")
    call = bench.place()
    bench.run_until("ended")
    assert (call.scenario, call.ended_by) == ("system_timeout", "system")
    assert 28 * S <= call.ended_ns - call.rung_ns <= 30 * S
    bench.run(1)
    assert (bench.a.call, bench.b.call) == (None, None)


def test_an_answered_call_has_no_timeout():
    bench = Bench("cedar")
    call = bench.place()
    bench.run_until("rung")
    bench.exchange.answer("b")
    bench.run(200)
    assert call.ended_ns is None


def test_listeners_hear_each_event_at_its_instant():
    bench = Bench()
    call = bench.place()
    bench.run_until("rung")
    bench.exchange.answer("b")
    bench.run(10)
    bench.exchange.hang_up("b")
    expected = [("placed", call.placed_ns), ("rung", call.rung_ns), ("answered", call.answered_ns)]
    assert bench.listener.heard == [*expected, ("ended", call.ended_ns)]


def test_a_cancel_before_the_ringing_never_rings():
    bench = Bench()
    call = bench.place()
    bench.run(0.5)
    bench.exchange.hang_up("a")
    bench.run(60)
    assert (call.rung_ns, call.scenario, bench.b.call) == (None, "caller_cancels", None)
    assert [name for name, _ in bench.listener.heard] == ["placed", "ended"]


def test_an_answer_that_crosses_a_cancel_is_a_cancelled_call():
    bench = Bench()
    call = bench.place()
    bench.run_until("rung")
    bench.exchange.answer("b")
    bench.exchange.hang_up("a")
    bench.run(5)
    assert (call.answered_ns, call.scenario) == (None, "caller_cancels")
    assert (bench.a.call, bench.b.call) == (None, None)


def test_a_busy_callee_ends_the_placing_side():
    bench = Bench(phones=("a", "b", "c"))
    first = bench.place()
    bench.run_until("rung")
    second = bench.exchange.place("c", bench.app, "voice", B)
    bench.run(5)
    assert (second.ended_by, second.rung_ns, second.scenario) == ("system", None, None)
    assert (bench.c.call, first.ended_ns) == (None, None)
    assert bench.b.call.call is first


def test_a_second_call_of_the_same_phone_is_not_placed():
    bench = Bench()
    bench.place()
    assert bench.place("video") is None
    assert len(bench.exchange.calls) == 1


def test_nobody_is_called_at_an_unknown_address():
    bench = Bench()
    assert bench.exchange.place("a", bench.app, "voice", "15555550109") is None
    assert bench.exchange.place("a", bench.app, "voice", A) is None
    assert (bench.exchange.calls, bench.a.call) == ([], None)


def test_begin_forgets_calls_without_telling():
    bench = Bench()
    call = bench.place()
    bench.exchange.begin()
    assert (bench.exchange.calls, call.ended_by) == ([], "system")
    assert [name for name, _ in bench.listener.heard] == ["placed"]
    bench.run(100)
    assert bench.b.call is None


def test_drop_ends_a_call_on_both_sides_at_once_and_tells():
    bench = Bench()
    call = bench.place()
    bench.run_until("rung")
    bench.exchange.drop()
    assert (bench.a.call, bench.b.call, call.ended_by) == (None, None, "system")
    assert bench.listener.heard[-1] == ("ended", bench.world.now_ns)


def events_of(key):
    bench = Bench(key=key)
    bench.place("video")
    bench.run_until("rung")
    bench.run(4)
    bench.exchange.answer("b")
    bench.run(20)
    bench.exchange.hang_up("a")
    bench.run(5)
    return bench.listener.heard, list(bench.b.history.modes)


def test_the_same_key_gives_the_same_events():
    assert events_of("seed/trial/1") == events_of("seed/trial/1")


def test_another_key_gives_other_events():
    assert events_of("seed/trial/1") != events_of("seed/trial/2")


def test_a_phone_is_shown_and_called_by_its_title_and_an_intent_finds_it_by_its_address():
    bench = Bench()
    bench.b.calls.titles = {"whatsapp": "Lab two"}
    assert bench.exchange.peers("a", bench.app) == {B: "Lab two"}
    assert bench.place() is None
    call = bench.exchange.place("a", bench.app, "voice", "Lab two")
    assert call is not None
    assert (call.callee, bench.a.calls.view.peer) == ("b", "Lab two")
    bench.run_until("rung")
    assert bench.b.calls.view.peer == "15555550101"
