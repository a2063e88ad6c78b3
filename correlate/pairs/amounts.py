"""How much went one way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Amounts:
    """UDP datagrams in one direction: how many, their UDP payload, and whole frames as on the wire."""

    packets: int = 0
    payload_bytes: int = 0
    frame_bytes: int = 0

    def __add__(self, other: Amounts) -> Amounts:
        return Amounts(
            self.packets + other.packets,
            self.payload_bytes + other.payload_bytes,
            self.frame_bytes + other.frame_bytes,
        )


def total(amounts: Iterable[Amounts]) -> Amounts:
    """All of them together; zeros where there are none."""
    return sum(amounts, Amounts())
