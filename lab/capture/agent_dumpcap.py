"""dumpcap, or tcpdump where there is none, run by the agent on the hotspot laptop."""

from __future__ import annotations

import contextlib
from pathlib import Path

from lab.capture.protocol import BACKSTOP_S, Counters, last_counters
from lab.errors import AttemptVoid, LabError
from lab.laptop.agent_client import AgentLaptop
from lab.laptop.lease import Lease


class AgentDumpcap:
    """dumpcap, or tcpdump where there is none, on an interface of the agent's laptop: what one client exchanges."""

    def __init__(self, laptop: AgentLaptop, interface: str, lease: Lease, snaplen_bytes: int, name: str) -> None:
        self._laptop, self.interface, self._snaplen_bytes = laptop, interface, snaplen_bytes
        self.lease: Lease | None = lease
        self._mac = lease.mac
        self.tool = laptop.tool()
        self.suffix = "pcapng" if self.tool == "dumpcap" else "pcap"
        self._name = f"{name}.{self.suffix}"

    def start(self) -> None:
        started = self._laptop.ask(
            "start",
            name=self._name,
            interface=self.interface,
            snaplen_bytes=self._snaplen_bytes,
            duration_s=BACKSTOP_S,
            mac=self._mac,
        )
        if not started["live"]:
            raise AttemptVoid("capture_not_ready", f"{self.tool} is not live: {started['said'][:300]}")

    def size_bytes(self) -> int:
        return int(self._laptop.ask("size", name=self._name))

    def holds(self, text: str) -> bool:
        return bool(self._laptop.ask("holds", name=self._name, text=text))

    def stop(self) -> Counters:
        ended = self._laptop.ask("stop", name=self._name)
        said = str(ended["said"])
        counters = last_counters(said)
        if counters is None or ended["code"] != 0 or not ended["ran_on"]:
            text = f"{self.tool} ended by itself or left no counters (exit {ended['code']})"
            raise AttemptVoid("capture_died", f"{text}: {said[-300:]}")
        # dumpcap's second number is what libpcap received, its own drops are not in it.
        equal = self.tool == "dumpcap" or counters.captured == counters.received
        if not (equal or ended["caught_up"]) or counters.dropped:
            raise AttemptVoid("capture_lost_packets", f"{self.tool}: {said[-200:].strip()}")
        return counters

    def fetch(self, target: Path) -> str:
        sha256 = self._laptop.fetch_checked(self._name, target)
        self._laptop.ask("remove", name=self._name)
        return sha256

    def discard(self) -> None:
        with contextlib.suppress(LabError):
            self._laptop.ask("remove", name=self._name)
