"""A phone's public addresses: what STUN servers see it come from, by a Binding from its own path (RFC 8489)."""

import hashlib
from collections.abc import Callable, Sequence
from ipaddress import ip_address

from correlate.stun import binding_request, mapped_address
from lab.definitions import StunServer
from lab.errors import AttemptVoid
from lab.phone.adb import Adb
from lab.phone.datagram import datagram_command
from lab.phone.fitness import require_room
from lab.phone.interfaces import Address

TRIES = 3


def probe(
    adb: Adb, interface_addresses: Sequence[Address], servers: Sequence[StunServer], now_ns: Callable[[], int]
) -> list[Address]:
    """The server-reflexive addresses of a phone, each once, in the order of the servers that told them first.

    Servers of a family in which the phone has no address but link-local ones are left out.

    Raises:
        AttemptVoid: there are servers, and none answered.
        NeedsPerson: the phone has no room for a request.
    """
    families = {address.version for address in interface_addresses if not address.is_link_local}
    asked = [server for server in servers if server.address.version in families]
    mapped = [address for server in asked if (address := _bind(adb, server, now_ns)) is not None]
    if asked and not mapped:
        names = ", ".join(f"{server.address} port {server.port}" for server in asked)
        raise AttemptVoid("no_public_address", f"no STUN server answered: {names}")
    return list(dict.fromkeys(mapped))


def _bind(adb: Adb, server: StunServer, now_ns: Callable[[], int]) -> Address | None:
    for _ in range(TRIES):
        transaction = hashlib.blake2b(f"{now_ns()}/{server.address}".encode(), digest_size=12).digest()
        octal = "".join(f"\\{byte:03o}" for byte in binding_request(transaction))
        command = f"{datagram_command(octal, server.address, server.port)} | od -An -v -tx1"
        said = adb.run(command).text
        require_room(adb.name, said)
        try:
            answer = bytes.fromhex(said)
        except ValueError:  # what od prints of a datagram is nothing but hex digits and blanks
            continue
        mapped = mapped_address(answer) if answer[8:20] == transaction else None
        if mapped is not None:
            return ip_address(mapped[0])
    return None
