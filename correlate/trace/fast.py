"""The plain case, by far the most frequent: UDP in IPv4 without options or IPv6 without extension headers, right behind
a link header of fixed length. Everything else is left to `headers` and `fragments`.

Fields are views of `Records.front`.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from correlate.trace.headers import EXTENSIONS, IPV4_BYTES, IPV6_BYTES, TUNNELS, TUNNELS_V4, UDP, UDP_BYTES
from correlate.trace.links import IPV4, IPV6
from correlate.trace.records import FRONT_BYTES, Column, Mask, Octets, Records
from correlate.trace.rows import Rows, no_rows
from correlate.trace.tuples import Tuples

# link type -> (bytes of its header, where the ethertype stands in it; None where the packet tells its version)
PLAIN_LINKS: dict[int, tuple[int, int | None]] = {
    1: (14, 12),
    12: (0, None),
    101: (0, None),
    113: (16, 14),
    228: (0, None),
    229: (0, None),
    276: (20, 0),
}
# By the protocol of IPv4 and the next header of IPv6: packets that need no other look.
_SETTLED_V4 = ~np.isin(np.arange(256), (UDP, *TUNNELS_V4))
_SETTLED_V6 = ~np.isin(np.arange(256), (UDP, *TUNNELS, *EXTENSIONS))
_V4_HEAD, _V6_HEAD = IPV4_BYTES + UDP_BYTES, IPV6_BYTES + UDP_BYTES

Heads = NDArray[np.void]
# IP packet's length, UDP length, five-tuple, first payload bytes
Fields = list[Column]


@cache
def _layout(link_type: int) -> np.dtype[np.void]:
    """Fields of both IP versions over the same bytes."""
    link_bytes, kind_at = PLAIN_LINKS[link_type]
    places = {
        "kind": (">u2", (kind_at or 0) - link_bytes), "first": ("u1", 0), "total": (">u2", 2), "fragment": (">u2", 6),
        "protocol": ("u1", 9), "ends4": (">u8", 12), "ports4": (">u4", 20), "udp4": (">u2", 24), "lead4": (">i8", 28),
        "length": (">u2", 4), "next": ("u1", 6), "source_high": (">u8", 8), "source_low": (">u8", 16),
        "target_high": (">u8", 24), "target_low": (">u8", 32), "ports6": (">u4", 40), "udp6": (">u2", 44),
        "lead6": (">i8", 48),
    }  # fmt: skip
    return np.dtype(
        {
            "names": list(places),
            "formats": [kind for kind, _ in places.values()],
            "offsets": [link_bytes + at for _, at in places.values()],
            "itemsize": FRONT_BYTES,
        }
    )


def plain(records: Records, link_type: int, frame: int, tuples: Tuples) -> tuple[Rows, Column]:
    """The UDP rows of `records`, which all have this link type and start with `frame`, as far as they are plain; and
    the indexes of the records that must be looked at again."""
    link_bytes, kind_at = PLAIN_LINKS[link_type]
    head = records.front.view(_layout(link_type))[:, 0]
    room = records.captured - link_bytes
    four, six = head["first"] == 0x45, head["first"] >> 4 == 6
    if kind_at is not None:
        kind = head["kind"]
        four &= kind == IPV4
        six &= kind == IPV6
    udp4, settled = _plain_ipv4(head, four & (room >= _V4_HEAD))
    parts = [(udp4, _V4_HEAD, _ipv4)]
    if six.any():
        udp6, settled6 = _plain_ipv6(head, six & (room >= _V6_HEAD))
        parts.append((udp6, _V6_HEAD, _ipv6))
        settled |= settled6
    left = np.flatnonzero(~settled)
    parts = [part for part in parts if part[0].any()]
    if not parts:
        return no_rows(), left
    if len(parts) == 1:
        ((udp, head_bytes, find),) = parts
        at = np.flatnonzero(udp)
        found = find(_of(records.front, head, at), tuples)
        return _rows(records, at, room, head_bytes, link_bytes, frame, found), left
    at = np.flatnonzero(udp4 | udp6)
    merged = list(np.empty((4, len(head)), np.int64))
    for udp, _, find in parts:
        mine = np.flatnonzero(udp)
        for column, values in zip(merged, find(_of(records.front, head, mine), tuples), strict=True):
            column[mine] = values
    if len(at) < len(head):
        merged = [column[at] for column in merged]
        udp6 = udp6[at]
    return _rows(records, at, room, np.where(udp6, _V6_HEAD, _V4_HEAD), link_bytes, frame, merged), left


def _of(front: Octets, head: Heads, at: Column) -> Heads:
    """The heads at these indexes. Rows of bytes are copied as they are, rows with fields would be field by field."""
    if len(at) == len(head):
        return head
    return front.view(f"V{FRONT_BYTES}")[:, 0][at].view(head.dtype)


def _plain_ipv4(head: Heads, four: Mask) -> tuple[Mask, Mask]:
    """Which of the IPv4 frames are plain UDP; which need no other look."""
    protocol = head["protocol"]
    udp = four & (protocol == UDP)
    udp &= head["fragment"] & 0x3FFF == 0
    udp &= head["total"] >= _V4_HEAD
    udp &= head["udp4"] >= UDP_BYTES
    return udp, udp | (four & _SETTLED_V4[protocol])


def _plain_ipv6(head: Heads, six: Mask) -> tuple[Mask, Mask]:
    """Which of the IPv6 frames are plain UDP; which need no other look."""
    following = head["next"]
    udp = six & (following == UDP)
    udp &= head["length"] >= UDP_BYTES
    udp &= head["udp6"] >= UDP_BYTES
    return udp, udp | (six & _SETTLED_V6[following])


def _ipv4(head: Heads, tuples: Tuples) -> Fields:
    ends = tuples.numbers(4, [head["ends4"].astype(np.uint64)], head["ports4"].astype(np.uint64))
    return [head["total"].astype(np.int64), head["udp4"].astype(np.int64), ends, head["lead4"].astype(np.int64)]


def _ipv6(head: Heads, tuples: Tuples) -> Fields:
    words = [head[name].astype(np.uint64) for name in ("source_high", "source_low", "target_high", "target_low")]
    ends = tuples.numbers(6, words, head["ports6"].astype(np.uint64))
    total = head["length"].astype(np.int64) + IPV6_BYTES
    return [total, head["udp6"].astype(np.int64), ends, head["lead6"].astype(np.int64)]


def _rows(
    records: Records, at: Column, room: Column, head_bytes: int | Column, link_bytes: int, frame: int, found: Fields
) -> Rows:
    """Rows of the records at `at`; `head_bytes` of IP and UDP stand before the payload of each."""
    start, captured, wire, time_ns = records.start, records.captured, records.wire, records.time_ns
    if len(at) < len(start):
        start, captured, wire, time_ns, room = start[at], captured[at], wire[at], time_ns[at], room[at]
    total, length, ends, lead = found
    payload = np.minimum(length - UDP_BYTES, total - head_bytes)
    there = np.minimum(room - head_bytes, payload)
    offset = start + (link_bytes + head_bytes)
    nothing = there == 0
    if nothing.any():
        offset[nothing] = -1
    return Rows(at + frame, time_ns, wire, captured, total, ends, payload, offset, there, lead)
