from __future__ import annotations

import base64
from http.client import RemoteDisconnected
from ipaddress import IPv4Address, IPv6Address
from types import SimpleNamespace
from typing import cast

import pytest

from lab.definitions import App, StunServer
from lab.errors import AttemptVoid, NeedsPerson, PhoneTrouble
from lab.phone.adb import Adb
from lab.phone.packages import question
from lab.phone.phone import Phone
from lab.phone.root import SuRefuses
from lab.programs.shell import ShellOutput
from tests.lab.phone.handset import ANYCAST, FILE, IP_ADDR, START_NS, Handset, Seen, Stun, subtitle
from tests.lab.phone.test_boot import said

DUMP = """Packages:
  Package [com.whatsapp] (1a2b3c4):
    versionName=2.25.26.74
    User 0: ceDataInode=1 {} stopped=false enabled={} instant=false
Hidden system packages:
  Package [com.whatsapp] (5d6e7f8):
    versionName=2.20.0.1
    User 0: ceDataInode=1 installed=true hidden=false suspended=false enabled=0
"""


def test_a_call_is_placed_once(phone: Phone, handset: Handset, whatsapp: App):
    def start() -> None:
        def outgoing() -> None:
            handset.screen, handset.audio = [subtitle("Calling…")], "MODE_IN_COMMUNICATION"

        handset.clock.after(0.9, outgoing)

    handset.screen = [Seen(desc="Video call"), Seen(desc="Voice call", tap=start)]
    phone.place_call(whatsapp, "voice")
    assert [one for one in handset.done if one.startswith("tap")] == ["tap Voice call"]
    assert handset.clock.ns == START_NS + 1_000_000_000
    with pytest.raises(AttemptVoid, match=r"its aim came on pixel6 before any of place_call\.voice") as caught:
        phone.place_call(whatsapp, "voice")
    assert caught.value.reason == "not_our_tap"
    assert [one for one in handset.done if one.startswith("tap")] == ["tap Voice call"]


def test_a_missing_selector_voids_the_attempt_and_is_named(phone: Phone, handset: Handset, whatsapp: App):
    handset.screen = [Seen(desc="Anrufen")]
    with pytest.raises(AttemptVoid) as caught:
        phone.place_call(whatsapp, "voice", within_s=5)
    assert caught.value.reason == "selector_not_found"
    assert str(caught.value) == (
        "whatsapp: none of place_call.voice [tap id=android:id/button1 text_matches=(?i)call|ok, "
        "tap description=Voice call] is on the screen of pixel6"
    )
    assert handset.clock.ns >= START_NS + 5_000_000_000


def test_a_sign_that_does_not_fit_is_named(phone: Phone, handset: Handset, whatsapp: App):
    def start() -> None:
        handset.screen, handset.audio = [subtitle("Wird angerufen")], "MODE_IN_COMMUNICATION"

    handset.screen = [Seen(desc="Voice call", tap=start)]
    with pytest.raises(
        AttemptVoid, match=r"none of signs\.outgoing \[id=com\.whatsapp:id/subtitle text_matches"
    ) as caught:
        phone.place_call(whatsapp, "voice", within_s=5)
    assert caught.value.reason == "selector_not_found"


def test_a_chat_is_opened_by_its_intent_and_known_by_its_title(phone: Phone, handset: Handset, whatsapp: App):
    title = Seen(id="com.whatsapp:id/conversation_contact_name", text="Lab two")
    handset.started = lambda command: handset.clock.after(0.5, lambda: handset.screen.append(title))
    phone.open_chat(whatsapp, "15555550102", "Lab two")
    assert handset.done[:2] == [
        "press home",
        "am start --user 0 -a android.intent.action.VIEW -d https://wa.me/15555550102 -p com.whatsapp",
    ]


