"""What shows of faults of apps, captures, clocks and networks, at the seams of a bench in this process."""

import pytest

from lab.definitions import Lab
from lab.virtual.handset.windows import Window
from tests.lab.virtual.bench_process import SCENARIOS
from tests.lab.virtual.test_rehearsal import ALWAYS, MINUTE, Planned, S
from tests.lab.virtual.test_visits import WHATSAPP, A, B


@pytest.fixture(scope="module")
def lab():
    return Lab.load(SCENARIOS)


@pytest.fixture
def planned(lab, tmp_path):
    return lambda *faults, **options: Planned(lab, tmp_path, *faults, **options)


# Apps and accounts


@pytest.mark.parametrize(
    ("reason", "where", "rings", "says"),
    [
        ("banned", ["first", "chat"], False, "This account can no longer use WhatsApp"),
        ("update_required", ["first", "chat"], False, "This version of WhatsApp is out of date"),
        ("blocked", ["chat"], False, "You blocked this contact"),
        ("rate_limited", ["placed"], True, "You placed too many calls. Try again later."),
    ],
)
def test_an_app_that_will_not_call_says_so_and_places_nothing(planned, reason, where, rings, says):
    bench = planned({"what": reason, "on": A, "app": "whatsapp", "for_minutes": 2})
    bench.attempt("t")

    def said() -> bool:
        return says in [node.text for node in bench.a.nodes()]

    bench.a.start(WHATSAPP)
    bench.run(1)
    seen = ["first"] * said()
    bench.chat()
    seen += ["chat"] * said()
    if where == ["placed"]:
        bench.tap(bench.a, "place_voice")
        seen += ["placed"] * said()
    assert seen == where
    assert bench.a.call is None
    # A call to it, and what is left of it when its time is over.
    bench.bench.exchange.place(B, bench.b.apps["whatsapp"], "voice", bench.a.calls.titles["whatsapp"])
    bench.run(10)
    assert (bench.a.call is not None) is rings
    bench.end()
    bench.run(120)
    bench.attempt("u")
    bench.ringing()


def test_a_request_of_a_stranger_is_answered_in_its_chat_alone(planned):
    bench = planned({"what": "message_request", "on": A, "app": "messenger", **ALWAYS})
    bench.attempt("t")
    contact = bench.b.calls.contacts["messenger"]
    bench.a.start("com.facebook.orca")
    bench.run(2)
    assert "Message request" not in [node.text for node in bench.a.nodes()]
    bench.a.intent("android.intent.action.VIEW", f"fb-messenger://user/{contact}", None, "com.facebook.orca", None)
    bench.run(2)
    assert [node.text for node in bench.a.nodes()] == ["Message request", "Accept"]


def prompt(bench, on) -> Window:
    (found,) = [one for one in on.windows() if any(shown.tap == "prompt" for shown in one.shown)]
    assert on.focused() == found
    return found


@pytest.mark.parametrize(
    ("dialog", "package"),
    [
        ("permission", "com.android.permissioncontroller"),
        ("update", "com.android.vending"),
        ("rating", "com.android.vending"),
    ],
)
def test_a_prompt_lies_over_a_call_takes_its_taps_and_goes_by_a_button_or_by_back(planned, dialog, package):
    at = {"step": "ringing", "after_s": 1.0}
    bench = planned({"what": "prompt", "dialog": dialog, "on": B, "at": at, **ALWAYS})
    bench.attempt("t")
    bench.ringing()
    bench.b.calls.bring_to_front()
    assert prompt(bench, bench.b).package == package
    bench.tap(bench.b, "reject")
    assert bench.b.call is not None
    (first, *_) = [shown.node for shown in prompt(bench, bench.b).shown if shown.tap == "prompt"]
    bench.b.tap(first.bounds[0] + 1, first.bounds[1] + 1)
    assert bench.b.focused().package == WHATSAPP
    bench.tap(bench.b, "reject")
    bench.run(2)
    assert (bench.a.call, bench.b.call) == (None, None)
    bench.end()
    bench.attempt("u")
    bench.ringing()
    bench.b.calls.bring_to_front()
    prompt(bench, bench.b)
    bench.b.key("back")
    assert bench.b.focused().package == WHATSAPP


def test_an_app_that_does_not_respond_is_reported_until_it_is_closed_and_then_rings_again(planned):
    bench = planned({"what": "anr", "on": B, "at": {"step": "answered", "after_s": 2.0}})
    bench.attempt("t")
    bench.talking()
    window = prompt(bench, bench.b)
    assert (window.package, window.title) == ("android", f"Application Not Responding: {WHATSAPP}")
    assert [line.text for line in bench.bench.phones[B].log if line.tag == "ActivityManager"][
        -1
    ] == f"ANR in {WHATSAPP}"
    bench.b.key("home")
    assert prompt(bench, bench.b) == window
    assert bench.b.call is not None
    (closes,) = [shown.node for shown in window.shown if shown.node.resource_id == "android:id/aerr_close"]
    bench.b.tap(closes.bounds[0] + 1, closes.bounds[1] + 1)
    bench.run(2)
    assert (bench.a.call, bench.b.call, bench.b.running()) == (None, None, [])
    bench.bench.exchange.place(A, bench.a.apps["whatsapp"], "voice", bench.b.calls.titles["whatsapp"])
    bench.run(5)
    assert bench.b.call.state == "incoming"


