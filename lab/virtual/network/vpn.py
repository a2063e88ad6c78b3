"""A VPN on a phone: PCAPdroid's, which passes some packages on by its proxy, or somebody else's, which only is there.

PCAPdroid's as read in its source (1.9.1, CaptureService and capture_vpn.c). No emulated call asks for names on its
wire, so its DNS server has nothing to answer. Below, on a hotspot, what passed the VPN is not played again.
"""

from dataclasses import dataclass
from ipaddress import IPv4Interface

from lab.virtual.network.addresses import VPN_IPV4, VPN_IPV6, Access, Interface

PCAPDROID_MTU, OTHER_MTU = 10_000, 1_400
OTHER_IPV4 = IPv4Interface("10.64.0.2/32")


@dataclass
class Vpn:
    """One VPN that is up. `packages` pass it, all where it is None; `inner` is the network as they meet it, None for a
    VPN behind which nothing is played. `dropped` are packets for which the interface had no room."""

    interface: Interface
    packages: frozenset[str] | None
    inner: Access | None
    dropped: int = 0

    def takes(self, package: str) -> bool:
        """Whether a package's packets are routed into it."""
        return self.packages is None or package in self.packages


def pcapdroid(below: Access, packages: frozenset[str], ipv6: bool) -> Vpn:
    """PCAPdroid's VPN over a network."""
    addresses = (VPN_IPV4, VPN_IPV6) if ipv6 else (VPN_IPV4,)
    return Vpn(Interface("tun0", None, addresses, PCAPDROID_MTU, True), packages, below.through_vpn(ipv6))


def other() -> Vpn:
    """Somebody else's, for all apps."""
    return Vpn(Interface("tun0", None, (OTHER_IPV4,), OTHER_MTU, True), None, None)
