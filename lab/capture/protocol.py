"""Captures that are proven: start, ready, marker, stop, verified file.

How tools lose the end of a call when they are stopped carelessly, and why they are run as they are:
`docs/decisions/0003-capture.md`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Protocol

from lab.errors import AttemptVoid
from lab.laptop.lease import Lease
from lab.laptop.protocol import Laptop
from lab.phone.phone import Phone

READY_S, EXIT_S = 10.0, 10.0
"""How long a tool on a phone may take until it captures, and until it has ended."""

DRAIN_S = 1.6
"""How long a capture runs on behind the last marker: tcpdump and dumpcap hold back up to 1.2 s (measured)."""


BACKSTOP_S = 7200
"""A capture that nobody is left to stop ends by itself after this; no trial is as long."""

# tcpdump prints them over several lines at the end, in one line in answer to SIGUSR1.
_TCPDUMP = re.compile(
    r"(\d+) packets? captured,?\s+(\d+) packets? received by filter,?\s+(\d+) packets? dropped by kernel"
)
_DUMPCAP = re.compile(
    r"Packets captured: (\d+)\s+Packets received/dropped on interface '[^'\n]*': (\d+)/(\d+)", re.MULTILINE
)


@dataclass(frozen=True)
class Counters:
    """What the tool says it did. `received` is what the kernel's filter passed to it."""

    captured: int
    received: int
    dropped: int


def all_counters(said: str) -> list[Counters]:
    """What tcpdump or dumpcap counted, each time that it printed it."""
    found = _TCPDUMP.findall(said) or _DUMPCAP.findall(said)
    return [Counters(*map(int, numbers)) for numbers in found]


def last_counters(said: str) -> Counters | None:
    """The last counters that tcpdump or dumpcap printed; None where they left none."""
    return next(reversed(all_counters(said)), None)


def require_all(counters: Counters, who: str, said: str, *, caught_up: bool) -> Counters:
    """`counters`, with which a tool ended; `said` are its words, `who` it is in the error's.

    Raises `AttemptVoid("capture_lost_packets")` where packets were dropped, or are missing that the filter passed:
    unless the tool had caught up with these before it was stopped.
    """
    if counters.dropped or not (caught_up or counters.captured == counters.received):
        raise AttemptVoid("capture_lost_packets", f"{who}: {said[-200:].strip()}")
    return counters


@dataclass(frozen=True)
class Request:
    """What is to be captured: what `phone` sends and receives, or of it what the app `package` does alone.

    `name` is that of the file, without its suffix. The laptop, and the address by which its hotspot is found, are for
    those that capture there.
    """

    phone: Phone
    package: str
    name: str
    snaplen_bytes: int
    laptop: Laptop
    hotspot_address: IPv4Address


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
