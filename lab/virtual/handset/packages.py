"""The packages of a phone: what is installed, which have a process, and which cannot be reached."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from lab.definitions.virtual_app import VirtualApp
from lab.virtual.handset.audio import ANDROID, TELECOM

_FIRST_UID, _SYSTEM_UID, _OTHER_UID = 10_240, 1_000, 10_150
_FIRST_PID, _SYSTEM_PID = 11_000, 1_603


@dataclass
class Packages:
    """The packages of a phone: the apps `installed`, by name; which have a process; which were force-stopped.

    What outlives an attempt: packages that are `logged_out`, those that nothing reaches (`unreached`), the versions of
    those that were `updated`, and that a phone which nobody unlocked since it started runs none (`sealed`).
    """

    installed: Mapping[str, VirtualApp]
    started: set[str] = field(default_factory=set)
    stopped: set[str] = field(default_factory=set)
    kills: Counter[str] = field(default_factory=Counter)
    logged_out: set[str] = field(default_factory=set)
    unreached: set[str] = field(default_factory=set)
    sealed: bool = False
    updated: dict[str, str] = field(default_factory=dict)

    def begin(self) -> None:
        """No app has a process, and each can be reached."""
        self.started, self.stopped = set(), set()
        self.kills.clear()

    def reachable(self, app: VirtualApp) -> bool:
        """Whether a call in `app` can ring here."""
        kept = self.stopped | self.logged_out | self.unreached
        return not self.sealed and app.name in self.installed and app.package not in kept

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
