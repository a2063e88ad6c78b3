"""Which format a file has, by its first bytes, and what to do with one that is not read here."""

from __future__ import annotations

import os
import shlex
import struct

from correlate.errors import Unreadable
from correlate.trace import pcap, pcapng
from correlate.trace.source import STANDARD_INPUT

MAGIC_BYTES = 4
START_BYTES = 8
"""A magic and, in classic files, the version behind it."""
VERSION = (2, 4)
"""Of classic pcap. libpcap takes 2.0 to 2.4, Wireshark later ones too; but before 2.3 the two lengths of a record are
swapped, in 2.3 sometimes, and what a later one changes nobody has written down."""
REFUSED = {
    b"\x34\xcd\xb2\xa1": "Kuznetzov's modified pcap",
    b"\xa1\xb2\xcd\x34": "Kuznetzov's modified pcap",
    b"\x0a\x0d\x0d\x0b": "a pcapng written back to front",
    b"snoo": "snoop",
    b"RTSS": "Microsoft NetMon 1",
    b"GMBU": "Microsoft NetMon 2",
}
PACKED = {
    b"\x28\xb5\x2f\xfd": "zstd",  # RFC 8878 3.1.1
    b"\x04\x22\x4d\x18": "lz4",
    b"\x02\x21\x4c\x18": "lz4",  # its legacy frame
    b"\xfd7zX": "xz",
    b"BZh": "bzip2",
}
"""How a file packed with the command begins; `COMMAND -dc` unpacks it whatever its name. Gzip is read as it is."""


def require_known(path: str | os.PathLike[str], start: bytes) -> None:
    """Raises Unreadable where no format that is read here begins like this: with the first START_BYTES of an unpacked
    file, or as many as it has."""
    magic = start[:MAGIC_BYTES]
    if magic in REFUSED:
        raise Unreadable(path, f"is {REFUSED[magic]}, which is not read here; convert it with editcap -F pcapng")
    for begins, command in PACKED.items():
        if start.startswith(begins):
            name = os.fspath(path)
            of = "" if name == STANDARD_INPUT else f" {shlex.quote(name)} > unpacked.pcap"
            raise Unreadable(path, f"is packed with {command}; unpack it first: {command} -dc{of}")
    if not any(known.startswith(magic) for known in (pcapng.MAGIC, *pcap.MAGICS)):
        raise Unreadable(path, "is neither a pcap nor a pcapng file")
    if magic in pcap.MAGICS and len(start) >= START_BYTES:
        version = struct.unpack_from(f"{pcap.MAGICS[magic][0]}HH", start, MAGIC_BYTES)
        if version != VERSION:
            text = f"is pcap of version {'.'.join(map(str, version))}, only {'.'.join(map(str, VERSION))} is read here"
            raise Unreadable(path, f"{text}; convert it with editcap -F pcapng")
