"""A fake phone: its screen, its shell and its clock, for the tests of what drives it."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from uiautomator2.exceptions import UiObjectNotFoundError

from lab.programs.shell import ShellOutput

FILE = "/data/local/tmp/im-call-lab.datagram"
START_NS = 1_000_000_000_000
QUERY = {"resourceId": "id", "text": "text", "description": "desc", "className": "cls", "packageName": "package"}
MATCHES = {"textMatches": "text", "descriptionMatches": "desc", "packageNameMatches": "package"}
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


class VirtualTime:
    """Bench time that moves only by sleeping, and what happens by itself meanwhile."""

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
            elif not re.fullmatch(value, getattr(self, MATCHES[key])):
                return False
        return True


def subtitle(text: str) -> Seen:
    return Seen(id="com.whatsapp:id/subtitle", text=text)


def posted(package: str) -> str:
    """A call's notification, as `dumpsys notification` lists it."""
    return (
        f"    NotificationRecord(0x1: pkg={package} user=UserHandle{{0}} id=23 tag=null importance=4 "
        f"key=0|{package}|23|null|10234: Notification(channel=calls shortcut=null contentView=null vibrate=null "
        "sound=null defaults=0x0 flags=0x62 color=0x00000000 category=call actions=2 vis=PRIVATE))\n"
    )


@dataclass
class Handset:
    """A fake phone: what is on its screen, what it answers; it refuses everything else."""

    name: str = "pixel6"
    clock: VirtualTime = field(default_factory=VirtualTime)
    screen: list[Seen] = field(default_factory=list)
    audio: str = "MODE_NORMAL"
    answers: dict[str, str] = field(default_factory=dict)
    code: int = 0
    done: list[str] = field(default_factory=list)
    started: Callable[[str], None] | None = None
    broken: Exception | None = None
    waiting: Callable[[float], object] | None = None
    calling: list[str] = field(default_factory=list)
    """The packages that notify of a call."""
    sim: int = 0
    focus: str = "NotificationShade"
    hierarchy: str = ""

    def run(
        self, command: str, *, root: bool = False, timeout_s: float = 10.0, label: str | None = None
    ) -> ShellOutput:
        self.done.append(command)
        if command.startswith("dumpsys audio"):
            return ShellOutput(f"- Actual mode = {self.audio}\n  history: - Actual mode = MODE_IN_CALL\n", 0)
        if command in self.answers:
            return ShellOutput(self.answers[command], self.code)
        if "dumpsys notification" in command or "dumpsys -t 3 notification" in command:
            self.done.pop()
            heading = "Current Notification Manager state:\n  Notification List:\n"
            return ShellOutput(heading + "".join(map(posted, self.calling)), 0)
        if "telephony.registry" in command:
            self.done.pop()
            return ShellOutput(f"  Phone Id=0\n    mCallState={self.sim}\n", 0)
        if command == "dumpsys window | grep -F mCurrentFocus":
            self.done.pop()
            return ShellOutput(f"  mCurrentFocus=Window{{3f2a1b0 u0 {self.focus}}}\n", 0)
        if command.startswith(("am start", "monkey")) and self.started is not None:
            self.started(command)
            return ShellOutput("Starting\n", 0)
        raise AssertionError(f"the fake phone does not know {command!r}")

    def __post_init__(self) -> None:
        self.jsonrpc = SimpleNamespace(dumpWindowHierarchy=lambda compressed, depth: self.hierarchy)

    def __call__(self, *, instance: int = 0, **query: str) -> Any:
        if self.broken is not None:
            raise self.broken
        found = next(iter([one for one in self.screen if one.fits(query)][instance:]), None)
        if found is None:
            return Missing(exists=False)
        return SimpleNamespace(exists=True, wait_gone=self.waiting, info=self._info(found))

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

    def screen_on(self) -> None:
        self.done.append("screen on")

    def open_notification(self) -> None:
        self.done.append("open shade")


class Missing(SimpleNamespace):
    @property
    def info(self) -> object:
        raise UiObjectNotFoundError("nothing")


class Stun(Handset):
    """Answers `ip addr` and the probe of 198.51.100.250 as a STUN server would; others are silent."""

    silent = 0

    def run(
        self, command: str, *, root: bool = False, timeout_s: float = 10.0, label: str | None = None
    ) -> ShellOutput:
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
