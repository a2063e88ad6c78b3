"""UDP datagrams as frames of one link: one at a time as bytes, or many as rows of a numpy array.

Checksums of IPv4 and UDP are right for every frame (RFC 791, RFC 768, RFC 8200 section 8.1). TCP segments are built
of the same parts (`lab.virtual.network.tcp`).
"""

import struct
from dataclasses import dataclass
from ipaddress import IPv6Address
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


def word_sum(octets: bytes) -> int:
    """The sum of the 16-bit words of an even number of bytes."""
    return sum(struct.unpack(f"!{len(octets) // 2}H", octets)) if octets else 0


def checksum(total: Any) -> Any:
    """The Internet checksum (RFC 1071) of a sum of 16-bit words; also of an array of sums."""
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def address_bytes(source: Address, destination: Address) -> bytes:
    """Both addresses, as they stand in an IP header and in the pseudo-header of UDP and TCP."""
    return source.packed + destination.packed


def ip_header(source: Address, destination: Address, hop_limit: int, protocol: int = _UDP) -> bytes:
    """An IP header whose length, identification and checksum are still zero."""
    if isinstance(source, IPv6Address):
        return struct.pack("!IHBB", 0x6 << 28, 0, protocol, hop_limit) + address_bytes(source, destination)
    # DF set, as phones and media servers send it.
    return struct.pack("!BBHHHBBH", 0x45, 0, 0, 0, 0x4000, hop_limit, protocol, 0) + address_bytes(source, destination)


def complete(header: bytes, length: int, identification: int) -> bytes:
    """An IP header with the length of what is behind it, and with IPv4's identification and checksum."""
    if header[0] >> 4 == 6:
        return header[:4] + struct.pack("!H", length) + header[6:]
    header = header[:2] + struct.pack("!HH", len(header) + length, identification) + header[6:]
    return header[:10] + struct.pack("!H", checksum(word_sum(header))) + header[12:]


def complete_rows(rows: Octets, start: int, header: bytes, lengths: Integers, identifications: Integers) -> None:
    """The same for the headers at column `start` of many rows."""
    if header[0] >> 4 == 6:
        put(rows, start + 4, lengths)
        return
    put(rows, start + 2, lengths + len(header))
    put(rows, start + 4, identifications)
    put(rows, start + 10, checksum(word_sum(header) + lengths + len(header) + identifications))


def frame(
    link: bytes, source: Endpoint, destination: Endpoint, payload: bytes, *, identification: int, hop_limit: int
) -> bytes:
    """One UDP datagram behind `link`, the bytes of the link header."""
    length = 8 + len(payload)
    header = complete(ip_header(source.address, destination.address, hop_limit), length, identification)
    udp = struct.pack("!HHH", source.port, destination.port, length)
    total = word_sum(address_bytes(source.address, destination.address)) + _UDP + length + word_sum(udp)
    found = checksum(total + word_sum(payload + bytes(len(payload) % 2))) or 0xFFFF
    return b"".join((link, header, udp, struct.pack("!H", found), payload))


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
    ip = ip_header(source.address, destination.address, hop_limit)
    lengths = sizes + 8
    start, udp = len(link), len(link) + len(ip)
    rows = np.zeros((count, udp + 8 + width), dtype=np.uint8)
    ports = struct.pack("!HH", source.port, destination.port)
    rows[:, : udp + 4] = np.frombuffer(link + ip + ports, dtype=np.uint8)
    rows[:, udp + 8 :] = payload
    complete_rows(rows, start, ip, lengths, identifications)
    put(rows, udp + 4, lengths)
    words = payload.view(">u2").sum(axis=1, dtype=np.int64)
    fixed = word_sum(address_bytes(source.address, destination.address)) + _UDP + word_sum(ports)
    checksums = checksum(words + fixed + 2 * lengths)
    put(rows, udp + 6, np.where(checksums == 0, 0xFFFF, checksums))
    return rows


def put(rows: Octets, column: int, values: Integers) -> None:
    """Write a 16-bit number of each row, big-endian."""
    rows[:, column] = values >> 8 & 0xFF
    rows[:, column + 1] = values & 0xFF


def overhead_bytes(link: bytes, address: Address) -> int:
    """What a frame has before its UDP payload."""
    return len(link) + (20 if address.version == 4 else 40) + 8


def hop_limit_left(address: Address) -> int:
    """What is left of a far end's hop limit of 64: the same for all its datagrams."""
    return 64 - 5 - int(address) % 13