def test_the_chat_with_somebody_else_is_not_the_chat(phone: Phone, handset: Handset, whatsapp: App):
    handset.screen = [Seen(id="com.whatsapp:id/conversation_contact_name", text="15555550109")]
    handset.started = lambda command: None
    with pytest.raises(AttemptVoid, match=r"did not lead to chat_open \[id=com\.whatsapp:id/conversation_contact_name"):
        phone.open_chat(whatsapp, "15555550102", "15555550102")


def test_a_call_that_nothing_ends_is_ended_by_stopping_the_app(phone: Phone, handset: Handset, whatsapp: App):
    handset.audio = "MODE_IN_COMMUNICATION"
    handset.answers = {"am force-stop --user 0 com.whatsapp": ""}
    handset.started = lambda command: None
    phone.end_any_call(whatsapp)
    assert handset.done[-2:] == [
        "am force-stop --user 0 com.whatsapp",
        "monkey -p com.whatsapp -c android.intent.category.LAUNCHER 1",
    ]


def test_a_timer_that_stays_with_a_normal_audio_mode_has_the_app_stopped(phone: Phone, handset: Handset, whatsapp: App):
    handset.screen = [subtitle("0:07"), Seen(id="com.whatsapp:id/end_call_button")]
    handset.answers = {"am force-stop --user 0 com.whatsapp": ""}
    handset.started = lambda command: None
    phone.end_any_call(whatsapp)
    assert "tap com.whatsapp:id/end_call_button" in handset.done
    assert "am force-stop --user 0 com.whatsapp" in handset.done


def test_interfaces_that_are_up_give_their_addresses(phone: Phone, handset: Handset):
    handset.answers = {"ip addr": IP_ADDR, "cat /proc/net/anycast6": ANYCAST}
    assert phone.interface_addresses() == [
        IPv4Address("100.64.12.34"),
        IPv6Address("2001:db8:6c00:1::7"),
        IPv6Address("fe80::1"),
        IPv4Address("192.0.0.4"),
        IPv6Address("2001:db8:6c00:1::c1a7"),
    ]


def test_the_public_addresses_of_a_phone_are_probed_by_its_own_shell(phone: Phone):
    stun = Stun()
    asked = Phone(phone.spec, cast(Adb, stun), stun, stun.clock)
    servers = [StunServer(address=IPv4Address("198.51.100.250"))]
    assert asked.probe_public_addresses(servers) == [IPv4Address("203.0.113.7")]
    assert [command.split()[0] for command in stun.done] == ["ip", "cat", "printf"]


def test_a_marker_is_one_quoted_datagram(phone: Phone, handset: Handset):
    nc = "toybox timeout 1 toybox nc -u -w 1 192.0.2.1 9"
    command = f"printf 'im-call-lab 00ff begin' >{FILE} && {{ rm {FILE}; {nc}; }} <{FILE}"
    handset.answers = {command: ""}
    phone.send_marker("im-call-lab 00ff begin")
    assert handset.done == [command]


def test_a_marker_that_nc_cannot_send_voids_the_attempt(phone: Phone, handset: Handset):
    nc = "toybox timeout 1 toybox nc -u -w 1 192.0.2.1 9"
    command = f"printf 'im-call-lab 00ff begin' >{FILE} && {{ rm {FILE}; {nc}; }} <{FILE}"
    handset.answers, handset.code = {command: "nc: connect: Network is unreachable"}, 1
    with pytest.raises(AttemptVoid, match=r"pixel6: nc says 'nc: connect: Network is unreachable'") as caught:
        phone.send_marker("im-call-lab 00ff begin")
    assert caught.value.reason == "marker_not_sent"
    handset.answers = {command: "sh: printf: write: No space left on device"}
    with pytest.raises(NeedsPerson, match="pixel6: no space is left in /data/local/tmp"):
        phone.send_marker("im-call-lab 00ff begin")
    handset.answers, handset.code = {command: "sh: toybox: inaccessible or not found"}, 127
    with pytest.raises(PhoneTrouble, match="pixel6 cannot send a marker: 'sh: toybox: inaccessible or not found'"):
        phone.send_marker("im-call-lab 00ff begin")


