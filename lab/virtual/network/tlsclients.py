"""Other apps' TLS connections on a phone: one for push messages that stays open, and short ones that synchronise.

Their chance and their ports are their own, so that they move nothing of a call or of the other background.
"""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address

from lab.virtual.network import tls
from lab.virtual.network.addresses import Endpoint
from lab.virtual.network.datapath import Datapath
from lab.virtual.network.meaning import Meaning
from lab.virtual.network.stream import TcpStream

_FOREIGN_IPV4 = IPv4Address("192.0.2.0")
_FOREIGN_IPV6 = IPv6Address("2001:db8:a11::")
_PORT = 443
_PUSH, _SYNCS = "push.example.net", ("sync.example.net", "photos.example.net", "mail.example.net")
_HOSTS = {name: 250 + number for number, name in enumerate((_PUSH, *_SYNCS))}
"""Behind those that other background talks to, of which any may be a STUN server."""
_OPENED_MS, _HEARTBEAT_MS, _SYNC_MS, _NEXT_MS = (200, 2500), (6_000, 18_000), (4_000, 20_000), (25_000, 60_000)
_TICKETS, _SMALL, _REQUEST, _RESPONSE = (400, 460), (8, 40), (90, 400), (60, 1900)
_FIRST_PORT, _PORTS, _BEGUN_AT = 52_000, 13_000, 8_000
_MILLISECOND_NS = 1_000_000


class BackgroundTls:
    """The TLS connections of one phone in one attempt."""

    def __init__(self, datapath: Datapath, phone: str) -> None:
        self._datapath, self._world, self._phone = datapath, datapath.world, phone
        self._access = datapath.accesses[phone]
        self._draw = self._world.chance(f"network/tls/{phone}")
        self._next_port = _FIRST_PORT + self._draw.randrange(_BEGUN_AT)

    def start(self) -> None:
        """Begin; it goes on until the attempt is over."""
        self._later(_OPENED_MS, lambda: self._heartbeat(self._handshake(_PUSH)))
        self._later(_SYNC_MS, self._synchronise)

    def _later(self, span_ms: tuple[int, int], action: Callable[[], None]) -> None:
        self._world.in_background(self._draw.randrange(*span_ms) * _MILLISECOND_NS, action)

    def _handshake(self, name: str) -> TcpStream:
        """A new connection; what is exchanged next waits for its handshakes."""
        host = _HOSTS[name]
        remote = Endpoint(_FOREIGN_IPV4 + host, _PORT)
        if self._access.ipv6 is not None and self._draw.randrange(2):
            remote = Endpoint(_FOREIGN_IPV6 + host, _PORT)
        local = self._access.local(remote.address)
        if local is None:
            raise ValueError(f"{self._phone} has no route to {remote.address}")
        # Over and over, as Linux gives them out: an attempt of hours takes more than there are.
        self._next_port = _FIRST_PORT + (self._next_port + 1 + self._draw.randrange(8) - _FIRST_PORT) % _PORTS
        socket = Endpoint(local, self._next_port)
        stream = TcpStream(self._datapath, self._access, self._phone, remote, socket, Meaning("noise", outgoing=True))
        stream.open()
        hello = tls.client_hello(name, self._draw)
        stream.swap(hello, tls.server_flight(hello, self._draw))
        stream.swap(tls.client_finished(self._draw), self._data(_TICKETS))
        return stream

    def _data(self, sizes: tuple[int, int]) -> bytes:
        return tls.application_data(self._draw.randrange(*sizes), self._draw)

    def _heartbeat(self, stream: TcpStream) -> None:
        stream.swap(self._data(_SMALL), self._data(_SMALL))
        self._later(_HEARTBEAT_MS, lambda: self._heartbeat(stream))

    def _synchronise(self) -> None:
        stream = self._handshake(self._draw.choice(_SYNCS))
        for _ in range(self._draw.randrange(1, 4)):
            stream.swap(self._data(_REQUEST), self._data(_RESPONSE))
        stream.close()
        self._later(_NEXT_MS, self._synchronise)
