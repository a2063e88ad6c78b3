"""Frames on their way through a wire: single ones, batches of one flow, and the order in which they pass."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from lab.virtual.network.datagrams import Integers, Octets
from lab.virtual.network.meaning import Meaning
from lab.virtual.network.tcp import Booleans, Numbers, Transmission, numbered


@dataclass(frozen=True)
class Frames:
    """Frames that pass together: instants, whole lengths, and rows of bytes with zeros behind the known ones."""

    times_ns: Integers
    lengths: Integers
    rows: Octets

    def __len__(self) -> int:
        return len(self.times_ns)

    def part(self, low: int, high: int) -> Frames:
        """The frames from index `low` up to `high`."""
        return Frames(self.times_ns[low:high], self.lengths[low:high], self.rows[low:high])

    def of_mac(self, mac: bytes) -> Frames:
        """The Ethernet frames that a MAC sends or receives."""
        wanted = np.frombuffer(mac, dtype=np.uint8)
        kept = (self.rows[:, :6] == wanted).all(axis=1) | (self.rows[:, 6:12] == wanted).all(axis=1)
        return Frames(self.times_ns[kept], self.lengths[kept], self.rows[kept])


@dataclass(order=True)
class Single:
    when_ns: int
    sequence: int
    octets: bytes = field(compare=False)
    payload_bytes: int = field(compare=False)
    meaning: Meaning = field(compare=False)
    count: int = field(compare=False, default=1)
    tcp: Transmission | None = field(compare=False, default=None)

    @property
    def ip_payload_bytes(self) -> int:
        """What usage counts: UDP's payload, or as much more of TCP as its header is longer."""
        return self.payload_bytes if self.tcp is None else len(self.octets) - self.tcp.start - 8


@dataclass
class Batch:
    """Many frames of one flow and meaning, sorted by the instant they pass; `sent_ns` is when each left its sender.

    A datagram is one message of `payload_bytes`; of a TCP segment these are the messages that end in it, `counts`.
    """

    times_ns: Integers
    sent_ns: Integers
    lengths: Integers
    payload_bytes: Integers
    rows: Octets
    meaning: Meaning
    group: str
    counts: Integers | None = None
    tcp: Transmission | None = None
    sequence: int = 0
    cursor: int = 0

    def keep(self, wanted: Booleans) -> None:
        """Forget the frames behind the cursor that are not wanted."""
        wanted = wanted.copy()
        wanted[: self.cursor] = True
        vars(self).update(vars(self.of(wanted)))

    def of(self, wanted: Booleans | slice) -> Batch:
        """The same with some of its frames."""
        return replace(
            self,
            times_ns=self.times_ns[wanted],
            sent_ns=self.sent_ns[wanted],
            lengths=self.lengths[wanted],
            payload_bytes=self.payload_bytes[wanted],
            rows=self.rows[wanted],
            counts=None if self.counts is None else self.counts[wanted],
            tcp=None if self.tcp is None else self.tcp.part(wanted),
        )

    def ip_payload_bytes(self, low: int, high: int) -> int:
        """What usage counts of some frames: UDP's payload, or as much more of TCP as its header is longer."""
        if self.tcp is None:
            return int(self.payload_bytes[low:high].sum())
        return int((self.lengths[low:high] - self.tcp.start - 8).sum())


Piece = tuple[Batch, int, int]


def order(singles: list[Single], pieces: list[Piece]) -> Integers:
    """In which order frames pass: those of the pieces one piece behind the other, then the singles."""
    times = [batch.times_ns[low:high] for batch, low, high in pieces]
    sequences = [np.full(high - low, batch.sequence) for batch, low, high in pieces]
    times.append(np.array([single.when_ns for single in singles], dtype=np.int64))
    sequences.append(np.array([single.sequence for single in singles], dtype=np.int64))
    return np.lexsort((np.concatenate(sequences), np.concatenate(times)))


