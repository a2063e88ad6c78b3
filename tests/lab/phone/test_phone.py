from __future__ import annotations

import base64
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import RemoteDisconnected
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from uiautomator2.exceptions import UiObjectNotFoundError

from lab.definitions import App, PhoneSpec, StunServer
from lab.definitions.yaml import read
from lab.errors import AttemptVoid, PhoneTrouble
from lab.phone.adb import Adb
from lab.phone.network import parse_interfaces, route_interface
from lab.phone.phone import CallState, Phone
from lab.programs.shell import ShellOutput

APPS = Path(__file__).resolve().parents[3] / "scenarios" / "apps"
START_NS = 1_000_000_000_000
QUERY = {"resourceId": "id", "text": "text", "description": "desc", "className": "cls", "packageName": "package"}
IP_ADDR = """\
1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN group default qlen 1000
    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00
    inet 127.0.0.1/8 scope host lo
2: rmnet1: <POINTOPOINT,UP,LOWER_UP> mtu 1428 qdisc mq state UNKNOWN group default qlen 1000
    link/[519]
    inet 100.64.12.34/30 scope global rmnet1
       valid_lft forever preferred_lft forever
    inet6 2001:db8:6c00:1::7/64 scope global dynamic
    inet6 fe80::1/64 scope link
3: wlan0: <BROADCAST,MULTICAST> mtu 1500 qdisc noop state DOWN group default qlen 1000
    inet 192.168.1.5/24 brd 192.168.1.255 scope global wlan0
4: v4-rmnet1@rmnet1: <POINTOPOINT,NOARP,UP,LOWER_UP> mtu 1408 qdisc noqueue state UNKNOWN group default
    inet 192.0.0.4/32 scope global v4-rmnet1
"""
ANYCAST = "2    rmnet1          20010db86c000001000000000000c1a7     1\n"


class Clock:
    def __init__(self) -> None:
        self.ns = START_NS
        self.events: list[tuple[int, Callable[[], None]]] = []

    def now_ns(self) -> int:
        return self.ns

    def sleep(self, seconds: float) -> None:
        self.ns += round(seconds * 1e9)
        for when, action in [one for one in self.events if one[0] <= self.ns]:
            self.events.remove((when, action))
            action()

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        self.events.append((self.ns + round(seconds * 1e9), action))


@dataclass
class Seen:
    """One thing on the fake screen."""

    id: str = ""
    text: str = ""
    desc: str = ""
    cls: str = ""
    package: str = "com.whatsapp"
    tap: Callable[[], None] | None = None
    swipe: Callable[[], None] | None = None

    def fits(self, query: dict[str, str]) -> bool:
        for key, value in query.items():
            if key in QUERY:
                if getattr(self, QUERY[key]) != value:
                    return False
            elif not re.fullmatch(value, getattr(self, {"textMatches": "text", "descriptionMatches": "desc"}[key])):
                return False
        return True


