"""RTP of a call by SSRC (RFC 3550): the clocks of its streams tell voice from video, whatever its rate."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from correlate.pairs import Vantage
from correlate.pairs.connections import Ends
from correlate.pairs.frames import Frame
from correlate.pairs.sessions import media_span
from correlate.stun import CHANNEL_HEADER_BYTES, DATA
from correlate.trace.records import Column, Mask, Octets, u16

HEADER_BYTES = 12
AUDIO_HZ, VIDEO_HZ = (8_000, 16_000, 48_000), 90_000
"""Clock rates of RFC 3551 6 and of Opus (RFC 7587 4.1)."""
TOLERANCE, LEAST_LINEAR = 0.05, 0.99
LEAST_PACKETS, LEAST_S = 20, 2.0
"""Less of a stream does not tell its clock: jitter of 50 ms at both ends is 5% of 2 s."""
SUSTAINED, MOST = 0.5, 0.75
"""Parts of the time and of the bytes of all media; a seventh of a voice call's bytes may be RTCP (libwebrtc)."""
PICTURES_BYTES_PER_S = 1_000
"""Less than any video codec sends: baresip sends 105 bytes/s in a voice call, a frame of 7 bytes 15 times a second."""

Service = Literal["voice", "video"]
Rtp = tuple[Column, Column, Octets]
"""Rows of the trace's datagrams, sizes of the RTP in them, and its headers."""


@dataclass(frozen=True)
class Stream:
    """RTP packets of one SSRC in one direction of one of the vantage's flows, as captured, each once. `payload_type` is
    the most frequent one. `payload_bytes` is UDP payload, as of media, `carried_bytes` what stands behind the fixed
    headers. `clock_hz` is the known clock rate that its timestamps run at against arrival; None where none fits or too
    little of it is there."""

    flow: int
    sent: bool
    ssrc: int
    payload_type: int
    packets: int
    payload_bytes: int
    carried_bytes: int
    clock_hz: int | None
    first: Frame
    last: Frame

    def __str__(self) -> str:
        way, clock = "sent" if self.sent else "received", f"{self.clock_hz} Hz" if self.clock_hz else "no known clock"
        return f"RTP 0x{self.ssrc:08x} {way}: payload type {self.payload_type}, {self.packets} packets, {clock}"


class Packets(NamedTuple):
    """RTP packets in columns: `payload_bytes` of the datagrams, `size` of header and payload of RTP, `head` (n, 12) the
    header's fixed part."""

    flow: Column
    sent: Mask
    frame: Column
    time_ns: Column
    payload_bytes: Column
    size: Column
    head: Octets

    def take(self, rows: Column | Mask) -> Packets:
        """Those of these rows."""
        flow, sent, frame, time_ns, payload_bytes, size, head = self
        ends = flow[rows], sent[rows], frame[rows], time_ns[rows]
        return Packets(*ends, payload_bytes[rows], size[rows], head[rows])

    def beside(self, other: Packets) -> Packets:
        """These and the others, in the order of the capture."""
        both = Packets(
            np.concatenate([self.flow, other.flow]),
            np.concatenate([self.sent, other.sent]),
            np.concatenate([self.frame, other.frame]),
            np.concatenate([self.time_ns, other.time_ns]),
            np.concatenate([self.payload_bytes, other.payload_bytes]),
            np.concatenate([self.size, other.size]),
            np.concatenate([self.head, other.head]),
        )
        return both.take(np.argsort(both.frame, kind="stable"))


def service(side: Vantage, of: Sequence[Stream]) -> tuple[Service | None, str]:
    """What the streams of one side say that the call carries. None without a reason where they say nothing, with one
    where what they say is neither.

    `video`: streams with a video clock that carry pictures, for at least half of the time from the answer to the last
    media datagram. `voice`: no stream with a video clock, and those with an audio clock last as long and are most of
    the media.
    """
    video = [each for each in of if each.clock_hz == VIDEO_HZ]
    audio = [each for each in of if each.clock_hz in AUDIO_HZ]
    span, media_bytes = media_span(side), sum(way.payload_bytes for way in side.media)
    if span is None:
        return None, ""
    since = side.answered or span[0]  # before it there may be keep-alives, as long as it rings
    media_s, video_s = (span[1].time_ns - since.time_ns) / 1e9, covered_s(filter(_has_pictures, video))
    if video_s:
        if video_s >= SUSTAINED * media_s:
            return "video", ""
        return None, f"RTP with a video clock for {video_s:.1f} of {media_s:.1f} s of media"
    is_most = sum(each.payload_bytes for each in audio) >= MOST * media_bytes
    return ("voice" if audio and not video and is_most and covered_s(audio) >= SUSTAINED * media_s else None), ""


