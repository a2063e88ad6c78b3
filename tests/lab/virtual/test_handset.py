"""A handset: what it shows in each state, and what gestures, keys and intents do."""

import pytest
import yaml
from pydantic import ValidationError

from lab.definitions import VirtualApp
from lab.virtual.handset.exchange import Exchange
from lab.virtual.handset.handset import Handset
from lab.virtual.handset.windows import Node
from lab.virtual.world import World
from tests.lab.virtual.emulated_apps import SCENARIOS, emulated

S = 1_000_000_000
A, B = "15555550101", "15555550102"


ALL = ("alder", "birch", "cedar", "dogwood", "elder", "messenger", "snapchat", "whatsapp")
VIEW = "android.intent.action.VIEW"
LAUNCHER = "com.google.android.apps.nexuslauncher"


class Bench:
    def __init__(self, *names, key="seed/trial/1"):
        self.world = World()
        self.world.begin(key, 1000 * S)
        self.exchange = Exchange(self.world, [])
        apps = {name: emulated(name) for name in names}
        for phone, address in (("a", A), ("b", B)):
            contacts = dict.fromkeys(names, address)
            handset = Handset(phone, contacts, apps, self.world, self.exchange)
            self.exchange.subscribers[phone] = handset.calls
            setattr(self, phone, handset)

    def run(self, seconds):
        self.world.advance_to(self.world.now_ns + round(seconds * S))

    def chat(self, handset, package, data):
        assert handset.intent(VIEW, data, None, package, None)
        self.run(1)

    def ringing(self, service="voice", name="whatsapp"):
        """A call from a to b that rings."""
        self.exchange.place("a", self.a.apps[name], service, B)
        self.run(3.5)

    def talking(self, service="voice", name="whatsapp"):
        self.ringing(service, name)
        self.exchange.answer("b")
        self.run(2.5)


def nodes(handset, **wanted):
    return [node for node in handset.nodes() if all(getattr(node, key) == value for key, value in wanted.items())]


def tap(handset, **wanted):
    (node,) = nodes(handset, **wanted)
    left, top, right, bottom = node.bounds
    handset.tap((left + right) / 2, (top + bottom) / 2)


def swipe_up(handset, pixels, **wanted):
    (node,) = nodes(handset, **wanted)
    x, y = (node.bounds[0] + node.bounds[2]) / 2, (node.bounds[1] + node.bounds[3]) / 2
    handset.swipe(x, y, x, y - pixels)


def texts(handset):
    return [node.text for node in handset.nodes() if node.text]


def ids(handset):
    return {node.resource_id.split("/")[-1] for node in handset.nodes()}


def subtitle(handset):
    return [node.text for node in nodes(handset, resource_id="com.whatsapp:id/subtitle")]


def test_a_clean_phone_shows_its_launcher():
    bench = Bench("whatsapp", "alder")
    assert (bench.a.package, bench.a.activity) == (LAUNCHER, f"{LAUNCHER}.NexusLauncherActivity")
    assert texts(bench.a) == ["WhatsApp", "Alder"]
    assert (bench.a.screen_on, bench.a.audio_mode, bench.a.call, bench.a.running()) == (True, "MODE_NORMAL", None, [])


def test_a_whatsapp_call_is_placed_and_cancelled_by_taps_alone():
    bench = Bench("whatsapp")
    tap(bench.a, text="WhatsApp")
    bench.run(1)
    assert bench.a.activity == "com.whatsapp.home.ui.HomeActivity"
    row = nodes(bench.a, text=B)[0].bounds
    bench.a.tap(row[0] + 5, row[1] + 5)
    bench.run(1)
    assert bench.a.activity == "com.whatsapp.Conversation"
    assert [node.text for node in nodes(bench.a, resource_id="com.whatsapp:id/conversation_contact_name")] == [B]
    tap(bench.a, description="Voice call")
    assert (bench.a.activity, subtitle(bench.a)) == ("com.whatsapp.calling.ui.VoipActivityV2", ["Calling…"])
    bench.run(3)
    assert subtitle(bench.a) == ["Ringing…"]
    tap(bench.a, resource_id="com.whatsapp:id/end_call_button")
    assert subtitle(bench.a) == ["Call ended"]
    bench.run(2)
    assert (bench.a.activity, bench.exchange.calls[0].scenario) == ("com.whatsapp.Conversation", "caller_cancels")
    assert [(one.id, one.text) for one in bench.b.notifications] == [(24, "Missed voice call")]


