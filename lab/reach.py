"""How a phone is reached: its interfaces, the interface its calls use, its public addresses by STUN.

What a phone prints is parsed strictly; an answer that does not fit is an error, never a guess.
"""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_interface
from typing import Protocol

from correlate.stun import binding_request, mapped_address
from lab.definitions import StunServer
from lab.errors import AttemptVoid, PhoneTrouble
from lab.shell import ShellOutput

Address = IPv4Address | IPv6Address
PROBE_TRIES = 3
_INTERFACE = re.compile(r"\d+: ([A-Za-z0-9._-]{1,15})(?:@[A-Za-z0-9._-]+)?: <([A-Z0-9_,-]*)> ")
_ADDRESS = re.compile(r"\s+inet6? ([0-9a-fA-F.:]+(?:/\d{1,3})?) ")
_DEVICE = re.compile(r" dev ([A-Za-z0-9._-]{1,15})(?:\s|$)")
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


def _probe_command(server: StunServer, request: bytes) -> str:
    octal = "".join(f"\\{byte:03o}" for byte in request)
    return f"printf {shlex.quote(octal)} | toybox nc -u -w 1 {server.address} {server.port} | od -An -v -tx1"


def _bytes(text: str) -> bytes:
    words = text.split()
    if len(words) > 1500 or not all(_HEX.fullmatch(word) for word in words):
        return b""
    return bytes.fromhex("".join(words))
