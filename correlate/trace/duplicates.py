"""Datagrams that a capture holds twice: one packet, shown on two interfaces or by two drivers.

Two frames are one packet where they have the same bytes from the IP header on, as far as both were captured, but for
what changes on the way through a machine: TTL or hop limit, and the checksums (RFC 1812 5.2.1 and 5.3.1, RFC 8200 3).
What was sent again has another identification in IPv4, and comes later than within WITHIN_NS.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from correlate.trace.addresses import Address, fold
from correlate.trace.datagrams import Datagrams
from correlate.trace.headers import IPV4_BYTES, IPV6_BYTES, UDP_BYTES
from correlate.trace.records import NO_TIME, Column, Mask

if TYPE_CHECKING:
    from correlate.trace import Trace

WITHIN_NS = 2_000_000
FLAGGED_PERCENT = 1
ADVICE = "capture on one interface, not `any`; on Windows let no other capture driver run beside Npcap"
MOST_OPTIONS_BYTES = {4: 40, 6: 256}
"""What may stand between the IP header and UDP: options (RFC 791 3.1), extension headers of a usual size."""
LOOKED_BACK = 8
"""With so many of the datagrams before it a datagram is compared, of those that begin alike within WITHIN_NS."""
MOST_HELD = 64
_FACTORS = tuple(np.uint64(odd) for odd in (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9))


@dataclass(frozen=True, slots=True)
class Repeats:
    """Of the datagrams to one address that a phone sent, and of those that it received, how many are there and how many
    of these are one that is there already, the first of them in `frame`. Discovery, which apps send twice on purpose,
    goes to groups."""

    sent: int
    sent_twice: int
    received: int
    received_twice: int
    frame: int | None

    @property
    def found(self) -> bool:
        """Whether there are any."""
        return bool(self.sent_twice or self.received_twice)

    @property
    def flagged(self) -> bool:
        """Whether they are FLAGGED_PERCENT of one direction or more: then volumes are not those of the wire."""
        ways = (self.sent_twice, self.sent), (self.received_twice, self.received)
        return any(twice and 100 * twice >= FLAGGED_PERCENT * of for twice, of in ways)

    @property
    def left_out(self) -> int:
        """How many of them are left out of amounts."""
        return self.sent_twice + self.received_twice if self.flagged else 0

    def __str__(self) -> str:
        sent, received = f"{self.sent_twice} of {self.sent}", f"{self.received_twice} of {self.received}"
        text = f"{sent} datagrams that the phone sent and {received} that it received are there a second time"
        return text if self.frame is None else f"{text}, the first in frame {self.frame}"


def sent_by(udp: Datagrams, own: Collection[Address]) -> Mask:
    """The rows that one of these addresses sends; zones are left out."""
    known = {fold(type(each)(int(each))) for each in own}
    mine = np.array([fold(each) in known for each in udp.addresses], np.bool_)
    return np.asarray(mine[udp.src] & ~mine[udp.dst])


def repeats(udp: Datagrams, repeated: Mask, sent: Mask) -> Repeats:
    """How many of these rows are `repeated`, by direction."""
    counted = ((udp.payload_offset >= 0) | (udp.payload_bytes > 0)) & _to_one(udp)
    frames = udp.frame[repeated]
    return Repeats(
        sent=int(np.count_nonzero(counted & sent)),
        sent_twice=int(np.count_nonzero(sent & repeated)),
        received=int(np.count_nonzero(counted & ~sent)),
        received_twice=int(np.count_nonzero(~sent & repeated)),
        frame=int(frames[0]) if len(frames) else None,
    )


def repeated(trace: Trace) -> Mask:
    """The rows of `trace.udp` that are a packet which an earlier row is.

    Rows without a time, without payload, to a group, and later fragments are never among them.
    """
    udp = trace.udp
    found = np.zeros(len(udp), np.bool_)
    rows = np.flatnonzero((udp.payload_offset >= 0) & (udp.time_ns != NO_TIME) & _to_one(udp))
    key = _begins(udp, rows)
    order = np.argsort(key, kind="stable")
    rows, key = rows[order], key[order]
    near = (key[1:] == key[:-1]) & (np.abs(np.diff(udp.time_ns[rows])) <= WITHIN_NS)
    packets, last = dict[int, tuple[bytes, bytes]](), -1
    for at in np.flatnonzero(near).tolist():
        if at != last + 1 or len(packets) > MOST_HELD:
            packets.clear()
        last = at
        candidate = int(rows[at + 1])
        for row in _before(rows, near, at):
            for each in (row, candidate):
                packets.setdefault(each, _packet(trace, each))
            if abs(int(udp.time_ns[row] - udp.time_ns[candidate])) <= WITHIN_NS and _same(
                packets[row], packets[candidate]
            ):
                found[candidate] = True
                break
    return found


def _to_one(udp: Datagrams) -> Mask:
    one = np.array([not (each.is_multicast or int(each) == 0xFFFFFFFF) for each in udp.addresses], np.bool_)
    return np.asarray(one[udp.dst])


def _begins(udp: Datagrams, rows: Column) -> Column:
    """A number that is the same for datagrams with the same ends, lengths and first payload bytes."""
    head = udp.head[rows].view(np.uint64)
    ends = udp.src[rows].astype(np.uint64) << np.uint64(32) | udp.dst[rows].astype(np.uint64)
    ports = udp.src_port[rows].astype(np.uint64) << np.uint64(16) | udp.dst_port[rows].astype(np.uint64)
    mixed = ends * _FACTORS[0] + (ports << np.uint64(32) | udp.payload_bytes[rows].astype(np.uint64))
    for column in (head[:, 0], head[:, 1]):
        mixed = (mixed ^ mixed >> np.uint64(29)) * _FACTORS[1] + column * _FACTORS[2]
    return mixed.view(np.int64)


def _before(rows: Column, near: Mask, at: int) -> Iterator[int]:
    """The rows before the one at `at` + 1 that begin like it, the nearest first."""
    for back in range(at, max(at - LOOKED_BACK, -1), -1):
        if not near[back]:
            return
        yield int(rows[back])


def _same(one: tuple[bytes, bytes], other: tuple[bytes, bytes]) -> bool:
    """Whether headers are the same and payloads as far as both were captured."""
    size = min(len(one[1]), len(other[1]))
    return one[0] == other[0] and one[1][:size] == other[1][:size]


def _packet(trace: Trace, row: int) -> tuple[bytes, bytes]:
    """Headers from IP on, without what a machine changes, and payload. The header is looked for in front of UDP: there
    it names the row's addresses. Where it is not found the headers are the row's own number, which no other has."""
    udp, offset = trace.udp, int(trace.udp.payload_offset[row])
    src, dst = udp.addresses[udp.src[row]], udp.addresses[udp.dst[row]]
    ends, version = src.packed + dst.packed, src.version
    size, ends_at = (IPV4_BYTES, 12) if version == 4 else (IPV6_BYTES, 8)
    last = offset - UDP_BYTES - size
    for start in range(last, max(last - MOST_OPTIONS_BYTES[version], 0) - 1, -4):
        header = bytearray(trace.data[start:offset])
        fits = version == 6 or (header[0] & 15) * 4 == len(header) - UDP_BYTES
        if header[0] >> 4 == version and fits and header[ends_at:].startswith(ends):
            header[-2:] = bytes(2)
            header[7:8] = bytes(1) if version == 6 else header[7:8]
            header[8:12] = header[8:12] if version == 6 else bytes([0, header[9], 0, 0])
            return bytes(header), trace.payload(row)
    return str(row).encode(), b""
