"""A phone's TCP connections that STUN and TURN are spoken over (RFC 8489 6.2.2, RFC 8656 3.1)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from correlate.pairs.addresses import OwnAddresses
from correlate.pairs.frames import Frame
from correlate.pairs.window import Amounts, Window
from correlate.trace.addresses import Address, fold

Ends = tuple[Address, int, Address, int]


@dataclass(frozen=True)
class Path:
    """What goes between two ends over UDP or TCP, seen from the phone: `remote` is folded, `remote_raw` as on the wire.
    Amounts are of UDP datagrams, or of TCP segments with payload as often as they were sent; `first` and `last` are its
    first and its last packet by time. `is_whole`: of a TCP connection no frame of STUN or media was cut off or lost."""

    local: Address
    local_port: int
    remote: Address
    remote_raw: Address
    remote_port: int
    tx: Amounts
    rx: Amounts
    first: Frame
    last: Frame
    is_whole: bool = True


@dataclass(frozen=True)
class Connections:
    """The connections in order of their first segment, and which of them has these ends, either way."""

    table: tuple[Path, ...]
    _places: dict[Ends, tuple[int, bool]] = field(default_factory=dict)

    def place(self, ends: Ends) -> tuple[int, bool] | None:
        """The index of the connection with these ends, and whether the phone sends what goes this way; None where it is
        none of the phone's."""
        return self._places.get(ends)


def connections(window: Window, own: OwnAddresses) -> Connections:
    """Those of a window's TCP connections that are framed as STUN in either direction."""
    framed = {each.ends for each in window.connections if each.framing != "other"}
    broken = {each.ends for each in window.connections if not each.is_whole}
    segments, table, places = window.segments, list[Path](), dict[Ends, tuple[int, bool]]()
    if not framed or not len(segments):
        return Connections(())
    index = {address: number for number, address in enumerate(segments.addresses)}
    found = []
    for ends in {each if _is_sent(each, own) else _back(each) for each in framed}:
        if _is_sent(ends, own) and {ends[0], ends[2]} <= index.keys():
            ways = [
                np.flatnonzero(
                    (segments.src == index[a]) & (segments.dst == index[b])
                    & (segments.src_port == a_port) & (segments.dst_port == b_port)
                )
                for a, a_port, b, b_port in (ends, _back(ends))
            ]  # fmt: skip
            if rows := sorted(np.concatenate(ways).tolist()):
                found.append((rows, ways, ends))
    for rows, ways, ends in sorted(found, key=lambda each: each[0]):
        wire = [window.trace.records.wire[segments.frame[way] - 1] for way in ways]
        sizes = [segments.payload_bytes[way] for way in ways]
        tx, rx = (
            Amounts(int((size > 0).sum()), int(size.sum()), int(of[size > 0].sum()))
            for size, of in zip(sizes, wire, strict=True)
        )
        every = [Frame(int(segments.frame[row]), int(segments.time_ns[row])) for row in rows]
        first, last = (pick(every, key=lambda frame: (frame.time_ns, frame.number)) for pick in (min, max))
        places[ends], places[_back(ends)] = (len(table), True), (len(table), False)
        is_whole = not broken & {ends, _back(ends)}
        table.append(Path(*ends[:2], fold(ends[2]), *ends[2:], tx, rx, first, last, is_whole))
    return Connections(tuple(table), places)


def _is_sent(ends: Ends, own: OwnAddresses) -> bool:
    src, _, dst, _ = ends
    return own.get(fold(src), 0) > own.get(fold(dst), 0)


def _back(ends: Ends) -> Ends:
    return ends[2], ends[3], ends[0], ends[1]
