"""Whose audio mode it is: what AudioService decides where several packages ask for one.

Read in AOSP (AudioService.getAudioModeOwnerHandler, onUpdateAudioMode): of those who ask, the latest privileged one
has the mode, else the latest that is active. The history has changes of the actual mode only.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from lab.virtual.handset.history import History

AudioMode = Literal["MODE_NORMAL", "MODE_RINGTONE", "MODE_IN_CALL", "MODE_IN_COMMUNICATION"]

ANDROID = "android"
TELECOM = "com.android.server.telecom"
"""It runs in the process of the system's server, and is privileged."""


@dataclass
class Owner:
    """A package that asks for a mode; one that was found to be neither playing nor recording is not `active`."""

    package: str
    pid: int
    mode: AudioMode
    active: bool = True

    @property
    def privileged(self) -> bool:
        return self.package == TELECOM


class Audio:
    """The mode of one phone. `pid` gives the process of a package."""

    def __init__(self, history: History, pid: Callable[[str], int]) -> None:
        self._history, self._pid = history, pid
        self.begin()

    def begin(self) -> None:
        """Nobody asks for a mode."""
        self.stack: list[Owner] = []
        self.mode: AudioMode = "MODE_NORMAL"

    @property
    def owner(self) -> Owner | None:
        """Who has the mode now."""
        ready = [one for one in self.stack if one.privileged] or [one for one in self.stack if one.active]
        return ready[-1] if ready else None

    def request(self, package: str, mode: AudioMode) -> None:
        """A package asks for a mode, or with MODE_NORMAL for none any more."""
        pid = self._pid(package)
        self.stack = [one for one in self.stack if one.package != package]
        if mode != "MODE_NORMAL":
            self.stack.append(Owner(package, pid, mode))
        self._update(package, pid)

    def check(self, package: str, *, active: bool) -> None:
        """Android has found that a package plays or records, or that it does neither."""
        for one in self.stack:
            if one.package == package:
                one.active = active
                self._update(ANDROID, self._pid(ANDROID))

    def died(self, package: str) -> None:
        """The process of a package is gone, and what it asked for."""
        if any(one.package == package for one in self.stack):
            self.stack = [one for one in self.stack if one.package != package]
            self._update(ANDROID, self._pid(ANDROID))

    def _update(self, package: str, pid: int) -> None:
        owner = self.owner
        mode: AudioMode = owner.mode if owner is not None else "MODE_NORMAL"
        if mode != self.mode:
            self.mode = mode
            self._history.mode(mode, package, pid, owner.pid if owner is not None else 0)
