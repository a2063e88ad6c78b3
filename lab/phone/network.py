"""How a phone is reached: its interfaces, the interface its calls use, its public addresses by STUN.

What a phone prints is parsed strictly; an answer that does not fit is an error, never a guess.
"""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_interface
from typing import Protocol

from correlate.stun import binding_request, mapped_address
from lab.definitions import PhoneSpec, StunServer
from lab.errors import AttemptVoid, PhoneTrouble
from lab.programs.shell import ShellOutput

Address = IPv4Address | IPv6Address
PROBE_TRIES = 3
DATAGRAM_FILE = "/data/local/tmp/im-call-lab.datagram"
_INTERFACE = re.compile(r"\d+: ([A-Za-z0-9._-]{1,15})(?:@[A-Za-z0-9._-]+)?: <([A-Z0-9_,-]*)> ")
_ADDRESS = re.compile(r"\s+inet6? ([0-9a-fA-F.:]+(?:/\d{1,3})?) ")
_DEVICE = re.compile(r" dev ([A-Za-z0-9._-]{1,15})(?:\s|$)")
_DEFAULT = re.compile(r"^\s*Active default network: (\d{1,6}|none)\s*$", re.MULTILINE)
_NAMES = re.compile(r"InterfaceName: ([A-Za-z0-9._-]{1,15})(?:\s|$)")
_TRANSPORTS = re.compile(r"Transports: ([A-Z0-9_|]{1,100})")
CELLULAR_LABELS = ("lte", "nr")
PCAPDROID_ADDRESS = IPv4Address("10.215.173.1")
"""What PCAPdroid's VPN gives the phone, on every phone (its CaptureService, VPN_IP_ADDRESS)."""
_ANYCAST = re.compile(r"^\d{1,6} +[A-Za-z0-9._-]{1,15} +([0-9a-f]{32}) +\d{1,6}$", re.MULTILINE)
_HEX = re.compile(r"[0-9a-f]{2}")


class Run(Protocol):
    """A phone's shell: `Adb.run`."""

    def __call__(self, command: str, *, root: bool = False, timeout_s: float = 10.0) -> ShellOutput: ...


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


def _address(line: str) -> Address:
    found = _ADDRESS.match(f"{line} ")
    try:
        if found is None:
            raise ValueError("no address")
        return ip_interface(found[1]).ip
    except ValueError as error:
        raise PhoneTrouble(f"`ip addr` has a line that cannot be read: {line[:100]!r}") from error


def route_interface(text: str) -> str:
    """The interface that `ip route get ADDRESS` names; the one below it where CLAT stacks `v4-X` on `X`.

    Raises:
        PhoneTrouble: it names none.
    """
    found = _DEVICE.search(text)
    if found is None:
        raise PhoneTrouble(f"`ip route get` names no interface: {text[:100]!r}")
    return found[1].removeprefix("v4-")


@dataclass(frozen=True)
class WayOut:
    """Where a phone's traffic leaves it: the interface to capture on, and what kind of network that is.

    `kind` is Android's transport in lower case: `cellular`, `wifi`, `ethernet`, `vpn`.
    """

    interface: str
    kind: str


def pcapdroid_interface(text: str) -> str | None:
    """The interface of PCAPdroid's VPN in what `ip addr` says, by its address; None where it captures nothing now."""
    interfaces = parse_interfaces(text)
    return next((name for name, addresses in interfaces.items() if PCAPDROID_ADDRESS in addresses), None)


def way_out(route: str, connectivity: str, through: str | None = None) -> WayOut:
    """By `ip route get ADDRESS` and `dumpsys connectivity`, which must agree; below a CLAT's `v4-X` lies `X`.

    `through` is the interface of PCAPdroid's VPN where that captures: a route that leads into it leaves the phone on
    the default network, which is never the VPN of some apps alone. Any other VPN stays one.

    Raises:
        PhoneTrouble: one of them cannot be read, or the phone has no default network.
        AttemptVoid: they name different interfaces, as they do where a network comes or goes.
    """
    below = route_interface(route)
    default = _DEFAULT.search(connectivity)
    if default is None or default[1] == "none":
        raise PhoneTrouble(f"dumpsys connectivity names no default network: {connectivity[:100]!r}")
    mark = f"network{{{default[1]}}}"
    agents = [line for line in connectivity.splitlines() if "NetworkAgentInfo{" in line and mark in line]
    names = _NAMES.findall(agents[0]) if agents else []
    transports = _TRANSPORTS.search(agents[0]) if agents else None
    if not names or transports is None:
        raise PhoneTrouble(f"dumpsys connectivity does not describe its default network {default[1]}")
    if below not in (names[0], through):
        text = f"ip route get leads through {below}, the default network is on {', '.join(names)}"
        if below in vpns(connectivity):
            text += f"; switch the VPN on {below} off"
        raise AttemptVoid("interface_unclear", text)
    kinds = transports[1].lower().split("|")
    return WayOut(names[0], "vpn" if "vpn" in kinds else kinds[0])


