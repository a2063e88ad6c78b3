"""The bench's resolver: PTR answers for the emulated apps' servers (RFC 1035 section 3.5, RFC 3596 section 2.5)."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, cast

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.reversename
import dns.rrset

from lab.definitions.virtual_app import VirtualApp

_TTL_S = 3600


def server_names(apps: Iterable[VirtualApp]) -> dict[str, str]:
    """Host names by address text, IPv4 and IPv6, of all servers that have a name."""
    names: dict[str, str] = {}
    for relay in (relay for app in apps for relay in app.network.relays):
        if relay.name is not None:
            names[str(relay.ipv4)] = relay.name
        if relay.ipv6 is not None and relay.ipv6_name is not None:
            names[str(relay.ipv6)] = relay.ipv6_name
    return names


class PtrResponder(asyncio.DatagramProtocol):
    """Answers PTR queries for `names` (host names by address text) and NXDOMAIN to all others.

    What is no DNS query gets no answer.
    """

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = {dns.reversename.from_address(address): name for address, name in names.items()}
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Python 3.11's datagram transport is no subclass of DatagramTransport.
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        reply = self.reply(data)
        if reply is not None and self._transport is not None:
            self._transport.sendto(reply, addr)

    def reply(self, query: bytes) -> bytes | None:
        """The answer to one query; None for what is no query with exactly one question."""
        try:
            asked = dns.message.from_wire(query)
        except (dns.exception.DNSException, ValueError):
            return None
        if asked.flags & dns.flags.QR or len(asked.question) != 1:
            return None
        response = dns.message.make_response(asked, recursion_available=True)
        question = asked.question[0]
        name = self._names.get(question.name)
        if name is None or question.rdtype != dns.rdatatype.PTR or question.rdclass != dns.rdataclass.IN:
            response.set_rcode(dns.rcode.NXDOMAIN)
        else:
            target = dns.name.from_text(name).to_text()
            response.answer.append(dns.rrset.from_text(question.name, _TTL_S, "IN", "PTR", target))
        return response.to_wire()
