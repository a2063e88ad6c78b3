"""When was the call answered? What one side's wire tells of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from correlate.pairs.frames import Frame
from correlate.pairs.vantage import Conversation, Here, View, media_rows, sent

SUSTAINED = 5
SUSTAINED_NS = 1_000_000_000


def answered(seen: View, here: Here, used: Sequence[Conversation]) -> Frame | None:
    """The frame from which media flow both ways: all that the wire tells of the answer. None where they never do.

    In each direction, over all conversations in `used`, media flow from the first datagram that begins SUSTAINED of
    them within a second; single ones, such as keep-alives while it rings, do not count.
    """
    udp, is_sent = seen.trace.udp, sent(seen.trace.udp, here)
    rows = media_rows(udp)
    rows = rows[np.isin(seen.flows.of[rows], [each.flow for each in used])]
    begins = []
    for chosen in (rows[is_sent[rows]], rows[~is_sent[rows]]):
        time_ns = udp.time_ns[chosen]
        dense = np.flatnonzero(time_ns[SUSTAINED - 1 :] - time_ns[: 1 - SUSTAINED] <= SUSTAINED_NS)
        if not len(dense):
            return None
        begins.append(int(chosen[dense[0]]))
    row = max(begins)
    return Frame(int(udp.frame[row]), int(udp.time_ns[row]))
