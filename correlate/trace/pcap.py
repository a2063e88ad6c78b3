"""Classic pcap files (draft-ietf-opsawg-pcap): both byte orders, microseconds and nanoseconds."""

from __future__ import annotations

import struct
from dataclasses import replace

import numpy as np

from correlate.trace.records import (
    MAX_RECORD_BYTES,
    Damage,
    Interface,
    Octets,
    Records,
    broken,
    nothing,
    window,
)

# magic -> (byte order, nanoseconds in one unit of the fraction)
MAGICS = {
    b"\xd4\xc3\xb2\xa1": ("<", 1000),
    b"\xa1\xb2\xc3\xd4": (">", 1000),
    b"\x4d\x3c\xb2\xa1": ("<", 1),
    b"\xa1\xb2\x3c\x4d": (">", 1),
}
HEADER_BYTES = 24
RECORD_BYTES = 16


def read(octets: Octets, size: int) -> Records:
    """Every record of a classic file of `size` bytes, held in `octets` with padding behind.

    The magic is known to be one of MAGICS. Never raises: what cannot be read is in `damage`.
    """
    order, unit_ns = MAGICS[octets[:4].tobytes()]
    if size < HEADER_BYTES:
        text = f"the file header is cut: {size} of {HEADER_BYTES} bytes"
        return nothing("pcap", Damage("cut_file_header", size, None, text, breaks_chain=True, stops=True))
    snaplen, network = struct.unpack_from(f"{order}II", octets.data, 16)
    # The upper half of the field holds the length of a frame check sequence, not the link type.
    interface = Interface(network & 0xFFFF, snaplen, big_endian=order == ">")
    offsets, damage = _walk(octets.data, size, order)
    at = np.array(offsets, np.int64)
    header = window(octets, at, RECORD_BYTES).view(f"{order}u4").astype(np.int64)
    seconds, fraction, captured, wire = header.T
    time_ns = seconds * 1_000_000_000 + fraction * unit_ns
    everything = Records("pcap", at + RECORD_BYTES, captured, wire, time_ns, np.zeros_like(at), (interface,))
    return _cut_at_impossible(replace(everything, damage=(damage,) if damage else ()))


def _walk(data: memoryview, size: int, order: str) -> tuple[list[int], Damage | None]:
    """Offsets of the record headers up to the end or the first break."""
    length_at = struct.Struct(f"{order}I").unpack_from
    offsets: list[int] = []
    offset, last = HEADER_BYTES, size - RECORD_BYTES
    while offset <= last:
        (captured,) = length_at(data, offset + 8)
        following = offset + RECORD_BYTES + captured
        if captured > MAX_RECORD_BYTES or following > size:
            break
        if not captured and not any(data[offset : offset + RECORD_BYTES]):
            break
        offsets.append(offset)
        offset = following
    return offsets, _diagnose(data, size, order, offset, len(offsets) + 1)


def _diagnose(data: memoryview, size: int, order: str, offset: int, frame: int) -> Damage | None:
    """Why the walk ended at `offset`; None where that is the end of the file."""
    rest = size - offset
    if rest == 0:
        return None
    if rest < RECORD_BYTES:
        return broken("cut_record_header", offset, frame, f"a record header is cut: {rest} of {RECORD_BYTES} bytes")
    if not any(data[offset : offset + RECORD_BYTES]):
        return broken("zero_filled", offset, frame, f"zero bytes where a record should be; {rest} bytes are not read")
    (captured,) = struct.unpack_from(f"{order}I", data, offset + 8)
    if captured > MAX_RECORD_BYTES:
        text = f"impossible length: a record of {captured} bytes; {rest} bytes are not read"
        return broken("impossible_length", offset, frame, text)
    return broken("cut_record", offset, frame, f"a record is cut: {rest - RECORD_BYTES} of {captured} bytes")


def _cut_at_impossible(records: Records) -> Records:
    """Records before the first one that claims to hold more bytes than were on the wire."""
    wrong = np.flatnonzero(records.captured > records.wire)
    if not len(wrong):
        return records
    n = int(wrong[0])
    text = f"impossible length: {records.captured[n]} bytes captured of {records.wire[n]} on the wire"
    damage = broken("impossible_length", int(records.start[n]) - RECORD_BYTES, n + 1, text)
    start, captured, wire = records.start[:n], records.captured[:n], records.wire[:n]
    time_ns, interface = records.time_ns[:n], records.interface[:n]
    return Records("pcap", start, captured, wire, time_ns, interface, records.interfaces, None, (damage,))
