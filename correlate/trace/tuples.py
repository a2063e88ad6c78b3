"""The distinct five-tuples of a file: who sends to whom, by which ports. All are UDP, so four things make one.

Packets find their tuple by a hash and are compared with it in full, so two tuples never fall together.
"""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address

import numpy as np
from numpy.typing import NDArray

from correlate.trace.addresses import Address
from correlate.trace.records import Column, Mask

Words = NDArray[np.uint64]

PORTS = 4  # the word that holds version, source port and destination port
_VERSION_BIT = 32
_FACTORS = tuple(
    np.uint64(odd)
    for odd in (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93, 0xA0761D6478BD642F)
)
_FIRST_SLOTS_BITS = 16
_MOST_ENDS = 4096


class Tuples:
    """Numbers tuples from 1 in the order in which they were added; number 0 is none.

    A tuple is five 64-bit words. IPv4: source << 32 | destination, three zeros; IPv6: the halves of the source, the
    halves of the destination. Then version << 32 | source port << 16 | destination port.
    """

    def __init__(self) -> None:
        self._count = 1
        self._words = np.zeros((5, 256), np.uint64)
        self._bits = _FIRST_SLOTS_BITS
        self._slots = np.zeros(1 << self._bits, np.int64)
        self._ends: dict[int, tuple[Address, int, Address, int]] = {}

    def __len__(self) -> int:
        """One more than the highest number."""
        return self._count

    def numbers(self, version: int, ends: Sequence[Words], ports: Words) -> Column:
        """The number of each row's tuple, new ones added. `ends` are one word (IPv4) or four; `ports` source << 16 |
        destination."""
        rows = len(ports)
        while self._count + rows > len(self._slots) // 4 and self._new_could_crowd(rows):
            self._widen()
        keys = {**dict(enumerate(ends)), PORTS: ports | np.uint64(version << _VERSION_BIT)}
        slots = self._hashed(keys)
        numbers = self._slots[slots]
        same = self._same(keys, numbers)
        if not same.all():
            wrong = np.flatnonzero(~same)
            few = {at: word[wrong] for at, word in keys.items()}
            slots = slots[wrong]
            if numbers[wrong].all():  # by other tuples, so theirs are further on
                slots = slots + 1 & len(self._slots) - 1
            numbers[wrong] = self._probed(few, slots)
        return numbers

    def _new_could_crowd(self, rows: int) -> bool:
        # At most one in two slots is taken even if every row is new, one in four as a rule.
        return self._count > len(self._slots) // 4 or self._count + rows > len(self._slots) // 2

    def _hashed(self, keys: dict[int, Words]) -> Column:
        mixed = keys[PORTS] * _FACTORS[PORTS]
        for at, word in keys.items():
            if at != PORTS:
                mixed += word * _FACTORS[at]
        mixed ^= mixed >> np.uint64(32)
        mixed *= _FACTORS[1]
        mixed >>= np.uint64(64 - self._bits)
        return mixed.view(np.int64)

    def _same(self, keys: dict[int, Words], numbers: Column) -> Mask:
        same: Mask = self._words[PORTS].take(numbers) == keys[PORTS]
        for at, word in keys.items():
            if at != PORTS:
                same &= self._words[at].take(numbers) == word
        return same

    def _probed(self, keys: dict[int, Words], slots: Column) -> Column:
        """Looks along the slots behind, all rows at once, until each row found its tuple or an empty slot for it."""
        numbers = np.zeros(len(slots), np.int64)
        going = np.arange(len(slots))
        while True:
            here = self._slots[slots]
            if not here.all():
                self._add(keys, np.flatnonzero(here == 0), slots)
                here = self._slots[slots]
            same = self._same(keys, here)
            numbers[going] = here
            if same.all():
                return numbers
            left = ~same
            going, slots = going[left], slots[left] + 1 & len(self._slots) - 1
            keys = {at: word[left] for at, word in keys.items()}

    def _add(self, keys: dict[int, Words], rows: NDArray[np.intp], slots: Column) -> None:
        """Adds the tuple of one row for each empty slot that rows meet."""
        wanted = slots[rows]
        self._slots[wanted[::-1]] = -1 - rows[::-1]  # the first row of each slot stays
        rows = rows[self._slots[wanted] == -1 - rows]
        end = self._count + len(rows)
        while end > self._words.shape[1]:
            self._words = np.concatenate([self._words, np.zeros_like(self._words)], axis=1)
        for at, word in keys.items():
            self._words[at, self._count : end] = word[rows]
        self._slots[slots[rows]] = np.arange(self._count, end)
        self._count = end

    def _widen(self) -> None:
        self._bits += 1
        self._slots = np.zeros(1 << self._bits, np.int64)
        words = self._words[:, 1 : self._count]
        four = words[PORTS] >> np.uint64(_VERSION_BIT) == 4
        for chosen, ends in ((four, 1), (~four, 4)):
            rows = np.flatnonzero(chosen)
            keys = {at: words[at, rows] for at in (*range(ends), PORTS)}
            self._place(self._hashed(keys), rows + 1)

    def _place(self, slots: Column, numbers: Column) -> None:
        """Gives each number, known to be distinct, a slot of its own."""
        while len(numbers):
            free = self._slots[slots] == 0
            self._slots[slots[free]] = numbers[free]
            left = self._slots[slots] != numbers
            slots, numbers = slots[left] + 1 & len(self._slots) - 1, numbers[left]

    def ports(self, since: int = 0) -> tuple[Column, Column]:
        """Source and destination port of each number from `since` on."""
        both = self._words[PORTS, since : self._count].astype(np.int64)
        return both >> 16 & 0xFFFF, both & 0xFFFF

    def halves(self) -> tuple[NDArray[np.int64], Words, Words]:
        """IP version of each number, and the upper and the lower halves of its addresses, (2, n): source, destination;
        an IPv4 address is its lower half alone."""
        words = self._words[:, : self._count]
        version = (words[PORTS] >> np.uint64(_VERSION_BIT)).astype(np.int64)
        four = version == 4
        low32 = np.uint64(0xFFFFFFFF)
        source = np.where(four, words[0] >> np.uint64(32), words[1])
        target = np.where(four, words[0] & low32, words[3])
        return version, np.where(four, np.uint64(0), words[[0, 2]]), np.stack([source, target])

    def ends(self, number: int) -> tuple[Address, int, Address, int]:
        """Source, its port, destination and its port."""
        if number not in self._ends:
            source_high, source_low, target_high, target_low, ports = self._words[:, number].tolist()
            source: Address
            target: Address
            if ports >> _VERSION_BIT == 4:
                source, target = IPv4Address(source_high >> 32), IPv4Address(source_high & 0xFFFFFFFF)
            else:
                source, target = (
                    IPv6Address(source_high << 64 | source_low),
                    IPv6Address(target_high << 64 | target_low),
                )
            if len(self._ends) >= _MOST_ENDS:
                self._ends.clear()
            self._ends[number] = source, ports >> 16 & 0xFFFF, target, ports & 0xFFFF
        return self._ends[number]

    def addresses(self) -> tuple[list[Address], list[Address]]:
        """Source and destination of each number from 1 on."""
        version, high, low = self.halves()
        kinds = version[1:].tolist()
        source, target = (
            [IPv4Address(lower) if kind == 4 else IPv6Address(upper << 64 | lower) for kind, upper, lower in rows]
            for rows in (zip(kinds, high[way, 1:].tolist(), low[way, 1:].tolist(), strict=True) for way in (0, 1))
        )
        return source, target
