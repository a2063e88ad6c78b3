"""Is there a conversation? What each side by itself shows of one, and what both together say."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np

from correlate.pairs.conversations import Conversation
from correlate.pairs.media import RTP_HEADER_BYTES, MediaUnits, is_dense
from correlate.pairs.transport import ESTABLISHED_DATAGRAMS, MEDIA_NOT_UDP, Transport
from correlate.pairs.window import Amounts

Holds = Literal["media", "media_not_udp", "unclaimed", "nothing"]
"""What a side shows: media of the call; a TCP connection that may hold them; media on a path with ICE that no rule says
is the call's; none of these."""


class Shown(NamedTuple):
    """One side: its phone, what it holds, the paths that no rule claims, and whether it has a session of the call."""

    phone: str
    holds: Holds
    unclaimed: Sequence[Conversation]
    has_session: bool


def unclaimed(found: Sequence[Conversation], media: MediaUnits) -> Iterator[Conversation]:
    """Conversations that no rule of the app claims and that are nevertheless one of somebody's: ICE agents check the
    path, and at some time ESTABLISHED_DATAGRAMS as long as RTP at least go each way within 10 s."""
    for each in found:
        if each.kind != "other" or not each.has_ice:
            continue
        if min(each.media.tx.packets, each.media.rx.packets) < ESTABLISHED_DATAGRAMS:
            continue
        mine = media.within([each.flow])
        mine = mine.take(np.flatnonzero(mine.payload_bytes >= RTP_HEADER_BYTES))
        if is_dense(mine.time_ns[mine.sent], mine.time_ns[~mine.sent], ESTABLISHED_DATAGRAMS):
            yield each


def named(phone: str, unclaimed: Iterable[Conversation]) -> str:
    """In words what a phone has that no rule claims."""
    paths = (f"{each.transport.upper()} with {each.remote} port {each.remote_port}" for each in unclaimed)
    return f"{phone} has what may be a conversation that no rule of the app claims: {' and '.join(paths)}"


def holds(media: tuple[Amounts, Amounts], transport: Transport, unclaimed: Sequence[Conversation]) -> Holds:
    """What one side shows by itself: at least 100 media datagrams or frames each way, or else what may be them."""
    if min(way.packets for way in media) >= ESTABLISHED_DATAGRAMS:
        return "media"
    if unclaimed:
        return "unclaimed"
    return "media_not_udp" if transport.may_hold_media else "nothing"


def established(a: Shown, b: Shown) -> tuple[bool | None, str]:
    """Whether there is a conversation, or None with the reason.

    Yes: both sides show media, or one does and the other a TCP connection that may hold them, or neither has a session
    over UDP and both such a connection. No: neither shows anything that may be media of the call.
    """
    for side in (a, b):
        if side.holds == "unclaimed":
            return None, named(side.phone, side.unclaimed)
    of_both = {a.holds, b.holds}
    if "media" in of_both:
        silent = [side.phone for side in (a, b) if side.holds == "nothing"]
        return (None, f"media both ways on one side only, not on {silent[0]}") if silent else (True, "")
    if of_both == {"media_not_udp"}:
        if a.has_session or b.has_session:
            return None, f"{MEDIA_NOT_UDP}, if there are any: TCP on both sides beside silent sessions of the call"
        return True, ""
    return False, ""
