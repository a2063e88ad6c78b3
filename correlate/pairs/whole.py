"""Captures that came without records: which end of their datagrams is the phone?"""

from __future__ import annotations

from collections import Counter

import numpy as np

from correlate.pairs.addresses import Address, fold, is_clat
from correlate.pairs.vantage import View

CLIENT_REQUESTS = (0x0003, 0x0004, 0x0008, 0x0009)
"""Allocate, Refresh, CreatePermission, ChannelBind (RFC 8656 17): a TURN client alone sends these."""

MOST = 0.9
"""At a phone's own interface, or its hotspot's, all but a little multicast has the phone at one end."""


def at_home(seen: View) -> frozenset[Address]:
    """The phone's interface addresses as its capture tells them, folded; none where it does not tell.

    Whoever sends TURN requests is the phone. Of an IP version without any, the one address that is an end of at least
    nine tenths of the datagrams, if there is just one such.
    """
    clients = {fold(message.src) for message in seen.messages if message.type in CLIENT_REQUESTS}
    found = set(clients)
    for version in (4, 6):
        if not any(address.version == version for address in clients):
            found |= _common_end(seen, version)
    return frozenset(found)


def _common_end(seen: View, version: int) -> set[Address]:
    udp = seen.trace.udp
    counted: Counter[Address] = Counter()
    total = 0
    ends, counts = np.unique(np.stack([udp.src, udp.dst]), axis=1, return_counts=True)
    for src, dst, count in zip(*ends.tolist(), counts.tolist(), strict=True):
        one, other = seen.folded[src], seen.folded[dst]
        if one.version == other.version == version and not one.is_multicast and not other.is_multicast:
            total += count
            for address in {one, other}:
                counted[address] += count
    common = {address for address, count in counted.items() if count >= MOST * total and not is_clat(address)}
    return common if len(common) == 1 else set()
