"""STUN that an ICMP error quotes (RFC 792, RFC 4443 3): of a message that the capture has no other trace of."""

from collections.abc import Iterator

import numpy as np

from correlate.pairs.frames import Frame
from correlate.stun import Decoded, decode
from correlate.stun.attributes import COOKIE_BYTES
from correlate.trace import Trace
from correlate.trace.records import Column


def quoted(trace: Trace, frames: tuple[int, int]) -> Iterator[tuple[Frame, Decoded]]:
    """The messages in frames between these two that are neither UDP nor TCP."""
    records = trace.records
    for row in other_rows(trace, frames, trace.udp.frame).tolist():
        start = int(records.start[row])
        data = bytes(trace.data[start : start + int(records.captured[row])])
        at = data.find(COOKIE_BYTES)
        if at >= 4:
            frame = Frame(row + 1, int(records.time_ns[row]))
            yield from ((frame, each) for each in decode(data[at - 4 :]))


def other_rows(trace: Trace, frames: tuple[int, int], udp_frames: Column) -> Column:
    """The records between two frames that are neither UDP nor TCP."""
    frame = np.arange(1, len(trace.records) + 1)
    known = np.concatenate([udp_frames, trace.tcp.frame])
    return np.flatnonzero((frame > frames[0]) & (frame < frames[1]) & ~np.isin(frame, known))
