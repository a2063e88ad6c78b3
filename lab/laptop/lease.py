"""Which client of the hotspot a phone is: the address that it leased there, and its MAC.

A capture on the hotspot is filtered by that MAC, so that neither another client nor the laptop itself is in the file,
and a phone that is on no hotspot is found before its call. What a laptop's neighbour table says is parsed strictly.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from lab.errors import AttemptVoid, LaptopTrouble
from lab.laptop.protocol import Hotspot, Laptop

_MAC = re.compile(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}")
_NO_LEASE = {"INCOMPLETE", "FAILED"}


@dataclass(frozen=True)
class Lease:
    """An address on the hotspot and the MAC that has it, in lower case with colons."""

    address: IPv4Address
    mac: str

    @property
    def filter(self) -> str:
        """What the phone sends and receives, in the language of libpcap (pcap-filter(7))."""
        return f"ether host {self.mac}"


def find_lease(name: str, own: Iterable[IPv4Address | IPv6Address], hotspot: Hotspot, laptop: Laptop) -> Lease:
    """The lease of the phone `name`: the one of its `own` addresses that the laptop's table has on its hotspot.

    Entries age: where the table has none of them, the laptop asks for each once and looks again.

    Raises:
        AttemptVoid: `no_lease` where the table has none of them even so, `lease_unclear` where it has several.
        LaptopTrouble: the laptop does not answer, or its table cannot be read.
    """
    mine = [address for address in own if isinstance(address, IPv4Address) and not address.is_link_local]
    found = _held(mine, laptop.neighbours(hotspot))
    if not found:
        for address in mine:
            laptop.ask_for(address)
        found = _held(mine, laptop.neighbours(hotspot))
    if not found:
        listed = ", ".join(map(str, mine)) or "none of IPv4"
        raise AttemptVoid(
            "no_lease", f"{name} has no lease of the hotspot (its addresses: {listed}): join it to the hotspot"
        )
    if len(found) > 1:
        listed = ", ".join(f"{lease.address} at {lease.mac}" for lease in found)
        raise AttemptVoid("lease_unclear", f"{name} has several leases of the hotspot: {listed}; have it join again")
    return found[0]


def _held(mine: Iterable[IPv4Address], table: Mapping[IPv4Address, str]) -> list[Lease]:
    return [Lease(address, table[address]) for address in mine if address in table]


def parse_neighbours(text: str) -> dict[IPv4Address, str]:
    """What `ip neigh show dev INTERFACE` says of IPv4; an entry that was not or no longer answered is none.

    Raises:
        LaptopTrouble: it does not look like that answer.
    """
    table = {}
    for words in filter(None, map(str.split, text.splitlines())):
        try:
            address = ip_address(words[0])
        except ValueError as error:
            raise LaptopTrouble(f"`ip neigh` has a line that cannot be read: {' '.join(words)[:100]!r}") from error
        if isinstance(address, IPv4Address) and "lladdr" in words[:-1] and _NO_LEASE.isdisjoint(words):
            table[address] = checked_mac(words[words.index("lladdr") + 1])
    return table


def checked_mac(text: str) -> str:
    """`text`, which is the MAC of one client, as six pairs in lower case with colons. Raises `LaptopTrouble`."""
    if not _MAC.fullmatch(text) or int(text[:2], 16) & 1 or not int(text.replace(":", ""), 16):
        raise LaptopTrouble(f"the laptop's neighbour table has {text[:40]!r}, which is no client's MAC")
    return text
