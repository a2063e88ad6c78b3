"""Chains of ways on a phone: which is used, when again, and what it sends to the phone's shell."""

from __future__ import annotations

from typing import cast

import pytest

from lab.definitions import App, Intent, Selector, Way
from lab.definitions.yaml import read
from lab.errors import AttemptVoid, PhoneTrouble
from lab.phone.adb import Adb
from lab.phone.call_state import CallState
from lab.phone.chains import Chains, Pursuit, Used, listed, start_command
from lab.phone.phone import Phone
from lab.phone.screen import Screen
from tests.lab.phone.conftest import APPS
from tests.lab.phone.handset import START_NS, Handset, Seen, subtitle

SYSTEM_UI = "com.android.systemui"
HOME, BACK = Way(key="HOME", seen_on="never"), Way(key="BACK", seen_on="never")


@pytest.fixture
def chains(handset: Handset) -> Chains:
    return Chains(cast(Adb, handset), Screen("pixel6", handset), handset.clock)


def test_a_question_before_the_call_is_answered(phone: Phone, handset: Handset):
    cedar = read(APPS / "cedar.yaml", App)
    line = Seen(id="com.example.cedar:id/state_line", text="Waiting for an answer", package=cedar.package)

    def ask() -> None:
        handset.screen = [Seen(id="android:id/button1", text="Call", tap=lambda: setattr(handset, "screen", [line]))]

    handset.screen = [Seen(id="com.example.cedar:id/call", tap=ask)]
    phone.place_call(cedar, "voice")
    assert [one for one in handset.done if one.startswith("tap")] == [
        "tap com.example.cedar:id/call",
        "tap android:id/button1",
    ]


def test_a_tap_without_effect_is_repeated_only_after_3_s(phone: Phone, handset: Handset, whatsapp: App):
    handset.screen = [Seen(desc="Voice call")]
    with pytest.raises(AttemptVoid) as caught:
        phone.place_call(whatsapp, "voice", within_s=5)
    assert caught.value.reason == "no_effect"
    assert handset.done.count("tap Voice call") == 2


def test_a_full_screen_call_is_answered_by_a_swipe(phone: Phone, handset: Handset, whatsapp: App):
    def connect() -> None:
        handset.screen, handset.audio = [subtitle("0:00")], "MODE_IN_COMMUNICATION"

    handset.audio = "MODE_RINGTONE"
    handset.screen = [
        Seen(id="com.whatsapp:id/accept_incoming_call_view", swipe=connect),
        Seen(id="com.whatsapp:id/decline_incoming_call_view"),
    ]
    phone.answer(whatsapp, "voice")
    assert [one for one in handset.done if one.startswith(("tap", "swipe"))] == [
        "swipe com.whatsapp:id/accept_incoming_call_view to 0 in 20"
    ]


def test_a_heads_up_call_is_answered_where_it_is(phone: Phone, handset: Handset, whatsapp: App):
    def connect() -> None:
        handset.screen, handset.audio = [subtitle("Connecting…")], "MODE_IN_COMMUNICATION"

    handset.audio = "MODE_RINGTONE"
    handset.calling = [whatsapp.package]
    handset.screen = [Seen(desc="Decline", package=SYSTEM_UI), Seen(desc="Video", package=SYSTEM_UI, tap=connect)]
    phone.answer(whatsapp, "video")
    assert "open shade" not in handset.done
    assert "tap Video" in handset.done


def test_a_call_in_the_shade_is_looked_for_there_and_the_shade_is_closed_again(
    phone: Phone, handset: Handset, whatsapp: App
):
    handset.audio = "MODE_RINGTONE"
    with pytest.raises(AttemptVoid, match=r"none of reject \[tap id=.*decline_incoming_call_view, notification "):
        phone.reject(whatsapp, within_s=2)
    assert handset.done.count("open shade") == handset.done.count("press back")
    assert handset.done.count("open shade") >= 1


def test_hanging_up_brings_hidden_controls_back(phone: Phone, handset: Handset, whatsapp: App):
    def end() -> None:
        handset.screen, handset.audio = [], "MODE_NORMAL"

    def show() -> None:
        handset.screen.append(Seen(id="com.whatsapp:id/end_call_button", tap=end))

    handset.audio = "MODE_IN_COMMUNICATION"
    handset.screen = [Seen(id="com.whatsapp:id/call_screen", tap=show)]
    phone.hang_up(whatsapp)
    assert [one for one in handset.done if one.startswith("tap")] == [
        "tap com.whatsapp:id/call_screen",
        "tap com.whatsapp:id/end_call_button",
    ]
    assert phone.calls.state(whatsapp) is CallState.IDLE


