"""Another client of the hotspot: what a capture of the whole hotspot would hold besides the phone's own frames.

It has an address and a MAC of its own and looks for services by multicast, which everybody on the hotspot gets.
"""

from __future__ import annotations

import struct
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from lab.virtual.network.addresses import Endpoint, drawn_host, drawn_mac
from lab.virtual.network.datagrams import Link, frame
from lab.virtual.network.ledger import Meaning

if TYPE_CHECKING:
    from lab.virtual.network import Network

_MDNS = Endpoint(IPv4Address("224.0.0.251"), 5353)
_PAUSE_MS = (900, 4100)
_NAME = b"\x08_airplay\x04_tcp\x05local\0"


class OtherClient:
    """One that shares the hotspot with a phone for one attempt; its chance is its own, so nobody else's draws move."""

    def __init__(self, network: Network, phone: str) -> None:
        self._network, self._phone = network, phone
        self._draw = network.draw(f"other client/{phone}")
        self.mac = drawn_mac(self._draw)
        self.address = self._lease()

    def _lease(self) -> IPv4Address:
        access = self._network.accesses[self._phone]
        taken = {access.ipv4.ip, self._network.bench.laptop.hotspot_address}
        while (address := drawn_host(access.ipv4.network, self._draw)) in taken:
            pass
        return address

    def start(self) -> None:
        """Begin; it goes on until the attempt is over."""
        self._network.world.after(self._draw.randrange(*_PAUSE_MS) * 1_000_000, self._ask)

    def _ask(self) -> None:
        query = struct.pack("!HHHHHH", 0, 0, 1, 0, 0, 0) + _NAME + struct.pack("!HH", 12, 1)
        header = Link(True, self.mac, "").header(_MDNS.address, outgoing=True)
        number = self._draw.randrange(1 << 16)
        octets = frame(header, Endpoint(self.address, 5353), _MDNS, query, identification=number, hops=255)
        self._network.wires[self._phone].put(0, octets, len(query), Meaning("noise", outgoing=False))
        self.start()
