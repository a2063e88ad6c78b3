"""What the apps of a phone sent and received, by kind of network, as Android's NetworkStatsService counts it.

The service reads the kernel's counters when it polls: bytes that came after the last poll are in no dump.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["cellular", "wifi"]
BUCKET_S = 7200
"""How long one bucket of an app's history is (AOSP's default of `netstats_uid_bucket_duration`)."""
HEADER_BYTES = 28
OTHERS = "other apps"
"""Whose bytes are those of no app that calls: the background's."""


@dataclass(frozen=True, order=True)
class Place:
    """Whose bytes, over which kind of network, in the bucket that began at `start_s`."""

    kind: Kind
    app: str
    start_s: int


@dataclass
class Bytes:
    """Bytes and packets both ways."""

    received: int = 0
    received_packets: int = 0
    sent: int = 0
    sent_packets: int = 0


@dataclass
class Usage:
    """The counters of one phone in one attempt."""

    counted: dict[Place, Bytes] = field(default_factory=lambda: defaultdict(Bytes))
    polled: Mapping[Place, Bytes] = field(default_factory=dict)

    def add(self, kind: Kind, app: str, now_ns: int, *, outgoing: bool, packets: int, payload_bytes: int) -> None:
        """Some datagrams of an app passed."""
        start_s = now_ns // 1_000_000_000 // BUCKET_S * BUCKET_S
        total = self.counted[Place(kind, app, start_s)]
        size = payload_bytes + HEADER_BYTES * packets
        if outgoing:
            total.sent, total.sent_packets = total.sent + size, total.sent_packets + packets
        else:
            total.received, total.received_packets = total.received + size, total.received_packets + packets

    def poll(self) -> None:
        """Read the counters: a dump shows them as they are now."""
        self.polled = {place: Bytes(**vars(total)) for place, total in sorted(self.counted.items())}