def test_the_version_is_read_from_the_phone(phone: Phone, handset: Handset, whatsapp: App):
    command = question("com.whatsapp")
    handset.answers = {command: "    versionName=2.25.26.74\n"}
    assert phone.identify(whatsapp) == "2.25.26.74"
    handset.answers = {command: DUMP.format("installed=true hidden=false suspended=false", 0)}
    assert phone.identify(whatsapp) == "2.25.26.74"
    handset.answers = {command: DUMP.format("installed=false hidden=false suspended=false", 0)}
    with pytest.raises(PhoneTrouble) as caught:
        phone.identify(whatsapp)
    absent = "pixel6: com.whatsapp 2.25.26.74 is not installed for its user 0; install whatsapp 2.25.26.74 on it, or "
    assert str(caught.value) == f"{absent}enable it there"
    handset.answers = {command: DUMP.format("installed=true", 0)}
    with pytest.raises(PhoneTrouble) as caught:
        phone.identify(whatsapp)
    unread = "pixel6: com.whatsapp: cannot be read: of User 0 dumpsys package says no hidden="
    assert str(caught.value) == f"{unread}; mend it on the phone, or update Android"
    handset.answers = {command: ""}
    with pytest.raises(PhoneTrouble, match=r"pixel6 has no com\.whatsapp"):
        phone.identify(whatsapp)


def test_evidence_keeps_what_can_be_had(phone: Phone, handset: Handset):
    def dump(_compressed: bool, _depth: int) -> str:
        return "<hierarchy/>"

    def screenshot(_scale: int, _quality: int) -> str:
        raise RemoteDisconnected("closed")

    handset.jsonrpc = SimpleNamespace(dumpWindowHierarchy=dump, takeScreenshot=screenshot)  # type: ignore[attr-defined]
    handset.answers = {"logcat -d -t 500": "log\n"}
    found = phone.evidence()
    assert list(found) == ["hierarchy.xml", "screen.jpg.missing.txt", "logcat.txt"]
    assert found["hierarchy.xml"] == b"<hierarchy/>"
    handset.jsonrpc.takeScreenshot = lambda *_: base64.b64encode(b"jpeg").decode()  # type: ignore[attr-defined]
    assert phone.evidence()["screen.jpg"] == b"jpeg"


def test_another_phone_than_the_bench_file_means_is_refused(phone: Phone, handset: Handset, whatsapp: App):
    phone.spec = phone.spec.model_copy(update={"serial": "1A2B3C"})
    handset.answers = {"getprop ro.serialno": "9Z\n"}
    with pytest.raises(PhoneTrouble, match=r"^pixel6 should have serial 1A2B3C, has '9Z'$"):
        phone.identify(whatsapp)


@pytest.mark.parametrize(
    "name", ["adb-9Z-vWgJpq._adb-tls-connect._tcp", "adb-9Z-vWgJpq (2)._adb-tls-connect._tcp", "9Z"]
)
def test_a_phone_is_itself_by_whatever_name_adb_lists_it(phone: Phone, handset: Handset, whatsapp: App, name: str):
    phone.spec = phone.spec.model_copy(update={"serial": name})
    handset.answers = {"getprop ro.serialno": "9Z\n", question("com.whatsapp"): "versionName=2.25.26.74\n"}
    assert phone.identify(whatsapp) == "2.25.26.74"
    handset.answers["getprop ro.serialno"] = "9Y\n"
    with pytest.raises(PhoneTrouble, match=r"^pixel6 should have serial .*9Z.*, has '9Y'$"):
        phone.identify(whatsapp)


def test_a_phone_is_woken_and_stays_on_while_plugged_in(phone: Phone, handset: Handset):
    handset.answers = {"svc power stayon true": "", "wm dismiss-keyguard": ""}
    phone.wake()
    assert handset.done == ["screen on", "svc power stayon true", "wm dismiss-keyguard"]


