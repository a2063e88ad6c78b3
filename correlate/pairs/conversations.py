"""A phone's conversations: with servers of the call, with the other phone, and with all else."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from typing import Literal

import numpy as np

from correlate.pairs.addresses import OwnAddresses, is_sent
from correlate.pairs.connections import Connections, Path
from correlate.pairs.frames import Frame
from correlate.pairs.media import Media, MediaUnits
from correlate.pairs.negotiated import Agents, Negotiated, agents
from correlate.pairs.window import Amounts, Window
from correlate.stun import BINDING, REQUEST, USERNAME, Message, Transport, method
from correlate.trace.addresses import Address, fold

Kind = Literal["server", "direct", "other"]


@dataclass(frozen=True, kw_only=True)
class Conversation(Path):
    """A conversation of the phone over UDP, or its TCP connection with STUN. `sign` is the first STUN message beyond a
    bare Binding, or TURN data: what makes its far end a server of the call; `flow` is its index in the vantage's flows,
    for TCP behind all of these; `has_ice`: ICE agents check this path."""

    kind: Kind
    sign: Frame | None
    media: Media
    flow: int
    transport: Transport = "udp"
    has_ice: bool = False

    @property
    def both(self) -> Amounts:
        """What went either way."""
        return self.tx + self.rx

    @property
    def over_ipv6(self) -> bool:
        """Whether it goes over IPv6 on this wire, as the paper's 4.2 counts; also where NAT64 makes IPv4 of it."""
        return isinstance(self.remote_raw, IPv6Address)

    @property
    def duration_s(self) -> float:
        """Last minus first packet (facts of the paper's Table 6)."""
        return (self.last.time_ns - self.first.time_ns) / 1e9


@dataclass
class _Signs:
    """What STUN says of one conversation: the first frame with a message beyond a bare Binding, or with TURN data; the
    ICE agents that check it; whether TURN carries their checks, and whether the far end sends some itself."""

    first: Frame | None = None
    agents: set[Agents] = field(default_factory=set)
    through_turn: bool = False
    from_far_end: bool = False

    def see(self, frame: Frame) -> None:
        self.first = min(frame, self.first or frame)


def conversations(
    window: Window,
    own: OwnAddresses,
    peers: Collection[Address],
    relay_ports: Collection[int],
    of_call: Negotiated,
    connections: Connections,
    media: MediaUnits,
) -> tuple[Conversation, ...]:
    """The phone's conversations over UDP in order of their first packet, then its connections over TCP.

    `direct`: with an address in `peers`. `server`: with another address, on one of `relay_ports` (empty: any), and with
    at least one STUN message that is more than a bare Binding, or TURN data; on whatever port with a relayed transport
    address of either capture, or where agents of this call check a path through TURN, or to a TURN server. `other`: all
    else; with `has_ice` it may be the call's.
    """
    signs = _signs(window, own, connections)
    paths: list[tuple[int, Path, Transport]] = [(flow, path, "udp") for flow, path in _over_udp(window, own)]
    paths += [(len(window.flows.table) + index, path, "tcp") for index, path in enumerate(connections.table)]
    of_media = media.by_conversation(len(window.flows.table) + len(connections.table))
    found = []
    for flow, path, transport in paths:
        sign = signs.get(flow, _Signs())
        is_server = path.remote not in peers and _is_server(path, sign, relay_ports, of_call)
        found.append(
            Conversation(
                **vars(path),
                kind="direct" if path.remote in peers else "server" if is_server else "other",
                sign=sign.first,
                media=of_media[flow],
                flow=flow,
                transport=transport,
                has_ice=bool(sign.agents),
            )
        )
    return tuple(found)


def _is_server(path: Path, sign: _Signs, relay_ports: Collection[int], of_call: Negotiated) -> bool:
    if (path.remote, path.remote_port) in of_call.relayed:
        return True
    if sign.first is None:
        return False
    is_relay = sign.through_turn or path.remote in of_call.relays
    if sign.agents & of_call.agents and is_relay:
        return True
    # Where no port tells, an agent that checks back and is no relay may be the other phone behind an unknown address.
    return path.remote_port in relay_ports if relay_ports else is_relay or not sign.from_far_end


def _over_udp(window: Window, own: OwnAddresses) -> Iterator[tuple[int, Path]]:
    """The flows with the phone at one end."""
    sent = is_sent(window.trace.udp, own)
    tx, rx = window.amounts(np.flatnonzero(sent)), window.amounts(np.flatnonzero(~sent))
    spans = window.spans(np.arange(len(sent)))
    for index, flow in enumerate(window.flows.table):
        a, b = (flow.a, flow.a_port), (flow.b, flow.b_port)
        nearness = own.get(fold(flow.a), 0) - own.get(fold(flow.b), 0)
        if nearness:
            local, remote = (a, b) if nearness > 0 else (b, a)
            ends = (*local, fold(remote[0]), *remote)
            yield index, Path(*ends, tx[index], rx[index], *spans[index])


def _signs(window: Window, own: OwnAddresses, connections: Connections) -> dict[int, _Signs]:
    """By the index of a conversation: what its messages say."""
    found: dict[int, _Signs] = {}
    for message in window.messages:
        index = _index(window, message, connections)
        if index is None:
            continue
        named, is_nested = agents(message), message.nested is not None
        if is_nested or method(message.type) != BINDING or any(kind == USERNAME for kind, _ in message.attributes):
            signs = found.setdefault(index, _Signs())
            signs.see(Frame(message.frame, message.time_ns))
            if named is not None:
                signs.agents.add(named)
                signs.through_turn |= is_nested
                is_request = message.type == BINDING | REQUEST
                signs.from_far_end |= is_request and not is_nested and fold(message.src) not in own
    for index, frame in (*_channel_data(window), *_carried(window, connections)):
        found.setdefault(index, _Signs()).see(frame)
    return found


def _index(window: Window, message: Message, connections: Connections) -> int | None:
    if message.transport == "udp":
        return int(window.flows.of[message.row])
    place = connections.place((message.src, message.src_port, message.dst, message.dst_port))
    return place and len(window.flows.table) + place[0]


def _carried(window: Window, connections: Connections) -> Iterator[tuple[int, Frame]]:
    """TURN data over TCP."""
    for each in window.carried:
        if place := connections.place(each.ends):
            yield len(window.flows.table) + place[0], Frame(each.frame, each.time_ns)


def _channel_data(window: Window) -> Iterator[tuple[int, Frame]]:
    """Flows with at least two ChannelData messages of one channel (RFC 8656, 12.4), each as long as it says, and the
    first of these frames.

    One alone may be chance: a QUIC packet can start with the same bits.
    """
    udp, of = window.trace.udp, window.flows.of
    rows = window.once(np.flatnonzero(udp.payload_captured >= 4))
    head = udp.head[rows, :4].astype(np.int64)
    rest = udp.payload_bytes[rows] - 4 - head[:, 2] * 256 - head[:, 3]
    fits = (head[:, 0] >> 4 == 4) & (rest >= 0) & (rest < 4)
    channel = head[fits, 0] * 256 + head[fits, 1]
    rows = rows[fits]
    keys, first, counts = np.unique(of[rows] << 16 | channel, return_index=True, return_counts=True)
    for key, row in zip(keys[counts >= 2].tolist(), rows[first[counts >= 2]].tolist(), strict=True):
        yield key >> 16, Frame.of(udp, row)