def with_numbers(singles: list[Single], pieces: list[Piece]) -> tuple[list[Single], list[Piece]]:
    """The same frames with the numbers of their TCP connections, without acknowledgements that say nothing new."""
    connections: dict[Numbers, tuple[list[Single], list[Piece]]] = {}
    for single in singles:
        if single.tcp is not None:
            connections.setdefault(single.tcp.numbers, ([], []))[0].append(single)
    for piece in pieces:
        if piece[0].tcp is not None:
            connections.setdefault(piece[0].tcp.numbers, ([], []))[1].append(piece)
    if not connections:
        return singles, pieces
    singles = [single for single in singles if single.tcp is None]
    pieces = [piece for piece in pieces if piece[0].tcp is None]
    for numbers, (mine, batches) in connections.items():
        some, parts = _numbered_alike(numbers, mine, [batch.of(slice(low, high)) for batch, low, high in batches])
        singles += some
        pieces += [(part, 0, len(part.times_ns)) for part in parts if len(part.times_ns)]
    return sorted(singles), pieces


def _numbered_alike(numbers: Numbers, singles: list[Single], parts: list[Batch]) -> tuple[list[Single], list[Batch]]:
    """The segments of one connection with their numbers."""
    whole: list[Piece] = [(part, 0, len(part.times_ns)) for part in parts]
    sorting = order(singles, whole)
    instants = np.array([single.when_ns for single in singles], dtype=np.int64)
    times = np.concatenate([*(part.times_ns for part in parts), instants])
    ways = [np.full(len(part.times_ns), part.meaning.outgoing) for part in parts]
    outgoing = np.concatenate([*ways, np.array([single.meaning.outgoing for single in singles], dtype=bool)])
    consumes = [part.tcp.consumes for part in parts if part.tcp is not None]
    consumes += [single.tcp.consumes for single in singles if single.tcp is not None]
    found = [np.empty_like(times), np.empty_like(times), np.empty_like(times)]
    taken = numbers.take(times[sorting], outgoing[sorting], np.concatenate(consumes)[sorting])
    for column, values in zip(found, taken, strict=True):
        column[sorting] = values
    kept, sequence, acknowledged = found
    at, passing = 0, []
    for part in parts:
        here = slice(at, at + len(part.times_ns))
        at = here.stop
        if part.tcp is not None:
            part.rows = numbered(part.rows, part.lengths, part.tcp.start, sequence[here], acknowledged[here])
            passing.append(part.of(kept[here] > 0))
    some = []
    for number, single in enumerate(singles, at):
        if single.tcp is not None and kept[number]:
            row = np.frombuffer(single.octets, dtype=np.uint8)[None, :]
            one = slice(number, number + 1)
            row = numbered(row, np.array([row.size]), single.tcp.start, sequence[one], acknowledged[one])
            some.append(replace(single, octets=row.tobytes()))
    return some, passing


def as_frames(singles: list[Single], widest: int) -> Frames:
    """Single frames as one run of them, cut to the widest that anybody asks for."""
    width = min(widest, max(len(single.octets) for single in singles))
    text = b"".join(single.octets[:width].ljust(width, b"\0") for single in singles)
    return Frames(
        np.array([single.when_ns for single in singles], dtype=np.int64),
        np.array([len(single.octets) for single in singles], dtype=np.int64),
        np.frombuffer(text, dtype=np.uint8).reshape(len(singles), width),
    )


def joined(parts: list[Frames]) -> Frames:
    """Several runs of frames as one, in this order, as wide as the widest."""
    if len(parts) == 1:
        return parts[0]
    width = max(part.rows.shape[1] for part in parts)
    rows = np.zeros((sum(len(part) for part in parts), width), dtype=np.uint8)
    at = 0
    for part in parts:
        rows[at : at + len(part), : part.rows.shape[1]] = part.rows
        at += len(part)
    return Frames(np.concatenate([p.times_ns for p in parts]), np.concatenate([p.lengths for p in parts]), rows)
