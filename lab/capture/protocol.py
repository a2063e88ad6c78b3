"""Captures that are proven: start, ready, marker, stop, verified file.

How tools lose the end of a call when they are stopped carelessly, and why they are run as they are:
`docs/decisions/0003-capture.md`.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lab.laptop.lease import Lease

READY_S = 10.0


EXIT_S = 10.0


DRAIN_S = 1.6
"""How long a capture runs on behind the last marker: tcpdump and dumpcap hold back up to 1.2 s (measured)."""


BACKSTOP_S = 7200
"""A capture that nobody is left to stop ends by itself after this; no trial is as long."""


@dataclass(frozen=True)
class Counters:
    """What the tool says it did. `received` is what the kernel's filter passed to it."""

    captured: int
    received: int
    dropped: int


# tcpdump prints them over several lines at the end, in one line in answer to SIGUSR1.
_TCPDUMP = re.compile(
    r"(\d+) packets? captured,?\s+(\d+) packets? received by filter,?\s+(\d+) packets? dropped by kernel"
)


_DUMPCAP = re.compile(
    r"Packets captured: (\d+)\s+Packets received/dropped on interface '[^'\n]*': (\d+)/(\d+)", re.MULTILINE
)


def last_counters(said: str) -> Counters | None:
    """The last counters that tcpdump or dumpcap printed; None where they left none."""
    found = _TCPDUMP.findall(said) or _DUMPCAP.findall(said)
    return Counters(*(int(number) for number in found[-1])) if found else None


def search_command(text: str, file: str) -> str:
    """The shell line that ends with 0 where a capture holds `text`.

    Its lines end with NUL: toybox' grep (0.8.9, measured) finds nothing in a line that begins with one, as what follows
    a newline in a capture often does.
    """
    return f"grep -F -q -a -z {shlex.quote(text)} {file}"


class Capture(Protocol):
    """One running capture. `size_bytes` and `holds` look at the growing file and take no bench time by themselves.

    `lease` is the client of the hotspot to which it is restricted; None for one that is not on the hotspot.
    """

    tool: str
    interface: str
    suffix: str
    lease: Lease | None

    def start(self) -> None:
        """Start the tool and wait until it says that it captures. Raises `AttemptVoid("capture_not_ready")`."""

    def size_bytes(self) -> int: ...

    def holds(self, text: str) -> bool:
        """Whether the growing file holds `text`."""

    def stop(self) -> Counters:
        """Stop the tool, await its exit and read its counters. Raises `AttemptVoid("capture_lost_packets")`."""

    def fetch(self, target: Path) -> str:
        """Copy the file, prove the copy, remove the original; returns the SHA-256."""

    def discard(self) -> None:
        """Stop the tool if it runs and remove its file; for every way out, never raises a `LabError`."""
