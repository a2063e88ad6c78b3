"""The state of a call by signs and audio mode, how it is waited for, and what is said where it does not come."""

from __future__ import annotations

import re

import pytest

from lab.definitions import App
from lab.definitions.yaml import read
from lab.errors import PhoneTrouble
from lab.phone.call_state import CallState, signs_of
from lab.phone.phone import Phone
from lab.programs.shell import ShellOutput
from tests.lab.phone.conftest import APPS
from tests.lab.phone.handset import START_NS, Handset, Seen, subtitle


def test_the_state_is_known_by_signs_and_audio_mode(phone: Phone, handset: Handset, whatsapp: App):
    assert phone.calls.state(whatsapp) is CallState.IDLE
    handset.audio = "MODE_IN_COMMUNICATION"
    handset.screen = [subtitle("Ringing…")]
    assert phone.calls.state(whatsapp) is CallState.OUTGOING
    handset.screen = [subtitle("0:07")]
    assert phone.calls.state(whatsapp) is CallState.CONNECTED
    handset.screen = []
    assert phone.calls.state(whatsapp) is CallState.UNKNOWN
    handset.audio = "MODE_RINGTONE"
    handset.screen = [Seen(id="com.whatsapp:id/decline_incoming_call_view")]
    assert phone.calls.state(whatsapp) is CallState.INCOMING


def test_a_heads_up_call_is_the_apps_where_the_app_notifies_of_one(phone: Phone, handset: Handset, whatsapp: App):
    handset.audio = "MODE_RINGTONE"
    handset.screen = [Seen(desc="Decline", package="com.android.systemui")]
    handset.calling = ["com.facebook.orca"]
    assert phone.calls.state(whatsapp) is CallState.UNKNOWN
    handset.calling = ["com.facebook.orca", "com.whatsapp"]
    assert phone.calls.state(whatsapp) is CallState.INCOMING


def test_a_timer_while_the_audio_mode_is_normal_is_neither_a_call_nor_idle(
    phone: Phone, handset: Handset, whatsapp: App
):
    handset.screen = [subtitle("0:07")]
    assert phone.calls.state(whatsapp) is CallState.UNKNOWN
    assert not phone.calls.is_in(whatsapp, CallState.CONNECTED)
    assert not phone.calls.is_in(whatsapp, CallState.IDLE)
    named = r"pixel6 shows resourceId=com\.whatsapp:id/subtitle textMatches=.* but is in MODE_NORMAL"
    assert re.fullmatch(named, phone.calls.contradiction(whatsapp) or "")
    handset.audio = "MODE_IN_COMMUNICATION"
    assert phone.calls.is_in(whatsapp, CallState.CONNECTED)
    assert phone.calls.contradiction(whatsapp) is None


def test_a_clock_of_another_app_is_no_timer_of_a_call(phone: Phone, handset: Handset):
    messenger = read(APPS / "messenger.yaml", App)
    handset.audio = "MODE_IN_COMMUNICATION"
    handset.screen = [Seen(text="12:34", package="com.android.systemui")]
    assert phone.calls.state(messenger) is CallState.UNKNOWN
    handset.screen = [Seen(text="00:34", package="com.facebook.orca")]
    assert phone.calls.state(messenger) is CallState.CONNECTED


def test_hidden_controls_are_brought_back_to_look_at_them(phone: Phone, handset: Handset, whatsapp: App):
    handset.audio = "MODE_IN_COMMUNICATION"

    def show() -> None:
        handset.clock.after(0.3, lambda: handset.screen.append(subtitle("1:02")))

    handset.screen = [Seen(id="com.whatsapp:id/call_screen", tap=show)]
    assert phone.calls.state(whatsapp) is CallState.CONNECTED


def test_the_end_of_a_call_is_waited_for_in_the_agent(phone: Phone, handset: Handset, whatsapp: App):
    def end() -> None:
        handset.screen, handset.audio = [], "MODE_NORMAL"

    def wait_gone(timeout: float) -> bool:
        assert timeout <= 5.0
        handset.done.append("wait")
        handset.clock.sleep(timeout)
        return not handset.screen

    handset.waiting = wait_gone
    handset.audio = "MODE_IN_COMMUNICATION"
    handset.screen = [subtitle("Ringing…")]
    handset.clock.after(12.0, end)
    assert phone.calls.wait_idle(whatsapp, 40.0)
    assert handset.done.count("wait") == 3
    assert handset.clock.ns == START_NS + 15_600_000_000


def test_a_call_that_does_not_end_in_time_is_told(phone: Phone, handset: Handset, whatsapp: App):
    handset.waiting = lambda timeout: handset.clock.sleep(timeout)
    handset.audio = "MODE_IN_COMMUNICATION"
    handset.screen = [subtitle("0:07")]
    assert not phone.calls.wait_idle(whatsapp, 7.0)
    assert handset.clock.ns == START_NS + 7_200_000_000


def test_a_state_is_waited_for_by_looks_a_fifth_of_a_second_apart(phone: Phone, handset: Handset, whatsapp: App):
    handset.clock.after(0.5, lambda: handset.screen.append(subtitle("Ringing…")))
    assert not phone.calls.wait_for(whatsapp, CallState.OUTGOING, 0.2)
    assert phone.calls.wait_for(whatsapp, CallState.OUTGOING, 5.0)
    assert handset.clock.ns == START_NS + 600_000_000


def test_a_call_rings_by_the_audio_mode_alone_where_its_sign_is_hidden(phone: Phone, handset: Handset, whatsapp: App):
    assert not phone.calls.is_ringing(whatsapp)
    handset.audio = "MODE_RINGTONE"
    assert (phone.calls.is_ringing(whatsapp), phone.calls.is_in(whatsapp, CallState.INCOMING)) == (True, False)


@pytest.mark.parametrize(
    ("mode", "reason", "text"),
    [
        (
            "MODE_RINGTONE",
            "selector_not_found",
            "whatsapp: pixel6 is in MODE_RINGTONE, but none of signs.incoming [id=",
        ),
        ("MODE_NORMAL", "callee_never_rang", "whatsapp: pixel6 is in MODE_NORMAL; looked for signs.incoming [id="),
    ],
)
def test_the_selectors_are_to_blame_where_the_audio_mode_shows_the_call(
    phone: Phone, handset: Handset, whatsapp: App, mode: str, reason: str, text: str
):
    handset.audio = mode
    void = phone.calls.void(whatsapp, CallState.INCOMING, "callee_never_rang")
    assert (void.reason, str(void)[: len(text)]) == (reason, text)


def test_signs_stand_under_the_name_of_their_state_in_the_apps_file(whatsapp: App):
    signs = [signs_of(whatsapp, state) for state in CallState]
    assert signs == [[], whatsapp.signs.outgoing, whatsapp.signs.incoming, whatsapp.signs.connected, []]


def test_a_dump_without_an_audio_mode_is_trouble(phone: Phone, handset: Handset, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(handset, "run", lambda command: ShellOutput("Can't find service: audio\n", 0))
    with pytest.raises(PhoneTrouble, match=r"""^pixel6: dumpsys audio names no mode: "Can't find service: audio"""):
        phone.calls.audio_mode()
