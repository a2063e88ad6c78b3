"""Which of many datagrams may hold STUN, by their first bytes (RFC 7983 7)."""

import numpy as np
from numpy.typing import NDArray

from correlate.stun.attributes import COOKIE_BYTES
from correlate.stun.decoding import CHANNEL_HEADER_BYTES, COOKIE_END, HEADER_BYTES
from correlate.trace.records import Column, Mask, Octets, u16

# Methods (RFC 8489 18.2, RFC 8656 17; the second of RFC 3489) and classes (RFC 8489 5). The bits of both make a type.
BINDING, SHARED_SECRET = 0x001, 0x002
ALLOCATE, REFRESH, CREATE_PERMISSION, CHANNEL_BIND = 0x003, 0x004, 0x008, 0x009
REQUEST, SUCCESS, ERROR = 0x0000, 0x0100, 0x0110
CLASSIC_TYPES = tuple(method | of for method in (BINDING, SHARED_SECRET) for of in (REQUEST, SUCCESS, ERROR))
"""RFC 3489 11.1."""
CLASSIC_PORT = 3478
LEAST_BYTES = 28
"""A header and an attribute with an address: a datagram of fewer bytes holds none."""


def _has_cookie(head: Octets, at: int) -> Mask:
    """Rows whose message at column `at` has a first byte below 0x40 and the cookie."""
    cookie = np.frombuffer(COOKIE_BYTES, np.uint8)
    mask: Mask = (head[:, at] < 0x40) & (head[:, at + 4 : at + COOKIE_END] == cookie).all(axis=1)
    return mask


def _is_channel(head: Octets, at: int) -> Mask:
    mask: Mask = head[:, at] & 0xC0 == 0x40
    return mask


def is_message(head: Octets) -> Mask:
    """Which rows of (n, 16) first payload bytes are STUN messages themselves; ChannelData is none."""
    return _has_cookie(head, 0)


def is_classic(head: Octets, payload_bytes: Column, captured: Column) -> Mask:
    """Which rows look like a message of RFC 3489: a type of it, a length that is the datagram's, and no cookie."""
    sized = (u16(head, 2) + HEADER_BYTES == payload_bytes) & (captured >= COOKIE_END)
    mask: Mask = sized & np.isin(u16(head, 0), CLASSIC_TYPES) & ~is_message(head)
    return mask


def candidates(head: Octets, payload_bytes: Column, captured: Column) -> NDArray[np.intp]:
    """Rows of (n, 16) first payload bytes that may hold a message: itself, in ChannelData, deeper in such, or behind
    it; or of which too little was captured to tell."""
    cut = (captured < payload_bytes) & (payload_bytes >= LEAST_BYTES)
    behind = u16(head, 2) + 2 * CHANNEL_HEADER_BYTES + 4 <= payload_bytes
    deeper = _has_cookie(head, 4) | _is_channel(head, 4) | behind | (cut & (captured < 4 + HEADER_BYTES))
    found = _has_cookie(head, 0) | (_is_channel(head, 0) & deeper) | (cut & (captured < COOKIE_END))
    return np.flatnonzero(found | is_classic(head, payload_bytes, captured))


def may_hold(lead: Column, payload_bytes: Column, captured: Column) -> Mask:
    """Which rows `candidates` should look at, by the first eight payload bytes as a number, far cheaper."""
    first, kind, length = lead >> 56 & 0xFF, lead >> 48 & 0xFFFF, lead >> 32 & 0xFFFF
    cookie = lead & 0xFFFFFFFF == int.from_bytes(COOKIE_BYTES)
    classic = (length + HEADER_BYTES == payload_bytes) & (kind < 0x200)
    mask: Mask = cookie | (first & 0xC0 == 0x40) | classic | (captured < COOKIE_END)
    return mask
