"""What a test has people do at the phones of the virtual bench: on the handsets, in their histories, in the truth."""

import asyncio
import json
from pathlib import Path

import pytest

from lab.definitions import Lab
from lab.virtual.bench import EmulatedBench
from lab.virtual.control import Control
from tests.lab.virtual.bench_process import BEGIN, SCENARIOS, START_NS, Process

S = 1_000_000_000
A, B = "pixel6", "pixel6pro"
WHATSAPP, TELECOM = "com.whatsapp", "com.android.server.telecom"


@pytest.fixture(scope="module")
def lab():
    return Lab.load(SCENARIOS)


class Bench:
    """A bench in this process, asked over its control channel; whose phones' histories have no disorders."""

    def __init__(self, lab: Lab, root: Path) -> None:
        spec = lab.bench("virtual")
        phones = [
            phone.model_copy(update={"emulation": phone.emulation.model_copy(update={"disorders": []})})
            for phone in spec.phones
        ]
        self.root = root
        self.bench = EmulatedBench(spec.model_copy(update={"phones": phones}), lab.virtual_apps, root)
        self.a, self.b = (self.bench.phones[name].handset for name in (A, B))
        self._control = Control(self.bench)

    def say(self, **request) -> dict:
        return json.loads(asyncio.run(self._control.answer(json.dumps(request).encode())))

    def ask(self, what: str, on: str = A, **details) -> None:
        assert "error" not in self.say(op="fail_next", what=what, on=on, **details)

    def visit(self, on: str, do: str, when: str = "begun", after_s: float = 0.0, **details) -> None:
        self.ask("visit", on, when=when, after_s=after_s, do=do, **details)

    def begin(self, key: str = "1/t/0") -> None:
        assert "error" not in self.say(**BEGIN | {"key": key})

    def run(self, seconds: float) -> None:
        self.say(op="advance", ns=round(seconds * S))

    def truth(self) -> dict:
        path = self.root / "truth.json"
        self.ended = self.say(op="end", truth=str(path))
        return json.loads(path.read_text())

    def chat(self) -> None:
        contact = self.b.calls.contacts["whatsapp"]
        assert self.a.intent("android.intent.action.VIEW", f"https://wa.me/{contact}", None, WHATSAPP, None)
        self.run(1)

    def tap(self, handset, action: str) -> None:
        """The lab's tap on the node that does it."""
        (node,) = [one.node for window in handset.windows() for one in window.shown if one.tap == action]
        left, top, right, bottom = node.bounds
        handset.tap((left + right) / 2, (top + bottom) / 2)

    def ringing(self, service: str = "voice") -> None:
        self.chat()
        self.tap(self.a, f"place_{service}")
        self.run(2.5)
        assert (self.a.call.phase, self.b.call.state) == ("ringing", "incoming")

    def talking(self, service: str = "voice") -> None:
        self.ringing(service)
        self.tap(self.b, "answer")
        self.run(3)
        assert {self.a.call.phase, self.b.call.phase} == {"talking"}

    def calls(self) -> list[tuple]:
        """Of each call of the attempt: who called, what became of it, who ended it."""
        calls = self.truth()["calls"]
        return [(one["caller"], one["answered_ns"] is not None, one["ended_by"]) for one in calls]


@pytest.fixture
def bench(lab, tmp_path):
    return Bench(lab, tmp_path)


def modes(handset) -> list[tuple[str, str]]:
    """The changes of the audio mode in this attempt, and who asked."""
    return [(one.mode, one.package) for one in handset.history.modes if one.at_ns >= START_NS]


def since_begun(entries) -> list:
    return [one for one in entries if one.at_ns >= START_NS]


# Somebody ends, answers or places a call