def test_ways_are_gone_in_turn_and_each_again_only_after_3_s(chains: Chains, handset: Handset, whatsapp: App):
    handset.answers = {"input keyevent HOME": "", "input keyevent BACK": ""}
    done = chains.pursue(whatsapp, [HOME, BACK], lambda: False, 3.5)
    at = [START_NS + after_ns for after_ns in (0, 200_000_000, 3_000_000_000, 3_200_000_000)]
    ways = ("key HOME", "key BACK", "key HOME", "key BACK")
    assert done == Pursuit(False, tuple(Used(way, ns, ns) for way, ns in zip(ways, at, strict=True)))
    assert handset.done == [f"input keyevent {key}" for key in ("HOME", "BACK", "HOME", "BACK")]
    assert handset.clock.ns == START_NS + 3_600_000_000


def test_an_aim_that_is_reached_already_takes_nothing(chains: Chains, handset: Handset, whatsapp: App):
    assert chains.pursue(whatsapp, [HOME], lambda: True, 1.0) == Pursuit(True, ())
    assert (handset.done, handset.clock.ns) == ([], START_NS)


def test_a_dialog_is_sent_away_where_nothing_of_a_chain_is_there(chains: Chains, handset: Handset, whatsapp: App):
    app = whatsapp.model_copy(update={"dismiss": [Selector(text="Not now", seen_on="never")]})
    handset.screen = [Seen(text="Not now", tap=lambda: setattr(handset, "screen", [Seen(desc="Voice call")]))]
    chains.pursue(app, app.place_call.voice, lambda: "tap Voice call" in handset.done, 5.0)
    assert handset.done == ["tap Not now", "tap Voice call"]


def test_a_dialog_is_sent_away_where_an_intent_leads_to_it_again_and_again(
    chains: Chains, handset: Handset, whatsapp: App
):
    app = whatsapp.model_copy(update={"dismiss": [Selector(description="Later", seen_on="never")]})
    chat = Seen(id="com.whatsapp:id/conversation_contact_name", text="15555550102")
    nag = Seen(desc="Later", tap=lambda: setattr(handset, "screen", [chat]))
    handset.started = lambda command: setattr(handset, "screen", [nag])
    done = chains.pursue(app, app.open_chat, lambda: chat in handset.screen, 10.0, "15555550102")
    assert (done.reached, len(done.used)) == (True, 1)
    assert handset.clock.ns == START_NS + 3_200_000_000


def test_a_way_gets_its_3_s_before_anything_is_dismissed_and_is_used_again_after_that(
    chains: Chains, handset: Handset, whatsapp: App
):
    app = whatsapp.model_copy(update={"dismiss": [Selector(description="Later", seen_on="never")]})
    nag = Seen(desc="Later", tap=lambda: setattr(handset, "screen", []))
    handset.answers = {"input keyevent HOME": ""}
    handset.clock.after(0.4, lambda: setattr(handset, "screen", [nag]))
    done = chains.pursue(app, [HOME], lambda: handset.done.count("input keyevent HOME") == 2, 10.0)
    assert handset.done == ["input keyevent HOME", "tap Later", "input keyevent HOME"]
    assert [one.from_ns - START_NS for one in done.used] == [0, 3_200_000_000]


def test_a_way_whose_effect_takes_almost_3_s_has_nothing_dismissed(chains: Chains, handset: Handset, whatsapp: App):
    app = whatsapp.model_copy(update={"dismiss": [Selector(description="Later", seen_on="never")]})
    handset.answers, handset.screen = {"input keyevent HOME": ""}, [Seen(desc="Later")]
    done = chains.pursue(app, [HOME], lambda: handset.clock.ns >= START_NS + 2_900_000_000, 10.0)
    assert (done.reached, handset.done) == (True, ["input keyevent HOME"])


