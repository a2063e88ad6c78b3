"""The plain case, by far the most frequent: UDP in IPv4 without options or IPv6 without extension headers, right behind
a link header of fixed length. Everything else is left to `headers` and `fragments`.

Every frame's headers are gathered by one copy; fields are views of it.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from correlate.trace.headers import EXTENSIONS, IPV4_BYTES, IPV6_BYTES, UDP, UDP_BYTES
from correlate.trace.links import IPV4, IPV6
from correlate.trace.records import Column, Mask, Octets, Records, window
from correlate.trace.rows import Rows
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
_MAY_HOLD_UDP = np.isin(np.arange(256), (UDP, *EXTENSIONS))
_V4_HEAD, _V6_HEAD = IPV4_BYTES + UDP_BYTES, IPV6_BYTES + UDP_BYTES


@cache
def _layout(link_type: int) -> np.dtype[np.void]:
    """Fields of both IP versions over the same bytes."""
    link_bytes, kind_at = PLAIN_LINKS[link_type]
    places = {
        "kind": (">u2", (kind_at or 0) - link_bytes), "first": ("u1", 0), "total": (">u2", 2), "fragment": (">u2", 6),
        "protocol": ("u1", 9), "ends4": (">u8", 12), "ports4": (">u4", 20), "udp4": (">u2", 24),
        "length": (">u2", 4), "next": ("u1", 6), "source_high": (">u8", 8), "source_low": (">u8", 16),
        "target_high": (">u8", 24), "target_low": (">u8", 32), "ports6": (">u4", 40), "udp6": (">u2", 44),
    }  # fmt: skip
    return np.dtype(
        {
            "names": list(places),
            "formats": [kind for kind, _ in places.values()],
            "offsets": [link_bytes + at for _, at in places.values()],
            "itemsize": link_bytes + _V6_HEAD,
        }
    )


def plain(octets: Octets, records: Records, link_type: int, frame: int, tuples: Tuples) -> tuple[list[Rows], Column]:
    """The UDP rows of `records`, which all have this link type and start with `frame`, as far as they are plain; and
    the indexes of the records that must be looked at again."""
    layout, (link_bytes, kind_at) = _layout(link_type), PLAIN_LINKS[link_type]
    copied = window(octets, records.start, layout.itemsize)
    head = copied.view(layout)[:, 0]
    four, six = head["first"] == 0x45, head["first"] >> 4 == 6
    if kind_at is not None:
        kind = head["kind"]
        four &= kind == IPV4
        six &= kind == IPV6
    room = records.captured - link_bytes
    there = room >= _V4_HEAD
    four &= there
    six &= room >= _V6_HEAD
    # What no later look could find to be UDP is settled as well.
    settled = four & (head["protocol"] != UDP)
    parts = []
    for chosen, find in ((four & ~settled, _ipv4), (six, _ipv6)):
        at = np.flatnonzero(chosen)
        if len(at):
            # Rows of bytes are copied as they are, rows with fields would be field by field.
            mine = head if len(at) == len(head) else _rows_of(copied, at).view(layout)
            rows, sound = find(mine, at, room, records, link_bytes, frame, tuples)
            parts.append(rows)
            settled[at] = sound
    return parts, np.flatnonzero(~settled)


def _rows_of(copied: Octets, at: Column) -> NDArray[np.void]:
    return copied.view(f"V{copied.shape[1]}")[:, 0][at]


def _ipv4(
    head: NDArray[np.void], at: Column, room: Column, records: Records, link_bytes: int, frame: int, tuples: Tuples
) -> tuple[Rows, Mask]:
    total, length = head["total"].astype(np.int64), head["udp4"].astype(np.int64)
    sound = (head["fragment"] & 0x3FFF == 0) & (total >= _V4_HEAD) & (length >= UDP_BYTES)
    words = [head["ends4"].astype(np.uint64)]
    ports = head["ports4"].astype(np.uint64)
    if not sound.all():
        at, total, length, ports = at[sound], total[sound], length[sound], ports[sound]
        words = [word[sound] for word in words]
    ends = tuples.numbers(4, words, ports)
    return _rows(at, room, records, link_bytes + _V4_HEAD, _V4_HEAD, frame, total, length, ends), sound


def _ipv6(
    head: NDArray[np.void], at: Column, room: Column, records: Records, link_bytes: int, frame: int, tuples: Tuples
) -> tuple[Rows, Mask]:
    total, length = head["length"].astype(np.int64) + IPV6_BYTES, head["udp6"].astype(np.int64)
    sound = (head["next"] == UDP) & (total >= _V6_HEAD) & (length >= UDP_BYTES)
    settled = sound if sound.all() else sound | ~_MAY_HOLD_UDP[head["next"]]
    words = [head[name].astype(np.uint64) for name in ("source_high", "source_low", "target_high", "target_low")]
    ports = head["ports6"].astype(np.uint64)
    if not sound.all():
        at, total, length, ports = at[sound], total[sound], length[sound], ports[sound]
        words = [word[sound] for word in words]
    ends = tuples.numbers(6, words, ports)
    return _rows(at, room, records, link_bytes + _V6_HEAD, _V6_HEAD, frame, total, length, ends), settled


def _rows(
    at: Column, room: Column, records: Records, before: int, head_bytes: int, frame: int, total: Column,
    length: Column, ends: Column,
) -> Rows:  # fmt: skip
    """Rows of the records at `at`: `before` bytes of headers, `head_bytes` of them IP and UDP; `total` and `length` are
    the lengths that these two tell."""
    start, captured, wire, time_ns = records.start, records.captured, records.wire, records.time_ns
    if len(at) < len(start):
        start, captured, wire, time_ns, room = start[at], captured[at], wire[at], time_ns[at], room[at]
    payload = length - UDP_BYTES
    there = np.minimum(np.minimum(total, room) - head_bytes, payload)
    offset = start + before
    nothing = there == 0
    if nothing.any():
        offset[nothing] = -1
    return Rows(at + frame, time_ns, wire, captured, total, ends, payload, offset, there)