@pytest.mark.parametrize(
    ("on", "do", "when", "answered", "ended_by"),
    [
        (A, "hang_up", "rung", False, "caller"),
        (B, "hang_up", "rung", False, "callee"),
        (B, "reject", "rung", False, "callee"),
        (A, "hang_up", "answered", True, "caller"),
        (B, "hang_up", "answered", True, "callee"),
    ],
)
@pytest.mark.parametrize("service", ["voice", "video"])
def test_somebody_ends_the_call_by_hand(bench, on, do, when, answered, ended_by, service):
    bench.visit(on, do, when, 20.0)
    bench.begin()
    (bench.talking if answered else bench.ringing)(service)
    assert bench.a.call is not None
    bench.run(20)
    assert (bench.a.call, bench.b.call) == (None, None)
    truth = bench.truth()
    (call,) = truth["calls"]
    assert call["ended_ns"] == call[f"{when}_ns"] + 20 * S
    assert (call["ended_by"], call["caller"], call["callee"], call["app"]) == (ended_by, A, B, "whatsapp")
    assert (call["answered_ns"] is not None, call["service"], call["services"]) == (answered, service, [service])
    recorded = [one.package for one in since_begun(bench.b.history.recorders) if one.event == "start"]
    assert recorded == ([WHATSAPP] if answered else [])
    assert modes(bench.a)[-1] == ("MODE_NORMAL", WHATSAPP)


@pytest.mark.parametrize("state", ["off", "shade", "home"])
def test_a_call_whose_button_is_not_shown_is_ended_all_the_same(bench, state):
    bench.visit(A, "hang_up", "answered", 10.0)
    bench.begin()
    bench.talking()
    {"off": lambda: bench.a.key("sleep"), "shade": bench.a.open_notifications, "home": lambda: bench.a.key("home")}[
        state
    ]()
    bench.run(10)
    assert bench.calls() == [(A, True, "caller")]


@pytest.mark.parametrize("locked", [False, True])
def test_somebody_answers_by_the_notification_or_by_a_swipe(bench, locked):
    bench.visit(B, "answer", "rung", 4.0)
    bench.begin()
    if locked:
        bench.b.key("sleep")
    bench.ringing()
    assert bench.b.calls.front is locked
    bench.run(6)
    assert (bench.a.call.phase, bench.b.call.phase) == ("talking", "talking")
    assert bench.calls() == [(A, True, None)]
    clicked = [one.fields[1] for one in since_begun(bench.b.history.log) if one.tag == "notification_action_clicked"]
    assert clicked == ([] if locked else ["1"])


def test_somebody_hangs_up_and_is_called_back_a_second_later(bench):
    bench.visit(A, "hang_up", "answered", 5.0)
    bench.visit(B, "place_voice", "answered", 6.0)
    bench.begin()
    bench.talking()
    bench.run(8)
    assert (bench.a.call.state, bench.b.call.state) == ("incoming", "outgoing")
    assert modes(bench.a)[-2:] == [("MODE_NORMAL", WHATSAPP), ("MODE_RINGTONE", WHATSAPP)]
    assert bench.calls() == [(A, True, "caller"), (B, False, None)]
    assert bench.ended["in_call"] == [A, B]


def test_somebody_calls_from_a_locked_phone_before_anybody_else_did_in_the_app_that_is_in_front(bench):
    bench.visit(B, "place_video", "begun", 3.0)
    bench.begin()
    bench.b.key("sleep")
    bench.chat()
    bench.run(5)
    assert (bench.b.call.state, bench.b.screen_on, bench.a.call.state) == ("outgoing", True, "incoming")
    truth = bench.truth()
    assert [(one["app"], one["caller"], one["service"]) for one in truth["calls"]] == [("whatsapp", B, "video")]
    assert truth["calls"][0]["placed_ns"] == START_NS + 3 * S


def test_a_voice_call_becomes_a_video_call_on_both_phones(bench):
    bench.visit(B, "switch_video", "answered", 5.0)
    bench.begin()
    bench.talking()
    camera = "com.whatsapp:id/video_container"
    assert camera not in {node.resource_id for node in bench.a.nodes()}
    bench.run(4)
    for handset in (bench.a, bench.b):
        assert camera in {node.resource_id for node in handset.nodes()}
        assert [(one.event, one.package) for one in since_begun(handset.history.cameras)] == [("CONNECT", WHATSAPP)]
    bench.tap(bench.a, "hang_up")
    bench.run(2)
    truth = bench.truth()
    assert (truth["calls"][0]["service"], truth["calls"][0]["services"]) == ("voice", ["voice", "video"])
    assert truth["service"] == "voice"  # what is on the wire stays a voice call's


def test_a_call_that_rings_does_not_become_a_video_call(bench):
    bench.visit(B, "switch_video", "rung", 1.0)
    bench.begin()
    bench.ringing()
    bench.run(2)
    assert bench.truth()["calls"][0]["services"] == ["voice"]


