"""STUN and TURN messages (RFC 8489, RFC 8656), over UDP and TCP, the ones that travel inside others too.

A message is known by its magic cookie at offset 4 and a first byte below 0x40 (RFC 8489 5), whatever its method; one of
RFC 3489 has none and is known by its type, its length and its port. DATA attributes (RFC 8656 18.4) and ChannelData
(RFC 8656 12.4) may hold further messages, at any depth up to MAX_DEPTH, and one datagram several of them. Lengths that
lie never raise: what is there is listed, clipped to what was captured.
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from correlate.stun.attributes import (
    ATTRIBUTES,
    CLIENT_ADDRESSES,
    COOKIE,
    DATA,
    NAMES,
    RELAY_ADDRESSES,
    SERVER_ADDRESSES,
    USERNAME,
    XOR_RELAYED,
)
from correlate.stun.decoding import (
    CHANNEL_HEADER_BYTES,
    COOKIE_END,
    HEADER_BYTES,
    MAX_DEPTH,
    Container,
    Decoded,
    decode,
)
from correlate.stun.reading import Carried, Connection, Message, Missing, Payloads, Reader, Transport
from correlate.stun.suspects import (
    ALLOCATE,
    BINDING,
    CHANNEL_BIND,
    CLASSIC_PORT,
    CREATE_PERMISSION,
    ERROR,
    REFRESH,
    REQUEST,
    SHARED_SECRET,
    SUCCESS,
    is_classic,
    is_message,
    may_hold,
)
from correlate.trace import Block, Trace, tcp
from correlate.trace.addresses import Address

__all__ = [
    "ATTRIBUTES",
    "BINDING",
    "CHANNEL_HEADER_BYTES",
    "CLASSIC_PORT",
    "CLIENT_ADDRESSES",
    "COOKIE",
    "COOKIE_END",
    "DATA",
    "ERROR",
    "HEADER_BYTES",
    "MAX_DEPTH",
    "NAMES",
    "RELAY_ADDRESSES",
    "REQUEST",
    "SERVER_ADDRESSES",
    "SHARED_SECRET",
    "SUCCESS",
    "USERNAME",
    "XOR_RELAYED",
    "BlockReader",
    "Carried",
    "Connection",
    "Container",
    "Decoded",
    "Examined",
    "Message",
    "Missing",
    "Transport",
    "binding_request",
    "decode",
    "examine",
    "is_classic",
    "is_message",
    "is_success",
    "mapped_address",
    "messages",
    "method",
    "read",
    "row",
    "rows",
]  # fmt: skip

ALLOCATED = ALLOCATE | SUCCESS
TURN_REQUESTS = tuple(each | REQUEST for each in (ALLOCATE, REFRESH, CREATE_PERMISSION, CHANNEL_BIND))
"""A TURN client alone sends these."""


@dataclass(frozen=True)
class Examined:
    """What a whole capture holds of STUN, in capture order; the frames in which something of it was not there; the
    directions of its TCP connections; and what those with STUN carry that is none."""

    messages: tuple[Message, ...]
    missing: tuple[Missing, ...]
    connections: tuple[Connection, ...]
    carried: tuple[Carried, ...]


def examine(trace: Trace) -> Examined:
    """Looks into everything of the trace that may be STUN."""
    udp, reader = trace.udp, Reader()

    def ends(row: int) -> tuple[Address, int, Address, int]:
        src, dst = udp.addresses[udp.src[row]], udp.addresses[udp.dst[row]]
        return src, int(udp.src_port[row]), dst, int(udp.dst_port[row])

    def tcp_ends(number: int) -> tuple[Address, int, Address, int]:
        at = first[number]
        src, dst = segments.addresses[segments.src[at]], segments.addresses[segments.dst[at]]
        return src, int(segments.src_port[at]), dst, int(segments.dst_port[at])

    columns = udp.frame, udp.time_ns, udp.payload_bytes, udp.payload_offset, udp.payload_captured, udp.head
    reader.datagrams(Payloads(*columns, trace.data, ends), trace.fragments)
    segments = trace.tcp
    numbers, rows = np.unique(segments.rows.ends, return_index=True)
    first = dict(zip(numbers.tolist(), rows.tolist(), strict=True))
    reader.segments(segments.rows, trace.data, tcp_ends)
    found = tuple(reader.rest())
    return Examined(found, tuple(sorted(reader.missing)), tuple(reader.connections), tuple(reader.carried))


def messages(trace: Trace) -> list[Message]:
    """Every message of the trace in capture order, nested ones right behind the one that holds them."""
    return list(examine(trace).messages)


def rows(trace: Trace) -> list[dict[str, Any]]:
    """One JSON-ready object a message, in capture order; `time_ns` is null where the file has no times."""
    return [row(message) for message in messages(trace)]


class BlockReader:
    """Gives the messages of a file of any size block by block, in capture order; what depends on bytes that are still
    to come waits for them. Of a message in fragments `row` is that of the block with the first one."""

    def __init__(self) -> None:
        self._reader, self._finder = Reader(), tcp.Finder()

    def add(self, block: Block) -> Iterator[Message]:
        """The messages that are known with this block; all blocks must be of one file, each of them once."""
        reader, rows, tuples = self._reader, block.rows, block.tuples
        mask = may_hold(rows.lead, rows.payload_bytes, rows.payload_captured)
        if block.fragments:
            mask |= np.isin(rows.frame, [each.frame for each in block.fragments])
        found = np.flatnonzero(mask)
        if len(found) or block.fragments:
            few = rows.take(found)
            ends, columns = few.ends.tolist(), (few.frame, few.time_ns, few.payload_bytes, few.payload_offset)
            data, heads = block.octets.data, block.heads(few)
            of = Payloads(*columns, few.payload_captured, heads, data, lambda row: tuples.ends(ends[row]))
            reader.datagrams(of, block.fragments, found)
        segments = self._finder.rows(block.octets, block.records, block.frame, block.interfaces)
        if len(segments):
            reader.segments(segments, block.octets.data, self._finder.tuples.ends)
        reader.missing.clear()
        reader.connections.clear()
        reader.carried.clear()
        yield from reader.settled()

    def rest(self) -> Iterator[Message]:
        """The messages that waited, once the file is at its end."""
        yield from self._reader.rest()


def read(blocks: Iterable[Block]) -> Iterator[Message]:
    """Every message of a file of any size in capture order: `read(correlate.trace.blocks(path))`."""
    reader = BlockReader()
    for block in blocks:
        yield from reader.add(block)
    yield from reader.rest()


def row(message: Message) -> dict[str, Any]:
    """A JSON-ready object; `time_ns` is null where the file has no times."""
    return {
        "time_ns": message.time_ns if message.time_ns >= 0 else None,
        "src": str(message.src),
        "src_port": message.src_port,
        "dst": str(message.dst),
        "dst_port": message.dst_port,
        "type": message.type,
        "transaction": message.transaction.hex(),
        "channel": message.channel,
        "nested": message.nested,
        "attributes": [{"type": kind, "value": value.hex()} for kind, value in message.attributes],
        "username": message.username,
        "addresses": [
            {"attribute": kind, "address": str(address), "port": port} for kind, address, port in message.addresses
        ],
        "transport": message.transport,
        "cookie": message.cookie,
    }


def binding_request(transaction: bytes) -> bytes:
    """A Binding request without attributes (RFC 8489 2). `transaction` has 12 bytes, else ValueError."""
    if len(transaction) != 12:
        raise ValueError(f"a transaction id has 12 bytes, this one {len(transaction)}")
    return struct.pack(">HHI", BINDING | REQUEST, 0, COOKIE) + transaction


def mapped_address(response: bytes) -> tuple[Address, int] | None:
    """The reflexive address and port in a Binding success response, XOR-MAPPED first; None in anything else.

    Whose response it is, is the caller's to check: its transaction is `response[8:20]`.
    """
    for message in decode(response)[:1]:
        ends = {kind: (address, port) for kind, address, port in reversed(message.addresses)}
        if message.type == BINDING | SUCCESS and message.nested is None:
            return next((ends[kind] for kind in CLIENT_ADDRESSES if kind in ends), None)
    return None


def method(message_type: int) -> int:
    """The method in a message type (RFC 8489 5)."""
    return (message_type & 0x000F) | (message_type & 0x00E0) >> 1 | (message_type & 0x3E00) >> 2


def is_success(message_type: int) -> bool:
    """Whether a message type is a success response, of any method (RFC 8489 5)."""
    return message_type & ERROR == SUCCESS
