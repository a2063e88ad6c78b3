"""Frames that prove a finding, so that a reader can open Wireshark there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, NamedTuple

from correlate.trace import Datagrams


class OfTrial:
    """Marks a type: in a CSV it is counted from its trial's `started_ns`, since no tool reads 19 digits as a double."""


Instant = Annotated[int, OfTrial()]
"""Nanoseconds since 1970."""

MAX_FRAMES = 32
MAX_CHARACTERS = 120


class Frame(NamedTuple):
    """A frame of one capture file: its number as Wireshark counts, from 1, and its time as stamped there."""

    number: int
    time_ns: int

    @staticmethod
    def of(udp: Datagrams, row: int) -> Frame:
        """The frame of a row."""
        return Frame(int(udp.frame[row]), int(udp.time_ns[row]))


@dataclass(frozen=True)
class Evidence:
    """A frame that proves a fact: `what` names the fact, `capture` is the phone whose capture holds the frame."""

    what: str
    capture: str
    frame: int
    time_ns: Instant


def evidence(facts: Iterable[tuple[str, str, Frame | None]]) -> tuple[Evidence, ...]:
    """(what, capture, frame) of a finding in the order in which they were given, without those that have no frame.

    Bounded: at most MAX_FRAMES of them, each `what` at most MAX_CHARACTERS long.
    """
    proven = [(what, capture, frame) for what, capture, frame in facts if frame is not None]
    return tuple(Evidence(what[:MAX_CHARACTERS], capture, *frame) for what, capture, frame in proven[:MAX_FRAMES])