def test_a_node_is_exactly_what_the_definition_says():
    bench = Bench("whatsapp")
    bench.chat(bench.a, "com.whatsapp", f"https://wa.me/{B}")
    assert nodes(bench.a, description="Voice call") == [
        Node("android.widget.ImageButton", "", "", "Voice call", (800, 110, 940, 250), True, "com.whatsapp")
    ]


@pytest.mark.parametrize("data", [f"https://wa.me/{B}", f"whatsapp://send?phone={B}"])
def test_an_intent_with_a_known_contact_opens_the_chat_after_a_while(data):
    bench = Bench("whatsapp")
    assert bench.a.intent(VIEW, data, None, None, None) is True
    bench.run(0.29)
    assert bench.a.package == LAUNCHER
    bench.run(0.62)
    assert bench.a.activity == "com.whatsapp.Conversation"


def test_an_unknown_contact_opens_no_chat():
    bench = Bench("whatsapp")
    bench.chat(bench.a, "com.whatsapp", "https://wa.me/15555550109")
    assert bench.a.activity == "com.whatsapp.home.ui.HomeActivity"


def test_asking_again_for_what_is_opening_does_not_delay_it():
    bench = Bench("whatsapp")
    for _ in range(5):
        bench.a.start("com.whatsapp")
        bench.run(0.2)
    assert bench.a.activity == "com.whatsapp.home.ui.HomeActivity"


def test_what_no_app_answers_is_not_started():
    bench = Bench("whatsapp")
    assert bench.a.intent(VIEW, "https://example.com/", None, None, None) is False
    assert bench.a.intent(VIEW, f"https://wa.me/{B}", None, "com.example.alder", None) is False
    assert bench.a.start("com.example.alder") is False
    bench.run(2)
    assert bench.a.package == LAUNCHER


def test_a_phone_in_use_gets_a_heads_up_over_what_it_shows():
    bench = Bench("whatsapp")
    bench.ringing("video")
    assert (bench.b.package, bench.b.audio_mode) == (LAUNCHER, "MODE_RINGTONE")
    assert [node.description for node in nodes(bench.b, class_name="android.widget.Button")] == ["Decline", "Video"]
    assert {"WhatsApp", A, "Incoming video call"} <= set(texts(bench.b))
    tap(bench.b, description="Video")
    assert bench.b.activity == "com.whatsapp.calling.ui.VoipActivityV2"
    assert (subtitle(bench.b), bench.b.audio_mode) == (["Connecting…"], "MODE_IN_COMMUNICATION")


def test_the_shade_has_the_call_too_and_an_action_closes_it():
    bench = Bench("whatsapp")
    bench.ringing()
    bench.b.open_notifications()
    assert (bench.b.package, bench.b.activity) == ("com.android.systemui", "NotificationShade")
    tap(bench.b, description="Decline")
    assert (bench.b.package, bench.exchange.calls[0].scenario) == (LAUNCHER, "callee_rejects")
    assert bench.b.notifications == []


def test_a_dark_phone_wakes_to_a_full_screen_that_only_a_long_swipe_answers():
    bench = Bench("whatsapp")
    bench.b.key("power")
    assert (bench.b.nodes(), bench.b.package) == ([], "")
    bench.ringing()
    assert (bench.b.screen_on, subtitle(bench.b)) == (True, ["WhatsApp voice call"])
    accept = {"resource_id": "com.whatsapp:id/accept_incoming_call_view"}
    assert [node.clickable for node in nodes(bench.b, **accept)] == [False]
    tap(bench.b, **accept)
    swipe_up(bench.b, 479, **accept)
    assert bench.b.call.state == "incoming"
    swipe_up(bench.b, 480, **accept)
    assert bench.b.call.state == "connected"


