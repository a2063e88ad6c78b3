"""Media of a call as numpy arrays: RTP-like packets whose sizes follow what the talking phone hears and sees.

Voice is 50 packets a second of about 110 bytes, video 150 of about 1,000 (RFC 3550 headers). Speech alternates with
pauses, in which packets are small; silence is a pause; a dark scene makes small video packets. Integers and
`Generator` methods only, so that bytes do not depend on the processor.
"""

import struct
from dataclasses import dataclass
from typing import Literal

import numpy as np

from lab.definitions.base import Service
from lab.virtual.network import stunwire
from lab.virtual.network.addresses import Endpoint
from lab.virtual.network.datagrams import Integers, Octets

WIDTH = 96
"""How many bytes of each packet are drawn; those behind are zeros."""

INTERVAL_NS = {"voice": 20_000_000, "video": 6_666_666}

Level = Literal["speech", "pause", "bright", "dark"]
_SIZES: dict[Level, tuple[int, int]] = {
    "speech": (100, 136),
    "pause": (48, 68),
    "bright": (880, 1140),
    "dark": (260, 360),
}
_TALKSPURT_MS = ((900, 3200), (250, 1100))
_PAYLOAD_TYPE = {"voice": 120, "video": 97}
_TIMESTAMP_STEP = {"voice": 960, "video": 600}


@dataclass(frozen=True)
class Packets:
    """Packets of one stream: when each is sent, its size, and its first bytes with zeros behind."""

    sent_ns: Integers
    sizes: Integers
    rows: Octets


class RtpStream:
    """One direction of a call's media from `start_ns` on. Draw its slots in order, each once.

    `extension` sets the X bit and a four-byte header extension of profile 0xDEBE.
    """

    def __init__(
        self, generator: np.random.Generator, service: Service, level: Level, start_ns: int, *, extension: bool
    ) -> None:
        self._generator, self._service, self._level = generator, service, level
        self._start_ns, self._interval_ns = start_ns, INTERVAL_NS[service]
        self._head = bytes([0x90 if extension else 0x80, _PAYLOAD_TYPE[service]])
        self._tail = struct.pack("!HH", 0xDEBE, 0) if extension else b""
        self._ssrc = int(generator.integers(1 << 32))
        self._sequence, self._timestamp = int(generator.integers(1 << 16)), int(generator.integers(1 << 32))
        self._talkspurts: list[int] = [0]

    def slot(self, low_ns: int, high_ns: int) -> Packets:
        """The packets whose regular instant lies in [low_ns, high_ns)."""
        first, last = (-(-(edge - self._start_ns) // self._interval_ns) for edge in (low_ns, high_ns))
        numbers = np.arange(max(first, 0), max(last, 0), dtype=np.int64)
        late = self._generator.integers(0, self._interval_ns // 4, len(numbers))
        offsets = numbers * self._interval_ns
        sizes = self._sizes(offsets)
        return Packets(self._start_ns + offsets + late, sizes, self._rows(numbers, sizes))

    def _sizes(self, offsets: Integers) -> Integers:
        low, high = _SIZES[self._level]
        sizes = self._generator.integers(low, high + 1, len(offsets))
        if self._level != "speech" or not len(offsets):
            return sizes
        low, high = _SIZES["pause"]
        small = self._generator.integers(low, high + 1, len(offsets))
        return np.where(self._talking(offsets), sizes, small)

    def _talking(self, offsets: Integers) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
        while self._talkspurts[-1] <= int(offsets[-1]):
            low, high = _TALKSPURT_MS[(len(self._talkspurts) + 1) % 2]
            self._talkspurts.append(self._talkspurts[-1] + int(self._generator.integers(low, high)) * 1_000_000)
        talkspurts: Integers = np.searchsorted(np.array(self._talkspurts), offsets, side="right")
        return np.equal(talkspurts % 2, 1)

    def _rows(self, numbers: Integers, sizes: Integers) -> Octets:
        count = len(numbers)
        rows = np.frombuffer(self._generator.bytes(count * WIDTH), dtype=np.uint8).reshape(count, WIDTH).copy()
        head = np.empty((count, 12), dtype=np.uint8)
        head[:, :2] = np.frombuffer(self._head, dtype=np.uint8)
        head[:, 2:4] = ((self._sequence + numbers) & 0xFFFF).astype(">u2").view(np.uint8).reshape(-1, 2)
        timestamps = (self._timestamp + numbers * _TIMESTAMP_STEP[self._service]) & 0xFFFFFFFF
        head[:, 4:8] = timestamps.astype(">u4").view(np.uint8).reshape(-1, 4)
        head[:, 8:12] = np.frombuffer(struct.pack("!I", self._ssrc), dtype=np.uint8)
        rows[:, :12] = head
        rows[:, 12 : 12 + len(self._tail)] = np.frombuffer(self._tail, dtype=np.uint8)
        rows *= np.arange(WIDTH) < sizes[:, None]
        return rows


def in_channel(packets: Packets, channel: int, align: int = 1) -> Packets:
    """The same packets as ChannelData (RFC 8656 section 12.4), padded to `align` 4 bytes over TCP (section 12.5)."""
    rows = np.empty((len(packets.sizes), WIDTH + 4), dtype=np.uint8)
    rows[:, :2] = np.frombuffer(struct.pack("!H", channel), dtype=np.uint8)
    rows[:, 2] = packets.sizes >> 8
    rows[:, 3] = packets.sizes & 0xFF
    rows[:, 4:] = packets.rows
    return Packets(packets.sent_ns, packets.sizes + 4 + -packets.sizes % align, rows)


def in_indications(packets: Packets, kind: int, peer: Endpoint, generator: np.random.Generator) -> Packets:
    """The same packets as Send or Data indications to or from an IPv4 peer (RFC 8656 sections 11.6 and 18.4)."""
    count, padded = len(packets.sizes), packets.sizes + -packets.sizes % 4
    number, address = stunwire.xor_address(stunwire.XOR_PEER_ADDRESS, peer, b"")
    attribute = struct.pack("!HH", number, len(address)) + address
    rows = np.empty((count, 36 + WIDTH), dtype=np.uint8)
    rows[:, :8] = np.frombuffer(struct.pack("!HHI", kind, 0, stunwire.COOKIE), dtype=np.uint8)
    rows[:, 2:4] = (padded + 16).astype(">u2").view(np.uint8).reshape(-1, 2)
    rows[:, 8:20] = np.frombuffer(generator.bytes(12 * count), dtype=np.uint8).reshape(count, 12)
    rows[:, 20:32] = np.frombuffer(attribute, dtype=np.uint8)
    rows[:, 32:34] = np.frombuffer(struct.pack("!H", stunwire.DATA_ATTRIBUTE), dtype=np.uint8)
    rows[:, 34:36] = packets.sizes.astype(">u2").view(np.uint8).reshape(-1, 2)
    rows[:, 36:] = packets.rows
    return Packets(packets.sent_ns, padded + 36, rows)
