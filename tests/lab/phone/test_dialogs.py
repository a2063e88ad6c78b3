"""What lies over an app: named by what the app's maker or Android wrote, never by what people did."""

from __future__ import annotations

import pytest

from lab.definitions import App
from lab.errors import AttemptVoid
from lab.phone.call_state import CallState
from lab.phone.dialogs import described
from lab.phone.phone import Phone
from tests.lab.phone.handset import Handset, Seen

WHOLE = "[0,0][1080,2400]"


def focus(component: str) -> str:
    return f"  mCurrentFocus=Window{{3f2a1b0 u0 {component}}}\n"


def node(cls: str, package: str, inner: str = "", bounds: str = WHOLE, **values: str) -> str:
    given = {"text": "", "resource-id": "", "content-desc": "", "clickable": "false"}
    given |= {key.replace("_", "-"): value for key, value in values.items()}
    attributes = "".join(f' {key}="{value}"' for key, value in given.items())
    return f'<node index="0" class="{cls}" package="{package}"{attributes} bounds="{bounds}">{inner}</node>'


def hierarchy(*windows: str) -> str:
    head = "<?xml version='1.0' encoding='UTF-8' standalone='yes' ?>\r\n"
    return f'{head}<hierarchy rotation="0">{"".join(windows)}</hierarchy>'


def button(package: str, text: str, id: str = "") -> str:
    return node("android.widget.Button", package, text=text, resource_id=id, clickable="true")


CONTROLLER = "com.google.android.permissioncontroller"
GRANT = f"{CONTROLLER}/com.android.permissioncontroller.permission.ui.GrantPermissionsActivity"
ALLOW = "com.android.permissioncontroller:id/permission_allow_one_time_button"
PERMISSION = node(
    "android.widget.FrameLayout",
    CONTROLLER,
    node("android.widget.TextView", CONTROLLER, text="Allow Fern to record audio?")
    + button(CONTROLLER, "Only this time", ALLOW),
)
CHAT = node("android.widget.FrameLayout", "com.whatsapp", node("android.widget.TextView", "com.whatsapp", text="Mum"))


def test_a_question_of_the_system_is_named_and_its_text_is_not():
    found = described("com.whatsapp", focus(GRANT), hierarchy(CHAT, PERMISSION))
    assert found == (
        f"{CONTROLLER} class com.android.permissioncontroller.permission.ui.GrantPermissionsActivity, "
        f"ids [{ALLOW}], buttons ['Only this time']"
    )


def test_an_app_that_does_not_respond_is_named_by_what_android_calls_its_window():
    closes = button("android", "Close app", "android:id/aerr_close")
    title = node(
        "android.widget.TextView", "android", text="Fern isn't responding", resource_id="android:id/alertTitle"
    )
    over = node("android.widget.FrameLayout", "android", title + closes)
    found = described("com.whatsapp", focus("Application Not Responding: com.whatsapp"), hierarchy(CHAT, over))
    assert found == (
        "android class Application Not Responding, ids [android:id/alertTitle, android:id/aerr_close], "
        "buttons ['Close app']"
    )


def test_a_dialog_of_the_app_itself_is_its_smaller_window_or_calls_itself_one():
    small = node(
        "android.widget.FrameLayout",
        "com.whatsapp",
        button("com.whatsapp", "Update &amp; go on", "android:id/button1"),
        bounds="[60,800][1020,1500]",
    )
    own = focus("com.whatsapp/com.whatsapp.Conversation")
    whatsapp = "com.whatsapp class com.whatsapp.Conversation"
    expected = f"{whatsapp}, ids [android:id/button1], buttons ['Update & go on']"
    assert described("com.whatsapp", own, hierarchy(small, CHAT)) == expected
    assert described("com.whatsapp", own, hierarchy(CHAT, small)) == expected
    assert described("com.whatsapp", own, hierarchy(CHAT)) is None
    called = focus("com.whatsapp/com.whatsapp.update.ui.UpdateDialog")
    assert described("com.whatsapp", called, hierarchy(CHAT)) == (
        "com.whatsapp class com.whatsapp.update.ui.UpdateDialog, ids [], buttons []"
    )


