"""STUN and TURN messages (RFC 8489, RFC 8656), the ones that travel inside others too.

A message is known by its magic cookie at offset 4 and a first byte below 0x40 (RFC 8489 5), whatever its method. DATA
attributes (RFC 8656 18.4) and ChannelData (RFC 8656 12.4) may hold further messages, at any depth up to MAX_DEPTH.
Lengths that lie never raise: what is there is listed, clipped to what was captured.
"""

import struct
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from correlate.trace import Block, Trace
from correlate.trace.addresses import Address
from correlate.trace.datagrams import Datagrams
from correlate.trace.records import Mask, Octets

COOKIE = 0x2112A442
HEADER_BYTES = 20
_KIND_AND_LENGTH = struct.Struct(">HH").unpack_from
COOKIE_END = 8
_COOKIE_BYTES = struct.pack(">I", COOKIE)
MAX_DEPTH = 8

Form = Literal["address", "xored address", "text", "messages"]
Named = Literal["client", "peer", "server"]


class Attribute(NamedTuple):
    """An attribute: its type, its name, how its value is read (a xored address with cookie and transaction), and whose
    address it names: the client's as others see it, the peer's of a TURN client, or a server's."""

    number: int
    name: str
    form: Form
    named: Named | None


ATTRIBUTES = (
    # Of several that name the client's address the first in this order counts: what is not XORed, a NAT may rewrite.
    Attribute(0x0020, "XOR-MAPPED-ADDRESS", "xored address", "client"),  # RFC 8489 14.2
    Attribute(0x8020, "XOR-MAPPED-ADDRESS", "xored address", "client"),  # as drafts before RFC 5389 numbered it
    Attribute(0x0001, "MAPPED-ADDRESS", "address", "client"),  # RFC 8489 14.1
    Attribute(0x0012, "XOR-PEER-ADDRESS", "xored address", "peer"),  # RFC 8656 18.3
    Attribute(0x0016, "XOR-RELAYED-ADDRESS", "xored address", "server"),  # RFC 8656 18.5
    Attribute(0x8023, "ALTERNATE-SERVER", "address", "server"),  # RFC 8489 14.15
    Attribute(0x0006, "USERNAME", "text", None),  # RFC 8489 14.3
    Attribute(0x0013, "DATA", "messages", None),  # RFC 8656 18.4
)
NAMES = {each.number: each.name for each in ATTRIBUTES}
CLIENT_ADDRESSES = tuple(each.number for each in ATTRIBUTES if each.named == "client")
SERVER_ADDRESSES = tuple(each.number for each in ATTRIBUTES if each.named == "server")
(USERNAME,) = (each.number for each in ATTRIBUTES if each.form == "text")
(DATA,) = (each.number for each in ATTRIBUTES if each.form == "messages")
_IS_XORED = {each.number: each.form == "xored address" for each in ATTRIBUTES if each.named}

# Methods (RFC 8489 18.2, RFC 8656 17; the second of RFC 3489) and classes (RFC 8489 5). The bits of both make a type.
BINDING, SHARED_SECRET = 0x001, 0x002
ALLOCATE, REFRESH, CREATE_PERMISSION, CHANNEL_BIND = 0x003, 0x004, 0x008, 0x009
REQUEST, SUCCESS, ERROR = 0x0000, 0x0100, 0x0110
ALLOCATED = ALLOCATE | SUCCESS
TURN_REQUESTS = tuple(each | REQUEST for each in (ALLOCATE, REFRESH, CREATE_PERMISSION, CHANNEL_BIND))
"""A TURN client alone sends these."""

Container = Literal["data", "channel"] | None


class Decoded(NamedTuple):
    """One message. `type` is its first 16 bits; `transaction` has 12 bytes, fewer where the capture cut it.

    `nested` is the innermost container around it, `channel` the number of the innermost ChannelData around it.
    """

    type: int
    transaction: bytes
    channel: int | None
    nested: Container
    attributes: tuple[tuple[int, bytes], ...]

    @property
    def username(self) -> str | None:
        """The first USERNAME (RFC 8489 14.3) where it is UTF-8 and printable throughout, else None."""
        return _username(self.attributes)

    @property
    def addresses(self) -> tuple[tuple[int, Address, int], ...]:
        """(attribute, address, port) of every attribute of ATTRIBUTES that holds a whole address."""
        return _addresses(self.attributes, self.transaction)


class Message(NamedTuple):
    """A message: row `row` of its trace's (or its block's) datagrams carried it, with that datagram's time (-1: none)
    and ends."""

    row: int
    time_ns: int
    src: Address
    src_port: int
    dst: Address
    dst_port: int
    type: int
    transaction: bytes
    channel: int | None
    nested: Container
    attributes: tuple[tuple[int, bytes], ...]

    @property
    def username(self) -> str | None:
        """As of Decoded."""
        return _username(self.attributes)

    @property
    def addresses(self) -> tuple[tuple[int, Address, int], ...]:
        """As of Decoded."""
        return _addresses(self.attributes, self.transaction)


def _username(attributes: tuple[tuple[int, bytes], ...]) -> str | None:
    for kind, value in attributes:
        if kind == USERNAME:
            return _text(value)
    return None


def _addresses(attributes: tuple[tuple[int, bytes], ...], transaction: bytes) -> tuple[tuple[int, Address, int], ...]:
    known = ((kind, value) for kind, value in attributes if kind in _IS_XORED)
    decoded = ((kind, _address(value, transaction, _IS_XORED[kind])) for kind, value in known)
    return tuple((kind, *end) for kind, end in decoded if end)


def _text(value: bytes) -> str | None:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return None
    return text if text.isprintable() else None


