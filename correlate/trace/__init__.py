"""A capture file as numpy columns of its UDP datagrams, and the proof that it is whole.

Classic pcap and pcapng, gzip included. What is damaged is read up to where the chain of records breaks, and said.
Only `Trace.read` opens files.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import numpy as np

from correlate.errors import Unreadable
from correlate.trace.containers import read_records
from correlate.trace.datagrams import Datagrams, datagrams
from correlate.trace.links import refusal
from correlate.trace.records import NO_TIME, Column, Damage, Records

__all__ = ["Damage", "Datagrams", "Integrity", "Trace", "verify"]

MTU_BYTES = 1500

Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Trace:
    """One capture file, read once.

    `packets` counts all records, UDP or not; `first_ns` and `last_ns` are the smallest and the largest of their times
    (None where there are none); `data` is the unpacked file, which the offsets in `udp` point into; `raw` is the file
    as it lies on disk; `kernel_dropped` is the sum of the interface statistics (None without any).
    """

    path: Path
    format: str
    link_types: tuple[int, ...]
    packets: int
    data: memoryview
    raw: memoryview
    udp: Datagrams
    damage: tuple[Damage, ...]
    first_ns: int | None
    last_ns: int | None
    kernel_dropped: int | None

    @staticmethod
    def read(path: str | os.PathLike[str]) -> Trace:
        """Reads the capture at `path`. Raises Unreadable for what is no capture and for a link type without a reader.

        Damage never raises: everything before the first break is there, and `damage` says what is wrong.
        """
        contents = read_records(path)
        records = contents.records
        refusals = [why for link_type in records.link_types() if (why := refusal(link_type))]
        if refusals:
            raise Unreadable(path, "; ".join(refusals))
        udp, packet_bytes = datagrams(contents.octets, records)
        found = [*records.damage, *_time_backwards(records), *_above_mtu(udp, packet_bytes)]
        times = records.time_ns[records.time_ns != NO_TIME]
        first_ns, last_ns = (int(times.min()), int(times.max())) if len(times) else (None, None)
        data = contents.octets.data[: contents.size]
        return Trace(
            Path(path), records.format, records.link_types(), len(records.start), data, contents.raw, udp, tuple(found),
            first_ns, last_ns, records.kernel_dropped,
        )  # fmt: skip

    def payload(self, row: int) -> bytes:
        """What was captured of the UDP payload of datagram `row`; empty for later fragments."""
        offset = int(self.udp.payload_offset[row])
        return b"" if offset < 0 else bytes(self.data[offset : offset + int(self.udp.payload_captured[row])])

    @property
    def stops(self) -> bool:
        """Whether the file is damaged so that it does not count as whole (exit 3)."""
        return any(damage.stops for damage in self.damage)


def _time_backwards(records: Records) -> list[Damage]:
    """At most one: the first packet older than the one before it on its interface, and how many more there are."""
    timed = np.flatnonzero(records.time_ns != NO_TIME)
    if len(records.interfaces) > 1:
        timed = timed[np.argsort(records.interface[timed], kind="stable")]
    steps, same = np.diff(records.time_ns[timed]), np.diff(records.interface[timed]) == 0
    wrong = np.flatnonzero((steps < 0) & same)
    if not len(wrong):
        return []
    rows = timed[wrong + 1]
    row, step = int(rows.min()), int(steps[wrong[rows.argmin()]])
    text = f"time runs backwards by {-step / 1e9:.9f} s, {len(wrong)} time{'s' if len(wrong) > 1 else ''} in this file"
    return [Damage("time_backwards", int(records.start[row]), row + 1, text, breaks_chain=False, stops=True)]


def _above_mtu(udp: Datagrams, packet_bytes: Column) -> list[Damage]:
    large = np.flatnonzero(packet_bytes > MTU_BYTES)
    if not len(large):
        return []
    text = f"{len(large)} UDP frames above the MTU of {MTU_BYTES}, the largest packet has {packet_bytes.max()} bytes:"
    text += " the capturing machine joined or had not yet split them, so packet counts are not those of the wire"
    return [Damage("above_mtu", None, int(udp.frame[large[0]]), text, breaks_chain=False, stops=False)]


@dataclass(frozen=True, slots=True)
class Integrity:
    """What `verify` found. `bytes` and `sha256` are of the file as it lies on disk, times in ns since 1970.

    `ok` means that nothing stops: no break, no time running backwards, no missing statistics, no missing packets.
    """

    ok: bool
    packets: int
    bytes: int
    sha256: str
    first_ns: int | None
    last_ns: int | None
    damage: tuple[Damage, ...]
    kernel_dropped: int | None


def verify(capture: str | os.PathLike[str] | Trace, *, expect_packets: int | None = None) -> Integrity:
    """Whether a capture is whole. Takes a path, or a Trace that was read already so that the file is read once.

    `expect_packets` is what the capturing tool counted. Raises Unreadable like `Trace.read`.
    """
    trace = capture if isinstance(capture, Trace) else Trace.read(capture)
    damage = trace.damage
    if expect_packets is not None and expect_packets != trace.packets:
        text = f"{trace.packets} packets are in the file, the capturing tool counted {expect_packets}"
        damage = (*damage, Damage("packets_missing", None, None, text, breaks_chain=False, stops=True))
    ok = not any(one.stops for one in damage)
    sha256 = hashlib.sha256(trace.raw).hexdigest()
    size, first, last = len(trace.raw), trace.first_ns, trace.last_ns
    return Integrity(ok, trace.packets, size, sha256, first, last, damage, trace.kernel_dropped)
