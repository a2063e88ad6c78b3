"""What `ip addr` of iproute2 prints, for phones and for the laptop."""

from collections.abc import Sequence
from ipaddress import IPv4Interface, IPv6Interface

from lab.virtual.network.addresses import Interface


def addresses_text(interfaces: Sequence[Interface], family: str, one_line: bool = False) -> str:
    """`ip [-4|-6] [-o] addr` of iproute2 for some interfaces; the first has index 1."""
    lines: list[str] = []
    for index, interface in enumerate(interfaces, 1):
        found = [one for one in interface.addresses if not family or one.version == int(family)]
        if family and not found:
            continue
        if one_line:
            lines += [f"{index}: {interface.name}    {address_text(one, interface.name)}" for one in found]
            continue
        lines += header_lines(index, interface, show_link=not family)
        for one in found:
            lines += [f"    {address_text(one, interface.name)}", "       valid_lft forever preferred_lft forever"]
    return "".join(line + "\n" for line in lines)


def header_lines(index: int, interface: Interface, show_link: bool) -> list[str]:
    loopback = interface.name == "lo"
    kind = "LOOPBACK" if loopback else "BROADCAST,MULTICAST" if interface.mac else "POINTOPOINT,NOARP"
    state = "UNKNOWN" if loopback or not interface.mac else "UP" if interface.up else "DOWN"
    flags = f"{kind},UP,LOWER_UP" if interface.up else kind
    lines = [f"{index}: {interface.name}: <{flags}> mtu {interface.mtu} qdisc mq state {state} group default qlen 1000"]
    if show_link and interface.mac:
        lines.append(f"    link/ether {interface.mac} brd ff:ff:ff:ff:ff:ff")
    elif show_link:
        lines.append("    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00" if loopback else "    link/[519]")
    return lines


def address_text(address: IPv4Interface | IPv6Interface, name: str) -> str:
    scope = "host" if address.is_loopback else "link" if address.is_link_local else "global"
    if isinstance(address, IPv4Interface):
        broadcast = "" if address.is_loopback else f" brd {address.network.broadcast_address}"
        return f"inet {address.with_prefixlen}{broadcast} scope {scope} {name}"
    return f"inet6 {address.with_prefixlen} scope {scope}"
