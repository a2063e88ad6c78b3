"""Faults that a test asks for: the next so many uses of something fail."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

KINDS = (
    *("tcpdump", "shell", "dumpcap", "clock", "stamps", "neighbours", "pcapdroid", "vpn", "agent"),
    *("su", "monkey", "package", "tap", "battery", "capture", "file", "pull"),
)
ELSEWHERE = ("drop_stun", "move", "elsewhere", "visit", "lost_tap", "visitor")
"""Those that the network and `lab.virtual.visits` keep."""


class Captured(Protocol):
    """What faults do to a capture that runs."""

    started_ns: int
    sees_from_ns: int

    def miss(self, frames: int) -> None:
        """Have the kernel drop the next frames."""


@dataclass
class Faults:
    """Faults that wait for their occasion. They outlive `begin`, so that a test can ask before a trial starts."""

    waiting: list[dict[str, Any]] = field(default_factory=list)
    held: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    """Those that strike at each use, by what and on which machine, until they are let go."""
    reached: Callable[[str], None] = lambda step: None
    """Told where something comes to a step that an exchange does not see (`lab.virtual.rehearsal`)."""

    captures: dict[str, list["Captured"]] = field(default_factory=dict)
    """Those that run, by machine."""

    def begin_capture(self, on: str, capture: "Captured") -> None:
        """A tool captures on a machine from now on: late, or with frames that are dropped, where that was asked for."""
        self.captures.setdefault(on, []).append(capture)
        if (fault := self.take("capture", on, "late")) is not None:
            capture.sees_from_ns = capture.started_ns + int(fault["late_ns"])
        if (fault := self.take("capture", on, "drops")) is not None:
            capture.miss(int(fault["frames"]))

    def end_capture(self, on: str, capture: "Captured") -> None:
        if capture in self.captures.get(on, []):
            self.captures[on].remove(capture)

    def add(self, what: str, on: str, times: int, **details: Any) -> None:
        """Let the next `times` uses of `what` on a machine fail. Raises ValueError for a kind that is not known."""
        if what not in KINDS:
            raise ValueError(f"no fault {what!r}; there is {', '.join((*KINDS, *ELSEWHERE))}")
        self.waiting.append({"what": what, "on": on, "times": times, **details})

    def take(self, what: str, on: str, text: str = "") -> dict[str, Any] | None:
        """The fault that strikes now, used up once; `text` must hold its `contains`, if it has one."""
        for fault in self.waiting:
            if (fault["what"], fault["on"]) == (what, on) and str(fault.get("contains", "")) in text:
                fault["times"] -= 1
                if fault["times"] <= 0:
                    self.waiting.remove(fault)
                return fault
        return self.held.get((what, on))