def _has_pictures(stream: Stream) -> bool:
    return stream.carried_bytes * 1e9 >= PICTURES_BYTES_PER_S * (stream.last.time_ns - stream.first.time_ns)


def covered_s(of: Iterable[Stream]) -> float:
    """How long there is at least one of these streams."""
    total_ns, until = 0, 0
    for first, last in sorted((each.first.time_ns, each.last.time_ns) for each in of):
        total_ns += max(0, last - max(first, until))
        until = max(until, last)
    return total_ns / 1e9


def streams(side: Vantage) -> tuple[Stream, ...]:
    """The RTP streams of the call's conversations, by their first frame: datagrams, ChannelData, and the DATA of Send
    and Data indications, over UDP and TCP. An SSRC whose sequence numbers do not mostly go up by one is none."""
    packets = _packets(side).beside(_over_tcp(side))
    if not len(packets.flow):
        return ()
    keys = (packets.flow << 1 | packets.sent) << 32 | _u32(packets.head, 8)
    _, of, counts = np.unique(keys, return_inverse=True, return_counts=True)
    order = np.argsort(of.reshape(-1), kind="stable")
    ends = np.cumsum(counts)
    found = [
        _stream(packets.take(order[end - count : end]))
        for end, count in zip(ends.tolist(), counts.tolist(), strict=True)
        if count >= LEAST_PACKETS
    ]
    return tuple(sorted((each for each in found if each), key=lambda each: (each.first.number, each.ssrc)))


def _packets(side: Vantage) -> Packets:
    """What looks like RTP in the call's conversations over UDP."""
    table = side.flows.table
    local_is_a = {
        each.flow: (each.local, each.local_port) == (table[each.flow].a, table[each.flow].a_port)
        for each in side.of_call
        if 0 <= each.flow < len(table)
    }
    of_call, a_sends = np.zeros(len(table), np.bool_), np.zeros(len(table), np.bool_)
    of_call[list(local_is_a)] = True
    a_sends[[flow for flow, is_a in local_is_a.items() if is_a]] = True
    found = [*_datagrams(side, of_call[side.flows.of]), _inside_indications(side, of_call)]
    rows, size, head = (np.concatenate(columns) for columns in zip(*found, strict=True))
    of, udp = side.flows.of[rows], side.trace.udp
    sent, payload_bytes = side.flows.from_a[rows] == a_sends[of], udp.payload_bytes[rows]
    return Packets(of, sent, udp.frame[rows], udp.time_ns[rows], payload_bytes, size, head)


def _datagrams(side: Vantage, of_call: Mask) -> Iterator[Rtp]:
    """The RTP that is a datagram, and that is in ChannelData (RFC 8656 12.4)."""
    udp = side.trace.udp
    is_channel = udp.head[:, 0] & 0xC0 == 0x40
    for at, size, is_so in ((0, udp.payload_bytes, ~is_channel), (CHANNEL_HEADER_BYTES, u16(udp.head, 2), is_channel)):
        head = udp.head[:, at : at + HEADER_BYTES]
        is_whole = (size >= HEADER_BYTES) & (size + at <= udp.payload_bytes)
        there = is_whole & (udp.payload_captured >= at + HEADER_BYTES)
        rows = np.flatnonzero(of_call & is_so & there & is_rtp(head))
        yield rows, size[rows], head[rows]


def _inside_indications(side: Vantage, of_call: Mask) -> Rtp:
    """The RTP that is the DATA of Send and Data indications (RFC 8656 11)."""
    inside = [
        (message.row, value)
        for message in side.messages
        if message.carries_data and message.row >= 0 and of_call[side.flows.of[message.row]]
        for kind, value in message.attributes
        if kind == DATA and len(value) >= HEADER_BYTES
    ]
    head = np.frombuffer(b"".join(value[:HEADER_BYTES] for _, value in inside), np.uint8).reshape(-1, HEADER_BYTES)
    rows, size = np.array([(row, len(value)) for row, value in inside], np.int64).reshape(-1, 2).T
    mask = is_rtp(head)
    return rows[mask], size[mask], head[mask]


