"""A phone's interface addresses: whether those that were recorded are of its capture, and what it tells without."""

from __future__ import annotations

from collections import Counter

import numpy as np

from correlate.pairs.addresses import is_clat
from correlate.pairs.window import Window
from correlate.stun import TURN_REQUESTS
from correlate.trace import Datagrams
from correlate.trace.addresses import Address, fold
from correlate.trace.tcp import Segments

COMMON_SHARE = 0.9
"""At a phone's own interface, or its hotspot's, all but a little multicast has the phone at one end."""


def fits(window: Window, own: frozenset[Address]) -> bool:
    """Whether these addresses are the phone's: one of them is an end of at least half of the packets of each IP version
    that the capture has. Without any packet, whether the markers came from one."""
    total, hits = _ends(window, own)
    if not total:
        return window.sender in own
    return all(2 * hits[version] >= count for version, count in total.items())


def is_blind(window: Window, own: frozenset[Address]) -> bool:
    """Whether less than half of the packets have one of these addresses at an end."""
    total, hits = _ends(window, own)
    return 2 * hits.total() < total.total()


def _ends(window: Window, own: frozenset[Address]) -> tuple[Counter[int], Counter[int]]:
    """By IP version: UDP datagrams and TCP segments with payload, and how many have an address of `own` at an end.
    Multicast, link-local addresses and CLAT constants tell nothing."""
    total, hits = Counter[int](), Counter[int]()
    of: Datagrams | Segments
    for of in (window.trace.udp, window.segments):
        is_own = np.array([fold(each) in own for each in of.addresses], dtype=bool)
        is_telling = np.array(
            [not (each.is_multicast or each.is_link_local or is_clat(each)) for each in of.addresses], dtype=bool
        )
        versions = np.array([each.version for each in of.addresses], dtype=np.int8)
        counts = is_telling[of.src] & is_telling[of.dst]
        for version in (4, 6):
            rows = counts & (versions[of.src] == version)
            total[version] += int(rows.sum())
            hits[version] += int((rows & (is_own[of.src] | is_own[of.dst])).sum())
    return +total, hits


def inferred(window: Window) -> frozenset[Address]:
    """The phone's interface addresses as its capture tells them, folded; none where it does not tell.

    Whoever sends the markers, and TURN requests, is the phone. Of an IP version without TURN requests, the one address
    that is an end of at least nine tenths of the UDP datagrams and TCP segments, if there is just one such.
    """
    clients = {fold(message.src) for message in window.messages if message.type in TURN_REQUESTS}
    found = clients | ({window.sender} if window.sender else set())
    for version in (4, 6):
        if not any(address.version == version for address in clients):
            found |= _common_end(window, version)
    return frozenset(found)


def _common_end(window: Window, version: int) -> set[Address]:
    counted: Counter[Address] = Counter()
    total = 0
    of: Datagrams | Segments
    for of in (window.trace.udp, window.segments):
        ends, counts = np.unique(np.stack([of.src, of.dst]), axis=1, return_counts=True)
        for src, dst, count in zip(*ends.tolist(), counts.tolist(), strict=True):
            source, target = fold(of.addresses[src]), fold(of.addresses[dst])
            if source.version == target.version == version and not source.is_multicast and not target.is_multicast:
                total += count
                for address in {source, target}:
                    counted[address] += count
    common = {address for address, count in counted.items() if count >= COMMON_SHARE * total and not is_clat(address)}
    return common if len(common) == 1 else set()
