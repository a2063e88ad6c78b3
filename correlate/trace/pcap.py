"""Classic pcap files (draft-ietf-opsawg-pcap): both byte orders, microseconds and nanoseconds."""

import struct

import numpy as np

from correlate.trace.chain import Form, numbers, walk
from correlate.trace.records import (
    FRONT_BYTES,
    MAX_RECORD_BYTES,
    NO_TIME,
    Column,
    Damage,
    Interface,
    Mask,
    Octets,
    Records,
    Tally,
    broken,
    no_records,
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
SECOND_NS = 1_000_000_000


def _plausible(octets: Octets, at: Column, order: str) -> Mask:
    """A record of at least one byte, not more than on the wire, and of a length that there may be."""
    captured, wire = numbers(octets, order, 8)[at], numbers(octets, order, 12)[at]
    sound: Mask = (captured > 0) & (captured <= wire) & (wire <= MAX_RECORD_BYTES)
    return sound


class Reader:
    """The records of a classic file, block by block. The file's magic is known to be one of MAGICS.

    `at` is the position in the file of the next record, `frame` its number from 1. Once `stopped`, nothing more can be
    read, and `damage` says why. Never raises.
    """

    format = "pcap"
    kernel_dropped = None

    def __init__(self) -> None:
        self.interfaces: list[Interface] = []
        self.at, self.frame = 0, 1
        self.stopped = False
        self._order, self._unit_ns = "<", 1000
        self._head = b""
        self._fractions = Tally()

    def feed(self, data: bytearray, size: int, final: bool) -> tuple[Records, int]:
        """The whole records in `data[:size]`, which is what follows in the file, and how many bytes they take.

        `data` has PAD_BYTES behind `size`. `final`: nothing follows behind it.
        """
        low = 0
        if not self.interfaces:
            low = self._begin(data, size)
            if not low:
                self.stopped = final
                return no_records(), 0
        octets = np.frombuffer(data, np.uint8)
        # Records are looked for by the upper half of their seconds.
        mark_at = 2 if self._order == "<" else 0
        form = Form(self._order, 8, RECORD_BYTES, RECORD_BYTES, RECORD_BYTES, mark_at, 2, _plausible)
        records, end, wrong = self._whole(octets, walk(data, octets, low, size, form), low, size)
        self._note_fractions(records)
        self.at, self.frame = self.at + end, self.frame + len(records)
        self._head = bytes(data[end : min(end + RECORD_BYTES, size)])
        self.stopped = wrong or (final and end < size)
        return records, end

    def _begin(self, data: bytearray, size: int) -> int:
        """The length of the file header; 0 where it is not there as a whole."""
        if size < HEADER_BYTES:
            return 0
        self._order, self._unit_ns = MAGICS[bytes(data[:4])]
        snaplen, network = struct.unpack_from(f"{self._order}II", data, 16)
        # The upper half of the field holds the length of a frame check sequence, not the link type.
        self.interfaces.append(Interface(network & 0xFFFF, snaplen, big_endian=self._order == ">"))
        return HEADER_BYTES

    def _whole(self, octets: Octets, at: Column, low: int, size: int) -> tuple[Records, int, bool]:
        """The records before the first one that is cut or wrong, where they end, and whether that one is wrong."""
        both = window(octets, at, RECORD_BYTES + FRONT_BYTES)
        header = both[:, :RECORD_BYTES].view(f"{self._order}u4")
        seconds, fraction, captured, wire = (header[:, field].astype(np.int64) for field in range(4))
        fraction *= self._unit_ns
        time_ns = seconds * SECOND_NS
        time_ns += fraction
        impossible = fraction >= SECOND_NS
        if impossible.any():
            time_ns[impossible] = NO_TIME
        start = at + RECORD_BYTES
        bad = (captured > wire) | (captured > MAX_RECORD_BYTES)
        empty = wire == 0
        if empty.any():
            bad |= empty & (captured == 0) & (seconds == 0) & (fraction == 0)
        wrong = int(bad.argmax()) if bad.any() else len(at)
        end = int(start[wrong - 1] + captured[wrong - 1]) if wrong else low
        records = Records(
            start, captured, wire, time_ns, np.broadcast_to(np.int64(0), (len(at),)), both[:, RECORD_BYTES:]
        )
        if end > size:
            return records.take(slice(wrong - 1)), int(at[wrong - 1]), False
        # A record that claims an impossible length is wrong even where the rest of it has not come yet.
        return records.take(slice(wrong)), end, wrong < len(at)

    def _note_fractions(self, records: Records) -> None:
        """Every record of a classic file has a time, unless its fraction is impossible."""
        wrong = np.flatnonzero(records.time_ns == NO_TIME)
        self._fractions.note(self.frame + wrong, self.at + records.start[wrong] - RECORD_BYTES)

    def damage(self, total: int) -> list[Damage]:
        """Why the file of `total` bytes could not be read on from where it stopped; and impossible times."""
        if not self.interfaces:
            text = f"the file header is cut: {total} of {HEADER_BYTES} bytes"
            return [broken("cut_file_header", total, None, text)]
        text = "{} time{} with a fraction of a second or more"
        found = self._fractions.damage("impossible_fraction", text, stops=True)
        return [self._diagnose(total - self.at), *found] if self.stopped else found

    def _diagnose(self, rest: int) -> Damage:
        at, frame, head = self.at, self.frame, self._head
        if rest < RECORD_BYTES:
            return broken("cut_record_header", at, frame, f"a record header is cut: {rest} of {RECORD_BYTES} bytes")
        if not any(head):
            return broken("zero_filled", at, frame, f"zero bytes where a record should be; {rest} bytes are not read")
        captured, wire = struct.unpack_from(f"{self._order}II", head, 8)
        if captured > MAX_RECORD_BYTES:
            text = f"impossible length: a record of {captured} bytes; {rest} bytes are not read"
            return broken("impossible_length", at, frame, text)
        if captured > rest - RECORD_BYTES:
            return broken("cut_record", at, frame, f"a record is cut: {rest - RECORD_BYTES} of {captured} bytes")
        text = f"impossible length: {captured} bytes captured of {wire} on the wire"
        return broken("impossible_length", at, frame, text)