@pytest.mark.parametrize(
    ("what", "on", "step", "calls"),
    [
        ("redial", B, "ended", [(A, False, "caller"), (B, False, "system")]),
        ("other_side_first", B, "opened", [(B, False, "system")]),
    ],
)
def test_somebody_calls_first_or_again(planned, what, on, step, calls):
    bench = planned({"what": what, "on": on, "at": {"step": step, "after_s": 1.0}})
    bench.attempt("t")
    bench.chat()
    if what == "redial":
        bench.tap(bench.a, "place_voice")
        bench.run(4)
        bench.tap(bench.a, "hang_up")
    bench.run(60)
    assert bench.calls() == calls


# Clocks, networks


@pytest.mark.parametrize("on", [A, "laptop"])
def test_a_clock_that_is_set_shows_so_much_more_from_then_on_and_no_other_does(planned, on):
    bench = planned({"what": "clock_jump", "on": on, "jump_s": -2.5, "at": {"step": "begun", "after_s": 10.0}})
    clocks = {name: phone.clock for name, phone in bench.bench.phones.items()} | {"laptop": bench.bench.laptop.clock}
    bench.attempt("t")
    earlier_ns = bench.bench.world.now_ns
    before = {name: (clock.at(earlier_ns), clock.now()) for name, clock in clocks.items()}
    bench.run(10)
    for name, clock in clocks.items():
        moved_ns = clock.now() - before[name][1] - 10 * S
        assert abs(moved_ns - (-2.5 * S if name == on else 0)) < 1e6
        # What it showed stays what it showed: captures that are written later are stamped by it.
        assert clock.at(earlier_ns) == before[name][0]
    bench.attempt("u")
    assert abs(clocks[on].now() - bench.bench.world.now_ns - clocks[on].start_offset_ns) < 1e6


def frames(bench) -> list[int]:
    return [bench.bench.network.datapath.wires[phone].positions.passed for phone in (A, B)]


def test_where_a_phones_network_is_lost_nothing_passes_and_the_operator_gives_its_call_up(planned):
    fault = {"what": "network_lost", "on": A, "at": {"step": "answered", "after_s": 4.0}, "for_minutes": 1}
    bench = planned(fault)
    bench.attempt("t")
    bench.talking()
    bench.run(1.5)
    before = frames(bench)
    assert before[0] > 50
    bench.run(10)
    after = frames(bench)
    # The other one still talks to the relay, and nothing of this one reaches it: half of what a talk puts on its wire.
    assert after[0] == before[0]
    assert 100 < after[1] - before[1] < 700
    assert [one.up for one in bench.bench.phones[A].interfaces() if one.name != "lo"] == [False]
    assert (bench.a.call.phase, bench.b.call.phase) == ("talking", "talking")
    bench.run(10)
    assert bench.calls() == [(A, True, "system")]
    bench.run(60)
    bench.attempt("u")
    bench.talking()
    assert frames(bench)[0] > 50


@pytest.mark.parametrize("on", [A, B])
def test_without_a_network_nothing_rings(planned, on):
    bench = planned({"what": "network_lost", "on": on, "at": {"step": "opened"}, **ALWAYS})
    bench.attempt("t")
    bench.chat()
    bench.tap(bench.a, "place_voice")
    bench.run(15)
    assert (bench.a.call.phase, bench.b.call) == ("calling", None)


@pytest.mark.parametrize("on", [A, B])
def test_relays_that_do_not_answer_let_it_ring_and_connect_nothing(planned, on):
    bench = planned({"what": "relay_unreachable", "on": on, "for_minutes": 2})
    bench.attempt("t")
    bench.ringing()
    rows = bench.bench.ledger._notes[on].singles
    sent = [meaning for _, meaning, *_ in rows if meaning.kind == "call"]
    assert sent
    assert all(meaning.outgoing for meaning in sent)
    bench.tap(bench.b, "answer")
    bench.run(20)
    assert (bench.a.call.phase, bench.b.call.phase) == ("ringing", "connecting")
    bench.end()
    bench.run(120)
    bench.attempt("u")
    bench.talking()


# A night that is taken up again


def test_a_plan_that_is_taken_up_again_goes_on_with_its_trials_and_its_night(planned):
    version = {"what": "updated", "on": A, "app": "whatsapp", "version": "9.9", "at": {"minutes": 12}, **ALWAYS}
    out = {"what": "logged_out", "on": A, "app": "whatsapp", "at": {"trial": 4}, **ALWAYS}
    bench = planned(version, out, night_s=11 * 60, trials="tu")
    bench.attempt("u", 1)
    assert (bench.version() != "9.9", bench.logged_out()) == (True, False)
    bench.run(59)
    bench.end()
    bench.attempt("v")
    assert (bench.version(), bench.logged_out()) == ("9.9", False)
    bench.end()
    bench.attempt("w")
    assert bench.logged_out()
    assert 12 * MINUTE < bench.bench.world.night_ns < 13 * MINUTE


@pytest.mark.parametrize(
    ("how", "again"),
    [({}, False), ({"times": 3}, False), ({"probability": 1.0}, True), (ALWAYS, True), ({"at": {"trial": 3}}, True)],
)
def test_what_was_due_before_has_struck_unless_it_is_for_ever_or_by_chance(planned, how, again):
    bench = planned({"what": "shell_fails", "on": B, **how}, night_s=300, trials="tu")
    bench.attempt("v")
    assert (bench.bench.faults.take("shell", B, "ls") is not None) is again