def way_out_now(shell: Callable[[str], str], spec: PhoneSpec, towards: Address) -> WayOut:
    """`way_out` of a phone by its shell, towards an address."""
    through = pcapdroid_interface(shell("ip addr")) if spec.capture == "pcapdroid" else None
    return way_out(shell(f"ip route get {towards}"), shell("dumpsys connectivity"), through)


def vpns(connectivity: str) -> list[str]:
    """The interfaces of all VPNs that are up, by `dumpsys connectivity`."""
    agents = (line for line in connectivity.splitlines() if "NetworkAgentInfo{" in line)
    found = ((_NAMES.search(line), _TRANSPORTS.search(line)) for line in agents)
    return [name[1] for name, kinds in found if name is not None and kinds is not None and "VPN" in kinds[1].split("|")]


def require_way_out(spec: PhoneSpec, way: WayOut) -> None:
    """Refuse a phone that does not use the network that the bench file says.

    Behind the hotspot that is Wi-Fi; a phone that is captured on itself and whose `network` is `lte` or `nr` must be on
    the mobile network. Raises `AttemptVoid("wrong_network")`.
    """
    wanted = "wifi" if spec.capture == "dumpcap" else "cellular" if spec.network in CELLULAR_LABELS else way.kind
    if way.kind == "vpn" or way.kind != wanted:
        do = "switch its VPN off" if way.kind == "vpn" else f"bring it onto {wanted}"
        text = f"{spec.name} (network {spec.network}) sends over {way.kind} ({way.interface}); {do}"
        raise AttemptVoid("wrong_network", text)


def probe(run: Run, own: Sequence[Address], servers: Sequence[StunServer], now_ns: Callable[[], int]) -> list[Address]:
    """The phone's public addresses: what STUN servers see it come from, by a Binding from its own path (RFC 8489).

    Servers of a family in which the phone has no address but link-local ones are left out.

    Raises:
        AttemptVoid: there are servers, and none answered.
    """
    families = {address.version for address in own if not address.is_link_local}
    asked = [server for server in servers if server.address.version in families]
    found: list[Address] = []
    for server in asked:
        mapped = _ask(run, server, now_ns)
        if mapped is not None and mapped not in found:
            found.append(mapped)
    if asked and not found:
        names = ", ".join(f"{server.address} port {server.port}" for server in asked)
        raise AttemptVoid("no_public_address", f"no STUN server answered: {names}")
    return found


def _ask(run: Run, server: StunServer, now_ns: Callable[[], int]) -> Address | None:
    for _ in range(PROBE_TRIES):
        transaction = hashlib.blake2b(f"{now_ns()}/{server.address}".encode(), digest_size=12).digest()
        answer = _bytes(run(_probe_command(server, binding_request(transaction))).text)
        if answer[8:20] != transaction:
            continue
        mapped = mapped_address(answer)
        if mapped is not None:
            return ip_address(mapped[0])
    return None


def datagram_command(text: str, address: Address | str, port: int, file: str = DATAGRAM_FILE) -> str:
    """The shell line that sends what `printf` makes of `text` as one UDP datagram, and prints what comes back in 1 s.

    Its exit code is 124. toybox' nc (0.8.9, measured) sends what one read gives it, and its printf writes byte by byte:
    hence the file. nc does not end with its input, `-w` or not, and once an ICMP error has come back it spins, `-q` or
    not: hence `timeout`.
    """
    nc = f"toybox timeout 1 toybox nc -u -w 1 {address} {port}"
    return f"printf {shlex.quote(text)} >{file} && {{ rm {file}; {nc}; }} <{file}"


def _probe_command(server: StunServer, request: bytes) -> str:
    octal = "".join(f"\\{byte:03o}" for byte in request)
    return f"{datagram_command(octal, server.address, server.port)} | od -An -v -tx1"


def _bytes(text: str) -> bytes:
    words = text.split()
    if len(words) > 1500 or not all(_HEX.fullmatch(word) for word in words):
        return b""
    return bytes.fromhex("".join(words))
