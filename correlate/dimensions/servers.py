"""Server connectivity (paper 3.3, 4.2): which servers does each side talk to, and which do both use at one time?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from correlate.pairs import CallPair, Vantage
from correlate.pairs.sided import Sided
from correlate.pairs.vantage import Conversation


@dataclass(frozen=True)
class Server:
    """A server of the call: folded address, UDP port, host name if one was resolved."""

    address: str
    port: int
    name: str | None


@dataclass(frozen=True)
class Servers:
    """One side's servers. `shared` are those of this side's list that the other side uses at the same time: the same
    address and port, or the same cluster of host names and port; None where a clock was never compared. Payload is
    split by the far end's IP version."""

    phone: str
    servers: tuple[Server, ...]
    shared: tuple[Server, ...] | None
    server_addresses: int
    ipv4_payload_bytes: int
    ipv6_payload_bytes: int
    reason: str


def measure(pair: CallPair) -> Sided[Servers]:
    """The servers of the call on both sides; empty lists, never None, where there are none."""
    return Sided(_side(pair.a, pair.b, pair), _side(pair.b, pair.a, pair))


def _side(own: Vantage, other: Vantage, pair: CallPair) -> Servers:
    used = own.of_kind("server")
    meets = [each for each in used if any(_same(each, own, theirs, other, pair) for theirs in other.of_kind("server"))]
    known = own.clock.known and other.clock.known
    reasons = ["" if used else "no server of the call", "" if known else "shared: a clock was never compared"]
    return Servers(
        phone=own.phone,
        servers=tuple(_listed(used, pair)),
        shared=tuple(_listed(meets, pair)) if known else None,
        server_addresses=len({each.remote for each in used}),
        ipv4_payload_bytes=sum(_payload_bytes(each) for each in used if not each.over_ipv6),
        ipv6_payload_bytes=sum(_payload_bytes(each) for each in used if each.over_ipv6),
        reason="; ".join(filter(None, reasons)),
    )


def _same(mine: Conversation, own: Vantage, theirs: Conversation, other: Vantage, pair: CallPair) -> bool:
    if mine.remote_port != theirs.remote_port:
        return False
    if mine.remote != theirs.remote:
        cluster = pair.analysis.cluster(pair.names.get(str(mine.remote)))
        if cluster is None or cluster != pair.analysis.cluster(pair.names.get(str(theirs.remote))):
            return False
    bound_ns = own.clock.bound_ns + other.clock.bound_ns
    mine_first, mine_last = own.span_ns(mine)
    theirs_first, theirs_last = other.span_ns(theirs)
    return mine_first <= theirs_last + bound_ns and theirs_first <= mine_last + bound_ns


def _listed(used: list[Conversation] | tuple[Conversation, ...], pair: CallPair) -> Iterator[Server]:
    for address, port in sorted({(str(each.remote), each.remote_port) for each in used}):
        yield Server(address, port, pair.names.get(address))


def _payload_bytes(conversation: Conversation) -> int:
    return conversation.tx_payload_bytes + conversation.rx_payload_bytes
