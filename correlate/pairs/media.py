"""The media of conversations: their UDP datagrams that are no STUN, and when they begin to flow both ways."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from correlate.pairs.addresses import OwnAddresses, is_sent
from correlate.pairs.frames import Frame
from correlate.pairs.window import Amounts, Window
from correlate.stun import is_message
from correlate.trace import Datagrams
from correlate.trace.records import Column

SUSTAINED = 5
SUSTAINED_NS = 1_000_000_000


@dataclass(frozen=True)
class Media:
    """The media of a conversation, as counted on one side's wire. ChannelData counts with its header. `first` and
    `last` are None where there is no datagram."""

    tx: Amounts
    rx: Amounts
    first: Frame | None
    last: Frame | None


def media_rows(udp: Datagrams) -> Column:
    """The rows that are media. A later fragment is no datagram of its own."""
    is_datagram = (udp.payload_offset >= 0) | (udp.payload_bytes > 0)
    return np.flatnonzero(is_datagram & ~is_message(udp.head))


def by_flow(window: Window, own: OwnAddresses) -> list[Media]:
    """The media of each flow."""
    rows = media_rows(window.trace.udp)
    tx, rx = (window.amounts(chosen) for chosen in _both_ways(window, own, rows))
    spans = window.spans(rows)
    return [Media(*each, *spans.get(index, (None, None))) for index, each in enumerate(zip(tx, rx, strict=True))]


def answered(window: Window, own: OwnAddresses, of_flows: Iterable[int]) -> Frame | None:
    """The frame from which media flow both ways: all that the wire tells of the answer. None where they never do.

    In each direction, over all these flows, media flow from the first datagram that begins SUSTAINED of them within a
    second; single ones, such as keep-alives while it rings, do not count.
    """
    udp = window.trace.udp
    rows = window.once(media_rows(udp))
    rows = rows[np.isin(window.flows.of[rows], list(of_flows))]
    begins = []
    for chosen in _both_ways(window, own, rows):
        time_ns = udp.time_ns[chosen]
        dense = np.flatnonzero(time_ns[SUSTAINED - 1 :] - time_ns[: 1 - SUSTAINED] <= SUSTAINED_NS)
        if not len(dense):
            return None
        begins.append(int(chosen[dense[0]]))
    return Frame.of(udp, max(begins))


def _both_ways(window: Window, own: OwnAddresses, rows: Column) -> tuple[Column, Column]:
    """Those of the rows that the phone sends, and those that it receives."""
    sent = is_sent(window.trace.udp, own)[rows]
    return rows[sent], rows[~sent]
