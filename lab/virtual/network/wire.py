"""A wire: the vantage at which one phone's frames are seen, in the order of bench time.

Frames are put with the instant at which they pass, at most a network's delay ahead. `flush(now)` lets all that are due
pass: the ledger notes them and every attached capture is handed them.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np

from lab.virtual.network.datagrams import Integers, Octets
from lab.virtual.network.ledger import Ledger
from lab.virtual.network.meaning import Meaning
from lab.virtual.world import World


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


class Listener(Protocol):
    """What a wire asks of a capture."""

    snaplen: int

    def take(self, frames: Frames) -> None:
        """Receive frames that passed."""

    def tick(self, now_ns: int) -> None:
        """Write what is due by now."""


@dataclass(order=True)
class _Single:
    when_ns: int
    sequence: int
    octets: bytes = field(compare=False)
    payload_bytes: int = field(compare=False)
    meaning: Meaning = field(compare=False)


@dataclass
class Batch:
    """Many frames of one flow and meaning, sorted by the instant they pass; `sent_ns` is when each left its sender."""

    times_ns: Integers
    sent_ns: Integers
    lengths: Integers
    payload_bytes: Integers
    rows: Octets
    meaning: Meaning
    group: str
    sequence: int = 0
    cursor: int = 0

    def keep(self, wanted: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> None:
        """Forget the frames behind the cursor that are not wanted."""
        wanted = wanted.copy()
        wanted[: self.cursor] = True
        self.times_ns, self.sent_ns, self.lengths = self.times_ns[wanted], self.sent_ns[wanted], self.lengths[wanted]
        self.payload_bytes, self.rows = self.payload_bytes[wanted], self.rows[wanted]


@dataclass
class Positions:
    """How many frames have passed on all wires of one phone."""

    passed: int = 0


_Piece = tuple[Batch, int, int]

NEVER_NS = 1 << 63


class Wire:
    """One phone's vantage. `on_attach` is called with the number of captures started before, `on_detach` after.

    `on_pass` is told what frames passed: their meaning, how many, and the bytes of their payloads. The ledger notes
    them where the wire `is_vantage`. A phone with several wires has one count of `positions`.
    """

    def __init__(
        self,
        phone: str,
        link_type: Literal["raw", "ethernet"],
        name: str,
        world: World,
        ledger: Ledger,
        positions: Positions | None = None,
    ) -> None:
        self.positions = positions or Positions()
        self.phone, self.link_type, self.name = phone, link_type, name
        self.world, self.ledger = world, ledger
        self.admit: Callable[[Meaning], bool] = lambda meaning: True
        self.on_attach: Callable[[int], None] = lambda before: None
        self.on_detach: Callable[[], None] = lambda: None
        self.on_pass: Callable[[Meaning, int, int], None] = lambda meaning, packets, payload_bytes: None
        self._captures: list[Listener] = []
        self.begin()

    def begin(self) -> None:
        """Forget all frames and captures of the attempt before."""
        self._captures.clear()
        self._singles: list[_Single] = []
        self._batches: list[Batch] = []
        self._next_batch_ns = NEVER_NS
        self._sequence = itertools.count()
        self.positions.passed = 0
        self.is_vantage = True
        self._starts = 0

    def attach(self, capture: Listener) -> None:
        """Let a capture see all frames that pass from now on."""
        if capture in self._captures:
            return
        self.flush(self.world.now_ns)
        self._captures.append(capture)
        self.ledger.capture_started(self.phone)
        self._starts += 1
        self.on_attach(self._starts - 1)

    def detach(self, capture: Listener) -> None:
        """Let a capture see no more."""
        if capture in self._captures:
            self.flush(self.world.now_ns)
            self._captures.remove(capture)
            self.on_detach()

    def put(self, when_ns: int, octets: bytes, payload_bytes: int, meaning: Meaning) -> None:
        """Have one frame pass at an instant, never before now."""
        when_ns = max(when_ns, self.world.now_ns)
        heapq.heappush(self._singles, _Single(when_ns, next(self._sequence), octets, payload_bytes, meaning))

    def put_batch(self, batch: Batch) -> None:
        """Have many frames pass."""
        if len(batch.times_ns):
            batch.sequence = next(self._sequence)
            self._batches.append(batch)
            self._next_batch_ns = min(self._next_batch_ns, int(batch.times_ns[0]))

    def cut(self, group: str, end_ns: int) -> None:
        """Take back the frames of a group that were to leave their sender at `end_ns` or later."""
        for batch in self._batches:
            if batch.group == group:
                batch.keep(batch.sent_ns < end_ns)

    def flush(self, now_ns: int) -> None:
        """Let all frames pass that are due by now."""
        if (self._singles and self._singles[0].when_ns <= now_ns) or now_ns >= self._next_batch_ns:
            singles = self._due_singles(now_ns)
            pieces = self._due_pieces(now_ns)
            if pieces:
                self._pass_mixed(singles, pieces)
            elif singles:
                self._pass_singles(singles)
        for capture in tuple(self._captures):
            capture.tick(now_ns)

    def _due_singles(self, now_ns: int) -> list[_Single]:
        due = []
        while self._singles and self._singles[0].when_ns <= now_ns:
            single = heapq.heappop(self._singles)
            if self.admit(single.meaning):
                due.append(single)
        return due

    def _due_pieces(self, now_ns: int) -> list[_Piece]:
        pieces = []
        for batch in self._batches:
            low = batch.cursor
            batch.cursor = int(np.searchsorted(batch.times_ns, now_ns, side="right"))
            if batch.cursor > low:
                pieces.append((batch, low, batch.cursor))
        self._batches = [batch for batch in self._batches if batch.cursor < len(batch.times_ns)]
        self._next_batch_ns = min((int(batch.times_ns[batch.cursor]) for batch in self._batches), default=NEVER_NS)
        return pieces

    def _pass_singles(self, singles: list[_Single]) -> None:
        for single in singles:
            self._note(single, self.positions.passed)
            self.positions.passed += 1
        if self._captures:
            self._hand_over(_as_frames(singles, self._width()))

    def _pass_mixed(self, singles: list[_Single], pieces: list[_Piece]) -> None:
        times = [batch.times_ns[low:high] for batch, low, high in pieces]
        sequences = [np.full(high - low, batch.sequence) for batch, low, high in pieces]
        times.append(np.array([single.when_ns for single in singles], dtype=np.int64))
        sequences.append(np.array([single.sequence for single in singles], dtype=np.int64))
        order = np.lexsort((np.concatenate(sequences), np.concatenate(times)))
        positions = np.empty(len(order), dtype=np.int64)
        passed = self.positions.passed
        positions[order] = np.arange(passed, passed + len(order))
        self.positions.passed += len(order)
        at = 0
        for batch, low, high in pieces:
            taken = positions[at : at + high - low]
            if self.is_vantage:
                self.ledger.note_batch(
                    self.phone, batch.meaning, taken, batch.times_ns[low:high], batch.payload_bytes[low:high]
                )
            self.on_pass(batch.meaning, high - low, int(batch.payload_bytes[low:high].sum()))
            at += high - low
        for single in singles:
            self._note(single, int(positions[at]))
            at += 1
        if self._captures:
            parts = [Frames(b.times_ns[lo:hi], b.lengths[lo:hi], b.rows[lo:hi]) for b, lo, hi in pieces]
            parts += [_as_frames(singles, self._width())] if singles else []
            merged = joined(parts)
            self._hand_over(Frames(merged.times_ns[order], merged.lengths[order], merged.rows[order]))

    def _note(self, single: _Single, position: int) -> None:
        if self.is_vantage:
            self.ledger.note(self.phone, single.meaning, position, single.when_ns, single.payload_bytes)
        self.on_pass(single.meaning, 1, single.payload_bytes)

    def _width(self) -> int:
        return max(capture.snaplen for capture in self._captures)

    def _hand_over(self, frames: Frames) -> None:
        for capture in tuple(self._captures):
            capture.take(frames)


def _as_frames(singles: list[_Single], widest: int) -> Frames:
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