def test_a_body_tap_on_the_heads_up_shows_the_full_screen():
    bench = Bench("whatsapp")
    bench.ringing()
    bench.b.tap(1000, 100)
    assert subtitle(bench.b) == ["WhatsApp voice call"]
    tap(bench.b, resource_id="com.whatsapp:id/decline_incoming_call_view")
    assert bench.exchange.calls[0].scenario == "callee_rejects"


def test_the_timer_of_a_call_counts_whole_seconds():
    bench = Bench("whatsapp", "messenger")
    bench.talking()
    since_ns = bench.a.call.talking_since_ns
    bench.world.advance_to(since_ns + 7 * S)
    assert subtitle(bench.a) == ["0:07"]
    bench.world.advance_to(since_ns + 71 * S - 1)
    assert subtitle(bench.a) == ["1:10"]
    bench.world.advance_to(since_ns + 71 * S)
    assert subtitle(bench.a) == ["1:11"]


def test_messengers_timer_has_two_digits_and_its_ids_are_stripped():
    bench = Bench("messenger")
    bench.talking(name="messenger")
    bench.world.advance_to(bench.a.call.talking_since_ns + 7 * S)
    assert texts(bench.a) == [B, "00:07"]
    assert {node.resource_id for node in bench.a.nodes()} == {"com.facebook.orca:id/(name removed)"}


def test_the_controls_of_a_whatsapp_video_call_hide_and_a_tap_brings_them_back():
    bench = Bench("whatsapp")
    bench.talking("video")
    bench.run(6)
    assert ids(bench.a) == {"call_screen", "video_container"}
    bench.a.tap(900, 2190)
    assert bench.a.call is not None
    assert "end_call_button" in ids(bench.a)
    bench.run(3.9)
    bench.a.tap(540, 1000)
    bench.run(3.9)
    assert "end_call_button" in ids(bench.a)
    bench.run(1.2)
    assert "end_call_button" not in ids(bench.a)


def test_the_controls_of_a_voice_call_stay():
    bench = Bench("whatsapp")
    bench.talking("voice")
    bench.run(30)
    assert "end_call_button" in ids(bench.a)


def test_an_unanswered_whatsapp_call_leaves_a_screen_that_must_be_dismissed():
    bench = Bench("whatsapp")
    bench.chat(bench.a, "com.whatsapp", f"https://wa.me/{B}")
    bench.ringing()
    bench.run(50)
    assert texts(bench.a) == [B, "No answer", "Cancel", "Call again"]
    assert (bench.a.call, bench.a.audio_mode) == (None, "MODE_NORMAL")
    tap(bench.a, text="Cancel")
    assert bench.a.activity == "com.whatsapp.Conversation"


def test_audio_goes_back_to_normal_a_little_after_the_end():
    bench = Bench("alder")
    bench.talking(name="alder")
    bench.exchange.hang_up("a")
    assert bench.a.audio_mode == "MODE_IN_COMMUNICATION"
    bench.run(0.51)
    assert bench.a.audio_mode == "MODE_NORMAL"


def test_messenger_asks_for_a_rating_after_some_conversations_only():
    asked = []
    for number in range(40):
        bench = Bench("messenger", key=f"seed/trial/{number}")
        bench.talking(name="messenger")
        bench.exchange.hang_up("a")
        bench.run(3)
        asked.append("How was the quality of your call?" in texts(bench.a))
    assert 4 <= sum(asked) <= 20
    bench = Bench("messenger", key=f"seed/trial/{asked.index(True)}")
    bench.talking(name="messenger")
    bench.exchange.hang_up("a")
    bench.run(3)
    tap(bench.a, description="Not now")
    assert bench.a.package == LAUNCHER