@dataclass
class Handset:
    """A fake phone: what is on its screen, what it answers; it refuses everything else."""

    clock: Clock = field(default_factory=Clock)
    screen: list[Seen] = field(default_factory=list)
    audio: str = "MODE_NORMAL"
    answers: dict[str, str] = field(default_factory=dict)
    code: int = 0
    done: list[str] = field(default_factory=list)
    started: Callable[[str], None] | None = None
    broken: Exception | None = None
    waiting: Callable[[float], object] | None = None

    def run(self, command: str, *, root: bool = False, timeout_s: float = 10.0) -> ShellOutput:
        self.done.append(command)
        if command.startswith("dumpsys audio"):
            return ShellOutput(f"- Actual mode = {self.audio}\n  history: - Actual mode = MODE_IN_CALL\n", 0)
        if command.startswith(("am start", "monkey")) and self.started is not None:
            self.started(command)
            return ShellOutput("Starting\n", 0)
        if command in self.answers:
            return ShellOutput(self.answers[command], self.code)
        raise AssertionError(f"the fake phone does not know {command!r}")

    def __call__(self, **query: str) -> Any:
        if self.broken is not None:
            raise self.broken
        found = next((one for one in self.screen if one.fits(query)), None)
        info = {} if found is None else {"info": self._info(found)}
        return SimpleNamespace(exists=found is not None, wait_gone=self.waiting, **info)

    def _info(self, seen: Seen) -> dict[str, Any]:
        index = self.screen.index(seen)
        return {"bounds": {"left": 0, "top": index * 10, "right": 20, "bottom": index * 10 + 10}}

    def click(self, x: int, y: int) -> None:
        touched = self.screen[y // 10]
        self.done.append(f"tap {touched.id or touched.desc or touched.text}")
        if touched.tap is not None:
            touched.tap()

    def swipe(self, x: int, y: int, to_x: int, to_y: int, steps: int) -> None:
        touched = self.screen[y // 10]
        self.done.append(f"swipe {touched.id} to {to_y} in {steps}")
        if touched.swipe is not None:
            touched.swipe()

    @property
    def info(self) -> dict[str, int]:
        return {"displayHeight": 0}

    def press(self, key: str) -> None:
        self.done.append(f"press {key}")

    def open_notification(self) -> None:
        self.done.append("open shade")


class Missing(SimpleNamespace):
    @property
    def info(self) -> object:
        raise UiObjectNotFoundError("nothing")


@pytest.fixture
def handset() -> Handset:
    class Agent(Handset):
        def __call__(self, **query: str) -> Any:
            found = super().__call__(**query)
            return found if found.exists else Missing(exists=False)

    return Agent()


@pytest.fixture
def phone(handset: Handset) -> Phone:
    spec = PhoneSpec.model_validate(
        {
            "name": "pixel6",
            "model": "M",
            "os": "Android 16",
            "network": "lte",
            "capture": "tcpdump",
            "rooted": True,
            "stimulus": {"sound": "speech", "scene": "dark"},
        }
    )
    return Phone(spec, cast(Adb, handset), handset, handset.clock)


@pytest.fixture(scope="module")
def whatsapp() -> App:
    return read(APPS / "whatsapp.yaml", App)


def subtitle(text: str) -> Seen:
    return Seen(id="com.whatsapp:id/subtitle", text=text)


def test_the_state_is_known_by_signs_and_audio_mode(phone: Phone, handset: Handset, whatsapp: App):
    assert phone.call_state(whatsapp) is CallState.IDLE
    handset.audio = "MODE_IN_COMMUNICATION"
    handset.screen = [subtitle("Ringing…")]
    assert phone.call_state(whatsapp) is CallState.OUTGOING
    handset.screen = [subtitle("0:07")]
    assert phone.call_state(whatsapp) is CallState.CONNECTED
    handset.screen = []
    assert phone.call_state(whatsapp) is CallState.UNKNOWN
    handset.audio = "MODE_RINGTONE"
    handset.screen = [Seen(desc="Decline", package="com.android.systemui")]
    assert phone.call_state(whatsapp) is CallState.INCOMING


def test_a_timer_is_no_call_while_the_audio_mode_is_normal(phone: Phone, handset: Handset, whatsapp: App):
    handset.screen = [subtitle("0:07")]
    assert phone.call_state(whatsapp) is CallState.IDLE


def test_a_clock_of_another_app_is_no_timer_of_a_call(phone: Phone, handset: Handset):
    messenger = read(APPS / "messenger.yaml", App)
    handset.audio = "MODE_IN_COMMUNICATION"
    handset.screen = [Seen(text="12:34", package="com.android.systemui")]
    assert phone.call_state(messenger) is CallState.UNKNOWN
    handset.screen = [Seen(text="00:34", package="com.facebook.orca")]
    assert phone.call_state(messenger) is CallState.CONNECTED


def test_hidden_controls_are_brought_back_to_look_at_them(phone: Phone, handset: Handset, whatsapp: App):
    handset.audio = "MODE_IN_COMMUNICATION"

    def show() -> None:
        handset.clock.after(0.3, lambda: handset.screen.append(subtitle("1:02")))

    handset.screen = [Seen(id="com.whatsapp:id/call_screen", tap=show)]
    assert phone.call_state(whatsapp) is CallState.CONNECTED


def test_a_call_is_placed_once(phone: Phone, handset: Handset, whatsapp: App):
    def start() -> None:
        def outgoing() -> None:
            handset.screen, handset.audio = [subtitle("Calling…")], "MODE_IN_COMMUNICATION"

        handset.clock.after(0.9, outgoing)

    handset.screen = [Seen(desc="Video call"), Seen(desc="Voice call", tap=start)]
    phone.place_call(whatsapp, "voice")
    assert [one for one in handset.done if one.startswith("tap")] == ["tap Voice call"]
    assert handset.clock.ns == START_NS + 1_000_000_000
    phone.place_call(whatsapp, "voice")
    assert [one for one in handset.done if one.startswith("tap")] == ["tap Voice call"]


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
    handset.screen = [Seen(desc="Decline"), Seen(desc="Video", tap=connect)]
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
    assert phone.call_state(whatsapp) is CallState.IDLE


def test_a_chat_is_opened_by_its_intent_and_known_by_its_title(phone: Phone, handset: Handset, whatsapp: App):
    title = Seen(id="com.whatsapp:id/conversation_contact_name", text="15555550102")
    handset.started = lambda command: handset.clock.after(0.5, lambda: handset.screen.append(title))
    phone.open_chat(whatsapp, "15555550102")
    assert handset.done[:2] == [
        "press home",
        "am start -a android.intent.action.VIEW -d https://wa.me/15555550102 -p com.whatsapp",
    ]


def test_the_chat_with_somebody_else_is_not_the_chat(phone: Phone, handset: Handset, whatsapp: App):
    handset.screen = [Seen(id="com.whatsapp:id/conversation_contact_name", text="15555550109")]
    handset.started = lambda command: None
    with pytest.raises(AttemptVoid, match=r"did not lead to chat_open \[id=com\.whatsapp:id/conversation_contact_name"):
        phone.open_chat(whatsapp, "15555550102")


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
    assert phone.wait_idle(whatsapp, 40.0)
    assert handset.done.count("wait") == 3
    assert handset.clock.ns == START_NS + 15_600_000_000


def test_a_call_that_does_not_end_in_time_is_told(phone: Phone, handset: Handset, whatsapp: App):
    handset.waiting = lambda timeout: handset.clock.sleep(timeout)
    handset.audio = "MODE_IN_COMMUNICATION"
    handset.screen = [subtitle("0:07")]
    assert not phone.wait_idle(whatsapp, 7.0)
    assert handset.clock.ns == START_NS + 7_200_000_000


def test_a_call_that_nothing_ends_is_ended_by_stopping_the_app(phone: Phone, handset: Handset, whatsapp: App):
    handset.audio = "MODE_IN_COMMUNICATION"
    handset.answers = {"am force-stop com.whatsapp": ""}
    handset.started = lambda command: None
    phone.end_any_call(whatsapp)
    assert handset.done[-2:] == [
        "am force-stop com.whatsapp",
        "monkey -p com.whatsapp -c android.intent.category.LAUNCHER 1",
    ]


@pytest.mark.parametrize(
    "error", [RemoteDisconnected("closed"), ValueError("half a reply"), ConnectionResetError(), EOFError()]
)
def test_an_agent_that_fails_is_trouble_with_the_phone(phone: Phone, handset: Handset, whatsapp: App, error: Exception):
    handset.broken = error
    with pytest.raises(PhoneTrouble, match=r"^pixel6: its agent fails: "):
        phone.call_state(whatsapp)


def test_interfaces_that_are_up_give_their_addresses(phone: Phone, handset: Handset):
    handset.answers = {"ip addr": IP_ADDR, "cat /proc/net/anycast6": ANYCAST}
    assert phone.interface_addresses() == [
        IPv4Address("100.64.12.34"),
        IPv6Address("2001:db8:6c00:1::7"),
        IPv6Address("fe80::1"),
        IPv4Address("192.0.0.4"),
        IPv6Address("2001:db8:6c00:1::c1a7"),
    ]
    assert list(parse_interfaces(IP_ADDR)) == ["rmnet1", "v4-rmnet1"]


@pytest.mark.parametrize("text", ["", "sh: ip: inaccessible or not found", "1: x: <UP> mtu 1\n    inet 1.2.3/24 \n"])
def test_an_answer_that_is_not_ip_addr_is_trouble(text: str):
    with pytest.raises(PhoneTrouble, match="`ip addr`"):
        parse_interfaces(text)


def test_a_clat_interface_is_captured_below():
    assert route_interface("192.0.2.1 dev v4-rmnet1 src 192.0.0.4 uid 2000") == "rmnet1"
    assert route_interface("192.0.2.1 via 192.168.137.1 dev wlan0 src 192.168.137.9") == "wlan0"
    with pytest.raises(PhoneTrouble, match="names no interface"):
        route_interface("RTNETLINK answers: Network is unreachable")


FILE = "/data/local/tmp/im-call-lab.datagram"


class Stun(Handset):
    """Answers `ip addr` and the probe of 198.51.100.250 as a STUN server would; others are silent."""

    silent = 0

    def run(self, command: str, *, root: bool = False, timeout_s: float = 10.0) -> ShellOutput:
        self.done.append(command)
        if command == "ip addr":
            return ShellOutput(IP_ADDR, 0)
        if command == "cat /proc/net/anycast6":
            return ShellOutput(ANYCAST, 0)
        found = re.fullmatch(
            rf"printf '((?:\\[0-7]{{3}}){{20}})' >{FILE} && {{ rm {FILE}; "
            rf"toybox timeout 1 toybox nc -u -w 1 (\S+) 3478; }} <{FILE} \| od -An -v -tx1",
            command,
        )
        assert found, command
        request = bytes(int(octal, 8) for octal in found[1].split("\\")[1:])
        if self.silent > 0 or found[2] != "198.51.100.250":
            self.silent -= 1
            self.clock.sleep(1)
            return ShellOutput("", 1)
        address = struct.unpack(">I", bytes([203, 0, 113, 7]))[0] ^ 0x2112A442
        value = struct.pack(">xBHI", 1, 4000 ^ 0x2112, address)
        answer = struct.pack(">HHI", 0x0101, 12, 0x2112A442) + request[8:20] + struct.pack(">HH", 0x20, 8) + value
        return ShellOutput(answer.hex(" "), 0)


SERVER = StunServer(address=IPv4Address("198.51.100.250"))


def test_public_addresses_come_from_stun_on_the_phones_own_path(phone: Phone):
    stun = Stun()
    asked = Phone(phone.spec, cast(Adb, stun), stun, stun.clock)
    assert asked.probe_public_addresses([SERVER]) == [IPv4Address("203.0.113.7")]


def test_a_lost_probe_is_repeated(phone: Phone):
    stun = Stun()
    stun.silent = 2
    asked = Phone(phone.spec, cast(Adb, stun), stun, stun.clock)
    assert asked.probe_public_addresses([SERVER]) == [IPv4Address("203.0.113.7")]
    assert len({command for command in stun.done if command.startswith("printf")}) == 3


def test_no_answer_from_any_server_voids_the_attempt(phone: Phone):
    stun = Stun()
    asked = Phone(phone.spec, cast(Adb, stun), stun, stun.clock)
    with pytest.raises(AttemptVoid, match=r"no STUN server answered: 192\.0\.2\.250 port 3478") as caught:
        asked.probe_public_addresses([StunServer(address=IPv4Address("192.0.2.250"))])
    assert caught.value.reason == "no_public_address"
    assert asked.probe_public_addresses([]) == []


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
    handset.answers, handset.code = {command: "sh: toybox: inaccessible or not found"}, 127
    with pytest.raises(PhoneTrouble, match="pixel6 cannot send a marker: 'sh: toybox: inaccessible or not found'"):
        phone.send_marker("im-call-lab 00ff begin")


def test_the_version_is_read_from_the_phone(phone: Phone, handset: Handset, whatsapp: App):
    command = "dumpsys package com.whatsapp | grep -F versionName"
    handset.answers = {command: "    versionName=2.25.26.74\n"}
    assert phone.identify(whatsapp) == "2.25.26.74"
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
