"""Another client of the hotspot: what a capture of the whole hotspot would hold besides the phone's own frames.

It has an address and a MAC of its own and looks for services by multicast, which everybody on the hotspot gets.
"""

import struct
from collections.abc import Collection
from ipaddress import IPv4Address

from lab.virtual.network.addresses import Endpoint, drawn_host, drawn_mac
from lab.virtual.network.datagrams import Link, frame
from lab.virtual.network.datapath import Datapath
from lab.virtual.network.meaning import Meaning

_MDNS = Endpoint(IPv4Address("224.0.0.251"), 5353)
_PAUSE_MS = (900, 4100)
_NAME = b"\x08_airplay\x04_tcp\x05local\0"


class OtherClient:
    """One that shares the hotspot with a phone for one attempt; its chance is its own, so nobody else's draws move.

    It leases none of the addresses that are `taken`.
    """

    def __init__(self, datapath: Datapath, phone: str, taken: Collection[IPv4Address]) -> None:
        self._world, self._wire = datapath.world, datapath.wires[phone]
        self._draw = self._world.chance(f"network/other client/{phone}")
        self.mac = drawn_mac(self._draw)
        while (address := drawn_host(datapath.accesses[phone].ipv4.network, self._draw)) in taken:
            pass
        self.address = address

    def start(self) -> None:
        """Begin; it goes on until the attempt is over."""
        self._world.in_background(self._draw.randrange(*_PAUSE_MS) * 1_000_000, self._ask)

    def _ask(self) -> None:
        query = struct.pack("!HHHHHH", 0, 0, 1, 0, 0, 0) + _NAME + struct.pack("!HH", 12, 1)
        header = Link(True, self.mac, "").header(_MDNS.address, outgoing=True)
        number = self._draw.randrange(1 << 16)
        octets = frame(header, Endpoint(self.address, 5353), _MDNS, query, identification=number, hop_limit=255)
        self._wire.put(0, octets, len(query), Meaning("noise", outgoing=False))
        self.start()
