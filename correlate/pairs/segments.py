"""Conversations of one side that follow one another: segments of one session."""

from collections.abc import Iterable

from correlate.pairs.conversations import Conversation

Segments = tuple[Conversation, ...]

MEDIA_DATAGRAMS = 50
"""Each way: a second of voice (RFC 3551 4.2: 20 ms a packet). Fewer may be keep-alives, which do not tell a path."""
OVERLAP_NS = 2_000_000_000
"""Checks of the new path, and what is still under way on the old one, overlap for so long at most."""
GAP_NS = 30_000_000_000
"""Without an answer for so long a path is given up (RFC 7675 5.1), and a call that has no other has ended."""


def joined(conversations: Iterable[Conversation]) -> list[Segments]:
    """The sessions among conversations of one kind, each as its segments in order.

    A segment begins as the one before it ends: with the same server (a rebinding: another local port; a handover:
    another local address), or with another far end whose media begin as those before end (an ICE restart, a relay
    switch, a handover). Conversations that are held open side by side (paper, Figure 3) and those without packets both
    ways, as checks that nobody answers, are sessions by themselves.
    """
    sessions: list[list[Conversation]] = []
    for each in sorted(conversations, key=carried_ns):
        before = [session for session in sessions if _follows(each, session[-1])]
        if before:
            max(before, key=lambda session: (_is_same_server(each, session[-1]), carried_ns(session[-1])[1])).append(
                each
            )
        else:
            sessions.append([each])
    return [tuple(session) for session in sessions]


def carried_ns(conversation: Conversation) -> tuple[int, int]:
    """From when to when a conversation carries the call, by its side's clock: its media, or, while there are none to
    speak of, all of its packets."""
    first, last = conversation.media.first, conversation.media.last
    if first is None or last is None or not _has_media(conversation):
        first, last = conversation.first, conversation.last
    return first.time_ns, last.time_ns


def _follows(later: Conversation, earlier: Conversation) -> bool:
    if not all(way.packets for each in (later, earlier) for way in (each.tx, each.rx)):
        return False
    (begin, end), (later_begin, later_end) = carried_ns(earlier), carried_ns(later)
    # Of two short ones that run side by side neither follows, though they overlap for less than two seconds.
    overlap_ns = min(OVERLAP_NS, (end - begin) // 2, (later_end - later_begin) // 2)
    in_turn = begin < later_begin and end < later_end and -overlap_ns <= later_begin - end <= GAP_NS
    return in_turn and (_is_same_server(later, earlier) or (_has_media(later) and _has_media(earlier)))


def _is_same_server(a: Conversation, b: Conversation) -> bool:
    return a.kind == "server" and (a.remote, a.remote_port) == (b.remote, b.remote_port)


def _has_media(conversation: Conversation) -> bool:
    return min(conversation.media.tx.packets, conversation.media.rx.packets) >= MEDIA_DATAGRAMS
