"""The packages of a phone: what is installed, which have a process, and which cannot be reached."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from lab.definitions.virtual_app import VirtualApp, VirtualScreen
from lab.virtual.handset.audio import ANDROID, TELECOM

AT_ONCE, IN_CHATS = ("logged_out", "banned", "update_required"), ("blocked", "message_request")
"""What an app says instead of all that it has, and what it says in a chat; all else it says where a call is placed."""
STILL_RINGS = ("rate_limited",)

_FIRST_UID, _SYSTEM_UID, _OTHER_UID = 10_240, 1_000, 10_150
_FIRST_PID, _SYSTEM_PID = 11_000, 1_603


@dataclass
class Packages:
    """The packages of a phone: the apps `installed`, by name; which have a process; which were force-stopped.

    What outlives an attempt: why packages are `refusing`, those that nothing reaches (`unreached`), the versions of
    those that were `updated`, and that a phone which nobody unlocked since it started runs none (`sealed`).
    """

    installed: Mapping[str, VirtualApp]
    started: set[str] = field(default_factory=set)
    stopped: set[str] = field(default_factory=set)
    kills: Counter[str] = field(default_factory=Counter)
    refusing: dict[str, str] = field(default_factory=dict)
    unreached: set[str] = field(default_factory=set)
    sealed: bool = False
    updated: dict[str, str] = field(default_factory=dict)

    def begin(self) -> None:
        """No app has a process, and each can be reached."""
        self.started, self.stopped = set(), set()
        self.kills.clear()

    def reachable(self, app: VirtualApp) -> bool:
        """Whether a call in `app` can ring here."""
        refuses = self.refusing.get(app.package) not in (None, *STILL_RINGS)
        kept = self.stopped | self.unreached
        return not self.sealed and app.name in self.installed and app.package not in kept and not refuses

    def refusal(self, app: VirtualApp, *, in_chat: bool, placed: bool) -> VirtualScreen | None:
        """The screen of an app that will not call, where it shows it: at once, in a chat, or where a call is placed."""
        reason = self.refusing.get(app.package, "")
        shown = reason in AT_ONCE or (reason in IN_CHATS and in_chat) or placed
        return app.refuses(reason) if shown else None

    def version(self, app: VirtualApp) -> str:
        """The version that is installed now."""
        return self.updated.get(app.package, app.version)

    def uid(self, package: str) -> int:
        """The uid of an emulated app, of the system, or of whatever else is installed."""
        if package in (ANDROID, TELECOM):
            return _SYSTEM_UID
        index = self._index(package)
        return _OTHER_UID if index is None else _FIRST_UID + index

    def pid(self, package: str) -> int:
        """The process of a package: another one after each time that it was killed."""
        if package in (ANDROID, TELECOM):
            return _SYSTEM_PID
        index = self._index(package)
        return _FIRST_PID + 37 * (len(self.installed) if index is None else index) + 1_000 * self.kills[package]

    def _index(self, package: str) -> int | None:
        return next((index for index, app in enumerate(self.installed.values()) if app.package == package), None)
