"""The rig's six network namespaces and their addresses, after the paper's Figure 1. Pure: from a bench file and apps.

    mobile -- carrier -- internet -- home -- laptop -- hotspot
    phone 1   NAT        servers     NAT     NAT       phone 2

Phone 1 is on IPv4 behind the carrier's NAT and on IPv6, phone 2 on IPv4 alone.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from itertools import islice

from lab.definitions import BenchSpec, PhoneSpec, VirtualApp
from lab.definitions.virtual_network import AccessNetwork

Address = IPv4Address | IPv6Address
SPACES = ("mobile", "carrier", "internet", "home", "laptop", "hotspot")
LAN = IPv4Network("192.168.68.0/22")
"""Between the home router and the laptop."""
TRANSIT = IPv6Network("2001:db8:ffff:ff::/64")
"""Between carrier and internet."""
HOTSPOT_PREFIX = 24
MOBILE_CABLE, HOME_CABLE = 0, 1


@dataclass(frozen=True)
class Host:
    """One server: its addresses, of one or both families, and the UDP and TCP ports on which it listens."""

    addresses: tuple[Address, ...]
    ports: tuple[int, ...]


@dataclass(frozen=True)
class Layout:
    """Who is where. Interfaces of `mobile` and `hotspot` are those of the bench file."""

    mobile: PhoneSpec
    hotspot: PhoneSpec
    hotspot_address: IPv4Address
    hosts: tuple[Host, ...]

    @property
    def spaces(self) -> Mapping[str, str]:
        """The namespace of each phone."""
        return {self.mobile.name: "mobile", self.hotspot.name: "hotspot"}

    @property
    def addresses(self) -> list[Address]:
        """Those of the servers."""
        return [address for host in self.hosts for address in host.addresses]

    def access(self, phone: PhoneSpec) -> AccessNetwork:
        assert phone.emulation is not None
        return phone.emulation.access

    def mobile_ends(self) -> tuple[IPv4Interface, IPv4Interface]:
        """Phone 1 and the carrier's gateway, on the carrier's own network."""
        return _pair(self.access(self.mobile).ipv4[0])

    def mobile_ipv6(self) -> tuple[IPv6Interface, IPv6Interface] | None:
        """The same on IPv6, where the bench file gives one."""
        network = self.access(self.mobile).ipv6
        if network is None:
            return None
        link = next(network.subnets(new_prefix=64)) if network.prefixlen < 64 else network
        gateway, phone = (IPv6Interface((address, link.prefixlen)) for address in islice(link.hosts(), 2))
        return phone, gateway

    def carrier_ends(self) -> tuple[IPv4Interface, IPv4Interface]:
        """The carrier's public side and its next router."""
        return _pair(self.access(self.mobile).nat_pool)

    def home_ends(self) -> tuple[IPv4Interface, IPv4Interface]:
        """The home router's public side and its next router."""
        return _pair(self.access(self.hotspot).nat_pool)

    def lan_ends(self) -> tuple[IPv4Interface, IPv4Interface]:
        """The laptop and the home router."""
        laptop, router = LAN[20], LAN[1]
        return IPv4Interface((laptop, LAN.prefixlen)), IPv4Interface((router, LAN.prefixlen))

    def hotspot_ends(self) -> tuple[IPv4Interface, IPv4Interface]:
        """Phone 2 and the laptop's hotspot."""
        laptop = IPv4Interface((self.hotspot_address, HOTSPOT_PREFIX))
        phone = next(address for address in islice(laptop.network.hosts(), 1, None) if address != laptop.ip)
        return IPv4Interface((phone, HOTSPOT_PREFIX)), laptop


def _pair(network: IPv4Network) -> tuple[IPv4Interface, IPv4Interface]:
    first, second = islice(network.hosts(), 2)
    return IPv4Interface((first, network.prefixlen)), IPv4Interface((second, network.prefixlen))


def hosts(spec: BenchSpec, apps: Iterable[VirtualApp]) -> tuple[Host, ...]:
    """The servers of a rig: those of the apps' relays that browsers are told of, and the bench's own for STUN."""
    ports: dict[tuple[Address, ...], set[int]] = {}
    for app in apps:
        for relay in app.network.relays:
            addresses: tuple[Address, ...] = (relay.ipv4, *([relay.ipv6] if relay.ipv6 is not None else []))
            told = app.rig.relays if app.rig is not None else []
            used = {one.port for one in told if one.address in addresses}
            if used:
                ports.setdefault(addresses, set()).update(used)
    for server in spec.stun_servers:
        ports.setdefault((server.address,), set()).add(server.port)
    return tuple(Host(addresses, tuple(sorted(used))) for addresses, used in ports.items())


