"""UDP datagrams as frames of one link: one at a time as bytes, or many as rows of a numpy array.

Checksums of IPv4 and UDP are right for every frame (RFC 791, RFC 768, RFC 8200 section 8.1).
"""

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import numpy as np
import numpy.typing as npt

from lab.virtual.network.addresses import Address, Endpoint

Integers = npt.NDArray[np.int64]
Octets = npt.NDArray[np.uint8]

_UDP = 17
_MULTICAST_MACS = {4: "01:00:5e:00:00:fb", 6: "33:33:00:00:00:fb"}


@dataclass(frozen=True)
class Link:
    """A link: raw IP, or Ethernet between the phone's MAC and the hotspot's."""

    ethernet: bool
    mac: str
    gateway_mac: str

    def header(self, destination: Address, outgoing: bool) -> bytes:
        """What stands before the IP header."""
        if not self.ethernet:
            return b""
        destination_mac, source_mac = (self.gateway_mac, self.mac) if outgoing else (self.mac, self.gateway_mac)
        if destination.is_multicast:
            destination_mac = _MULTICAST_MACS[destination.version]
        kind = 0x0800 if destination.version == 4 else 0x86DD
        return bytes.fromhex((destination_mac + source_mac).replace(":", "")) + struct.pack("!H", kind)


def _sum(octets: bytes) -> int:
    return sum(struct.unpack(f"!{len(octets) // 2}H", octets)) if octets else 0


def _checksum(total: Any) -> Any:
    """The Internet checksum (RFC 1071) of a sum of 16-bit words; also of an array of sums."""
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _addresses(source: Address, destination: Address) -> bytes:
    return source.packed + destination.packed


def _ip_header(source: Address, destination: Address, hop_limit: int) -> bytes:
    """An IP header whose length, identification and checksum are still zero."""
    if isinstance(source, IPv6Address):
        return struct.pack("!IHBB", 0x6 << 28, 0, _UDP, hop_limit) + _addresses(source, destination)
    # DF set, as phones and media servers send it.
    return struct.pack("!BBHHHBBH", 0x45, 0, 0, 0, 0x4000, hop_limit, _UDP, 0) + _addresses(source, destination)


def frame(
    link: bytes, source: Endpoint, destination: Endpoint, payload: bytes, *, identification: int, hop_limit: int
) -> bytes:
    """One UDP datagram behind `link`, the bytes of the link header."""
    length = 8 + len(payload)
    header = _ip_header(source.address, destination.address, hop_limit)
    if isinstance(source.address, IPv4Address):
        header = header[:2] + struct.pack("!HH", 20 + length, identification) + header[6:]
        header = header[:10] + struct.pack("!H", _checksum(_sum(header))) + header[12:]
    else:
        header = header[:4] + struct.pack("!H", length) + header[6:]
    udp = struct.pack("!HHH", source.port, destination.port, length)
    total = _sum(_addresses(source.address, destination.address)) + _UDP + length + _sum(udp)
    checksum = _checksum(total + _sum(payload + bytes(len(payload) % 2))) or 0xFFFF
    return b"".join((link, header, udp, struct.pack("!H", checksum), payload))


def frames(
    link: bytes,
    source: Endpoint,
    destination: Endpoint,
    payload: Octets,
    sizes: Integers,
    *,
    identifications: Integers,
    hop_limit: int,
) -> Octets:
    """Many datagrams of one flow as rows: `payload` (n x even width) holds the first bytes of each, the rest is zeros.

    A payload shorter than the width must be zeros behind its size. A row may be shorter than its frame, whose length
    is `len(link)` + IP header + 8 + size.
    """
    count, width = payload.shape
    ip = _ip_header(source.address, destination.address, hop_limit)
    lengths = sizes + 8
    start, udp = len(link), len(link) + len(ip)
    rows = np.zeros((count, udp + 8 + width), dtype=np.uint8)
    ports = struct.pack("!HH", source.port, destination.port)
    rows[:, : udp + 4] = np.frombuffer(link + ip + ports, dtype=np.uint8)
    rows[:, udp + 8 :] = payload
    if isinstance(source.address, IPv4Address):
        _put(rows, start + 2, lengths + 20)
        _put(rows, start + 4, identifications)
        _put(rows, start + 10, _checksum(_sum(ip) + lengths + 20 + identifications))
    else:
        _put(rows, start + 4, lengths)
    _put(rows, udp + 4, lengths)
    words = payload.view(">u2").sum(axis=1, dtype=np.int64)
    fixed = _sum(_addresses(source.address, destination.address)) + _UDP + _sum(ports)
    checksums = _checksum(words + fixed + 2 * lengths)
    _put(rows, udp + 6, np.where(checksums == 0, 0xFFFF, checksums))
    return rows


def _put(rows: Octets, column: int, values: Integers) -> None:
    rows[:, column] = values >> 8 & 0xFF
    rows[:, column + 1] = values & 0xFF


def overhead_bytes(link: bytes, address: Address) -> int:
    """What a frame has before its UDP payload."""
    return len(link) + (20 if address.version == 4 else 40) + 8


def hop_limit_left(address: Address) -> int:
    """What is left of a far end's hop limit of 64: the same for all its datagrams."""
    return 64 - 5 - int(address) % 13
