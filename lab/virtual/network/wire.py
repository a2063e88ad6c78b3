"""A wire: the vantage at which one phone's frames are seen, in the order of bench time.

Frames are put with the instant at which they pass, at most a network's delay ahead. `flush(now)` lets all that are due
pass: the ledger notes them and every attached capture is handed them.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from lab.virtual.network.ledger import Ledger
from lab.virtual.network.meaning import Meaning
from lab.virtual.network.passing import Batch, Frames, Piece, Single, as_frames, joined, order, with_numbers
from lab.virtual.network.tcp import Transmission
from lab.virtual.world import World


class Listener(Protocol):
    """What a wire asks of a capture."""

    snaplen: int

    def take(self, frames: Frames) -> None:
        """Receive frames that passed."""

    def tick(self, now_ns: int) -> None:
        """Write what is due by now."""


@dataclass
class Positions:
    """How many frames have passed on all wires of one phone."""

    passed: int = 0


NEVER_NS = 1 << 63


class Wire:
    """One phone's vantage. `on_attach` is called with the number of captures started before, `on_detach` after.

    What `reaches` it not never passes, and a single frame that it does not `admit` neither.
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
        self.reaches: Callable[[Meaning], bool] = lambda meaning: True
        self.on_attach: Callable[[int], None] = lambda before: None
        self.on_detach: Callable[[], None] = lambda: None
        self.on_pass: Callable[[Meaning, int, int], None] = lambda meaning, packets, payload_bytes: None
        self._captures: list[Listener] = []
        self.begin()

    def begin(self) -> None:
        """Forget all frames and captures of the attempt before."""
        self._captures.clear()
        self._singles: list[Single] = []
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

    def put(
        self,
        when_ns: int,
        octets: bytes,
        payload_bytes: int,
        meaning: Meaning,
        count: int = 1,
        tcp: Transmission | None = None,
    ) -> None:
        """Have one frame pass at an instant, never before now; of a TCP segment tell how many messages end in it."""
        single = Single(
            max(when_ns, self.world.now_ns), next(self._sequence), octets, payload_bytes, meaning, count, tcp
        )
        heapq.heappush(self._singles, single)

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
            singles, pieces = with_numbers(singles, pieces)
            if pieces:
                self._pass_mixed(singles, pieces)
            elif singles:
                self._pass_singles(singles)
        for capture in tuple(self._captures):
            capture.tick(now_ns)

    def _due_singles(self, now_ns: int) -> list[Single]:
        due = []
        while self._singles and self._singles[0].when_ns <= now_ns:
            single = heapq.heappop(self._singles)
            if self.reaches(single.meaning) and self.admit(single.meaning):
                due.append(single)
        return due

    def _due_pieces(self, now_ns: int) -> list[Piece]:
        pieces = []
        for batch in self._batches:
            low = batch.cursor
            batch.cursor = int(np.searchsorted(batch.times_ns, now_ns, side="right"))
            if batch.cursor > low and self.reaches(batch.meaning):
                pieces.append((batch, low, batch.cursor))
        self._batches = [batch for batch in self._batches if batch.cursor < len(batch.times_ns)]
        self._next_batch_ns = min((int(batch.times_ns[batch.cursor]) for batch in self._batches), default=NEVER_NS)
        return pieces

    def _pass_singles(self, singles: list[Single]) -> None:
        for single in singles:
            self._note(single, self.positions.passed)
            self.positions.passed += 1
        if self._captures:
            self._hand_over(as_frames(singles, self._width()))

    def _pass_mixed(self, singles: list[Single], pieces: list[Piece]) -> None:
        sorting = order(singles, pieces)
        positions = np.empty(len(sorting), dtype=np.int64)
        passed = self.positions.passed
        positions[sorting] = np.arange(passed, passed + len(sorting))
        self.positions.passed += len(sorting)
        at = 0
        for batch, low, high in pieces:
            taken = positions[at : at + high - low]
            if self.is_vantage:
                counts = None if batch.counts is None else batch.counts[low:high]
                times, sizes = batch.times_ns[low:high], batch.payload_bytes[low:high]
                self.ledger.note_batch(self.phone, batch.meaning, taken, times, sizes, counts)
            self.on_pass(batch.meaning, high - low, batch.ip_payload_bytes(low, high))
            at += high - low
        for single in singles:
            self._note(single, int(positions[at]))
            at += 1
        if self._captures:
            parts = [Frames(b.times_ns[lo:hi], b.lengths[lo:hi], b.rows[lo:hi]) for b, lo, hi in pieces]
            parts += [as_frames(singles, self._width())] if singles else []
            merged = joined(parts)
            self._hand_over(Frames(merged.times_ns[sorting], merged.lengths[sorting], merged.rows[sorting]))

    def _note(self, single: Single, position: int) -> None:
        if self.is_vantage:
            size, count = single.payload_bytes, single.count
            self.ledger.note(self.phone, single.meaning, position, single.when_ns, size, count)
        self.on_pass(single.meaning, 1, single.ip_payload_bytes)

    def _width(self) -> int:
        return max(capture.snaplen for capture in self._captures)

    def _hand_over(self, frames: Frames) -> None:
        for capture in tuple(self._captures):
            capture.take(frames)
