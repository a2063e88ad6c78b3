"""Which flows carry more than a bare STUN Binding: the signs of a call, in a relay's flow or a peer's."""

from __future__ import annotations

import numpy as np

from correlate.pairs.frames import Frame
from correlate.pairs.window import Window
from correlate.stun import BINDING, USERNAME, method


def signs(window: Window) -> dict[int, Frame]:
    """Flows with a STUN message beyond a bare Binding, or with TURN data, and the first frame with one."""
    of, rows = window.flows.of, _channel_rows(window)
    for message in window.messages:
        if (
            message.nested is not None
            or method(message.type) != BINDING
            or any(kind == USERNAME for kind, _ in message.attributes)
        ):
            index = int(of[message.row])
            rows[index] = min(message.row, rows.get(index, message.row))
    return {index: Frame.of(window.trace.udp, row) for index, row in rows.items()}


def _channel_rows(window: Window) -> dict[int, int]:
    """Flows with at least two ChannelData messages of one channel (RFC 8656, 12.4), each as long as it says, and the
    row of the first.

    One alone may be chance: a QUIC packet can start with the same bits.
    """
    udp, of = window.trace.udp, window.flows.of
    rows = np.flatnonzero(udp.payload_captured >= 4)
    head = udp.head[rows, :4].astype(np.int64)
    rest = udp.payload_bytes[rows] - 4 - head[:, 2] * 256 - head[:, 3]
    fits = (head[:, 0] >> 4 == 4) & (rest >= 0) & (rest < 4)
    channel = head[fits, 0] * 256 + head[fits, 1]
    rows = rows[fits]
    keys, first, counts = np.unique(of[rows] << 16 | channel, return_index=True, return_counts=True)
    found: dict[int, int] = {}
    for key, row in zip(keys[counts >= 2].tolist(), rows[first[counts >= 2]].tolist(), strict=True):
        found[key >> 16] = min(row, found.get(key >> 16, row))
    return found
