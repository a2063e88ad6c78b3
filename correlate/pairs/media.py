"""The media of conversations: what is no STUN of their UDP datagrams and, over TCP, of their frames; when they begin to
flow both ways."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

import numpy as np

from correlate.pairs.addresses import OwnAddresses, is_sent
from correlate.pairs.connections import Connections
from correlate.pairs.frames import Frame
from correlate.pairs.window import Amounts, Window, amounts, spans
from correlate.stun import CHANNEL_HEADER_BYTES, is_message
from correlate.trace.records import Column, Mask, u16

SUSTAINED = 5
SUSTAINED_NS = 1_000_000_000
DENSE_NS = 10_000_000_000
RTP_HEADER_BYTES = 12
"""RFC 3550 5.1: what is shorter is no RTP."""


@dataclass(frozen=True)
class Media:
    """The media of a conversation, as counted on one side's wire. ChannelData and indications count with their headers.
    `first` and `last` are None where there is nothing."""

    tx: Amounts
    rx: Amounts
    first: Frame | None
    last: Frame | None


@dataclass(frozen=True, slots=True)
class MediaUnits:
    """One row for each UDP datagram that is media, and, of TURN over TCP, for each frame that is (RFC 8656 12.5). `of`
    is the index of its flow, of a connection behind those of all flows; `sent` says that the phone sends it;
    `payload_bytes` is that of the datagram, or of the frame with header and padding; `frame_bytes` are those of the
    wire, of a TCP segment that completes several frames with the first of them."""

    of: Column
    sent: Mask
    frame: Column
    time_ns: Column
    payload_bytes: Column
    frame_bytes: Column

    def __len__(self) -> int:
        return len(self.of)

    def take(self, rows: Column) -> MediaUnits:
        """Only these rows."""
        return MediaUnits(*(getattr(self, each.name)[rows] for each in fields(self)))

    def within(self, conversations: Iterable[int]) -> MediaUnits:
        """Those of these flows and connections."""
        return self.take(np.flatnonzero(np.isin(self.of, list(conversations))))

    def by_conversation(self, count: int) -> list[Media]:
        """The media of each flow and connection, of which there are `count`."""
        ways = [
            amounts(self.of[rows], self.payload_bytes[rows], self.frame_bytes[rows], count)
            for rows in (np.flatnonzero(self.sent), np.flatnonzero(~self.sent))
        ]
        ends = spans(self.of, self.time_ns, self.frame, count)
        return [Media(*each, *ends.get(index, (None, None))) for index, each in enumerate(zip(*ways, strict=True))]


def units(window: Window, own: OwnAddresses, connections: Connections) -> MediaUnits:
    """All media of a window, of whatever conversation."""
    udp, of = window.trace.udp, window.flows.of
    rows = window.once(media_rows(window))
    over_udp = MediaUnits(
        of=of[rows],
        sent=is_sent(udp, own)[rows],
        frame=udp.frame[rows],
        time_ns=udp.time_ns[rows],
        payload_bytes=udp.payload_bytes[rows],
        frame_bytes=udp.wire_bytes[rows],
    )
    found = [(place, each) for each in sorted(window.carried) if (place := connections.place(each.ends))]
    if not found:
        return over_udp
    frame = np.array([each.frame for _, each in found], np.int64)
    is_first = np.concatenate([[True], frame[1:] != frame[:-1]])
    over_tcp = MediaUnits(
        of=np.array([len(window.flows.table) + index for (index, _), _ in found], np.int64),
        sent=np.array([sent for (_, sent), _ in found], np.bool_),
        frame=frame,
        time_ns=np.array([each.time_ns for _, each in found], np.int64),
        payload_bytes=np.array([each.payload_bytes for _, each in found], np.int64),
        frame_bytes=window.trace.records.wire[frame - 1] * is_first,
    )
    both = ((getattr(over_udp, each.name), getattr(over_tcp, each.name)) for each in fields(MediaUnits))
    return MediaUnits(*map(np.concatenate, both))


def media_rows(window: Window) -> Column:
    """The rows of datagrams that are media: no STUN, nor ChannelData around STUN, but Send and Data indications around
    something else (RFC 8656 11, 12). A later fragment is no datagram of its own."""
    udp = window.trace.udp
    is_datagram = (udp.payload_offset >= 0) | (udp.payload_bytes > 0)
    is_media = ~is_message(udp.head)
    in_channel = [each.row for each in window.messages if each.nested == "channel" and each.transport == "udp"]
    if in_channel:
        rows = np.unique(np.array(in_channel))
        behind = udp.payload_bytes[rows] - CHANNEL_HEADER_BYTES - u16(udp.head[rows], 2)
        is_media[rows[behind < CHANNEL_HEADER_BYTES]] = False
    for each in window.messages:
        if each.transport == "udp" and each.nested is None and each.carries_data:
            is_media[each.row] = True
    return np.flatnonzero(is_datagram & is_media)


def answered(media: MediaUnits) -> Frame | None:
    """The frame from which media flow both ways: all that the wire tells of the answer. None where they never do.

    In each direction, over all conversations, media flow from the first unit that begins SUSTAINED of them within a
    second; single ones, such as keep-alives while it rings, do not count.
    """
    begins = []
    for rows in (np.flatnonzero(media.sent), np.flatnonzero(~media.sent)):
        rows = rows[np.argsort(media.frame[rows], kind="stable")]
        time_ns = media.time_ns[rows]
        dense = np.flatnonzero(time_ns[SUSTAINED - 1 :] - time_ns[: 1 - SUSTAINED] <= SUSTAINED_NS)
        if not len(dense):
            return None
        begins.append(int(rows[dense[0]]))
    return max(Frame(int(media.frame[row]), int(media.time_ns[row])) for row in begins)


def is_dense(sent_ns: Column, received_ns: Column, least: int) -> bool:
    """Whether there are at least `least` of each within DENSE_NS at some time."""
    if min(len(sent_ns), len(received_ns)) < least:
        return False
    sent, received = np.sort(sent_ns), np.sort(received_ns)
    begins = np.concatenate([sent, received])
    counts = [
        np.searchsorted(times, begins + DENSE_NS, "right") - np.searchsorted(times, begins, "left")
        for times in (sent, received)
    ]
    return bool((np.minimum(*counts) >= least).any())