def test_cedar_asks_before_it_calls_and_for_a_rating_afterwards():
    bench = Bench("cedar")
    bench.chat(bench.a, "com.example.cedar", f"https://cedar.example.com/u/{B}")
    tap(bench.a, resource_id="com.example.cedar:id/video_call")
    assert "Start call?" in texts(bench.a)
    bench.a.tap(830, 180)
    tap(bench.a, resource_id="android:id/button2")
    assert (bench.exchange.calls, "Start call?" in texts(bench.a)) == ([], False)
    tap(bench.a, resource_id="com.example.cedar:id/video_call")
    tap(bench.a, resource_id="android:id/button1")
    assert texts(bench.a) == [B, "Waiting for an answer", "End"]
    bench.run(3)
    assert texts(bench.b) == [A, "Incoming call", "Decline"]
    swipe_up(bench.b, 1200, resource_id="com.example.cedar:id/swipe_to_answer")
    bench.run(1)
    assert texts(bench.a)[1] == "In call 0:00"
    tap(bench.b, resource_id="com.example.cedar:id/end")
    bench.run(1)
    assert (bench.exchange.calls[0].service, bench.exchange.calls[0].scenario) == ("video", "callee_hangs_up")
    for handset in (bench.a, bench.b):
        tap(handset, text="Not now")
    assert (bench.a.activity, bench.b.package) == ("com.example.cedar.talk.TalkActivity", LAUNCHER)


def test_birch_rings_in_notifications_only_and_has_no_ids():
    bench = Bench("birch")
    assert bench.a.start("com.example.birch")
    bench.run(1)
    tap(bench.a, text=B)
    bench.run(1)
    tap(bench.a, description="Audio call")
    assert texts(bench.a) == [B, "Contacting…"]
    bench.run(3)
    assert texts(bench.a) == [B, "Ringing"]
    assert {node.resource_id for node in bench.a.nodes()} == {""}
    bench.b.tap(1000, 100)
    assert bench.b.package == LAUNCHER
    tap(bench.b, description="Answer")
    bench.run(1)
    assert texts(bench.b) == [A, "0:00"]
    tap(bench.b, description="End call")
    bench.run(1)
    assert (bench.a.activity, bench.b.package) == ("com.example.birch.MainActivity", LAUNCHER)
    assert bench.a.start("com.example.birch")
    bench.run(1)
    assert texts(bench.a) == ["Chats", B]


def test_alder_fills_the_screen_of_a_phone_in_use():
    bench = Bench("alder")
    bench.ringing("video", "alder")
    assert texts(bench.b) == [A, "Incoming video call"]
    tap(bench.b, resource_id="com.example.alder:id/accept_call")
    bench.run(0.6)
    assert texts(bench.b) == [A, "00:00"]


def test_snapchat_opens_a_chat_by_its_profile():
    bench = Bench("snapchat")
    bench.chat(bench.a, "com.snapchat.android", f"snapchat://add/{B}")
    assert texts(bench.a) == [B]
    tap(bench.a, description="Send chat")
    bench.run(1)
    tap(bench.a, description="Video")
    assert bench.a.call.call.service == "video"


def test_messengers_heads_up_moves_into_the_shade_while_it_rings():
    bench = Bench("messenger")
    bench.ringing(name="messenger")
    assert nodes(bench.b, description="Answer") != []
    bench.run(25)
    assert (nodes(bench.b, description="Answer"), bench.b.call.state) == ([], "incoming")
    bench.b.swipe(500, 10, 500, 1500)
    tap(bench.b, description="Answer")
    assert bench.b.call.state == "connected"


def test_a_call_goes_on_behind_the_launcher_and_comes_back():
    bench = Bench("whatsapp")
    bench.talking()
    bench.a.key("home")
    assert (bench.a.package, bench.a.call.state) == (LAUNCHER, "connected")
    bench.a.open_notifications()
    bench.a.tap(1000, 500)
    assert bench.a.activity == "com.whatsapp.calling.ui.VoipActivityV2"
    bench.a.key("home")
    assert bench.a.start("com.whatsapp")
    bench.run(1)
    assert bench.a.activity == "com.whatsapp.calling.ui.VoipActivityV2"
    bench.a.key("back")
    assert bench.a.activity == "com.whatsapp.home.ui.HomeActivity"


