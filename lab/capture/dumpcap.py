"""dumpcap on the hotspot laptop, whichever kind of laptop that is."""

import contextlib
from pathlib import Path

from lab.capture.counters import Counters, last_counters, require_all
from lab.capture.protocol import BACKSTOP_S, SLOT_BYTES, Request
from lab.errors import AttemptVoid, LabError
from lab.laptop.agent.tools import argv
from lab.laptop.lease import Lease, find_lease
from lab.laptop.protocol import Laptop

SUFFIXES = {"dumpcap": "pcapng", "tcpdump": "pcap"}


class LaptopCapture:
    """A capture by the hotspot laptop, on the hotspot's interface: what one client of it sends and receives."""

    def __init__(self, laptop: Laptop, tool: str, interface: str, lease: Lease, snaplen_bytes: int, name: str) -> None:
        self._laptop, self.tool, self.suffix, self.interface = laptop, tool, SUFFIXES[tool], interface
        self.lease: Lease | None = lease
        asked_bytes = snaplen_bytes + (SLOT_BYTES if tool == "tcpdump" else 0)
        given = {"filter": lease.filter, "snaplen_bytes": asked_bytes, "seconds": BACKSTOP_S}
        self._name, self._argv = f"{name}.{self.suffix}", argv(tool, interface=interface, **given)

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
        # dumpcap's second number is what libpcap received, its own drops are not in it.
        caught_up = self.tool == "dumpcap" or ended.caught_up
        return require_all(counters, self.tool, ended.said, caught_up=caught_up)

    def fetch(self, target: Path) -> str:
        sha256 = self._laptop.fetch(self._name, target)
        self._laptop.remove(self._name)
        return sha256

    def discard(self) -> None:
        with contextlib.suppress(LabError):
            self._laptop.remove(self._name)


def new_capture(request: Request, tool: str = "dumpcap") -> LaptopCapture:
    """A capture by the MAC of the phone's lease. Raises what `lab.laptop.lease.find_lease` does."""
    phone, laptop = request.phone, request.laptop
    hotspot = laptop.hotspot(request.hotspot_address)
    lease = find_lease(phone.spec.name, phone.interface_addresses(), hotspot, laptop)
    return LaptopCapture(laptop, tool, hotspot.interface, lease, request.snaplen_bytes, request.name)
