"""dumpcap on the hotspot laptop, whichever kind of laptop that is."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lab.capture.protocol import BACKSTOP_S, Counters, Request, last_counters, require_all
from lab.errors import AttemptVoid, LabError
from lab.laptop.lease import Lease, find_lease
from lab.laptop.protocol import Laptop


@dataclass(frozen=True)
class Tool:
    """A program that captures on a laptop: its argv for an interface, a filter of libpcap and a snapshot length.

    `exact`: the packets it counts as received are those that it counts as captured, however it was stopped.
    """

    name: str
    suffix: str
    argv: Callable[[str, str, int], list[str]]
    exact: bool


def _argv(interface: str, filter_: str, snaplen_bytes: int) -> list[str]:
    # -f behind -i: a filter is that of the interface before it.
    argv = ["dumpcap", "-q", "-i", interface, "-f", filter_, "-s", str(snaplen_bytes)]
    return [*argv, "-a", f"duration:{BACKSTOP_S}"]


DUMPCAP = Tool("dumpcap", "pcapng", _argv, exact=True)


class LaptopCapture:
    """A capture by the hotspot laptop, on the hotspot's interface: what one client of it sends and receives."""

    def __init__(self, laptop: Laptop, tool: Tool, interface: str, lease: Lease, snaplen_bytes: int, name: str) -> None:
        self._laptop, self._tool, self._name = laptop, tool, f"{name}.{tool.suffix}"
        self._argv = tool.argv(interface, lease.filter, snaplen_bytes)
        self.tool, self.suffix, self.interface = tool.name, tool.suffix, interface
        self.lease: Lease | None = lease

    def start(self) -> None:
        self._laptop.start(self._name, self._argv)

    def size_bytes(self) -> int:
        return self._laptop.size_bytes(self._name)

    def holds(self, text: str) -> bool:
        return self._laptop.holds(self._name, text)

    def stop(self) -> Counters:
        ended = self._laptop.stop(self._name)
        counters = last_counters(ended.said)
        if counters is None or ended.code != 0 or not ended.ran_on:
            text = f"{self.tool} ended by itself or left no counters (exit {ended.code})"
            raise AttemptVoid("capture_died", f"{text}: {ended.said[-300:]}")
        return require_all(counters, self.tool, ended.said, caught_up=self._tool.exact or ended.caught_up)

    def fetch(self, target: Path) -> str:
        sha256 = self._laptop.fetch(self._name, target)
        self._laptop.remove(self._name)
        return sha256

    def discard(self) -> None:
        with contextlib.suppress(LabError):
            self._laptop.remove(self._name)


def new_capture(request: Request, tool: Tool = DUMPCAP) -> LaptopCapture:
    """A capture by the MAC of the phone's lease. Raises what `lab.laptop.lease.find_lease` does."""
    phone, laptop = request.phone, request.laptop
    hotspot = laptop.hotspot(request.hotspot_address)
    lease = find_lease(phone.spec.name, phone.interface_addresses(), hotspot, laptop)
    return LaptopCapture(laptop, tool, hotspot.interface, lease, request.snaplen_bytes, request.name)
