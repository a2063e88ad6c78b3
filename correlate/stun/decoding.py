"""One payload, decoded: the messages in it, and whether anything that may be one was not there to be looked at."""

import struct
from collections.abc import Container as Set
from typing import Literal, NamedTuple

from correlate.stun import attributes as meaning
from correlate.stun.attributes import COOKIE_BYTES, DATA, USERNAME, Attributes
from correlate.trace.addresses import Address

HEADER_BYTES = 20
COOKIE_END = 8
CHANNEL_HEADER_BYTES = 4
ADDRESS_BYTES = 12
"""An attribute with an IPv4 address (RFC 8489 14.1): fewer bytes hold none."""
MAX_DEPTH = 8
SEND_INDICATION, DATA_INDICATION = 0x0016, 0x0017
"""RFC 8656 17."""
CHANNELS = range(0x4000, 0x8000)
"""RFC 5766 11; RFC 8656 12 leaves the first 4,096 of them."""
_KIND_AND_LENGTH = struct.Struct(">HH").unpack_from

Container = Literal["data", "channel"] | None


class Decoded(NamedTuple):
    """One message. `type` is its first 16 bits; `transaction` has 12 bytes, or 16 where there is no `cookie` (RFC
    3489); fewer where the capture cut it.

    `nested` is the innermost container around it, `channel` the number of the innermost ChannelData around it.
    `unpadded` are its attributes as some that do not pad write them (RFC 8489 14 does), where `attributes`, read as
    padded, do not end with the message; else it is empty. A USERNAME that the capture cut is in neither.
    """

    type: int
    transaction: bytes
    channel: int | None
    nested: Container
    attributes: Attributes
    cookie: bool
    unpadded: Attributes = ()

    @property
    def carries_data(self) -> bool:
        """As `carries_data` says."""
        return carries_data(self.type, self.attributes)

    @property
    def username(self) -> str | None:
        """The first USERNAME (RFC 8489 14.3) where it is UTF-8 and printable throughout, else None."""
        return meaning.username(self.attributes, self.unpadded)

    @property
    def addresses(self) -> tuple[tuple[int, Address, int], ...]:
        """(attribute, address, port) of every attribute of ATTRIBUTES that holds a whole address."""
        return meaning.addresses((*self.attributes, *self.unpadded), self.transaction)

    @property
    def unnamed_addresses(self) -> tuple[tuple[int, Address], ...]:
        """(attribute, address) of attributes that are not in ATTRIBUTES and have the form of an address, read in plain
        and xored: only what is known from elsewhere can be told from chance among these."""
        return meaning.unnamed_addresses((*self.attributes, *self.unpadded), self.transaction)


def carries_data(kind: int, attributes: Attributes) -> bool:
    """Whether a message is a Send or Data indication (RFC 8656 11) around something that is no message itself."""
    if kind not in (SEND_INDICATION, DATA_INDICATION):
        return False
    return any(value and frame_kind(value, 0) is None for number, value in attributes if number == DATA)


class Contents(NamedTuple):
    """The messages of one payload: the outer one first, then those inside it in order, then what stands behind it.
    `missing` says why a part that may hold an address was not looked at; it is empty where all was."""

    messages: list[Decoded]
    missing: str


def decode(payload: bytes) -> list[Decoded]:
    """All messages in one UDP payload: the outer one first, then those inside it in order. Never raises."""
    return contents(payload, len(payload)).messages


def contents(payload: bytes, size: int, channels: Set[int] = (), *, classic: bool = False) -> Contents:
    """What is in a payload of `size` bytes of which `payload` was captured. Never raises.

    ChannelData is looked into whatever its number; that a part of it is missing is said of the numbers in `channels`
    alone, since other protocols begin alike. `classic`: the payload is a message without cookie (RFC 3489).
    """
    walk = _Walk(channels)
    if classic:
        walk.message(payload, size, None, None, MAX_DEPTH, cookie=False)
    else:
        walk.container(payload, size, None, None, MAX_DEPTH)
    return Contents(walk.found, walk.missing)


