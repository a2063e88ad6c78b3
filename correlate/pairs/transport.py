"""What a phone sends beside UDP sessions of the call: TCP and QUIC, and whether a call's media may be in there."""

from collections.abc import Set
from dataclasses import dataclass

import numpy as np

from correlate.pairs.addresses import OwnAddresses, is_sent
from correlate.pairs.connections import Connections, Ends
from correlate.pairs.media import is_dense
from correlate.pairs.window import Window
from correlate.trace import Datagrams
from correlate.trace.addresses import Address, fold
from correlate.trace.records import Mask
from correlate.trace.tcp import Segments

MEDIA_NOT_UDP = "media_not_udp"
LONG_HEADER = 0xC0
QUIC_VERSIONS = (0x00000001, 0x6B3343CF)
"""RFC 9000 15 and RFC 9369 3.1; drafts have 0xff in the first byte, Google's own versions "Q0" or "T0"."""


ESTABLISHED_DATAGRAMS = 100


@dataclass(frozen=True)
class TcpConversation:
    """A TCP connection's segments with payload, seen from the phone. `remote` is folded. `may_hold_media`: nobody
    looked into it, and at some time there are ESTABLISHED_DATAGRAMS of them each way within 10 s, as of media."""

    remote: Address
    remote_port: int
    tx_segments: int
    rx_segments: int
    tx_payload_bytes: int
    rx_payload_bytes: int
    may_hold_media: bool


@dataclass(frozen=True)
class Transport:
    """One side's TCP connections, those with most payload first, and the UDP payload of its QUIC flows."""

    tcp: tuple[TcpConversation, ...] = ()
    quic_tx_payload_bytes: int = 0
    quic_rx_payload_bytes: int = 0

    @property
    def may_hold_media(self) -> bool:
        """Whether one TCP connection may hold media, whatever is in there."""
        return any(each.may_hold_media for each in self.tcp)


def transport(window: Window, own: OwnAddresses, known: Connections) -> Transport:
    """What a phone sends and receives over TCP and QUIC. The `known` connections were looked into, where they are
    whole."""
    udp, of = window.trace.udp, window.flows.of
    quic, sent = np.isin(of, np.unique(of[is_quic(udp)])), is_sent(udp, own)
    tx, rx = (int(udp.payload_bytes[quic & rows].sum()) for rows in (sent, ~sent))
    looked_into = {
        (fold(each.local), each.local_port, each.remote, each.remote_port) for each in known.table if each.is_whole
    }
    return Transport(_tcp(window.segments, own, looked_into), tx, rx)


def is_quic(udp: Datagrams) -> Mask:
    """Datagrams with a QUIC long header of a known version (RFC 9000 17.2)."""
    head = udp.head
    version = np.ascontiguousarray(head[:, 1:5]).view(">u4")[:, 0]
    google = np.isin(head[:, 1], (ord("Q"), ord("T"))) & (head[:, 2] == ord("0"))
    known = np.isin(version, QUIC_VERSIONS) | (version >> 24 == 0xFF) | google
    mask: Mask = (head[:, 0] & LONG_HEADER == LONG_HEADER) & known
    return mask


def _tcp(segments: Segments, own: OwnAddresses, looked_into: Set[Ends]) -> tuple[TcpConversation, ...]:
    folded = [fold(address) for address in segments.addresses]
    ways: dict[Ends, tuple[list[int], list[int]]] = {}
    segments = segments.with_payload()
    columns = (segments.src, segments.src_port, segments.dst, segments.dst_port)
    for row, (src, src_port, dst, dst_port) in enumerate(zip(*(column.tolist() for column in columns), strict=True)):
        nearness = own.get(folded[src], 0) - own.get(folded[dst], 0)
        if not nearness:
            continue
        ends = (folded[src], src_port, folded[dst], dst_port)
        both = ways.setdefault(ends if nearness > 0 else (*ends[2:], *ends[:2]), ([], []))
        both[0 if nearness > 0 else 1].append(row)
    found = []
    for ends, rows in ways.items():
        tx, rx = (np.array(each, np.int64) for each in rows)
        tx_bytes, rx_bytes = (int(segments.payload_bytes[each].sum()) for each in (tx, rx))
        dense = is_dense(segments.time_ns[tx], segments.time_ns[rx], ESTABLISHED_DATAGRAMS)
        found.append(
            TcpConversation(*ends[2:], len(tx), len(rx), tx_bytes, rx_bytes, dense and ends not in looked_into)
        )
    return tuple(sorted(found, key=_fullest_first))


def _fullest_first(each: TcpConversation) -> tuple[int, str, int]:
    return -each.tx_payload_bytes - each.rx_payload_bytes, str(each.remote), each.remote_port