def _address(value: bytes, transaction: bytes, xored: bool) -> tuple[Address, int] | None:
    """RFC 8489 14.1 and 14.2: a zero byte, the family (1 or 2), the port, the address."""
    sizes = {1: 4, 2: 16}
    if len(value) < 4 or value[1] not in sizes or len(value) < 4 + sizes[value[1]]:
        return None
    size = sizes[value[1]]
    key = _COOKIE_BYTES + transaction
    if not xored:
        key = bytes(16)
    if len(key) < size:
        return None
    port = int.from_bytes(value[2:4]) ^ int.from_bytes(key[:2])
    number = int.from_bytes(value[4 : 4 + size]) ^ int.from_bytes(key[:size])
    return (IPv4Address(number) if size == 4 else IPv6Address(number)), port


def decode(payload: bytes) -> list[Decoded]:
    """All messages in one UDP payload: the outer one first, then those inside it in order. Never raises."""
    found: list[Decoded] = []
    _collect(payload, None, None, MAX_DEPTH, found)
    return found


def _collect(data: bytes, channel: int | None, nested: Container, depth: int, found: list[Decoded]) -> None:
    if depth == 0 or len(data) < 4:
        return
    kind, length = _KIND_AND_LENGTH(data)
    if 0x4000 <= kind < 0x5000:
        # RFC 8656 12.4; a length beyond what is there is clipped, padding behind it is no payload.
        _collect(data[4 : 4 + length], kind, "channel", depth - 1, found)
    if kind >= 0x4000 or data[4:COOKIE_END] != _COOKIE_BYTES:
        return
    attributes = tuple(_attributes(data[HEADER_BYTES : HEADER_BYTES + length]))
    found.append(Decoded(kind, data[COOKIE_END:HEADER_BYTES], channel, nested, attributes))
    for attribute, value in attributes:
        if attribute == DATA:
            _collect(value, channel, "data", depth - 1, found)


def _attributes(data: bytes) -> list[tuple[int, bytes]]:
    """RFC 8489 14: type, length, value padded to four bytes. A value past the end is given as far as it goes."""
    found, offset, last = list[tuple[int, bytes]](), 0, len(data) - 4
    while offset <= last:
        kind, length = _KIND_AND_LENGTH(data, offset)
        end = offset + 4 + length
        found.append((kind, data[offset + 4 : end]))
        offset = end + 3 & ~3
    return found


def _has_cookie(head: Octets, at: int) -> Mask:
    """Rows whose message at column `at` has a first byte below 0x40 and the cookie."""
    cookie = np.frombuffer(_COOKIE_BYTES, np.uint8)
    mask: Mask = (head[:, at] < 0x40) & (head[:, at + 4 : at + 8] == cookie).all(axis=1)
    return mask


def _is_channel(head: Octets, at: int) -> Mask:
    mask: Mask = head[:, at] & 0xF0 == 0x40
    return mask


def candidates(head: Octets) -> NDArray[np.intp]:
    """Rows of (n, 16) first payload bytes that may hold a message: itself, in ChannelData, or deeper in such."""
    inside = _has_cookie(head, 4) | _is_channel(head, 4)
    return np.flatnonzero(_has_cookie(head, 0) | (_is_channel(head, 0) & inside))


def is_message(head: Octets) -> Mask:
    """Which rows of (n, 16) first payload bytes are STUN messages themselves; ChannelData is none."""
    return _has_cookie(head, 0)


def messages(trace: Trace) -> list[Message]:
    """Every message of the trace in capture order, nested ones right behind the one that holds them."""
    udp, found = trace.udp, list[Message]()
    for row in candidates(udp.head).tolist():
        found += [_placed(udp, row, decoded) for decoded in decode(trace.payload(row))]
    return found


def _placed(udp: Datagrams, row: int, decoded: Decoded) -> Message:
    src, src_port = udp.addresses[udp.src[row]], int(udp.src_port[row])
    dst, dst_port = udp.addresses[udp.dst[row]], int(udp.dst_port[row])
    return Message(row, int(udp.time_ns[row]), src, src_port, dst, dst_port, *decoded)


def rows(trace: Trace) -> list[dict[str, Any]]:
    """One JSON-ready object a message, in capture order; `time_ns` is null where the file has no times."""
    return [row(message) for message in messages(trace)]


def read(blocks: Iterable[Block]) -> Iterator[Message]:
    """Every message of a file of any size in capture order: `read(correlate.trace.blocks(path))`."""
    for block in blocks:
        yield from in_block(block)


def in_block(block: Block) -> Iterator[Message]:
    """Every message of one block in capture order, nested ones right behind the one that holds them."""
    rows = block.rows
    found = _suspects(block)
    if not len(found):
        return
    columns = found, rows.time_ns[found], rows.ends[found], rows.payload_offset[found], rows.payload_captured[found]
    octets = block.octets.data
    for number, time_ns, ends, offset, captured in zip(*(column.tolist() for column in columns), strict=True):
        source, sport, target, dport = block.tuples.ends(ends)
        for decoded in decode(octets[offset : offset + captured].tobytes()):
            yield Message(number, time_ns, source, sport, target, dport, *decoded)


def _suspects(block: Block) -> NDArray[np.intp]:
    """Rows whose payload may hold a message: the cookie in its place, or ChannelData with one inside."""
    lead = block.rows.lead
    suspects = lead & 0xFFFFFFFF == COOKIE
    channel = lead >> 60 == 4
    if channel.any():
        rows = np.flatnonzero(channel)
        suspects[rows[candidates(block.heads(block.rows.take(rows)))]] = True
    return np.flatnonzero(suspects & (block.rows.payload_captured >= COOKIE_END))


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
