"""What STUN and TURN attributes mean: one table, and how an address stands in a value (RFC 8489 14, RFC 8656 18)."""

import struct
from ipaddress import IPv4Address, IPv6Address
from typing import Literal, NamedTuple

from correlate.trace.addresses import Address

COOKIE = 0x2112A442
COOKIE_BYTES = struct.pack(">I", COOKIE)

Form = Literal["address", "xored address", "text", "messages"]
Named = Literal["client", "peer", "relay", "server"]


class Attribute(NamedTuple):
    """An attribute: its type, its name, how its value is read (a xored address with cookie and transaction), and whose
    address it names: the client's as others see it, the peer's of a TURN client, a relay's, or another of a server."""

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
    Attribute(0x0002, "RESPONSE-ADDRESS", "address", "peer"),  # RFC 3489 11.2.2
    Attribute(0x000B, "REFLECTED-FROM", "address", "peer"),  # RFC 3489 11.2.11
    Attribute(0x0016, "XOR-RELAYED-ADDRESS", "xored address", "relay"),  # RFC 8656 18.5
    Attribute(0x8023, "ALTERNATE-SERVER", "address", "relay"),  # RFC 8489 14.15
    Attribute(0x0004, "SOURCE-ADDRESS", "address", "server"),  # RFC 3489 11.2.5
    Attribute(0x0005, "CHANGED-ADDRESS", "address", "server"),  # RFC 3489 11.2.3
    Attribute(0x802B, "RESPONSE-ORIGIN", "address", "server"),  # RFC 5780 7.3
    Attribute(0x802C, "OTHER-ADDRESS", "address", "server"),  # RFC 5780 7.4
    Attribute(0x0006, "USERNAME", "text", None),  # RFC 8489 14.3
    Attribute(0x0013, "DATA", "messages", None),  # RFC 8656 18.4
)
CHANNEL_NUMBER = 0x000C  # RFC 8656 18.1
REALM = 0x0014  # RFC 8489 14.9
NAMES = {each.number: each.name for each in ATTRIBUTES}
CLIENT_ADDRESSES = tuple(each.number for each in ATTRIBUTES if each.named == "client")
RELAY_ADDRESSES = tuple(each.number for each in ATTRIBUTES if each.named == "relay")
SERVER_ADDRESSES = tuple(each.number for each in ATTRIBUTES if each.named == "server")
XOR_RELAYED = 0x0016
(USERNAME,) = (each.number for each in ATTRIBUTES if each.form == "text")
(DATA,) = (each.number for each in ATTRIBUTES if each.form == "messages")
_IS_XORED = {each.number: each.form == "xored address" for each in ATTRIBUTES if each.named}
_SIZES = {1: 4, 2: 16}  # family -> bytes of the address (RFC 8489 14.1)

Attributes = tuple[tuple[int, bytes], ...]


def username(attributes: Attributes, otherwise: Attributes = ()) -> str | None:
    """The first USERNAME (RFC 8489 14.3) of either, where it is UTF-8 and printable throughout, else None. NULs behind
    it are padding that its length counts."""
    for kind, value in (*attributes, *otherwise):
        if kind == USERNAME:
            try:
                text = value.rstrip(b"\0").decode()
            except UnicodeDecodeError:
                return None
            return text if text.isprintable() else None
    return None


def ice_fragments(attributes: Attributes, otherwise: Attributes = ()) -> tuple[str, ...]:
    """The fragments in the USERNAME of a connectivity check, with a colon between (RFC 8445 section 7.2.2); none in any
    other message.

    With a REALM a USERNAME is a long-term credential (RFC 8489 section 9.2). For TURN servers they are often an expiry,
    a colon and a name, and two sides may well have the same expiry.
    """
    name = username(attributes, otherwise)
    if name is None or ":" not in name or any(kind == REALM for kind, _ in (*attributes, *otherwise)):
        return ()
    return tuple(fragment for fragment in name.split(":") if fragment)


def addresses(attributes: Attributes, transaction: bytes) -> tuple[tuple[int, Address, int], ...]:
    """(attribute, address, port) of every attribute of ATTRIBUTES that holds a whole address."""
    known = ((kind, value) for kind, value in attributes if kind in _IS_XORED)
    decoded = ((kind, _address(value, transaction, _IS_XORED[kind])) for kind, value in known)
    return tuple(dict.fromkeys((kind, *end) for kind, end in decoded if end))


def unnamed_addresses(attributes: Attributes, transaction: bytes) -> tuple[tuple[int, Address], ...]:
    """(attribute, address) of every attribute that is not in ATTRIBUTES and has the form of an address, read in plain
    and xored: only what is known from elsewhere can be told from chance among these."""
    found = list[tuple[int, Address]]()
    for kind, value in attributes:
        if kind not in NAMES and len(value) >= 8 and value[1] in _SIZES and len(value) == 4 + _SIZES[value[1]]:
            ends = (_address(value, transaction, xored) for xored in (False, True))
            found += [(kind, end[0]) for end in ends if end]
    return tuple(found)


def _address(value: bytes, transaction: bytes, xored: bool) -> tuple[Address, int] | None:
    """RFC 8489 14.1 and 14.2: a zero byte, the family (1 or 2), the port, the address. The key of 16 bytes is what
    stands behind a message's length: cookie and transaction, or the longer transaction of RFC 3489."""
    if len(value) < 4 or value[1] not in _SIZES or len(value) < 4 + _SIZES[value[1]]:
        return None
    size = _SIZES[value[1]]
    key = transaction if len(transaction) == 16 else COOKIE_BYTES + transaction
    if not xored:
        key = bytes(16)
    if len(key) < size:
        return None
    port = int.from_bytes(value[2:4]) ^ int.from_bytes(key[:2])
    number = int.from_bytes(value[4 : 4 + size]) ^ int.from_bytes(key[:size])
    return (IPv4Address(number) if size == 4 else IPv6Address(number)), port
