"""A phone's UDP conversations: with servers of the call, with the other phone, and with all else."""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Literal

import numpy as np

from correlate.pairs import media
from correlate.pairs.addresses import OwnAddresses, is_sent
from correlate.pairs.frames import Frame
from correlate.pairs.media import Media
from correlate.pairs.window import Amounts, Window
from correlate.stun import BINDING, USERNAME, method
from correlate.trace.addresses import Address, fold

Kind = Literal["server", "direct", "other"]


@dataclass(frozen=True)
class Conversation:
    """A UDP conversation of the phone, seen from the phone. `remote` is folded, `remote_raw` as on the wire; `sign` is
    the first STUN message beyond a bare Binding, or TURN data: what makes its far end a server of the call; `flow` is
    its index in the vantage's flows."""

    kind: Kind
    local: Address
    local_port: int
    remote: Address
    remote_raw: Address
    remote_port: int
    tx: Amounts
    rx: Amounts
    first: Frame
    last: Frame
    sign: Frame | None
    media: Media
    flow: int

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


def conversations(
    window: Window, own: OwnAddresses, peers: frozenset[Address], relay_ports: Sequence[int]
) -> tuple[Conversation, ...]:
    """The phone's UDP conversations, in order of their first packet.

    `direct`: with an address in `peers`. `server`: with another address on one of `relay_ports` (empty: any) and with
    at least one STUN message that is more than a bare Binding, or TURN data. `other`: all else.
    """
    sent = is_sent(window.trace.udp, own)
    tx, rx = window.amounts(np.flatnonzero(sent)), window.amounts(np.flatnonzero(~sent))
    spans, signs = window.spans(np.arange(len(sent))), _signs(window)
    of_media = media.by_flow(window, own)
    found = []
    for index, flow in enumerate(window.flows.table):
        a, b = (flow.a, flow.a_port), (flow.b, flow.b_port)
        nearness = own.get(fold(flow.a), 0) - own.get(fold(flow.b), 0)
        if not nearness:
            continue
        (local, local_port), (remote, remote_port) = (a, b) if nearness > 0 else (b, a)
        is_server = index in signs and (not relay_ports or remote_port in relay_ports)
        found.append(
            Conversation(
                kind="direct" if fold(remote) in peers else "server" if is_server else "other",
                local=local,
                local_port=local_port,
                remote=fold(remote),
                remote_raw=remote,
                remote_port=remote_port,
                tx=tx[index],
                rx=rx[index],
                first=spans[index][0],
                last=spans[index][1],
                sign=signs.get(index),
                media=of_media[index],
                flow=index,
            )
        )
    return tuple(found)


def _signs(window: Window) -> dict[int, Frame]:
    """Flows with a STUN message beyond a bare Binding, or with TURN data, and the first frame with one."""
    of, rows = window.flows.of, _channel_rows(window)
    for message in window.messages:
        if message.transport == "udp" and (
            message.nested is not None
            or method(message.type) != BINDING
            or any(kind == USERNAME for kind, _ in message.attributes)
        ):
            index = int(of[message.row])
            rows[index] = min(message.row, rows.get(index, message.row))
    return {index: Frame.of(window.trace.udp, row) for index, row in rows.items()}


def _channel_rows(window: Window) -> dict[int, int]:
    """Flows with at least two ChannelData messages of one channel (RFC 8656, 12.4), each as long as it says, and the
    row of the first.

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
    found: dict[int, int] = {}
    for key, row in zip(keys[counts >= 2].tolist(), rows[first[counts >= 2]].tolist(), strict=True):
        found[key >> 16] = min(row, found.get(key >> 16, row))
    return found
