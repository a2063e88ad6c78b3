"""A capture file as numpy columns of its UDP datagrams, and the proof that it is whole.

Classic pcap and pcapng, gzip included. What is damaged is read up to where the chain of records breaks, and said.
`blocks` streams a file of any size in bounded memory; `Trace.read` holds a trial's capture as a whole. Nothing else
opens files, and these only regular ones. Of what is no capture no more than its beginning is read.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from correlate.errors import Unreadable
from correlate.trace.datagrams import HEAD_BYTES, Datagrams, columns
from correlate.trace.formats import START_BYTES, require_known
from correlate.trace.fragments import Fragment
from correlate.trace.records import Damage, Interface, Records, no_records
from correlate.trace.rows import Rows, no_rows
from correlate.trace.source import GZIP_MAGIC, READ_BYTES, opened, whole
from correlate.trace.stream import BLOCK_BYTES, MTU_BYTES, Block, CaptureReader, Look
from correlate.trace.tcp import Finder as TcpFinder
from correlate.trace.tcp import SegmentRows, Segments
from correlate.trace.tuples import Tuples

__all__ = ["MTU_BYTES", "Block", "CaptureReader", "Damage", "Datagrams", "Integrity", "Trace", "blocks", "verify"]

# A trace is held in memory at once; a sparse file may say that it has any size, a pipe has none, and a device no end.
MAX_HELD_BYTES = 512 << 20
# A small file may unpack to anything; what people pack by hand is smaller than this.
MAX_UNPACKED_BYTES = 96 << 20


def blocks(path: str | os.PathLike[str], *, block_bytes: int = BLOCK_BYTES, look: Look | None = None) -> CaptureReader:
    """The capture at `path` (`-`: standard input), block by block. Raises Unreadable as `CaptureReader` says.

    A block is at most `block_bytes` long, or as long as the longest record. `look` is shown all records.
    """
    return CaptureReader(path, block_bytes=block_bytes, look=look)


@dataclass(frozen=True, slots=True)
class Trace:
    """One capture file, read once.

    `packets` counts all packets, UDP or not; `first_ns` and `last_ns` are the smallest and the largest of their times
    (None where there are none); `data` is the unpacked file, which the offsets in `udp`, `tcp`, `fragments` (of UDP)
    and `records` point into; `raw` is the file as it lies on disk; `kernel_dropped` are the drops that a pcapng counts,
    in interface statistics or before packets (None without any). `records` are all frames, without their bytes, of one
    of `interfaces` each, or of none.
    """

    path: Path
    format: str
    link_types: tuple[int, ...]
    packets: int
    data: memoryview
    raw: memoryview
    udp: Datagrams
    tcp: Segments
    fragments: tuple[Fragment, ...]
    records: Records
    interfaces: tuple[Interface, ...]
    damage: tuple[Damage, ...]
    first_ns: int | None
    last_ns: int | None
    kernel_dropped: int | None

    @staticmethod
    def read(path: str | os.PathLike[str], *, look: Look | None = None) -> Trace:
        """Reads the capture at `path`. Raises Unreadable for what is no capture and for a link type without a reader.

        Damage never raises: everything before the first break is there, and `damage` says what is wrong. Memory grows
        with the file; `blocks` is for files of any size. `look` is shown all records, as `CaptureReader` says.
        """
        raw = _raw(path)
        data = _unpacked(path, raw) if raw[: len(GZIP_MAGIC)] == GZIP_MAGIC else raw
        stream = CaptureReader(path, held=raw, block_bytes=min(BLOCK_BYTES, len(data) + 1), look=look)
        parts, heads, tuples = [no_rows()], [np.zeros((0, HEAD_BYTES), np.uint8)], Tuples()
        segments, finder = list[SegmentRows](), TcpFinder()
        fragments, records, interfaces = list[Fragment](), list[Records](), list[Interface]()
        for block in stream:
            parts.append(_placed(block))
            heads.append(block.heads(block.rows))
            tuples, interfaces = block.tuples, block.interfaces
            found = finder.rows(block.octets, block.records, block.frame, interfaces)
            segments.append(replace(found, payload_offset=found.payload_offset + block.offset))
            fragments += (each._replace(offset=each.offset + block.offset) for each in block.fragments)
            records.append(replace(block.records, start=block.records.start + block.offset, front=no_records().front))
        frames = np.concatenate([part.frame for part in parts])
        head = np.concatenate(heads)[np.argsort(frames, kind="stable")]
        return Trace(
            Path(path), stream.format, stream.link_types, stream.packets, memoryview(data), memoryview(raw),
            columns(Rows.joined(parts), head, tuples), Segments.of(segments, finder.tuples), tuple(fragments),
            Records.joined(records), tuple(interfaces), stream.damage, stream.first_ns, stream.last_ns,
            stream.kernel_dropped,
        )  # fmt: skip

    def payload(self, row: int) -> bytes:
        """What was captured of the UDP payload of datagram `row`; empty for later fragments."""
        offset = int(self.udp.payload_offset[row])
        return b"" if offset < 0 else bytes(self.data[offset : offset + int(self.udp.payload_captured[row])])

    def __reduce__(self) -> tuple[Any, ...]:
        """Lets a trace go to another process: its bytes are copied."""
        values = [getattr(self, field.name) for field in fields(self)]
        return _unpickled, tuple(bytes(value) if isinstance(value, memoryview) else value for value in values)

    @property
    def stops(self) -> bool:
        """Whether the file is damaged so that it does not count as whole (exit 3)."""
        return any(damage.stops for damage in self.damage)


def _unpickled(*values: Any) -> Trace:
    held: list[Any] = [memoryview(value) if isinstance(value, bytes) else value for value in values]
    return Trace(*held)


def _placed(block: Block) -> Rows:
    """The rows of a block with payload offsets in the file."""
    offset = block.rows.payload_offset
    return replace(block.rows, payload_offset=np.where(offset < 0, -1, offset + block.offset))


def _raw(path: str | os.PathLike[str]) -> bytes:
    file = opened(path, unpack=False)
    try:
        first = whole(file, READ_BYTES)
        require_known(path, whole(opened(path, first), START_BYTES))
        # What a file says of its size is believed only where it is too large; the rest is counted.
        large = os.path.isfile(path) and os.stat(path).st_size > MAX_HELD_BYTES
        raw = b"" if large else whole(file, MAX_HELD_BYTES + 1, first)
    finally:
        file.close()
    if large or len(raw) > MAX_HELD_BYTES:
        raise Unreadable(path, f"has more than {MAX_HELD_BYTES >> 20} MiB; cut it with editcap -c first")
    return raw


def _unpacked(path: str | os.PathLike[str], raw: bytes) -> bytes:
    file = opened(path, raw)
    data = whole(file, MAX_UNPACKED_BYTES)
    if len(data) >= MAX_UNPACKED_BYTES:
        raise Unreadable(path, f"unpacks to {MAX_UNPACKED_BYTES >> 20} MiB or more; unpack it with gunzip first")
    return data


@dataclass(frozen=True, slots=True)
class Integrity:
    """What `verify` found. `bytes` and `sha256` are of the file as it lies on disk, times in ns since 1970.

    `ok` means that nothing voids a trial: no break, no time running backwards by 10 ms or more, no missing statistics,
    no missing packets.
    """

    ok: bool
    packets: int
    bytes: int
    sha256: str
    first_ns: int | None
    last_ns: int | None
    damage: tuple[Damage, ...]
    kernel_dropped: int | None


def verify(capture: str | os.PathLike[str] | Trace, *, expect_packets: int | None = None) -> Integrity:
    """Whether a capture is whole. Takes a path, or a Trace that was read already so that the file is read once.

    `expect_packets` is what the capturing tool counted. Raises Unreadable like `Trace.read`.
    """
    trace = capture if isinstance(capture, Trace) else Trace.read(capture)
    damage = trace.damage
    if expect_packets is not None and expect_packets != trace.packets:
        text = f"{trace.packets} packets are in the file, the capturing tool counted {expect_packets}"
        damage = (*damage, Damage("packets_missing", None, None, text, breaks_chain=False, stops=True))
    ok = not any(one.voids for one in damage)
    sha256 = hashlib.sha256(trace.raw).hexdigest()
    size, first, last = len(trace.raw), trace.first_ns, trace.last_ns
    return Integrity(ok, trace.packets, size, sha256, first, last, damage, trace.kernel_dropped)