@pytest.mark.parametrize(
    "shown",
    [
        focus("com.google.android.apps.nexuslauncher/com.google.android.apps.nexuslauncher.NexusLauncherActivity"),
        focus("com.miui.home/com.miui.home.launcher.Launcher"),
        focus("NotificationShade"),
        "  mCurrentFocus=null\n",
        "",
        "cmd: Can't find service: window",
    ],
)
def test_a_home_screen_the_shade_and_what_cannot_be_read_are_no_dialogs(shown: str):
    assert described("com.whatsapp", shown, hierarchy(PERMISSION)) is None


def test_labels_that_are_long_or_look_like_numbers_or_addresses_are_left_out_and_lists_are_bounded():
    package = "com.example.other"
    words = ["Call +1 555 555 0102", "a@example.org", "x" * 41, *(f"Button {letter}" for letter in "abcdefgh")]
    buttons = "".join(button(package, word, f"{package}:id/b{index:02}") for index, word in enumerate(words))
    row = node("android.view.View", package, text="Mum", clickable="true")
    found = described("com.whatsapp", focus(f"{package}/.Main"), hierarchy(node("a.B", package, buttons + row * 9)))
    assert found is not None
    assert found.endswith("buttons ['Button a', 'Button b', 'Button c', 'Button d', 'Button e', 'Button f'] and 2 more")
    assert found.startswith(f"{package} class .Main, ids [{package}:id/b00, ")
    assert not any(secret in found for secret in ("0102", "@", "xx", "Mum"))


@pytest.mark.parametrize("text", ["", "null", "<node " * 9999, "</node>" * 9999, "<node>" * 9999, '<node a="' * 9999])
def test_a_hierarchy_that_is_none_leaves_package_and_class(text: str):
    assert described("com.whatsapp", focus(GRANT), text) is not None


@pytest.mark.parametrize("verb", ["open_chat", "place_call", "answer", "reject", "cancel", "hang_up"])
def test_every_verb_that_misses_its_aim_names_what_lies_over_the_app(
    phone: Phone, handset: Handset, whatsapp: App, verb: str
):
    asked = {"open_chat": ("15555550102", "Lab two"), "place_call": ("voice",), "answer": ("voice",)}
    handset.audio = {"answer": "MODE_RINGTONE", "reject": "MODE_RINGTONE"}.get(verb, "MODE_IN_COMMUNICATION")
    handset.focus, handset.hierarchy = GRANT, hierarchy(CHAT, PERMISSION)
    handset.started = lambda command: None
    with pytest.raises(AttemptVoid) as caught:
        getattr(phone, verb)(whatsapp, *asked.get(verb, ()))
    assert caught.value.reason == "dialog"
    assert str(caught.value) == (
        f"whatsapp: over it on pixel6 is {CONTROLLER} class "
        "com.android.permissioncontroller.permission.ui.GrantPermissionsActivity, "
        f"ids [{ALLOW}], buttons ['Only this time']; "
        "close it by hand, or add what closes it to `dismiss` in apps/whatsapp.yaml"
    )


def test_a_state_that_does_not_come_is_the_dialogs_fault_where_the_app_should_be_in_front(
    phone: Phone, handset: Handset, whatsapp: App
):
    handset.focus, handset.hierarchy = GRANT, hierarchy(PERMISSION)
    void = phone.calls.void
    assert void(whatsapp, CallState.CONNECTED, "not_connected").reason == "dialog"
    # A phone that nobody calls may show whatever it likes.
    assert void(whatsapp, CallState.INCOMING, "callee_never_rang").reason == "callee_never_rang"
    handset.audio = "MODE_RINGTONE"
    assert void(whatsapp, CallState.INCOMING, "callee_never_rang").reason == "dialog"
    handset.screen = [Seen(desc="Decline", package="com.android.systemui")]
    handset.sim = 1
    assert void(whatsapp, CallState.INCOMING, "callee_never_rang").reason == "other_call"
