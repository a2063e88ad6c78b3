"""What both captures of a call say was negotiated: by which relays, and between which ICE agents."""

from collections.abc import Iterable
from dataclasses import dataclass

from correlate.pairs.window import Window
from correlate.stun import ALLOCATED, RELAY_ADDRESSES, XOR_RELAYED, Message
from correlate.trace.addresses import Address, fold

Agents = frozenset[str]
"""Both ICE fragments of a USERNAME (RFC 8445 7.2.2), in no order: each agent writes the other's first."""


@dataclass(frozen=True)
class Negotiated:
    """`relayed` are relayed transport addresses, where the peers of a TURN client send to (RFC 8656 3.2); `relays` the
    addresses of TURN servers; `agents` the ICE agents of whom both captures show the fragments. Addresses are
    folded."""

    relayed: frozenset[tuple[Address, int]]
    relays: frozenset[Address]
    agents: frozenset[Agents]


def negotiated(a: Window, b: Window) -> Negotiated:
    """What the messages of both captures tell."""
    messages = (*a.messages, *b.messages)
    relays = {fold(address) for each in messages for kind, address, _ in each.addresses if kind in RELAY_ADDRESSES}
    relays |= {fold(each.src) for each in messages if each.type == ALLOCATED}
    return Negotiated(
        frozenset(
            (fold(address), port) for each in messages for kind, address, port in each.addresses if kind == XOR_RELAYED
        ),
        frozenset(relays),
        _agents(a.messages) & _agents(b.messages),
    )


def agents(message: Message) -> Agents | None:
    """The ICE agents of a connectivity check; None for a message that is none."""
    return frozenset(message.ice_fragments) or None


def _agents(messages: Iterable[Message]) -> frozenset[Agents]:
    return frozenset(found for each in messages if (found := agents(each)) is not None)
