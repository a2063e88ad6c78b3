"""Bidirectional UDP flows: who talked with whom, how much and when."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from correlate.stun import BINDING, COOKIE, ERROR, HEADER_BYTES, REQUEST, SHARED_SECRET, SUCCESS
from correlate.trace import Block, Trace
from correlate.trace.addresses import Address
from correlate.trace.datagrams import Datagrams
from correlate.trace.records import Column, Mask
from correlate.trace.rows import LEAD_BYTES, Rows
from correlate.trace.tuples import Tuples

CLASSIC_TYPES = tuple(method | of for method in (BINDING, SHARED_SECRET) for of in (REQUEST, SUCCESS, ERROR))
"""RFC 3489 11.1."""
CLASSIC_PORT = 3478
_NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Flow:
    """All datagrams between two ends; (a, a_port) < (b, b_port) as (address text, number).

    `packets_ab` counts frames from a to b, each IP fragment one; `bytes_ab` whole frames as on the wire; `payload_ab`
    UDP payload by the UDP length field. `first_ns` and `last_ns` are the smallest and the largest time, None where the
    file has none. `classic_stun` counts RFC 3489 messages without the cookie of RFC 8489 on port 3478.
    """

    a: Address
    a_port: int
    b: Address
    b_port: int
    packets_ab: int
    packets_ba: int
    bytes_ab: int
    bytes_ba: int
    payload_ab: int
    payload_ba: int
    first_ns: int | None
    last_ns: int | None
    classic_stun: int


_FIELDS = tuple(field.name for field in fields(Flow))


@dataclass(frozen=True, slots=True)
class Flows:
    """`table` holds a Flow each, in order of their first frame in the file; `of` (int64, one a datagram) is the index
    of the flow that a datagram belongs to; `from_a` says which datagrams went from a to b."""

    table: tuple[Flow, ...]
    of: Column
    from_a: Mask


def flows(datagrams: Datagrams) -> Flows:
    """Groups datagrams by their two ends, whichever sent first."""
    a_end, b_end, from_a = _ends(datagrams)
    count = int(max(a_end.max(initial=0), b_end.max(initial=0))) + 1
    ends, first, of = np.unique(_dense(a_end, b_end, count), return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.empty(len(ends), np.int64)
    place[order] = np.arange(len(ends))
    of = place[of.reshape(-1)]
    sums = _sums(datagrams, of, from_a, len(ends))
    rows = first[order].tolist()
    table = tuple(_flow(datagrams, row, bool(from_a[row]), values) for row, values in zip(rows, sums, strict=True))
    return Flows(table, of, from_a)


def _dense(a_end: Column, b_end: Column, count: int) -> Column:
    """One number for each pair of ends, without overflow."""
    if count < 2**31:
        return a_end * count + b_end
    known, place = np.unique(np.concatenate([a_end, b_end]), return_inverse=True)
    half = len(a_end)
    dense: Column = place[:half].astype(np.int64) * len(known) + place[half:]
    return dense


def _ends(datagrams: Datagrams) -> tuple[Column, Column, Mask]:
    """Both ends of each datagram as numbers in contract order (text address, port), and whether the smaller sent it."""
    texts = [str(address) for address in datagrams.addresses]
    rank = np.empty(len(texts), np.int64)
    rank[np.array(sorted(range(len(texts)), key=texts.__getitem__), np.int64)] = np.arange(len(texts))
    source = rank[datagrams.src] << 16 | datagrams.src_port
    target = rank[datagrams.dst] << 16 | datagrams.dst_port
    return np.minimum(source, target), np.maximum(source, target), source <= target


def _sums(datagrams: Datagrams, of: Column, from_a: Mask, count: int) -> list[list[int]]:
    """A row each flow: packets, bytes, payload (ab then ba), first, last (_NEVER, -1 without times), classic STUN."""
    if not count:
        return []
    order = np.argsort(of, kind="stable")
    starts = np.searchsorted(of[order], np.arange(count))
    forth = from_a.astype(np.int64)
    one_way = [column * way for column in _amounts(datagrams) for way in (forth, 1 - forth)]
    added = [np.add.reduceat(column[order], starts) for column in [*one_way, classic(datagrams).astype(np.int64)]]
    times = datagrams.time_ns[order]
    first = np.minimum.reduceat(np.where(times < 0, _NEVER, times), starts)
    last = np.maximum.reduceat(times, starts)
    return np.stack([*added[:6], first, last, added[6]], axis=1).tolist()  # type: ignore[no-any-return]


def _amounts(datagrams: Datagrams) -> tuple[Column, Column, Column]:
    return np.ones(len(datagrams), np.int64), datagrams.wire_bytes, datagrams.payload_bytes


def _flow(datagrams: Datagrams, row: int, from_a: bool, values: list[int]) -> Flow:
    source = datagrams.addresses[datagrams.src[row]], int(datagrams.src_port[row])
    target = datagrams.addresses[datagrams.dst[row]], int(datagrams.dst_port[row])
    a, b = (source, target) if from_a else (target, source)
    packets_ab, packets_ba, bytes_ab, bytes_ba, payload_ab, payload_ba, first, last, classic_stun = values
    first_ns, last_ns = (first, last) if last >= 0 else (None, None)
    amounts = packets_ab, packets_ba, bytes_ab, bytes_ba, payload_ab, payload_ba
    return Flow(*a, *b, *amounts, first_ns, last_ns, classic_stun)


def classic(datagrams: Datagrams) -> Mask:
    """Datagrams that are RFC 3489 messages on port 3478: a type and a length of it, and no cookie."""
    port = (datagrams.src_port == CLASSIC_PORT) | (datagrams.dst_port == CLASSIC_PORT)
    rows = np.flatnonzero(port)
    lead = datagrams.head[rows, :LEAD_BYTES].view(">i8")[:, 0].astype(np.int64)
    mask = np.zeros(len(datagrams), np.bool_)
    mask[rows[_classic(lead, datagrams.payload_bytes[rows], datagrams.payload_captured[rows])]] = True
    return mask


def _classic(lead: Column, payload_bytes: Column, captured: Column) -> NDArray[np.intp]:
    """The rows of these first eight bytes of a payload that are classic, wherever they are captured."""
    rows = np.flatnonzero((lead >> 32 & 0xFFFF) + HEADER_BYTES == payload_bytes)
    kind, cookie = lead[rows] >> 48 & 0xFFFF, lead[rows] & 0xFFFFFFFF
    found: Mask = np.isin(kind, CLASSIC_TYPES) & (cookie != COOKIE) & (captured[rows] >= LEAD_BYTES)
    return rows[found]


# One row each five-tuple: packets, bytes, payload, first and last time, first frame, classic STUN messages
_EMPTY = np.array([0, 0, 0, _NEVER, -1, _NEVER, 0], np.int64)


class Counter:
    """Counts the flows of a file block by block; what it holds grows with the flows, not with the packets."""

    def __init__(self) -> None:
        self._sums = np.tile(_EMPTY[:, None], 256)
        self._by_classic_port = np.zeros(256, np.bool_)
        self._known = 0
        self._tuples: Tuples | None = None

    def add(self, block: Block) -> None:
        """Takes in a block; all blocks must be of one file, each of them once."""
        rows, ends = block.rows, block.rows.ends
        if not len(rows):
            return
        self._grow(block.tuples)
        packets, octets, payload, first, last, frame, _ = self._sums
        np.add.at(packets, ends, 1)
        np.add.at(octets, ends, rows.wire_bytes)
        np.add.at(payload, ends, rows.payload_bytes)
        np.minimum.at(frame, ends, rows.frame)
        np.maximum.at(last, ends, rows.time_ns)
        times = rows.time_ns
        np.minimum.at(first, ends, times if times.min() >= 0 else np.where(times < 0, _NEVER, times))
        self._count_classic(rows)

    def _count_classic(self, rows: Rows) -> None:
        mine = np.flatnonzero(self._by_classic_port[rows.ends])
        if len(mine):
            found = mine[_classic(rows.lead[mine], rows.payload_bytes[mine], rows.payload_captured[mine])]
            np.add.at(self._sums[6], rows.ends[found], 1)

    def _grow(self, tuples: Tuples) -> None:
        self._tuples = tuples
        while len(tuples) > self._sums.shape[1]:
            self._sums = np.concatenate([self._sums, np.tile(_EMPTY[:, None], self._sums.shape[1])], axis=1)
            self._by_classic_port = np.concatenate([self._by_classic_port, np.zeros_like(self._by_classic_port)])
        if len(tuples) > self._known:
            source, target = tuples.ports(self._known)
            fits = (source == CLASSIC_PORT) | (target == CLASSIC_PORT)
            self._by_classic_port[self._known : len(tuples)] = fits
            self._known = len(tuples)

    def table(self) -> tuple[Flow, ...]:
        """A Flow each, in order of their first frame in the file."""
        if self._tuples is None:
            return ()
        found: dict[tuple[str, int, str, int], _Both] = {}
        sources, targets = self._tuples.addresses()
        ports = (column[1:].tolist() for column in self._tuples.ports())
        sums = self._sums[:, 1 : len(self._tuples)].T.tolist()
        for source, target, sport, dport, values in zip(sources, targets, *ports, sums, strict=True):
            one, other = (str(source), sport), (str(target), dport)
            forth = one <= other
            key = (*one, *other) if forth else (*other, *one)
            both = found.setdefault(key, _Both(*((source, target) if forth else (target, source))))
            both.ways[not forth] = values
        ordered = sorted(found.items(), key=lambda item: min(item[1].ways[way][5] for way in (0, 1)))
        return tuple(both.flow(key[1], key[3]) for key, both in ordered)


class _Both:
    """The sums of the two directions of one flow: from a, from b."""

    def __init__(self, a: Address, b: Address) -> None:
        self.a, self.b = a, b
        self.ways = [_EMPTY.tolist(), _EMPTY.tolist()]

    def flow(self, a_port: int, b_port: int) -> Flow:
        forth, back = self.ways
        first, last = min(forth[3], back[3]), max(forth[4], back[4])
        first_ns, last_ns = (first, last) if last >= 0 else (None, None)
        amounts = forth[0], back[0], forth[1], back[1], forth[2], back[2]
        return Flow(self.a, a_port, self.b, b_port, *amounts, first_ns, last_ns, forth[6] + back[6])


def read(blocks: Iterable[Block]) -> tuple[Flow, ...]:
    """The flows of a file of any size, in order of their first frame: `read(correlate.trace.blocks(path))`."""
    counter = Counter()
    for block in blocks:
        counter.add(block)
    return counter.table()


def row(flow: Flow) -> dict[str, Any]:
    """A JSON-ready object."""
    told = {name: getattr(flow, name) for name in _FIELDS}
    return told | {"a": str(flow.a), "b": str(flow.b)}


def rows(trace: Trace) -> list[dict[str, Any]]:
    """One JSON-ready object a conversation, in order of the first packet in the file."""
    return [row(flow) for flow in flows(trace.udp).table]
