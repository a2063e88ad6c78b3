"""From a path to its records: opens the file, unpacks gzip, and chooses the format by the first bytes."""

from __future__ import annotations

import os
import stat
import zlib
from dataclasses import dataclass, replace
from io import BufferedReader
from pathlib import Path

import numpy as np

from correlate.errors import Unreadable
from correlate.trace import pcap, pcapng
from correlate.trace.records import PAD_BYTES, Damage, Octets, Records, nothing

GZIP_MAGIC = b"\x1f\x8b"
# A small file may unpack to anything; what people pack by hand is smaller than this.
MAX_UNPACKED_BYTES = 96 << 20
# A file is held in memory at once; a sparse one may say that it has any size.
MAX_FILE_BYTES = 4 << 30
# A pipe has no size to look at, and a device no end.
MAX_STREAMED_BYTES = 512 << 20
BLOCK_BYTES = 1 << 20
STANDARD_INPUT = Path("/dev/stdin")
REFUSED = {
    b"\x34\xcd\xb2\xa1": "Kuznetzov's modified pcap",
    b"\xa1\xb2\xcd\x34": "Kuznetzov's modified pcap",
    b"\x0a\x0d\x0d\x0b": "a pcapng written back to front",
    b"snoo": "snoop",
    b"RTSS": "Microsoft NetMon 1",
    b"GMBU": "Microsoft NetMon 2",
}


@dataclass(frozen=True, slots=True)
class Contents:
    """A file read once: `raw` as it lies on disk, `octets` unpacked with PAD_BYTES zero bytes behind `size` bytes."""

    raw: memoryview
    octets: Octets
    size: int
    records: Records


def read_records(path: str | os.PathLike[str]) -> Contents:
    """All records of the capture at `path`. Raises Unreadable for what is no capture; damage is in the records."""
    raw = _raw(Path(path))
    octets, size, damage = raw, len(raw) - PAD_BYTES, None
    if raw[:2].tobytes() == GZIP_MAGIC:
        octets, damage = _unpacked(Path(path), raw.data[:size])
        size = len(octets) - PAD_BYTES
    records = _records(Path(path), octets, size)
    if damage:
        records = replace(records, damage=(damage, *records.damage))
    return Contents(raw.data[: len(raw) - PAD_BYTES], octets, size, records)


def _raw(path: Path) -> Octets:
    """The file's bytes with padding behind; `-` is standard input. What is no file is read until it ends."""
    try:
        with (STANDARD_INPUT if path == Path("-") else path).open("rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                return _streamed(path, file)
            if status.st_size > MAX_FILE_BYTES:
                raise Unreadable(path, f"has more than {MAX_FILE_BYTES >> 30} GiB; cut it with editcap -c first")
            octets = np.empty(status.st_size + PAD_BYTES, np.uint8)
            got = file.readinto(octets.data[: status.st_size])
    except OSError as error:
        raise Unreadable(path, f"cannot be read: {error.strerror}") from error
    octets[got:] = 0
    return octets[: got + PAD_BYTES]


def _streamed(path: Path, file: BufferedReader) -> Octets:
    data = bytearray()
    while block := file.read(BLOCK_BYTES):
        data += block
        if len(data) > MAX_STREAMED_BYTES:
            raise Unreadable(path, f"gives more than {MAX_STREAMED_BYTES >> 20} MiB; save it to a file first")
    data += bytes(PAD_BYTES)
    return np.frombuffer(data, np.uint8)


def _unpacked(path: Path, packed: memoryview) -> tuple[Octets, Damage | None]:
    """All members of a gzip file (RFC 1952), up to the first break."""
    pieces, total, rest = [], 0, bytes(packed)
    damage = None
    while rest[:2] == GZIP_MAGIC:
        member = zlib.decompressobj(wbits=31)
        try:
            pieces.append(member.decompress(rest, MAX_UNPACKED_BYTES - total))
        except zlib.error as error:
            damage = _gzip_damage(f"its compression is broken: {error}")
            pieces.append(_salvaged(rest))
            break
        total += len(pieces[-1])
        if total >= MAX_UNPACKED_BYTES:
            raise Unreadable(path, f"unpacks to {MAX_UNPACKED_BYTES >> 20} MiB or more; unpack it with gunzip first")
        if not member.eof:
            damage = _gzip_damage("its compression ends early")
            break
        rest = member.unused_data
    return np.frombuffer(b"".join((*pieces, bytes(PAD_BYTES))), np.uint8), damage


def _salvaged(packed: bytes, step_bytes: int = 1024) -> bytes:
    """What a broken member yields before zlib notices."""
    member, pieces, total = zlib.decompressobj(wbits=31), [], 0
    try:
        for at in range(0, len(packed), step_bytes):
            pieces.append(member.decompress(packed[at : at + step_bytes], MAX_UNPACKED_BYTES - total))
            total += len(pieces[-1])
            if total >= MAX_UNPACKED_BYTES:
                break
    except zlib.error:
        return b"".join(pieces)
    return b"".join(pieces)


def _gzip_damage(text: str) -> Damage:
    return Damage("cut_gzip", None, None, text, breaks_chain=True, stops=True)


def _records(path: Path, octets: Octets, size: int) -> Records:
    magic = octets[: min(4, size)].tobytes()
    if magic in pcap.MAGICS:
        return pcap.read(octets, size)
    if magic == pcapng.MAGIC:
        return pcapng.read(octets, size)
    if not magic:
        return nothing("empty", Damage("empty", 0, None, "the file is empty", breaks_chain=True, stops=True))
    for known, format in [*((known, "pcap") for known in pcap.MAGICS), (pcapng.MAGIC, "pcapng")]:
        if known.startswith(magic):
            text = f"the file header is cut: {size} bytes"
            return nothing(format, Damage("cut_file_header", size, None, text, breaks_chain=True, stops=True))
    if magic in REFUSED:
        raise Unreadable(path, f"is {REFUSED[magic]}, which is not read here; convert it with editcap -F pcapng")
    raise Unreadable(path, "is neither a pcap nor a pcapng file")