# Calls from elsewhere


@pytest.mark.parametrize(
    ("do", "state", "mode", "counted"),
    [("gsm_ring", 1, "MODE_RINGTONE", "sim_ring"), ("gsm_call", 2, "MODE_IN_CALL", "sim_call")],
)
def test_a_call_of_the_sim_takes_the_audio_for_ten_seconds_and_the_apps_call_goes_on(bench, do, state, mode, counted):
    bench.visit(B, do, "answered", 5.0)
    bench.begin()
    bench.talking()
    bench.run(3)
    assert (bench.b.sim_state, bench.b.audio_mode, bench.a.sim_state) == (state, mode, 0)
    (call,) = [one for one in bench.b.history.calls if one.created_ns >= START_NS and not one.self_managed]
    assert call.cause is None
    bench.run(10)
    assert (bench.b.sim_state, bench.b.audio_mode, bench.b.call.phase) == (0, "MODE_IN_COMMUNICATION", "talking")
    assert (mode, TELECOM) in modes(bench.b)
    assert call.cause in ("LOCAL", "MISSED")
    truth = bench.truth()
    assert (truth["sim_calls"], truth["other_calls"], len(truth["calls"])) == (1, 0, 1)
    begun_ns = truth["calls"][0]["answered_ns"] + 5 * S
    (one,) = truth["interruptions"]
    assert one == {"what": counted, "phone": B, "package": TELECOM, "begun_ns": begun_ns, "ended_ns": begun_ns + 10 * S}


def other_package(bench) -> str:
    (one,) = bench.b.other_call.posted()
    assert one.package not in (WHATSAPP, "")
    return one.package


def test_another_app_rings_by_a_notification_with_buttons_for_eight_seconds(bench):
    bench.visit(B, "other_app_ring", "begun", 3.0)
    bench.begin()
    bench.chat()
    bench.run(3)
    package = other_package(bench)
    assert (bench.b.audio_mode, bench.b.call, bench.b.sim_state) == ("MODE_RINGTONE", None, 0)
    buttons = [one.node.text for window in bench.b.windows() for one in window.shown if one.tap == "other_call"]
    assert buttons == ["Decline", "Answer"]
    (enqueued,) = [one.fields for one in since_begun(bench.b.history.log) if one.tag == "notification_enqueue"]
    assert enqueued[2] == package
    assert "category=call" in enqueued[6]
    assert "actions=2" in enqueued[6]
    bench.run(8)
    assert (bench.b.audio_mode, bench.b.notifications) == ("MODE_NORMAL", [])
    assert modes(bench.b) == [("MODE_RINGTONE", package), ("MODE_NORMAL", package)]
    truth = bench.truth()
    assert (truth["sim_calls"], truth["other_calls"], truth["other_calls_touched"], truth["calls"]) == (0, 1, 0, [])


def test_another_apps_ringing_leaves_the_mode_of_a_call_that_goes_on(bench):
    bench.visit(B, "other_app_ring", "answered", 4.0)
    bench.begin()
    bench.talking()
    bench.run(3)
    assert other_package(bench)
    assert bench.b.audio_mode == "MODE_IN_COMMUNICATION"
    bench.run(8)
    assert (bench.b.audio_mode, bench.b.call.phase) == ("MODE_IN_COMMUNICATION", "talking")
    assert "MODE_RINGTONE" not in [mode for mode, package in modes(bench.b) if package != WHATSAPP]


@pytest.mark.parametrize("button", ["Decline", "Answer"])
def test_whoever_touches_another_apps_call_is_counted_and_touches_no_call_of_the_bench(bench, button):
    bench.visit(B, "other_app_ring", "rung", 1.0)
    bench.begin()
    bench.ringing()
    (node,) = [node for node in bench.b.other_call.posted() and bench.b.windows()[-1].shown if node.node.text == button]
    bench.b.tap(node.node.bounds[0] + 5, node.node.bounds[1] + 5)
    assert bench.b.other_call.posted() == []
    assert (bench.b.call.state, bench.b.audio_mode) == ("incoming", "MODE_RINGTONE")
    bench.run(8)
    truth = bench.truth()
    assert (truth["other_calls"], truth["other_calls_touched"]) == (1, 1)
    assert [one["ended_by"] for one in truth["calls"]] == [None]