def layout(spec: BenchSpec, apps: Iterable[VirtualApp]) -> Layout:
    """The rig of a bench file and its apps."""
    mobile = next(phone for phone in spec.phones if phone.emulation and phone.emulation.access.link == "raw")
    return Layout(mobile, spec.other(mobile), spec.laptop.hotspot_address, hosts(spec, apps))


def commands(rig: Layout) -> list[tuple[str, str]]:
    """What joins and addresses the namespaces, in order: a space, and a line for `ip -batch -` in it.

    `{mobile}` and so on stand for the spaces' names. The cables' interfaces, named `cable0a`, `cable0b`, `cable1a` and
    `cable1b`, are in the space `internet`.
    """
    radio, wlan = rig.access(rig.mobile), rig.access(rig.hotspot)
    mobile, gateway = rig.mobile_ends()
    carrier, carrier_router = rig.carrier_ends()
    home, home_router = rig.home_ends()
    laptop, router = rig.lan_ends()
    phone, hotspot = rig.hotspot_ends()
    lines = [
        ("internet", f"link set cable0a netns {{mobile}} name {radio.interface}"),
        ("internet", "link set cable0b netns {carrier} name lte0"),
        ("internet", "link set cable1a netns {home} name wan0"),
        ("internet", "link set cable1b name home0"),
        ("carrier", "link add wan0 type veth peer name carrier0 netns {internet}"),
        ("home", "link add lan0 type veth peer name eth0 netns {laptop}"),
        ("laptop", f"link add hotspot0 type veth peer name {wlan.interface} netns {{hotspot}}"),
    ]
    ends = [
        ("mobile", radio.interface, radio.mtu, mobile, gateway),
        ("carrier", "lte0", radio.mtu, gateway, None),
        ("carrier", "wan0", 1500, carrier, carrier_router),
        ("internet", "carrier0", 1500, carrier_router, None),
        ("internet", "home0", 1500, home_router, None),
        ("home", "wan0", 1500, home, home_router),
        ("home", "lan0", 1500, router, None),
        ("laptop", "eth0", 1500, laptop, router),
        ("laptop", "hotspot0", 1500, hotspot, None),
        ("hotspot", wlan.interface, wlan.mtu, phone, hotspot),
    ]
    lines += [(space, "link set lo up") for space in SPACES]
    for space, interface, mtu, address, hop in ends:
        lines.append((space, f"link set {interface} up mtu {mtu}"))
        lines.append((space, f"addr add {address} dev {interface}"))
        if hop is not None:
            lines.append((space, f"route add default via {hop.ip} dev {interface}"))
    return lines + _of_internet(rig) + _of_ipv6(rig)


def _of_internet(rig: Layout) -> list[tuple[str, str]]:
    """The servers' addresses, and an end for what goes anywhere else."""
    # No blackhole: that fails to send what coturn itself sends there, and coturn then closes the whole allocation.
    nowhere = ["link add nowhere0 type veth peer name nowhere1", "link set nowhere0 up arp off", "link set nowhere1 up"]
    lines = [f"addr add {address}/{address.max_prefixlen} dev lo" for address in rig.addresses]
    return [("internet", line) for line in (*nowhere, "route add default dev nowhere0", *lines)]


def _of_ipv6(rig: Layout) -> list[tuple[str, str]]:
    ends = rig.mobile_ipv6()
    if ends is None:
        return []
    phone, gateway = ends
    interface = rig.access(rig.mobile).interface
    carrier, internet = TRANSIT[2], TRANSIT[1]
    return [
        ("mobile", f"addr add {phone} dev {interface} nodad"),
        ("mobile", f"route add default via {gateway.ip} dev {interface}"),
        ("carrier", f"addr add {gateway} dev lte0 nodad"),
        ("carrier", f"addr add {carrier}/{TRANSIT.prefixlen} dev wan0 nodad"),
        ("carrier", f"route add default via {internet} dev wan0"),
        ("internet", f"addr add {internet}/{TRANSIT.prefixlen} dev carrier0 nodad"),
        ("internet", f"route add {phone.network} via {carrier}"),
        ("internet", "route add ::/0 dev nowhere0"),
    ]
