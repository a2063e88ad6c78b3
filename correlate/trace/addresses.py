"""IP addresses as a capture shows them, and the IPv4 addresses that some IPv6 ones stand for."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network

Address = IPv4Address | IPv6Address

NAT64 = IPv6Network("64:ff9b::/96")
MAPPED = IPv6Network("::ffff:0:0/96")


@lru_cache(maxsize=65536)
def fold(address: Address) -> Address:
    """The IPv4 address inside a NAT64 (RFC 6052) or IPv4-mapped address; any other address itself."""
    if isinstance(address, IPv6Address) and (address in NAT64 or address in MAPPED):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address