def _over_tcp(side: Vantage) -> Packets:
    """What looks like RTP in the call's connections with STUN: a frame each, or in its DATA."""
    places: dict[Ends, tuple[int, bool]] = {}
    for each in side.of_call:
        if each.transport == "tcp":
            local, remote = (each.local, each.local_port), (each.remote_raw, each.remote_port)
            places |= {(*local, *remote): (each.flow, True), (*remote, *local): (each.flow, False)}
    mine = [each for each in side.carried if each.ends in places and len(each.head) == HEADER_BYTES]
    head = np.frombuffer(b"".join(each.head for each in mine), np.uint8).reshape(-1, HEADER_BYTES)
    values = [(*places[each.ends], each.frame, each.time_ns, each.payload_bytes, each.data_bytes) for each in mine]
    flow, sent, frame, time_ns, payload_bytes, size = np.array(values, np.int64).reshape(-1, 6).T
    return Packets(flow, sent > 0, frame, time_ns, payload_bytes, size, head).take(is_rtp(head))


def is_rtp(head: Octets) -> Mask:
    """Headers of version 2 (RFC 7983 7: neither STUN, DTLS nor ChannelData) that are not RTCP (RFC 5761 4)."""
    payload_type = head[:, 1] & 0x7F
    mask: Mask = (head[:, 0] & 0xC0 == 0x80) & ((payload_type < 64) | (payload_type > 95))
    return mask


def _stream(packets: Packets) -> Stream | None:
    """The packets of one SSRC, flow and direction as a stream; None where sequence numbers do not go up by one."""
    numbers = _u32(packets.head, 4) << 16 | u16(packets.head, 2)
    packets = packets.take(np.sort(np.unique(numbers, return_index=True)[1]))
    steps = np.diff(u16(packets.head, 2)) & 0xFFFF
    if 2 * np.count_nonzero(steps == 1) <= len(steps):
        return None
    first, last = (Frame(int(packets.frame[at]), int(packets.time_ns[at])) for at in (0, -1))
    return Stream(
        flow=int(packets.flow[0]),
        sent=bool(packets.sent[0]),
        ssrc=int(_u32(packets.head, 8)[0]),
        payload_type=int(np.bincount(packets.head[:, 1] & 0x7F).argmax()),
        packets=len(packets.flow),
        payload_bytes=int(packets.payload_bytes.sum()),
        carried_bytes=int(packets.size.sum()) - HEADER_BYTES * len(packets.flow),
        clock_hz=clock_hz(packets.time_ns, _u32(packets.head, 4)),
        first=first,
        last=last,
    )


def clock_hz(time_ns: Column, timestamp: Column) -> int | None:
    """The known clock rate that these timestamps (modulo 2**32) run at, by least squares against arrival; None for less
    than LEAST_PACKETS or LEAST_S, where they are no straight line, and where no known rate is within TOLERANCE."""
    if len(time_ns) < LEAST_PACKETS or int(time_ns.max() - time_ns.min()) < LEAST_S * 1e9:
        return None
    steps = (np.diff(timestamp) + (1 << 31)) % (1 << 32) - (1 << 31)
    ticks = np.concatenate([[0.0], np.cumsum(steps)])
    seconds = (time_ns - time_ns[0]) / 1e9
    seconds, ticks = seconds - seconds.mean(), ticks - ticks.mean()
    both, of_time, of_ticks = seconds @ ticks, seconds @ seconds, ticks @ ticks
    if both**2 < LEAST_LINEAR * of_time * of_ticks or not of_ticks:
        return None
    rate_hz = both / of_time
    nearest = min((*AUDIO_HZ, VIDEO_HZ), key=lambda known: abs(rate_hz - known) / known)
    return nearest if abs(rate_hz - nearest) <= TOLERANCE * nearest else None


def _u32(head: Octets, at: int) -> Column:
    return u16(head, at) << 16 | u16(head, at + 2)
