"""Is a session of one side the same as one of the other? The signs that do not look at what is measured of them."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from typing import Literal

from correlate.pairs import CallPair, Vantage
from correlate.pairs.conversations import Conversation
from correlate.stun import ALLOCATED, CLIENT_ADDRESSES, NAMES, RELAY_ADDRESSES, is_success
from correlate.trace.addresses import Address, fold

Identity = Literal["address", "group", "relayed", "direct"]
"""The same server, by `address` or by a host name of the same `group`, and the same port; a transport address that one
side's server `relayed` for it, and the other talks to; the same `direct` path between the phones."""
IDENTITIES: tuple[Identity, ...] = ("address", "group", "relayed", "direct")

End = tuple[Address, int]


@dataclass(frozen=True)
class Told:
    """What one side's STUN tells of its conversations: the transport addresses (folded) that servers relay for it, the
    peers it names to them, and by local end what others see it as."""

    relayed: dict[frozenset[End], set[End]]
    peers: dict[frozenset[End], set[End]]
    mapped: dict[End, set[End]]


def told(side: Vantage) -> Told:
    """From Allocate responses (RFC 8656 7.3), XOR-PEER-ADDRESS of any message, and XOR-MAPPED-ADDRESS of responses that
    reach the phone; one inside of TURN data names the relayed address, as the peer sees it."""
    found = Told(defaultdict(set), defaultdict(set), defaultdict(set))
    for each in side.messages:
        src, dst = (fold(each.src), each.src_port), (fold(each.dst), each.dst_port)
        for kind, address, port in each.addresses:
            end, is_mapped = (fold(address), port), kind in CLIENT_ADDRESSES and is_success(each.type)
            if NAMES[kind] == "XOR-PEER-ADDRESS":
                found.peers[frozenset((src, dst))].add(end)
            elif is_mapped and not each.nested:
                found.mapped[dst].add(end)
            elif is_mapped or (kind in RELAY_ADDRESSES and each.type == ALLOCATED and end != src):
                found.relayed[frozenset((src, dst))].add(end)
    return found


class Identities:
    """Compares conversations of side `a` of a pair with those of side `b`."""

    def __init__(self, pair: CallPair) -> None:
        self._pair, self._a, self._b = pair, told(pair.a), told(pair.b)

    def of(self, a: Iterable[Conversation], b: Iterable[Conversation]) -> Identity | None:
        """The surest sign that two sessions, each as its segments, are the same; None without any."""
        signs = {self._sign(mine, theirs) for mine, theirs in product(a, b)}
        return next((each for each in IDENTITIES if each in signs), None)

    def is_check(self, conversation: Conversation) -> bool:
        """Whether no media went on a path between candidates of both phones (RFC 8445): with the other phone, or with
        an address that a server relays for it. What is there are checks, however long they go on."""
        if conversation.media.tx.packets or conversation.media.rx.packets:
            return False
        relayed = {end for side in (self._a, self._b) for ends in side.relayed.values() for end in ends}
        return conversation.kind == "direct" or _remote(conversation) in relayed

    def _sign(self, a: Conversation, b: Conversation) -> Identity | None:
        if a.kind == b.kind == "direct":
            is_path = _leads(a, b, self._b, self._pair.b) and _leads(b, a, self._a, self._pair.a)
            return "direct" if is_path else None
        if a.kind != "server" or b.kind != "server":
            return None
        if a.remote_port == b.remote_port and a.remote == b.remote:
            return "address"
        if a.remote_port == b.remote_port and self._group(a) is not None and self._group(a) == self._group(b):
            return "group"
        return "relayed" if self._is_relayed(a, b) else None

    def _is_relayed(self, a: Conversation, b: Conversation) -> bool:
        relayed_a, relayed_b = self._a.relayed.get(_key(a), set()), self._b.relayed.get(_key(b), set())
        if _remote(b) in relayed_a or _remote(a) in relayed_b:
            return True
        # A relay is told of every candidate of the other phone; that there are media on both says which it was.
        peers_a, peers_b = self._a.peers.get(_key(a), set()), self._b.peers.get(_key(b), set())
        has_media = all(each.media.tx.packets or each.media.rx.packets for each in (a, b))
        return has_media and bool(relayed_a & peers_b or relayed_b & peers_a)

    def _group(self, conversation: Conversation) -> str | None:
        return self._pair.analysis.cluster(self._pair.names.get(str(conversation.remote)))


def _leads(of: Conversation, to: Conversation, seen: Told, side: Vantage) -> bool:
    """Whether the far end of the one is the near end of the other: at its interface or, behind a NAT, as others see it.
    Where nobody told that side its port there, the address alone counts."""
    local = fold(to.local), to.local_port
    ends = {local} | seen.mapped.get(local, set())
    if of.remote in {address for address, _ in ends}:
        return _remote(of) in ends
    return of.remote in side.own


def _remote(conversation: Conversation) -> End:
    return conversation.remote, conversation.remote_port


def _key(conversation: Conversation) -> frozenset[End]:
    return frozenset(((fold(conversation.local), conversation.local_port), _remote(conversation)))
