"""What the lab needs of a laptop, however it is driven: `lab.laptop.bash`, `lab.laptop.agent_client`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Protocol

from lab.clocks.capture_clocks import Burst
from lab.programs.shell import ShellOutput


@dataclass(frozen=True)
class Hotspot:
    """A laptop's hotspot: its interface as the capturing tool names it, and the address that this interface holds."""

    interface: str
    address: IPv4Address


@dataclass(frozen=True)
class Ended:
    """How a capturing program ended that was stopped: its exit code and all that it said.

    `ran_on`: it ran until it was stopped; `caught_up`: before that, by its own word, it had written all it was given.
    """

    ran_on: bool
    caught_up: bool
    code: int
    said: str


class Laptop(Protocol):
    """The laptop whose hotspot a phone may use. Each method raises `LaptopTrouble` where it does not answer or fails.

    A capture is a program that writes one file, known by the file's name; the laptop alone says where that lies.
    """

    def check_health(self) -> None:
        """Have it answer."""

    def prepare(self) -> object:
        """End what an earlier run left and make ready for an attempt; may be done again at any time."""

    def room_kib(self) -> int | None:
        """How many KiB are free where captures are written; None where nobody there can tell."""

    def hotspot(self, address: IPv4Address) -> Hotspot:
        """The hotspot that holds this address."""

    def neighbours(self, hotspot: Hotspot) -> Mapping[IPv4Address, str]:
        """The MAC of each address that others hold on the hotspot, by its neighbour table."""

    def ask_for(self, address: IPv4Address) -> None:
        """Have it ask its networks once who holds an address, so that it comes into the table if somebody does."""

    def coalescing(self, interface: str) -> list[str] | None:
        """What joins packets on an interface before a capture sees them; None where nobody there can tell."""

    def read_clock_ns(self) -> int:
        """Its system clock, in nanoseconds since the epoch."""

    def stamp(self, source: IPv4Address, address: IPv4Address, text: str) -> Burst | None:
        """Have it send a burst from its address `source` to a phone of its hotspot, for a capture to stamp; what it
        sent. None where it sends none: then its captures are stamped by its system clock."""

    def tool(self) -> str:
        """The program that captures there: `dumpcap` or `tcpdump`."""

    def version(self) -> ShellOutput:
        """What that program says of its version."""

    def start(self, name: str, argv: Sequence[str]) -> None:
        """Start a program that captures into the file `name`, and wait until it says that it does.

        `argv` names neither the program's path nor the file. Raises `AttemptVoid("capture_not_ready")`.
        """

    def size_bytes(self, name: str) -> int:
        """The size of a growing file; 0 for one that is not there."""

    def holds(self, name: str, text: str) -> bool:
        """Whether a growing file holds `text`."""

    def stop(self, name: str) -> Ended:
        """Stop the program by Ctrl-C's like and await its end."""

    def fetch(self, name: str, target: Path) -> str:
        """Copy a file and prove the copy; returns its SHA-256 in hex."""

    def remove(self, name: str) -> None:
        """Remove a file; a program that still writes it is ended first."""

    def close(self) -> None:
        """End the session with the laptop."""
