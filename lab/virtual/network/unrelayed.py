"""The path of a phone without a relay of its own: from one socket to the other phone's relayed transport address.

Nothing on it is TURN: its ICE checks and its media are datagrams of their own (RFC 8445 sections 5.1.1 and 7.2).
"""

import random
from typing import Any

from lab.definitions.virtual_network import Relay
from lab.virtual.network import stunwire
from lab.virtual.network.addresses import Access, Address, Endpoint, folded
from lab.virtual.network.datapath import Datapath
from lab.virtual.network.meaning import Meaning, Server


class Unrelayed:
    """One local socket and the transport address that the other phone was given on `relay`, reached by `address`."""

    stream = None

    def __init__(
        self, datapath: Datapath, access: Access, phone: str, relay: Relay, address: Address, draw: random.Random
    ) -> None:
        self._datapath, self._access, self._phone, self._draw = datapath, access, phone, draw
        local = access.local(address)
        if local is None:
            raise ValueError(f"{phone} has no route to {address}")
        self.relay, self.local, self._address = relay, Endpoint(local, access.open_port()), address

    def meets(self, relayed: Endpoint) -> None:
        """Learn the port of the other phone's relayed address; it comes by the app's signalling, not on the wire."""
        self.remote = Endpoint(self._address, relayed.port)
        self.server = Server("peer's relayed address", folded(self._address), relayed.port, self.relay.name)

    @property
    def candidate(self) -> Endpoint:
        """The server-reflexive address, which is what the other phone's relay sees."""
        return self._access.mapped(self.local, self._address)

    @property
    def shows(self) -> tuple[tuple[str, Address], ...]:
        """Whose address the candidate lets be read."""
        return ((self._phone, self.candidate.address),)

    def binding(self) -> None:
        """Learn the server-reflexive address by a bare Binding to the relay's own port."""
        server = Endpoint(self._address, self.relay.port)
        transaction = stunwire.new_transaction(self._draw)
        request = stunwire.message(stunwire.BINDING, transaction)
        self._datapath.forward(self._phone, self.local, server, request, Meaning("call", outgoing=True, stun=True))
        reply = stunwire.binding_success(transaction, self.candidate)
        meaning = Meaning("call", outgoing=False, stun=True, mapped=self.candidate.address)
        when_ns = self._datapath.world.now_ns + self._access.delay(self._draw) + self._access.delay_ns
        self._datapath.forward(self._phone, self.local, server, reply, meaning, when_ns)

    def to_peer(self, _peer: Endpoint, text: bytes, _bound: bool, **fields: Any) -> None:
        """STUN to the relayed address."""
        meaning = Meaning("call", outgoing=True, stun=True, marks=True, server=self.server, **fields)
        self._datapath.forward(self._phone, self.local, self.remote, text, meaning)

    def from_peer(self, _peer: Endpoint, text: bytes, _bound: bool, when_ns: int, **fields: Any) -> None:
        """STUN from the relayed address that reaches the phone at an instant."""
        meaning = Meaning("call", outgoing=False, stun=True, marks=True, server=self.server, **fields)
        self._datapath.forward(self._phone, self.local, self.remote, text, meaning, when_ns)