def test_a_stopped_app_ends_its_call_and_does_not_ring_until_started():
    bench = Bench("whatsapp")
    bench.talking()
    bench.b.force_stop("com.whatsapp")
    assert (bench.b.call, bench.b.notifications, bench.b.running()) == (None, [], [])
    assert bench.exchange.calls[0].scenario == "callee_hangs_up"
    bench.run(3)
    bench.ringing()
    bench.run(50)
    assert (bench.exchange.calls[1].rung_ns, bench.exchange.calls[1].scenario) == (None, None)
    assert bench.b.start("com.whatsapp")
    bench.ringing()
    assert bench.exchange.calls[2].rung_ns is not None
    assert bench.b.running() == ["com.whatsapp"]


def test_a_locked_phone_opens_by_a_swipe_or_on_request():
    bench = Bench("whatsapp")
    for unlock in (lambda: bench.a.swipe(540, 2000, 540, 800), bench.a.dismiss_keyguard):
        bench.a.key("power")
        bench.a.key("wakeup")
        assert texts(bench.a) == ["Swipe up to unlock"]
        unlock()
        assert bench.a.package == LAUNCHER


def test_the_headset_key_answers_voice_calls_that_telecom_knows():
    for name, service, state in (
        ("whatsapp", "voice", "connected"),
        ("whatsapp", "video", "incoming"),
        ("messenger", "voice", "incoming"),
    ):
        bench = Bench(name)
        bench.ringing(service, name)
        bench.b.key("headsethook")
        assert bench.b.call.state == state


def test_begin_leaves_nothing_of_what_was():
    bench = Bench("whatsapp")
    bench.talking()
    bench.b.force_stop("com.whatsapp")
    bench.world.begin("seed/trial/2", 5000 * S)
    bench.exchange.begin()
    for handset in (bench.a, bench.b):
        handset.begin()
        assert (handset.call, handset.notifications, handset.package) == (None, [], LAUNCHER)
    bench.ringing()
    assert bench.b.call.state == "incoming"


@pytest.mark.parametrize("name", ALL)
def test_no_two_things_to_tap_overlap_in_any_screen(name):
    for screen in emulated(name).screens:
        backdrop = {"show_controls"}
        taps = [node for node in screen.nodes if node.clickable and node.tap not in backdrop]
        for index, one in enumerate(taps):
            for other in taps[index + 1 :]:
                left, top = max(one.bounds[0], other.bounds[0]), max(one.bounds[1], other.bounds[1])
                right, bottom = min(one.bounds[2], other.bounds[2]), min(one.bounds[3], other.bounds[3])
                alternatives = one.service is not None and other.service not in (None, one.service)
                assert alternatives or left >= right or top >= bottom, f"{screen.name}: {one} {other}"


def shown_through_a_call(name):
    bench = Bench(name)
    bench.talking("video", name)
    bench.run(8)
    bench.exchange.hang_up("a")
    bench.run(3)
    return bench.world.now_ns, bench.a.nodes(), bench.b.nodes(), list(bench.a.history.modes)


@pytest.mark.parametrize("name", ALL)
def test_the_same_key_gives_the_same_screens(name):
    assert shown_through_a_call(name) == shown_through_a_call(name)


def broken(change):
    data = yaml.load((SCENARIOS / "alder.yaml").read_text(), Loader=yaml.BaseLoader)
    change(data)
    with pytest.raises(ValidationError) as caught:
        VirtualApp.model_validate(data)
    return [(error["loc"], error["ctx"].get("texts", error["msg"])) for error in caught.value.errors()]


def test_a_screen_that_is_missing_is_named():
    assert broken(lambda data: data.update(chat="chatt")) == [((), "no screen 'chatt'; did you mean 'chat'?")]


def test_an_action_without_meaning_is_refused():
    def change(data):
        data["screens"][1]["nodes"][1]["tap"] = "answer"

    assert broken(change) == [
        ((), "no screen places a voice call (tap: place_voice)"),
    ]


def test_hanging_up_outside_a_call_is_refused():
    def change(data):
        data["screens"][0]["nodes"][1]["tap"] = "hang_up"

    assert broken(change) == [((), "hang_up has no meaning outside a call")]


def test_an_unknown_placeholder_is_refused():
    def change(data):
        data["screens"][0]["nodes"][0]["text"] = "{name}"

    wanted = "no placeholder {name} here; there is {elapsed} and {peer}"
    assert broken(change) == [(("screens", 0, "nodes", 0), wanted)]
