"""How long an answer takes on one side: from a STUN request of the phone to its response."""

from collections.abc import Iterable

from correlate.pairs.addresses import OwnAddresses
from correlate.stun import REQUEST, SUCCESS, Message
from correlate.trace.addresses import fold

ASSUMED_NS = 400_000_000
"""Of a side that shows none. No network should be planned to take longer one way from mouth to ear (ITU-T G.114 II)."""
_CLASS = 0x0110


def round_trip_ns(messages: Iterable[Message], own: OwnAddresses) -> int | None:
    """The longest time from a request that the phone sent to its response, whoever answered, also through TURN; None
    where there is no such pair. A request that was sent more than once is left out: which of them was answered nobody
    knows (RFC 6298 3)."""
    sent: dict[tuple[bytes, bool], list[int]] = {}
    answered: dict[tuple[bytes, bool], int] = {}
    for each in messages:
        nearness = own.get(fold(each.src), 0) - own.get(fold(each.dst), 0)
        key, of = (each.transaction, each.nested is not None), each.type & _CLASS
        if nearness > 0 and of == REQUEST:
            sent.setdefault(key, []).append(each.time_ns)
        elif nearness < 0 and of & SUCCESS:
            answered.setdefault(key, each.time_ns)
    times = (answered[key] - at_ns[0] for key, at_ns in sent.items() if len(at_ns) == 1 and key in answered)
    return max((each for each in times if each >= 0), default=None)
