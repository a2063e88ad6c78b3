"""Capture files as tcpdump and dumpcap write them, and what these tools have in the file at any instant.

Classic pcap with microseconds: draft-ietf-opsawg-pcap. pcapng: draft-ietf-opsawg-pcapng, as dumpcap 4.0.17 writes it.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from lab.virtual.network.datagrams import Integers, Octets
from lab.virtual.network.passing import Frames, joined
from lab.virtual.network.wire import Wire

LINK_TYPES = {"ethernet": 1, "raw": 101}
LINK_HEADER_BYTES = {"ethernet": 14, "raw": 0}
_DUMPCAP = "Dumpcap (Wireshark) 4.0.17"
_HARDWARE = "Intel(R) Core(TM) i7-11800H (with SSE4.2)"
_SYSTEM = "Linux 6.1.0"


@dataclass(frozen=True)
class Buffering:
    """How long a tool keeps frames before they are in the file: blocks of `block_ns`, 0 for at once.

    What is in a block that is still open when the tool is stopped is lost, unless it `flushes`; killed, it is lost.
    """

    block_ns: int
    flushes: bool = False

    def closed_ns(self, started_ns: int, now_ns: int) -> int:
        """The instant before which all frames are in the file."""
        if self.block_ns == 0:
            return now_ns + 1
        return started_ns + (now_ns - started_ns) // self.block_ns * self.block_ns


IMMEDIATE = Buffering(0)
"""tcpdump -U --immediate-mode."""
TCPDUMP_BLOCKS = Buffering(1_000_000_000)
"""tcpdump without --immediate-mode: a stop loses the last second."""
DUMPCAP_BLOCKS = Buffering(500_000_000)
"""dumpcap."""
PCAPDROID_BLOCKS = Buffering(1_000_000_000, flushes=True)
"""PCAPdroid: it hands its buffer on once a second, and all of it when it is stopped (its pcap_dump.c)."""


def slot_bytes(snaplen: int, link_type: str) -> int:
    """How much of a frame has room in a slot of `tcpdump --immediate-mode -s SNAPLEN`: up to 16 bytes less than that.

    Measured with tcpdump 4.99.3, libpcap 1.10.3, Linux 6.18 (tests/integrity/test_slots.py).
    """
    slot = -(-(68 + snaplen) // 16) * 16
    return max(0, min(snaplen, slot - 84 + LINK_HEADER_BYTES[link_type]))


def pcap_header(link_type: int, snaplen: int) -> bytes:
    """The file header of a classic pcap with microseconds, little-endian."""
    return struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, snaplen, link_type)


def pcap_records(times_ns: Integers, frames: Frames, snaplen: int) -> bytes:
    """Frames as records of a classic pcap, stamped with `times_ns` cut to microseconds."""
    captured = np.minimum(frames.lengths, snaplen)
    heads = np.empty((len(frames), 4), dtype="<u4")
    heads[:, 0] = times_ns // 1_000_000_000
    heads[:, 1] = times_ns % 1_000_000_000 // 1000
    heads[:, 2] = captured
    heads[:, 3] = frames.lengths
    return _ragged(heads.view(np.uint8), frames.rows, captured, captured, None)


def _block(kind: int, body: bytes) -> bytes:
    length = len(body) + 12
    return struct.pack("<II", kind, length) + body + struct.pack("<I", length)


def _options(options: list[tuple[int, bytes]]) -> bytes:
    text = b"".join(struct.pack("<HH", code, len(value)) + value + bytes(-len(value) % 4) for code, value in options)
    return text + struct.pack("<HH", 0, 0)


def pcapng_header(link_type: int, snaplen: int, interface: str) -> bytes:
    """Section header and interface description as dumpcap writes them; timestamps in nanoseconds."""
    section = struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)
    section += _options([(2, _HARDWARE.encode()), (3, _SYSTEM.encode()), (4, _DUMPCAP.encode())])
    description = struct.pack("<HHI", link_type, 0, snaplen)
    description += _options([(2, interface.encode()), (9, b"\x09"), (12, _SYSTEM.encode())])
    return _block(0x0A0D0D0A, section) + _block(1, description)


def pcapng_packets(times_ns: Integers, frames: Frames, snaplen: int) -> bytes:
    """Frames as enhanced packet blocks without options."""
    captured = np.minimum(frames.lengths, snaplen)
    padded = captured + -captured % 4
    heads = np.empty((len(frames), 7), dtype="<u4")
    heads[:, 0] = 6
    heads[:, 1] = padded + 32
    heads[:, 2] = 0
    heads[:, 3] = times_ns >> 32
    heads[:, 4] = times_ns & 0xFFFFFFFF
    heads[:, 5] = captured
    heads[:, 6] = frames.lengths
    tails = np.ascontiguousarray((padded + 32).astype("<u4")).view(np.uint8).reshape(-1, 4)
    return _ragged(heads.view(np.uint8), frames.rows, captured, padded, tails)


def pcapng_statistics(started_ns: int, stopped_ns: int, received: int, dropped: int) -> bytes:
    """The interface statistics block at the end of a file that was stopped cleanly."""

    def stamp(instant_ns: int) -> bytes:
        return struct.pack("<II", instant_ns >> 32, instant_ns & 0xFFFFFFFF)

    counts = [(4, struct.pack("<Q", received)), (5, struct.pack("<Q", dropped))]
    body = struct.pack("<I", 0) + stamp(stopped_ns)
    return _block(5, body + _options([(2, stamp(started_ns)), (3, stamp(stopped_ns)), *counts]))


STATISTICS_BYTES = len(pcapng_statistics(0, 0, 0, 0))
_INTO_A_PACKET, _ZEROED = 7, 4096


def damaged(how: str, format: Literal["pcap", "pcapng"]) -> tuple[int, int]:
    """How many bytes a file loses, and how many zeros it gets: `cut` in its last packet, or `zeroed` at its end."""
    if how == "zeroed":
        return _ZEROED, _ZEROED
    return _INTO_A_PACKET + (STATISTICS_BYTES if format == "pcapng" else 0), 0


def _ragged(heads: Octets, rows: Octets, captured: Integers, padded: Integers, tails: Octets | None) -> bytes:
    """Head, `captured` bytes of row, zeros up to `padded`, tail: of each record, one record behind the other."""
    head, widest = heads.shape[1], int(padded.max())
    tail = 0 if tails is None else tails.shape[1]
    whole = np.zeros((len(rows), head + widest + tail), dtype=np.uint8)
    whole[:, :head] = heads
    width = min(rows.shape[1], widest)
    whole[:, head : head + width] = rows[:, :width]
    if tails is not None:
        whole[:, head + widest :] = tails
    if int(padded.min()) == widest and int(captured.min()) == widest:
        return whole.tobytes()
    columns = np.arange(widest)
    whole[:, head : head + widest] *= columns < captured[:, None]
    kept = np.ones(whole.shape, dtype=bool)
    kept[:, head : head + widest] = columns < padded[:, None]
    return whole[kept].tobytes()


class Capture:
    """A running capture of one wire. It is attached from the start until `stop`.

    `clock` turns a bench instant into the instant that the capturing machine's clock shows; `write` gets the bytes of
    the file in order. `mac`: what that MAC sends or receives, and nothing else. `room`: how much of a frame the tool
    can keep, where that is less than the snaplen that the file names. `received` counts the frames the tool saw,
    `captured` those that are in the file.
    """

    def __init__(
        self,
        wire: Wire,
        format: Literal["pcap", "pcapng"],
        snaplen: int,
        buffering: Buffering,
        clock: Callable[[int], int],
        write: Callable[[bytes], None],
        interface: str | None = None,
        mac: bytes | None = None,
        room: int | None = None,
    ) -> None:
        self.snaplen = snaplen if room is None else min(snaplen, room)
        self.received, self.captured, self.dropped = 0, 0, 0
        self.started_ns = wire.world.now_ns
        self._wire, self._format, self._buffering = wire, format, buffering
        self._clock, self._write, self._mac = clock, write, mac
        self._waiting: list[Frames] = []
        self._stopped = False
        self.sees_from_ns = self.started_ns
        """What passed before is not seen: the tool is not that far yet, whatever it says."""
        self._misses = 0
        link = LINK_TYPES[wire.link_type]
        name = wire.name if interface is None else interface
        write(pcap_header(link, snaplen) if format == "pcap" else pcapng_header(link, snaplen, name))
        wire.attach(self)

    def take(self, frames: Frames) -> None:
        """Receive frames that passed on the wire."""
        taken = frames if self._mac is None else frames.of_mac(self._mac)
        if self.sees_from_ns > self.started_ns:
            taken = taken.part(int(np.searchsorted(taken.times_ns, self.sees_from_ns)), len(taken))
        if self._misses:
            missed = min(self._misses, len(taken))
            self._misses, self.dropped = self._misses - missed, self.dropped + missed
            taken = taken.part(missed, len(taken))
        if len(taken):
            self.received += len(taken)
            self._waiting.append(taken)

    def miss(self, frames: int) -> None:
        """The kernel drops the next so many frames, for the tool is too slow; it counts them."""
        self._misses += frames

    def tick(self, now_ns: int) -> None:
        """Write the frames of all blocks that are closed by now."""
        if self._waiting:
            self._write_before(self._buffering.closed_ns(self.started_ns, now_ns))

    def stop(self, *, killed: bool = False) -> None:
        """End the capture: what is in an open block is lost; a killed dumpcap writes no statistics either."""
        if self._stopped:
            return
        self._wire.detach(self)
        if self._waiting and self._buffering.flushes and not killed:
            self._write_before(self._wire.world.now_ns + 1)
        self._stopped = True
        self._waiting.clear()
        if self._format == "pcapng" and not killed:
            started, stopped = self._clock(self.started_ns), self._clock(self._wire.world.now_ns)
            self._write(pcapng_statistics(started, stopped, self.received, self.dropped))

    def _write_before(self, end_ns: int) -> None:
        if self._waiting[0].times_ns[0] >= end_ns:
            return
        frames = joined(self._waiting)
        due = int(np.searchsorted(frames.times_ns, end_ns, side="left"))
        if due == 0:
            return
        self._waiting = [frames.part(due, len(frames))] if due < len(frames) else []
        ready = frames.part(0, due)
        stamps = np.array([self._clock(instant) for instant in ready.times_ns.tolist()], dtype=np.int64)
        encode = pcap_records if self._format == "pcap" else pcapng_packets
        self.captured += due
        self._write(encode(stamps, ready, self.snaplen))
