"""Link types: where in a frame the IP header begins (https://www.tcpdump.org/linktypes.html).

Each reader takes the padded octets, the start and end offsets of the captured bytes of n frames (int64, n) and whether
the capturing machine was big-endian. It gives two int64 columns: the offset of the network header and its ethertype,
0 for what is not IP. It may be asked about frames cut anywhere: offsets past the end are caught by the caller.
"""

from collections.abc import Callable

import numpy as np

from correlate.trace.records import Column, Octets, u16, window

IPV4, IPV6 = 0x0800, 0x86DD
_VLAN = (0x8100, 0x88A8, 0x9100, 0x9200)
_PPPOE_SESSION = 0x8864
MPLS, MPLS_UPSTREAM = 0x8847, 0x8848
_PPP = {0x0021: IPV4, 0x0057: IPV6, 0x0281: MPLS, 0x0283: MPLS_UPSTREAM}  # RFC 1332, RFC 5072, RFC 3032 4.3
# AF_INET is 2 everywhere; AF_INET6 is 10 on Linux, 24, 28 and 30 on the BSDs and macOS, 23 on Windows.
_FAMILIES = {2: IPV4, 10: IPV6, 23: IPV6, 24: IPV6, 28: IPV6, 30: IPV6}
_NFULA_PAYLOAD = 9

NOT_FOLLOWED = {
    MPLS: "MPLS", MPLS_UPSTREAM: "MPLS", 0x88E5: "MACsec", 0x88E7: "802.1ah", 0x893F: "802.1BR", 0x8926: "VN-Tag",
    0x8909: "Cisco MetaData", 0x894F: "NSH", 0x22F3: "TRILL", 0x6558: "bridged Ethernet", 0x4305: "B.A.T.M.A.N.",
    0x880B: "PPP",
}  # fmt: skip
"""Ethertypes of what holds packets and is not looked into (IANA's registry of IEEE 802 numbers)."""

Placed = tuple[Column, Column]


def _translated(values: Column, table: dict[int, int]) -> Column:
    result = np.zeros_like(values)
    for value, ethertype in table.items():
        result[values == value] = ethertype
    return result


def _after(octets: Octets, offset: Column, kind: Column, end: Column) -> Placed:
    """Follows VLAN tags (802.1Q, QinQ), LLC/SNAP and PPPoE from an ethertype that ends at `offset`."""
    while True:
        tagged = np.flatnonzero(np.isin(kind, _VLAN) & (offset + 4 <= end))
        if not len(tagged):
            break
        kind[tagged] = u16(window(octets, offset[tagged], 4), 2)
        offset[tagged] += 4
    snap = np.flatnonzero((kind <= 1500) & (offset + 8 <= end))
    if len(snap):
        head = window(octets, offset[snap], 8)
        snap = snap[(head[:, :6] == [0xAA, 0xAA, 3, 0, 0, 0]).all(axis=1)]
        kind[snap] = u16(window(octets, offset[snap], 8), 6)
        offset[snap] += 8
    pppoe = np.flatnonzero((kind == _PPPOE_SESSION) & (offset + 8 <= end))
    if len(pppoe):
        kind[pppoe] = _translated(u16(window(octets, offset[pppoe], 8), 6), _PPP)
        offset[pppoe] += 8
    return offset, kind


def _ethernet(octets: Octets, start: Column, end: Column, big_endian: bool) -> Placed:
    return _after(octets, start + 14, u16(window(octets, start, 14), 12), end)


def _raw(octets: Octets, start: Column, end: Column, big_endian: bool) -> Placed:
    return start, _translated(octets[start].astype(np.int64) >> 4, {4: IPV4, 6: IPV6})


def _sll(octets: Octets, start: Column, end: Column, big_endian: bool) -> Placed:
    return _after(octets, start + 16, u16(window(octets, start, 16), 14), end)


def _sll2(octets: Octets, start: Column, end: Column, big_endian: bool) -> Placed:
    return _after(octets, start + 20, u16(window(octets, start, 2), 0), end)


def _null(octets: Octets, start: Column, end: Column, big_endian: bool) -> Placed:
    # NULL holds the family in the capturing machine's byte order, LOOP in network order: one of two reads small.
    head = window(octets, start, 4)
    little, big = head.view("<u4")[:, 0], head.view(">u4")[:, 0]
    return start + 4, _translated(np.minimum(little, big).astype(np.int64), _FAMILIES)


def _ppp(octets: Octets, start: Column, end: Column, big_endian: bool) -> Placed:
    """RFC 1661 with HDLC-like framing (RFC 1662) or without, and with a compressed protocol field."""
    offset = start + 2 * (u16(window(octets, start, 2), 0) == 0xFF03)
    head = window(octets, offset, 2)
    short = (head[:, 0] & 1) == 1
    return offset + 2 - short, _translated(np.where(short, head[:, 0].astype(np.int64), u16(head, 0)), _PPP)


def _nflog(octets: Octets, start: Column, end: Column, big_endian: bool) -> Placed:
    """Netfilter's log: a family, then TLVs in the byte order of the machine that captured; one TLV is the packet."""
    kind = _translated(octets[start].astype(np.int64), _FAMILIES)
    offset, found = start + 4, np.full_like(start, -1)
    going = np.arange(len(start))
    while len(going):
        going = going[offset[going] + 4 <= end[going]]
        head = window(octets, offset[going], 4).view(">u2" if big_endian else "<u2").astype(np.int64)
        length, tlv = head[:, 0], head[:, 1] & 0x7FFF
        payload = tlv == _NFULA_PAYLOAD
        found[going[payload]] = offset[going[payload]] + 4
        offset[going] += length + 3 & ~3
        going = going[~payload & (length >= 4)]
    return np.where(found < 0, start, found), np.where(found < 0, 0, kind)


Reader = Callable[[Octets, Column, Column, bool], Placed]

READERS: dict[int, Reader] = {
    0: _null,
    1: _ethernet,
    9: _ppp,
    12: _raw,
    101: _raw,
    108: _null,
    113: _sll,
    228: _raw,
    229: _raw,
    239: _nflog,
    276: _sll2,
}

NAMES = {
    3: "AX25", 6: "IEEE802_5 (token ring)", 8: "SLIP", 10: "FDDI", 50: "PPP_HDLC", 51: "PPP_ETHER", 104: "C_HDLC",
    105: "IEEE802_11", 107: "FRELAY", 117: "PFLOG", 119: "IEEE802_11_PRISM", 127: "IEEE802_11_RADIOTAP",
    147: "USER0", 163: "IEEE802_11_AVS", 187: "BLUETOOTH_HCI_H4", 189: "USB_LINUX", 192: "PPI",
    195: "IEEE802_15_4_WITHFCS", 201: "BLUETOOTH_HCI_H4_WITH_PHDR", 220: "USB_LINUX_MMAPPED", 227: "CAN_SOCKETCAN",
    230: "IEEE802_15_4_NOFCS", 240: "NETANALYZER", 249: "USBPCAP", 251: "BLUETOOTH_LE_LL", 252: "WIRESHARK_UPPER_PDU",
    253: "NETLINK", 258: "PKTAP", 272: "NORDIC_BLE",
}  # fmt: skip


def refusal(link_type: int) -> str | None:
    """Why frames of this link type cannot be read; None where they can."""
    if link_type in READERS:
        return None
    return f"link type {link_type} ({NAMES.get(link_type, 'unnamed here')}) is not read here"
