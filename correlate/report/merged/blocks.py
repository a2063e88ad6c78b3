"""Blocks of a pcapng file (draft-ietf-opsawg-pcapng), little-endian, times in nanoseconds."""

import struct
from collections.abc import Iterable, Mapping
from ipaddress import ip_address

SECTION, INTERFACE, NAMES, PACKET = 0x0A0D0D0A, 1, 4, 6
BYTE_ORDER = 0x1A2B3C4D
COMMENT, APPLICATION, IF_NAME, IF_DESCRIPTION, IF_TSRESOL = 1, 4, 2, 3, 9
NANOSECONDS = b"\x09"
MOST_OPTION_BYTES = 4000
"""A comment that is longer is cut; nobody reads more, and an option has 16 bits for its length."""
_RECORD = {4: 1, 6: 2}
"""nrb_record_ipv4 and nrb_record_ipv6 (4.5)."""

Option = tuple[int, bytes]


def text(code: int, value: str) -> Option:
    """An option of UTF-8 text."""
    return code, value.encode("utf-8", "replace")[:MOST_OPTION_BYTES]


def section(comment: str) -> bytes:
    """4.1; its length is not told."""
    options = _options([text(COMMENT, comment), text(APPLICATION, "im-call-lab")])
    return _block(SECTION, struct.pack("<IHHq", BYTE_ORDER, 1, 0, -1) + options)


def interface(link_type: int, snaplen_bytes: int, name: str, description: str) -> bytes:
    """4.2"""
    options = [text(IF_NAME, name), text(IF_DESCRIPTION, description), (IF_TSRESOL, NANOSECONDS)]
    return _block(INTERFACE, struct.pack("<HHI", link_type, 0, snaplen_bytes) + _options(options))


def names(found: Mapping[str, str]) -> bytes:
    """4.5: address -> name."""
    records = b""
    for address, name in found.items():
        ip = ip_address(address)
        value = ip.packed + name.encode("ascii", "replace") + b"\0"
        records += struct.pack("<HH", _RECORD[ip.version], len(value)) + _padded(value)
    return _block(NAMES, records + bytes(4))


def packet(number: int, time_ns: int, data: bytes, wire_bytes: int, comments: Iterable[str]) -> bytes:
    """4.3: a packet of interface `number`, of which `data` was captured."""
    head = struct.pack("<IIIII", number, time_ns >> 32, time_ns & 0xFFFFFFFF, len(data), wire_bytes)
    return _block(PACKET, head + _padded(data) + _options([text(COMMENT, each) for each in comments]))


def _options(found: list[Option]) -> bytes:
    if not found:
        return b""
    return b"".join(struct.pack("<HH", code, len(value)) + _padded(value) for code, value in found) + bytes(4)


def _padded(value: bytes) -> bytes:
    return value + bytes(-len(value) % 4)


def _block(kind: int, body: bytes) -> bytes:
    length = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + length + body + length