EULA = Seen(id="com.whatsapp:id/eula_accept")


@pytest.mark.parametrize(
    ("screen", "reason", "seconds"),
    [
        ([EULA], "logged_out", 0.6),
        ([Seen(id="com.whatsapp:id/eula_accept", package="com.example")], None, 4.0),
        ([subtitle("Chats")], None, 4.0),
    ],
)
def test_an_app_that_is_brought_to_the_front_is_left_by_home_and_tells_why_it_will_not_call(
    phone: Phone, handset: Handset, whatsapp: App, screen: list[Seen], reason: str | None, seconds: float
):
    handset.started = lambda command: handset.clock.after(0.5, lambda: handset.screen.extend(screen))
    found = phone.refusal_in_front(whatsapp)
    assert (found and found.reason) == reason
    if found is not None:
        assert str(found) == "whatsapp on pixel6 shows id=com.whatsapp:id/eula_accept; mend that there"
    assert handset.done[0].startswith("monkey -p com.whatsapp ")
    assert handset.done[1:] == ["press home"]
    assert handset.clock.ns == START_NS + round(seconds * 1e9)


def test_an_app_whose_file_knows_no_refusal_is_not_started_for_one(phone: Phone, handset: Handset, whatsapp: App):
    assert phone.refusal_in_front(whatsapp.model_copy(update={"refusals": []})) is None
    assert handset.done == []


class Asked:
    """A device of which a test says what its shell and root's answer."""

    def __init__(self, **says):
        self.says = {"boot": said("1", "true", "36", ""), "root": "0\n"} | says

    def close(self) -> None:
        pass

    def run(self, command: str, *, root: bool = False) -> ShellOutput:
        answer = self.says["root" if root else "boot"]
        answer = answer.pop(0) if isinstance(answer, list) else answer
        if isinstance(answer, Exception):
            raise answer
        return ShellOutput(answer, 0)


def healthy(rooted: bool = True, **says: object) -> Phone:
    spec = SimpleNamespace(name="pixel6", rooted=rooted)
    return Phone(spec, Asked(**says), lambda **query: SimpleNamespace(exists=True), None)


def test_a_su_that_says_no_is_a_persons_and_silence_is_not():
    healthy().check_health()
    healthy(rooted=False, root=SuRefuses("pixel6: su says no")).check_health()
    for refused, text in (
        (SuRefuses("pixel6: su says 'Permission denied': allow su"), "pixel6: su says 'Permission denied': allow su"),
        ("2000\n", "pixel6: su gives uid '2000', not 0; allow su for the shell"),
    ):
        with pytest.raises(NeedsPerson) as raised:
            healthy(root=refused).check_health()
        assert str(raised.value).startswith(text)
    # Somebody allows it, or a prompt that nobody saw had taken its time.
    healthy(root=[SuRefuses("pixel6: su says no"), "0\n"]).check_health()
    with pytest.raises(PhoneTrouble, match="su says nothing") as silent:
        healthy(root=PhoneTrouble("pixel6: su says nothing")).check_health()
    assert not isinstance(silent.value, NeedsPerson)


def test_a_phone_that_still_starts_is_not_asked_for_root_which_comes_late_in_a_boot():
    with pytest.raises(PhoneTrouble, match="Android still starts"):
        healthy(boot=said("", "", "36", ""), root=SuRefuses("su: not found")).check_health()


def test_a_restart_is_seen_once_by_another_boot_id_and_not_by_one_that_cannot_be_read():
    phone = healthy()
    for boot_id, restarts in (("a", 0), ("a", 0), ("b", 1), ("", 0), ("b", 0), ("c", 1)):
        full = f"{boot_id * 8}-{'-'.join([boot_id * 4] * 3)}-{boot_id * 12}"
        phone.device.says["boot"] = said("1", "true", "36", full)
        assert phone.require_booted() == (full if boot_id else None)
        assert (phone.restarts(), phone.restarts()) == (restarts, 0)
