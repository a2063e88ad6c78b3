"""The ledger: what each frame meant to its sender, written down where the frame passes a phone's wire.

Nothing here reads bytes of a frame. `lab.virtual.network.truth` turns the notes of one attempt into its truth.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from lab.virtual.handset.exchange import Call, Exchange
from lab.virtual.network.addresses import Address
from lab.virtual.network.datagrams import Integers
from lab.virtual.network.meaning import Meaning
from lab.virtual.network.truth import WORDS, ClockTruth, Notes, Row, Word, call_truth, truth
from lab.virtual.world import World


class Ledger:
    """The notes of one attempt."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.begin("", 0)

    def begin(self, trial_id: str, attempt: int) -> None:
        """Start the notes of an attempt."""
        self._trial, self._attempt = trial_id, attempt
        self._notes: dict[str, Notes] = {}
        self._drift_ppm: dict[str, float] = {}
        self._clocks: dict[str, list[int]] = {}
        self._starts: dict[str, list[int]] = {}

    def phone(self, name: str, interface: Iterable[Address]) -> None:
        """Introduce a phone with the addresses of its interface."""
        self._notes[name] = Notes(frozenset(interface))

    def more_addresses(self, name: str, interface: Iterable[Address]) -> None:
        """A phone has got further addresses of its own."""
        self._notes[name].interface |= frozenset(interface)

    def drift(self, who: str, ppm: float) -> None:
        """Write down how fast a machine's clock drifts."""
        self._drift_ppm[who] = ppm

    def probed(self, phone: str, address: Address) -> None:
        """A STUN server told the phone this address, on the harness' behalf."""
        self._notes[phone].probed.add(address)

    def clock_read(self, who: str, offset_ns: int) -> None:
        """A machine's clock was read while it was wrong by this much."""
        self._clocks.setdefault(who, []).append(offset_ns)

    def capture_started(self, phone: str) -> None:
        """A capture of this phone started now; saying so twice at one instant counts once."""
        starts = self._starts.setdefault(phone, [])
        if self._world.now_ns not in starts:
            starts.append(self._world.now_ns)

    def note(
        self, phone: str, meaning: Meaning, position: int, time_ns: int, payload_bytes: int, count: int = 1
    ) -> None:
        """One frame passed this phone's wire, `position` frames after the first of the attempt.

        It counts for `count` messages: one if it is a datagram, as many as end in it if it is a TCP segment.
        """
        if meaning.marker is not None:
            self._notes[phone].markers.append((*meaning.marker, position, time_ns))
        elif meaning.kind in ("call", "direct") or meaning.mapped is not None:
            self._notes[phone].singles.append((position, meaning, time_ns, payload_bytes, count))

    def note_batch(
        self,
        phone: str,
        meaning: Meaning,
        positions: Integers,
        times_ns: Integers,
        payload_bytes: Integers,
        counts: Integers | None = None,
    ) -> None:
        """Many frames of one meaning passed; each counts for one message, or for as many as `counts` says."""
        if meaning.kind in ("call", "direct"):
            counts = np.ones_like(positions) if counts is None else counts
            self._notes[phone].batches.append((positions, meaning, times_ns, payload_bytes, counts))

    def rows(self, phone: str) -> list[Row]:
        """What passed between the markers."""
        return self._notes[phone].rows()

    def truth(self, exchange: Exchange) -> dict[str, Any]:
        """The truth of this attempt: the fields of DESIGN, as JSON values. All but `calls` is of the attempt's call."""
        call = self._call_of(exchange.calls)
        clocks = {who: self._clock(who) for who in ("laptop", *self._notes)}
        restarts = max([0, *(len(starts) - 1 for starts in self._starts.values())])
        head = {"trial": self._trial, "attempt": self._attempt}
        calls = [call_truth(one) for one in exchange.calls]
        marked = {f"{word}_ns": self._marked_ns(word) for word in WORDS}
        more = {"capture_restarts": restarts, "calls": calls, "marked": marked}
        return head | truth(call, self._notes, clocks) | more

    def _call_of(self, calls: Sequence[Call]) -> Call | None:
        """The first call placed after both phones' begin marker, else the last: what a trial's captures hold."""
        begun_ns = self._marked_ns("begin")
        placed = [call for call in calls if begun_ns is not None and call.placed_ns >= begun_ns]
        return placed[0] if placed else calls[-1] if calls else None

    def _marked_ns(self, word: Word) -> int | None:
        """When the phones' markers that count had passed on both wires; None where one phone has none."""
        times = [when for notes in self._notes.values() if (when := notes.marked_ns(word)) is not None]
        return max(times) if times and len(times) == len(self._notes) else None

    def _clock(self, who: str) -> ClockTruth:
        reads = self._clocks.get(who, [])
        return ClockTruth(reads[0] if reads else None, reads[-1] if reads else None, self._drift_ppm.get(who, 0.0))