def test_a_dialog_that_stays_keeps_no_other_from_being_dismissed(chains: Chains, handset: Handset, whatsapp: App):
    words = ("Stays", "Goes")
    app = whatsapp.model_copy(update={"dismiss": [Selector(description=word, seen_on="never") for word in words]})
    handset.answers = {"input keyevent HOME": ""}
    handset.screen = [Seen(desc="Stays"), Seen(desc="Goes", tap=lambda: handset.screen.pop())]
    chains.pursue(app, [HOME], lambda: len(handset.screen) == 1, 10.0)
    assert handset.done == ["input keyevent HOME", "tap Stays", "tap Goes"]


def test_controls_that_can_always_be_brought_back_do_not_keep_a_dialog(phone: Phone, handset: Handset, whatsapp: App):
    app = whatsapp.model_copy(update={"dismiss": [Selector(description="Later", seen_on="never")]})
    end = Seen(
        id="com.whatsapp:id/end_call_button", tap=lambda: handset.__dict__.update(audio="MODE_NORMAL", screen=[])
    )
    call = Seen(id="com.whatsapp:id/call_screen")
    handset.audio = "MODE_IN_COMMUNICATION"
    handset.screen = [call, Seen(desc="Later", tap=lambda: setattr(handset, "screen", [call, end]))]
    phone.hang_up(app)
    assert [one for one in handset.done if one.startswith("tap")] == [
        "tap com.whatsapp:id/call_screen",
        "tap Later",
        "tap com.whatsapp:id/end_call_button",
    ]


@pytest.mark.parametrize("other", [{"calling": ["com.google.android.dialer"]}, {"sim": 1}, {"sim": 2}])
def test_while_there_is_another_call_nothing_is_dismissed_and_no_key_and_no_notification_is_used(
    chains: Chains, handset: Handset, whatsapp: App, other: dict[str, object]
):
    app = whatsapp.model_copy(update={"dismiss": [Selector(description="Decline", seen_on="never")]})
    decline = Way(notification=Selector(description="Decline", seen_on="never"))
    handset.__dict__.update(other)
    handset.screen = [Seen(desc="Decline", package=SYSTEM_UI)]
    done = chains.pursue(app, [decline, Way(key="ENDCALL", seen_on="never")], lambda: False, 4.0, own=True)
    assert (done.used, handset.done) == ((), [])


@pytest.mark.parametrize(
    ("screen", "calling", "tapped"),
    [
        ([Seen(desc="Decline", package=SYSTEM_UI)], ["com.whatsapp"], 1),
        ([Seen(desc="Decline", package="com.whatsapp")], [], 1),
        ([Seen(desc="Decline", package=SYSTEM_UI)], [], 0),
        ([Seen(desc="Decline", package=SYSTEM_UI), Seen(desc="Decline", package=SYSTEM_UI)], ["com.whatsapp"], 0),
        ([Seen(desc="Decline", package="com.google.android.dialer")], ["com.whatsapp"], 0),
    ],
    ids=["the app notifies", "the app's own node", "nobody notifies", "two alike", "the dialer's screen"],
)
def test_a_button_of_a_notification_is_tapped_only_where_it_is_the_apps(
    chains: Chains, handset: Handset, whatsapp: App, screen: list[Seen], calling: list[str], tapped: int
):
    decline = Way(notification=Selector(description="Decline", seen_on="never"))
    handset.screen, handset.calling = screen, calling
    chains.pursue(whatsapp, [decline], lambda: "tap Decline" in handset.done, 1.0, own=True)
    assert handset.done.count("tap Decline") == tapped


def test_a_key_that_the_phone_forbids_is_told_with_what_to_switch_on(chains: Chains, handset: Handset, whatsapp: App):
    said = (
        "java.lang.SecurityException: Injecting to another application requires INJECT_EVENTS permission\n"
        "\tat android.os.Parcel.createExceptionOrNull(Parcel.java:2437)\n"
    )
    handset.answers, handset.code = {"input keyevent HOME": said}, 255
    with pytest.raises(
        PhoneTrouble, match=r"keyevent HOME`: the phone forbids taps by adb \(INJECT_EVENTS\); switch on"
    ):
        chains.pursue(whatsapp, [HOME], lambda: False, 1.0)


@pytest.mark.parametrize("verb", ["reject", "cancel", "hang_up"])
def test_an_aim_that_comes_by_itself_is_not_ours(phone: Phone, handset: Handset, whatsapp: App, verb: str):
    with pytest.raises(AttemptVoid, match=rf"whatsapp: its aim came on pixel6 before any of {verb} \[") as caught:
        getattr(phone, verb)(whatsapp)
    assert caught.value.reason == "not_our_tap"


