"""Captures that are proven: start, ready, marker, stop, verified file.

How tools lose the end of a call when they are stopped carelessly, and why they are run as they are:
`docs/decisions/0003-capture.md`.
"""

from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Protocol

from lab.capture.counters import Counters
from lab.laptop.lease import Lease
from lab.laptop.protocol import Laptop
from lab.phone.phone import Phone

READY_S, EXIT_S = 10.0, 10.0
"""How long a tool on a phone may take until it captures, and until it has ended."""

DRAIN_S = 1.6
"""How long a capture runs on behind the last marker: tcpdump and dumpcap hold back up to 1.2 s (measured)."""

BACKSTOP_S = 7200
"""A capture that nobody is left to stop ends by itself after this; no trial is as long."""


SLOT_BYTES = 16
"""How much more than is wanted of each frame tcpdump is asked for: in immediate mode it keeps up to 16 bytes less.

libpcap 1.10 sizes the slots of its ring (TPACKET_V2) for a link header of 256 bytes; the kernel puts a frame with a
shorter one further back in its slot, by 16 bytes where there is none (tests/integrity/test_slots.py).
"""


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
