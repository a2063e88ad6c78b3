"""What of a window nobody looked into although STUN may be there: an address may be in it, so there is no "no"."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from correlate.pairs.addresses import OwnAddresses
from correlate.pairs.frames import Frame
from correlate.pairs.window import Window
from correlate.stun import Connection
from correlate.trace.addresses import Address, fold
from correlate.trace.records import Column
from correlate.trace.tcp import Segments

ENCRYPTED = ("ESP", "MACsec")
"""What is in there nobody can look into, as in other TLS."""

HTTPS = 443
"""RFC 9110 4.2.2: TLS to this port says nothing of TURN."""


class Unseen(NamedTuple):
    """Something that was not looked into: the first frame of it, and what and why."""

    frame: Frame
    what: str


def unseen(window: Window, own: OwnAddresses, relay_ports: Sequence[int]) -> tuple[Unseen, ...]:
    """STUN that is not there as a whole; packets inside of others, which nobody follows; and of TCP connections with
    STUN in one direction, with a STUN or TURN server of this trace or on one of the app's relay ports but 443, what is
    encrypted, cut or missing. By frame."""
    found = [Unseen(Frame(each.frame, each.time_ns), f"STUN: {each.why}") for each in window.missing]
    times, (_, high) = window.trace.records.time_ns, window.frames
    for each in window.trace.damage:
        is_encrypted = any(f" in {name}," in each.text for name in ENCRYPTED)
        if each.kind == "not_followed" and not is_encrypted and each.frame is not None and each.frame < high:
            found.append(Unseen(Frame(each.frame, int(times[each.frame - 1])), each.text))
    found += _connections(window, own, relay_ports)
    return tuple(sorted(found))


def stun_servers(window: Window, own: OwnAddresses) -> frozenset[Address]:
    """The far ends (folded) of the phone's STUN."""
    ends = {(fold(each.src), fold(each.dst)) for each in window.messages}
    return frozenset(far for pair in ends for far, near in (pair, pair[::-1]) if own.get(near, 0) > own.get(far, 0))


def _connections(window: Window, own: OwnAddresses, relay_ports: Sequence[int]) -> Iterator[Unseen]:
    servers, ports = stun_servers(window, own), frozenset(relay_ports) - {HTTPS}
    framed = {each.ends for each in window.connections if each.framing != "other"}
    segments = window.segments.with_payload()
    for each in window.connections:
        src, src_port, dst, dst_port = each.ends
        back = dst, dst_port, src, src_port
        counts = back in framed or {fold(src), fold(dst)} & servers or {src_port, dst_port} & ports
        if each.framing != "other" or not counts:
            continue
        mine = segments.take(_rows(segments, each))
        where = f"TCP from {src} port {src_port} to {dst} port {dst_port}"
        if len(mine) and each.is_tls:
            yield Unseen(_frame(mine, 0), f"{where}: encrypted (TLS)")
        elif len(mine) and back in framed:
            yield Unseen(_frame(mine, 0), f"{where}: does not begin as STUN, what comes back does")
        elif len(mine) and not each.has_begin:
            yield Unseen(_frame(mine, 0), f"{where}: begins before the capture, and not with STUN")
        elif (row := _incomplete(mine)) is not None:
            yield Unseen(_frame(mine, row), f"{where}: a segment is cut or missing")


def _rows(segments: Segments, connection: Connection) -> Column:
    src, src_port, dst, dst_port = connection.ends
    index = {address: number for number, address in enumerate(segments.addresses)}
    mine = (segments.src == index[src]) & (segments.dst == index[dst])
    return np.flatnonzero(mine & (segments.src_port == src_port) & (segments.dst_port == dst_port))


def _frame(segments: Segments, row: int) -> Frame:
    return Frame(int(segments.frame[row]), int(segments.time_ns[row]))


def _incomplete(segments: Segments) -> int | None:
    """The first segment that is cut, or before which bytes are missing (RFC 9293 3.4: modulo 2**32)."""
    if not len(segments):
        return None
    rows = segments.rows
    cut = np.flatnonzero(rows.payload_captured < rows.payload_bytes)
    since = (rows.seq - rows.seq[0] + (1 << 31)) % (1 << 32) - (1 << 31)
    order = np.argsort(since, kind="stable")
    ends = np.maximum.accumulate((since + rows.payload_bytes)[order])
    gap = order[1:][since[order][1:] > ends[:-1]]
    wrong = [*cut.tolist(), *gap.tolist()]
    return min(wrong, default=None)