def test_the_call_of_another_app_is_not_touched(phone: Phone, handset: Handset, whatsapp: App):
    handset.audio, handset.calling = "MODE_RINGTONE", ["com.example.other"]
    handset.screen = [Seen(desc="Decline", package=SYSTEM_UI), Seen(desc="Answer", package=SYSTEM_UI)]
    for act in (phone.reject, lambda app: phone.answer(app, "voice")):
        with pytest.raises(
            AttemptVoid, match=r"com\.example\.other notifies of a call on pixel6, which is not"
        ) as caught:
            act(whatsapp)
        assert caught.value.reason == "other_call"
    handset.answers = {"am force-stop --user 0 com.whatsapp": ""}
    handset.started = lambda command: None
    phone.end_any_call(whatsapp)
    assert [one for one in handset.done if one.startswith("tap")] == []


def test_what_another_app_shows_is_not_tapped_to_end_a_call(phone: Phone, handset: Handset):
    messenger = read(APPS / "messenger.yaml", App)
    handset.audio = "MODE_IN_COMMUNICATION"
    handset.screen = [Seen(desc="End call", package="com.google.android.dialer")]
    with pytest.raises(AttemptVoid, match="none of hang_up"):
        phone.hang_up(messenger, within_s=2)
    assert [one for one in handset.done if one.startswith("tap")] == []


def test_a_launch_that_the_phone_refuses_is_no_way(chains: Chains, handset: Handset, whatsapp: App):
    command = "monkey -p com.whatsapp -c android.intent.category.LAUNCHER 1"
    for said, code in (
        ("** Error: no activities found to run", 0),
        ("** No activities found to run, monkey aborted.", 252),
        ("sh: monkey: inaccessible or not found", 127),
    ):
        handset.answers, handset.code = {command: said}, code
        assert not chains.launch(whatsapp)
        assert chains.refused == {"launch": said}
    handset.answers, handset.code = {command: "Events injected: 1"}, 0
    assert chains.launch(whatsapp)
    assert chains.refused == {}


def test_a_launch_that_nobody_can_read_is_looked_for_on_the_phone(chains: Chains, handset: Handset, whatsapp: App):
    command = "monkey -p com.whatsapp -c android.intent.category.LAUNCHER 1"
    handset.answers, handset.code = {command: ""}, 1
    assert chains.launch(whatsapp)
    assert chains.refused == {}


def test_what_the_phones_programs_say_of_a_way_stands_in_the_reason(phone: Phone, handset: Handset, whatsapp: App):
    command = start_command(
        Intent(action="android.intent.action.VIEW", data="https://wa.me/15555550102", package="com.whatsapp"), ""
    )
    unable = "Error: Activity not started, unable to resolve Intent { act=a dat=https://wa.me/15555550102 flg=0x1 }"
    handset.answers = {command: f"Starting: Intent {{ dat=https://wa.me/15555550102 }}\n{unable}\n"}
    with pytest.raises(AttemptVoid) as caught:
        phone.open_chat(whatsapp, "15555550102", "Lab two")
    assert caught.value.reason == "selector_not_found"
    said = str(caught.value)
    assert said.endswith(
        " on pixel6; intent android.intent.action.VIEW https://wa.me/{contact}: 'Error: Activity not started, "
        "unable to resolve Intent { ... }'"
    )
    assert "15555550102" not in said


@pytest.mark.parametrize(
    ("intent", "command"),
    [
        (
            Intent(action="a.VIEW", data="https://x.example/{contact}"),
            "am start --user 0 -a a.VIEW -d 'https://x.example/o'\"'\"'b'",
        ),
        (
            Intent(action="a.SEND", mime_type="text/plain", component="org.x/.Y", package="org.x"),
            "am start --user 0 -a a.SEND -t text/plain -n org.x/.Y -p org.x",
        ),
    ],
)
def test_an_intent_is_started_with_its_parts_quoted(intent: Intent, command: str):
    assert start_command(intent, "o'b") == command


def test_a_chain_is_listed_by_its_ways():
    assert listed([Selector(text="OK", seen_on="never"), HOME]) == "[text=OK, key HOME]"
