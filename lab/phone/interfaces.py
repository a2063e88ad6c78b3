"""The addresses of a phone's interfaces.

What a phone prints is parsed strictly; an answer that does not fit is an error, never a guess.
"""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_interface

from lab.errors import PhoneTrouble

Address = IPv4Address | IPv6Address
_INTERFACE = re.compile(r"\d+: ([A-Za-z0-9._-]{1,15})(?:@[A-Za-z0-9._-]+)?: <([A-Z0-9_,-]*)> ")
_ADDRESS = re.compile(r"\s+inet6? ([0-9a-fA-F.:]+(?:/\d{1,3})?) ")
_ANYCAST = re.compile(r"^\d{1,6} +[A-Za-z0-9._-]{1,15} +([0-9a-f]{32}) +\d{1,6}$", re.MULTILINE)


def parse_interfaces(text: str) -> dict[str, list[Address]]:
    """What `ip addr` says: the addresses of each interface that is up, loopback left out.

    Raises:
        PhoneTrouble: it does not look like the answer of `ip addr`.
    """
    interfaces: dict[str, list[Address]] = {}
    current: list[Address] | None = None
    for line in text.splitlines():
        if head := _INTERFACE.match(line):
            flags = head[2].split(",")
            current = [] if "UP" in flags and "LOOPBACK" not in flags else None
            if current is not None:
                interfaces[head[1]] = current
        elif line.lstrip().startswith("inet") and current is not None:
            current.append(_address(line))
    if not interfaces:
        raise PhoneTrouble(f"`ip addr` names no interface that is up: {text[:100]!r}")
    return interfaces


def _address(line: str) -> Address:
    found = _ADDRESS.match(f"{line} ")
    try:
        return ip_interface("" if found is None else found[1]).ip
    except ValueError as error:
        raise PhoneTrouble(f"`ip addr` has a line that cannot be read: {line[:100]!r}") from error


def clat_addresses(text: str) -> list[Address]:
    """What `/proc/net/anycast6` says: the IPv6 addresses from which a CLAT sends; no interface has them.

    Without them what a phone sends as IPv4 is nobody's in a capture below the CLAT.

    Raises:
        PhoneTrouble: it names none.
    """
    found = [ip_address(int(digits, 16)) for digits in _ANYCAST.findall(text)]
    if not found:
        raise PhoneTrouble(f"/proc/net/anycast6 names no address of the phone's CLAT: {text[:100]!r}")
    return found
