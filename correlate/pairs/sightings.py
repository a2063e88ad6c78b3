"""Where a trace shows addresses: in IP headers and in STUN attributes, nested or not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from correlate.pairs.frames import Frame
from correlate.stun import NAMES, Container, Message
from correlate.trace import Datagrams
from correlate.trace.addresses import Address, fold

IP_HEADER = "IP header"


class Sighting(NamedTuple):
    """A place where a trace shows an address: IP_HEADER or the name of an attribute, the innermost container of a
    nested message, and the first frame that shows it there."""

    where: str
    nested: Container
    frame: Frame

    def __str__(self) -> str:
        inside = {None: "", "data": ", nested in DATA", "channel": ", nested in ChannelData"}
        return f"{self.where}{inside[self.nested]}"


def sightings(udp: Datagrams, messages: Iterable[Message]) -> dict[Address, tuple[Sighting, ...]]:
    """Every address (folded) of a trace's IP headers and of its messages, with its places, sorted by their names."""
    places: dict[Address, dict[tuple[str, Container], int]] = {}
    rows = np.full(len(udp.addresses), len(udp), np.int64)
    np.minimum.at(rows, udp.src, np.arange(len(udp)))
    np.minimum.at(rows, udp.dst, np.arange(len(udp)))
    for address, row in zip(map(fold, udp.addresses), rows.tolist(), strict=True):
        if row < len(udp):
            seen = places.setdefault(address, {})
            seen[IP_HEADER, None] = min(row, seen.get((IP_HEADER, None), row))
    for message in messages:
        for kind, address, _ in message.addresses:
            places.setdefault(fold(address), {}).setdefault((NAMES[kind], message.nested), message.row)
    return {address: _sorted(udp, seen) for address, seen in places.items()}


def _sorted(udp: Datagrams, seen: dict[tuple[str, Container], int]) -> tuple[Sighting, ...]:
    places = sorted(seen.items(), key=lambda place: (place[0][0], place[0][1] or ""))
    return tuple(Sighting(where, nested, Frame.of(udp, row)) for (where, nested), row in places)
