"""What one side of a call tells by itself, without the other side's capture.

To link is to ask which of many legs is the partner (paper 2.4.3), so what a leg is may not come from its partner.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from correlate.pairs import addresses
from correlate.pairs.addresses import Learned, OwnAddresses
from correlate.pairs.connections import connections
from correlate.pairs.conversations import Conversation, conversations
from correlate.pairs.media import units
from correlate.pairs.negotiated import agents, negotiated
from correlate.pairs.window import Window
from correlate.stun import BINDING, REQUEST, TURN_REQUESTS
from correlate.trace import duplicates
from correlate.trace.addresses import Address, fold
from correlate.trace.records import Mask

NOTHING = Learned(frozenset(), frozenset(), frozenset(), frozenset(), frozenset())


@dataclass(frozen=True)
class Alone:
    """`conversations` are those of the call, as this side tells them: `server` as everywhere, `direct` with a far end
    that ICE checks went to or came from. `own` are the phone's addresses, `shown` all others in its trace, folded."""

    conversations: tuple[Conversation, ...]
    own: frozenset[Address]
    shown: frozenset[Address]


def alone(of: Window, repeated: Mask, learned: Learned, relay_ports: Sequence[int]) -> Alone:
    """What a window tells, with what was recorded of its phone; `repeated` are the rows that are there already."""
    roles = addresses.attribute(learned, NOTHING).a
    own = addresses.own_addresses(learned.interface, learned.probed | roles.keys())
    is_flagged = duplicates.repeats(of.trace.udp, repeated, addresses.is_sent(of.trace.udp, own)).flagged
    of = replace(of, repeated=repeated if is_flagged else None)
    over_tcp, peers = connections(of, own), _peers(of, own, learned) - own.keys()
    media = units(of, own, over_tcp)
    found = conversations(of, own, peers, relay_ports, negotiated(of, of), over_tcp, media)
    return Alone(
        conversations=tuple(each for each in found if each.kind != "other"),
        own=frozenset(roles),
        shown=frozenset(of.visible) - roles.keys(),
    )


def _peers(of: Window, own: OwnAddresses, learned: Learned) -> frozenset[Address]:
    """The far ends of ICE's connectivity checks, which go both ways (RFC 8445 2.2): who sends Binding requests, as a
    STUN server never does, or is sent one whose USERNAME is two fragments (7.2.2). A relay, which a TURN client asks
    for something, is none."""
    peers, asked = set(), set()
    for message in of.messages:
        src, dst = fold(message.src), fold(message.dst)
        if message.type in TURN_REQUESTS:
            asked.add(dst)
        elif message.nested is None and message.type == BINDING | REQUEST:
            if src not in own:
                peers.add(src)
            elif agents(message):
                peers.add(dst)
    return frozenset(peers - asked - learned.relays - learned.named)