# The phone


def test_somebody_locks_the_phone_and_the_call_goes_on(bench):
    bench.visit(A, "lock", "answered", 4.0)
    bench.begin()
    bench.talking()
    bench.run(3)
    assert (bench.a.screen_on, bench.a.display.locked, bench.a.call.phase) == (False, True, "talking")
    truth = bench.truth()
    assert [(one["what"], one["phone"]) for one in truth["interruptions"]] == [("locked", A)]


def test_somebody_stops_the_app_and_its_call_is_over(bench):
    bench.visit(B, "kill_app", "answered", 4.0)
    bench.begin()
    bench.talking()
    bench.run(3)
    assert (bench.a.call, bench.b.call, WHATSAPP in bench.b.running()) == (None, None, False)
    assert modes(bench.b)[-1] == ("MODE_NORMAL", "android")
    assert bench.calls() == [(A, True, "callee")]


# Taps


def test_a_tap_that_gets_lost_reaches_nothing_and_the_next_one_does(bench):
    bench.ask("lost_tap", B, times=2, do="reject")
    bench.begin()
    bench.ringing()
    for _ in range(2):
        bench.tap(bench.b, "reject")
        bench.run(1)
        assert bench.b.call.state == "incoming"
    assert [one for one in since_begun(bench.b.history.log) if one.tag == "notification_action_clicked"] == []
    bench.tap(bench.b, "reject")
    bench.run(1)
    assert bench.b.call is None
    assert bench.calls() == [(A, False, "callee")]


def test_a_swipe_gets_lost_too(bench):
    bench.ask("lost_tap", B, do="answer")
    bench.begin()
    bench.b.key("sleep")
    bench.ringing()
    for state in ("incoming", "connected"):
        bench.b.swipe(540, 2060, 540, 1260)
        assert bench.b.call.state == state