class _Walk:
    """Goes through a payload and notes what it meets."""

    def __init__(self, channels: Set[int]) -> None:
        self._channels = channels
        self.found: list[Decoded] = []
        self.missing = ""

    def _miss(self, why: str) -> None:
        self.missing = self.missing or why

    def container(self, data: bytes, size: int, channel: int | None, nested: Container, depth: int) -> None:
        """Messages and ChannelData one behind the other, in `data`, which was captured of `size` bytes."""
        at, is_stun = 0, nested is not None
        while size - at >= CHANNEL_HEADER_BYTES:
            kind = frame_kind(data, at)
            if kind is None:
                # The first bytes of a container's value tell whether it is a message (RFC 7983 7).
                told = COOKIE_END if at else HEADER_BYTES
                # Of what begins like ChannelData by chance the length leads so near to the cut once in 8,000 times.
                is_near = 0 < at <= len(data)
                if (is_stun or is_near) and len(data) < size and len(data) - at < told:
                    self._miss("what follows is cut" if at else "the first bytes of what it holds are cut")
                elif is_stun and at and size - at >= ADDRESS_BYTES and any(data[at:]):
                    self._miss(f"{size - at} bytes behind its end are no message")
                return
            if not depth:
                self._miss(f"messages are nested deeper than {MAX_DEPTH}")
                return
            if kind == "message":
                used = self.message(data[at:], size - at, channel, nested, depth)
                is_stun = True
            else:
                used, is_stun = self._channel_data(data[at:], size - at, depth, is_chained=at > 0)
            at += used
            if used & 3 and frame_kind(data, at) is None:
                at += -used & 3

    def message(
        self, data: bytes, size: int, channel: int | None, nested: Container, depth: int, *, cookie: bool = True
    ) -> int:
        """Notes the message that `data` begins with, and those inside it; its length."""
        kind, length = kind_and_length(data)
        end = min(HEADER_BYTES + length, size)
        there = data[HEADER_BYTES:end]
        found, unpadded, fits = attributes(there, end - HEADER_BYTES)
        transaction = data[COOKIE_END if cookie else 4 : HEADER_BYTES]
        # What is left of a name that was cut is the name of somebody else.
        whole = (
            [each for each in every if each[0] != USERNAME or len(each[1]) >= each[2]] for every in (found, unpadded)
        )
        values, other_values = (tuple(each[:2] for each in every) for every in whole)
        self.found.append(Decoded(kind, transaction, channel, nested, values, cookie, other_values))
        for attribute, value, declared in dict.fromkeys((*found, *unpadded)):
            if attribute == DATA:
                self.container(value, declared, channel, "data", depth - 1)
        if len(data) < end:
            *_, (last, value, declared) = found or [(0, b"", 0)]
            is_data = last == DATA and len(value) >= HEADER_BYTES and _is_last(there, value, declared, end)
            if not is_data:
                self._miss(f"cut after {len(data)} of {end} bytes")
        elif not fits:
            self._miss("its attributes do not fit its length")
        return HEADER_BYTES + length

    def _channel_data(self, data: bytes, size: int, depth: int, *, is_chained: bool) -> tuple[int, bool]:
        """RFC 8656 12.4: its length, and whether it is known to be ChannelData: bound, with a message in it, or behind
        another and the last. A length beyond what is there is clipped, padding behind it is no payload."""
        channel, length = kind_and_length(data)
        end = min(CHANNEL_HEADER_BYTES + length, size)
        known, before = len(self.found), self.missing
        self.container(data[CHANNEL_HEADER_BYTES:end], end - CHANNEL_HEADER_BYTES, channel, "channel", depth - 1)
        is_last = size - CHANNEL_HEADER_BYTES < CHANNEL_HEADER_BYTES + length <= size
        is_channel = channel in self._channels or len(self.found) > known or (is_chained and is_last)
        if not is_channel:
            self.missing = before
        return CHANNEL_HEADER_BYTES + length, is_channel


def _is_last(there: bytes, value: bytes, declared: int, end: int) -> bool:
    """Whether the attribute whose `value` ends what was captured of a message goes on to the end of it."""
    return len(there) - len(value) + declared + 3 >= end - HEADER_BYTES


def frame_kind(data: bytes | bytearray | memoryview, at: int) -> Literal["message", "channel"] | None:
    """What begins at this offset: a message with cookie, ChannelData, or neither; None too where it is cut."""
    if len(data) - at < CHANNEL_HEADER_BYTES:
        return None
    first = data[at]
    if first < 0x40:
        return "message" if data[at + 4 : at + COOKIE_END] == COOKIE_BYTES else None
    return "channel" if first < 0x80 else None


def kind_and_length(data: bytes, at: int = 0) -> tuple[int, int]:
    """The first 16 bits and the length behind them, of a message, ChannelData or an attribute."""
    kind, length = _KIND_AND_LENGTH(data, at)
    return kind, length


Value = tuple[int, bytes, int]


def attributes(data: bytes, size: int) -> tuple[list[Value], list[Value], bool]:
    """(type, value, its declared length up to the end) of the attributes in `data`, which was captured of `size` bytes:
    padded to four bytes (RFC 8489 14), and as they are if some are not padded, where padded ones do not end with the
    message; and whether either stays within it. A value past the end is given as far as it goes.
    """
    found, offset, last, end = list[Value](), 0, len(data) - 4, 0
    while offset <= last:
        found.append(_value(data, size, offset))
        end = offset + 4 + kind_and_length(data, offset)[1]
        offset = end + 3 & ~3
    is_at_end = end <= size <= max(offset, end) or len(data) < size
    unpadded = [] if is_at_end else [_value(data, size, each) for each in _unpadded(data, size)]
    return found, unpadded, end <= size or bool(unpadded)


def _value(data: bytes, size: int, offset: int) -> Value:
    kind, length = kind_and_length(data, offset)
    return kind, data[offset + 4 : offset + 4 + length], min(length, size - offset - 4)


def _unpadded(data: bytes, size: int) -> list[int]:
    """Offsets of attributes, some of which are not padded, that end exactly at `size`; empty where there are none."""
    dead, path = set[int](), [0]
    while path:
        offset = path[-1]
        if offset + 4 > size or offset in dead:
            dead.add(path.pop())
            continue
        end = offset + 4 + kind_and_length(data, offset)[1]
        nexts = [each for each in dict.fromkeys((end + 3 & ~3, end)) if each not in dead]
        if end <= size <= end + 3 and size in (end, end + 3 & ~3):
            return path
        if not nexts or end > size:
            dead.add(path.pop())
        else:
            path.append(nexts[0])
    return []
