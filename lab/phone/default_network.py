"""The network that carries a phone's calls: the default network, as Android calls it.

`ip route get` and `dumpsys connectivity` must agree on it; a network that comes or goes meanwhile voids the attempt.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address

from correlate import markers
from lab.definitions import PhoneSpec
from lab.errors import AttemptVoid, PhoneTrouble
from lab.phone.adb import Adb
from lab.phone.interfaces import parse_interfaces

CELLULAR_LABELS = ("lte", "nr")
PCAPDROID_ADDRESS = IPv4Address("10.215.173.1")
"""What PCAPdroid's VPN gives the phone, on every phone (its CaptureService, VPN_IP_ADDRESS)."""
_NO_ROUTE = "Network is unreachable"
_DEVICE = re.compile(r" dev ([A-Za-z0-9._-]{1,15})(?:\s|$)")
_DEFAULT = re.compile(r"^\s*Active default network: (\d{1,6}|none)\s*$", re.MULTILINE)
_NAMES = re.compile(r"InterfaceName: ([A-Za-z0-9._-]{1,15})(?:\s|$)")
_TRANSPORTS = re.compile(r"Transports: ([A-Z0-9_|]{1,100})")


@dataclass(frozen=True)
class DefaultNetwork:
    """The interface to capture on, and the first of Android's transports in lower case: `cellular`, `wifi`, `ethernet`;
    `vpn` where one of them is that."""

    interface: str
    kind: str


def default_network(adb: Adb, spec: PhoneSpec) -> DefaultNetwork:
    """A phone's default network now; see `parse_default_network`.

    Raises `AttemptVoid("wrong_network")` too, where the phone has none: it answers, and no ladder gives it one.
    """
    vpn = pcapdroid_interface(adb.run("ip addr").text) if spec.capture == "pcapdroid" else None
    route, connectivity = adb.run(f"ip route get {markers.ADDRESS}").text, adb.run("dumpsys connectivity").text
    if none := says_none(route, connectivity):
        text = f"{spec.name} (network {spec.network}) has no network: {none}; bring it back"
        raise AttemptVoid("wrong_network", text)
    return parse_default_network(route, connectivity, vpn)


def says_none(route: str, connectivity: str) -> str | None:
    """Which of a phone's two answers says that it has no network at all, and how; None where neither does."""
    if _NO_ROUTE in route:
        return f"`ip route get` says {route.strip()[:100]!r}"
    found = _DEFAULT.search(connectivity)
    return f"dumpsys connectivity says {found[0].strip()!r}" if found is not None and found[1] == "none" else None


def parse_default_network(route: str, connectivity: str, pcapdroid: str | None = None) -> DefaultNetwork:
    """By `ip route get ADDRESS` and `dumpsys connectivity`, which must agree.

    `pcapdroid` is the interface of PCAPdroid's VPN where that captures: a route that leads into it leaves the phone on
    the default network, which is never the VPN of some apps alone. Any other VPN stays one.

    Raises:
        PhoneTrouble: one of them cannot be read, or says that there is none.
        AttemptVoid: they name different interfaces, as they do where a network comes or goes.
    """
    routed = route_interface(route)
    default = _DEFAULT.search(connectivity)
    if default is None or default[1] == "none":
        raise PhoneTrouble(f"dumpsys connectivity names no default network: {connectivity[:100]!r}")
    described = (found for line, *found in _networks(connectivity) if f"network{{{default[1]}}}" in line)
    interfaces, transports = next(described, ([], []))
    if not interfaces or not transports:
        raise PhoneTrouble(f"dumpsys connectivity does not describe its default network {default[1]}")
    if routed not in (interfaces[0], pcapdroid):
        text = f"ip route get leads through {routed}, the default network is on {', '.join(interfaces)}"
        if routed in vpns(connectivity):
            text += f"; switch the VPN on {routed} off"
        raise AttemptVoid("interface_unclear", text)
    return DefaultNetwork(interfaces[0], "vpn" if "VPN" in transports else transports[0].lower())


def route_interface(text: str) -> str:
    """The interface that `ip route get ADDRESS` names; the one below it where CLAT stacks `v4-X` on `X`.

    Raises:
        PhoneTrouble: it names none, or several, as a list of routes does.
    """
    found = sorted({match[1].removeprefix("v4-") for match in _DEVICE.finditer(text)})
    if len(found) != 1:
        raise PhoneTrouble(f"`ip route get` names {len(found) or 'no'} interface{'s' * bool(found)}: {text[:100]!r}")
    return found[0]


def _networks(connectivity: str) -> Iterator[tuple[str, list[str], list[str]]]:
    """Of each network that is up: its line, its interfaces, those stacked on it after its own, and its transports."""
    for line in connectivity.splitlines():
        if "NetworkAgentInfo{" in line:
            transports = _TRANSPORTS.search(line)
            yield line, _NAMES.findall(line), [] if transports is None else transports[1].split("|")


def vpns(connectivity: str) -> list[str]:
    """The interfaces of all VPNs that are up, by `dumpsys connectivity`."""
    networks = _networks(connectivity)
    return [interfaces[0] for _, interfaces, transports in networks if interfaces and "VPN" in transports]


def pcapdroid_interface(text: str) -> str | None:
    """The interface of PCAPdroid's VPN in what `ip addr` says, by its address; None where it captures nothing now."""
    interfaces = parse_interfaces(text)
    return next((name for name, addresses in interfaces.items() if PCAPDROID_ADDRESS in addresses), None)


def require_network(spec: PhoneSpec, network: DefaultNetwork) -> None:
    """Refuse a phone that does not use the network that the bench file says.

    Behind the hotspot that is Wi-Fi; a phone that is captured on itself and whose `network` is `lte` or `nr` must be on
    the mobile network. Raises `AttemptVoid("wrong_network")`.
    """
    kind = network.kind
    wanted = "wifi" if spec.vantage == "hotspot" else "cellular" if spec.network in CELLULAR_LABELS else kind
    if kind == "vpn" or kind != wanted:
        fix = "switch its VPN off" if kind == "vpn" else f"bring it onto {wanted}"
        text = f"{spec.name} (network {spec.network}) sends over {kind} ({network.interface}); {fix}"
        raise AttemptVoid("wrong_network", text)