def test_what_a_person_does_is_not_lost_and_may_follow_a_lost_tap(bench):
    bench.ask("lost_tap", A, times=9, do="hang_up")
    bench.ask("lost_tap", B, times=9, do="hang_up")
    bench.visit(B, "hang_up", "lost", 0.5)
    bench.begin()
    bench.talking()
    bench.tap(bench.a, "hang_up")
    tapped_ns = bench.bench.world.now_ns
    bench.run(0.49)
    assert bench.b.call.phase == "talking"
    bench.run(2)
    (call,) = bench.truth()["calls"]
    assert (call["ended_by"], call["ended_ns"]) == ("callee", tapped_ns + S // 2)


def test_who_hung_up_first_has_ended_the_call_and_taps_after_that_reach_nothing(bench):
    bench.begin()
    bench.talking()
    bench.tap(bench.b, "hang_up")
    first_ns = bench.bench.world.now_ns
    bench.run(0.05)
    assert bench.a.call.phase == "talking"  # the caller has not heard of it
    bench.tap(bench.a, "hang_up")
    assert bench.a.call.phase == "talking"
    bench.run(3)
    assert (bench.a.call, bench.b.call) == (None, None)
    bench.a.tap(900, 2190)
    bench.run(1)
    (call,) = bench.truth()["calls"]
    assert (call["ended_by"], call["ended_ns"]) == ("callee", first_ns)


def taps_of_a_visitor(bench, key, *, again=False) -> list[int]:
    """When a visitor taps in half a minute, in seconds from the beginning."""
    taps = []
    tap = bench.a.tap
    bench.a.tap = lambda x, y: (taps.append(bench.bench.world.now_ns - START_NS), tap(x, y))
    if not again:
        bench.ask("visitor", A, every_s=2.0)
    bench.begin(key)
    bench.run(30)
    bench.truth()
    bench.a.tap = tap
    return taps


def test_a_visitor_taps_at_random_instants_all_attempt_long_the_same_ones_for_a_key(bench):
    taps = taps_of_a_visitor(bench, "1/t/0")
    assert 10 <= len(taps) <= 30
    gaps = [later - sooner for sooner, later in zip([0, *taps], taps, strict=False)]
    assert (min(gaps) >= S, max(gaps) <= 3 * S, len(set(gaps)) > 5) == (True, True, True)
    assert taps_of_a_visitor(bench, "1/t/0") == taps
    assert taps_of_a_visitor(bench, "2/t/0") != taps
    assert taps_of_a_visitor(bench, "2/t/0", again=True) == []


def test_the_same_visits_of_one_key_give_the_same_truth_and_histories(bench):
    found = []
    for key in ("1/t/0", "1/t/0", "2/t/0"):
        bench.ask("visitor", B, every_s=0.5)
        bench.ask("visitor", A, every_s=0.7)
        bench.visit(B, "other_app_ring", "rung", 0.5)
        bench.visit(A, "tap_random", "rung", 0.7)
        bench.begin(key)
        bench.chat()
        bench.run(40)
        found.append((bench.truth(), list(bench.a.history.log), list(bench.b.history.modes)))
    assert found[0] == found[1]
    assert found[0] != found[2]


# For which attempts


def test_what_is_asked_before_an_attempt_holds_for_it_alone(bench):
    bench.visit(A, "lock", "begun", 2.0)
    bench.visit(B, "lock", "begun", 2.0, times=2)
    bench.visit(A, "hang_up", "answered", 2.0)
    bench.ask("lost_tap", A, times=5, do="place_voice")
    found = []
    for _ in range(3):
        bench.begin()
        bench.run(3)
        found.append((bench.a.screen_on, bench.b.screen_on))
        bench.truth()
    assert found == [(False, False), (True, False), (True, True)]
    bench.begin()
    bench.talking()
    bench.run(5)
    assert bench.calls() == [(A, True, None)]


def test_what_is_asked_while_an_attempt_runs_holds_for_it_and_is_done_at_once_where_it_is_late(bench):
    bench.begin()
    bench.run(3)
    bench.visit(A, "lock", "begun", 5.0)
    bench.visit(B, "lock", "begun", 1.0)
    bench.run(0)
    assert (bench.a.screen_on, bench.b.screen_on) == (True, False)
    bench.run(2)
    assert bench.a.screen_on is False
    truth = bench.truth()
    assert [(one["phone"], one["begun_ns"] - START_NS) for one in truth["interruptions"]] == [(B, 3 * S), (A, 5 * S)]


def test_nobody_does_anything_after_the_end(bench):
    bench.visit(A, "lock", "begun", 5.0)
    bench.begin()
    bench.run(4)
    bench.truth()
    bench.run(4)
    assert bench.a.screen_on is True


@pytest.mark.parametrize(
    ("details", "error"),
    [
        (
            {"what": "visit", "when": "begun", "after_s": 1, "do": "sing"},
            "no do 'sing'; there is hang_up, reject, answer",
        ),
        (
            {"what": "visit", "when": "later", "after_s": 1, "do": "lock"},
            "no when 'later'; there is begun, placed, rung",
        ),
        ({"what": "visit", "when": "rung", "after_s": -1, "do": "lock"}, "after_s must not be negative, is -1"),
        ({"what": "visit", "when": "rung", "do": "lock"}, "Visits._visit() missing 1 required keyword-only argument"),
        ({"what": "lost_tap", "do": "sing"}, "no do 'sing'; there is none, open_chat"),
        ({"what": "visitor", "every_s": 0.01}, "every_s must be at least 0.1, is 0.01"),
    ],
)
def test_a_cause_that_cannot_be_is_an_error(bench, details, error):
    assert bench.say(op="fail_next", on=A, **details)["error"].startswith(error)


@pytest.fixture
def process(tmp_path):
    process = Process(tmp_path)
    yield process
    process.end()


def test_the_bench_process_takes_visits_and_says_who_was_left_in_a_call(process, tmp_path):
    visit = {"what": "visit", "on": A, "when": "begun", "after_s": 1.0, "do": "place_voice"}
    assert "error" not in process.say({"op": "fail_next", **visit})
    process.say(BEGIN)
    assert process.say({"op": "advance", "ns": 30 * S}) == {"now_ns": START_NS + 30 * S}
    ended = process.say({"op": "end", "truth": str(tmp_path / "truth.json")})
    assert (ended["in_call"], ended["refused"]) == ([A, B], [])
    assert process.say({"op": "end", "truth": None})["in_call"] == []
    (call,) = json.loads((tmp_path / "truth.json").read_text())["calls"]
    assert (call["caller"], call["placed_ns"], call["ended_by"]) == (A, START_NS + S, None)
