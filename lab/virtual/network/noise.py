"""Background of a phone: name and time look-ups, QUIC and TLS of other apps, STUN probes of others, and mDNS.

A few frames a second to documentation addresses that no call uses. A loud phone sends and receives at some 30 kB/s of
capture while its first capture runs. Nothing here is more than a bare STUN Binding, whatever the port.
"""

import struct
from ipaddress import IPv4Address, IPv6Address

import numpy as np

from lab.virtual.network import stunwire
from lab.virtual.network.addresses import Address, Endpoint
from lab.virtual.network.datapath import Datapath
from lab.virtual.network.meaning import Meaning
from lab.virtual.network.media import Packets
from lab.virtual.network.tlsclients import BackgroundTls

_FOREIGN_IPV4 = IPv4Address("192.0.2.0")
_FOREIGN_IPV6 = IPv6Address("2001:db8:a11::")
_NAME_SERVER = IPv4Address("192.0.2.53")
_MDNS = Endpoint(IPv4Address("224.0.0.251"), 5353)
_KINDS = ("dns", "dns", "dns", "ntp", "quic", "quic", "stun", "mdns")
_HOSTS = ("time", "feed", "mail", "push", "photos", "weather", "sync", "news")
_PAUSE_MS = (400, 2200)
_LOUD_SLOT_NS = 250_000_000
_LOUD_FRAMES = 30
_LOUD_BYTES = 1180
_LOUD_GROUP = "loud"


class Noise:
    """The background of one phone in one attempt; behind the hotspot it asks `hotspot` for names."""

    def __init__(self, datapath: Datapath, phone: str, hotspot: IPv4Address, *, loud: bool) -> None:
        self._datapath, self._world, self._phone, self._loud = datapath, datapath.world, phone, loud
        self._access, self._wire = datapath.accesses[phone], datapath.wires[phone]
        self._name_server = hotspot if self._access.spec.link == "ethernet" else _NAME_SERVER
        self._draw = self._world.chance(f"network/noise/{phone}")
        self._generator = self._world.generator(f"network/loud/{phone}")
        self._flows = [(self._socket(remote := self._foreign(443)), remote) for _ in range(3)]
        self._running_loud = False

    def start(self) -> None:
        """Begin; it goes on until the attempt is over."""
        self._wire.on_attach, self._wire.on_detach = self._attached, self._detached
        self._wait()
        BackgroundTls(self._datapath, self._phone).start()

    def _wait(self) -> None:
        self._world.in_background(self._draw.randrange(*_PAUSE_MS) * 1_000_000, self._act)

    def _act(self) -> None:
        kind = self._draw.choice(_KINDS)
        if kind == "mdns" and self._access.spec.link != "ethernet":
            kind = "dns"
        acts = {"dns": self._dns, "ntp": self._ntp, "quic": self._quic, "stun": self._stun, "mdns": self._mdns}
        if self._access.up:
            acts[kind]()
        self._wait()

    def _foreign(self, port: int) -> Endpoint:
        host = self._draw.randrange(60, 250)
        if self._access.ipv6 is not None and self._draw.randrange(2):
            return Endpoint(_FOREIGN_IPV6 + host, port)
        return Endpoint(_FOREIGN_IPV4 + host, port)

    def _socket(self, remote: Endpoint) -> Endpoint:
        local = self._access.local(remote.address)
        if local is None:
            raise ValueError(f"{self._phone} has no route to {remote.address}")
        return Endpoint(local, self._access.open_port())

    def _swap(
        self, remote: Endpoint, request: bytes, reply: bytes, *, socket: Endpoint, mapped: Address | None = None
    ) -> None:
        """One request now and its reply a round trip later."""
        stun = mapped is not None
        self._datapath.forward(self._phone, socket, remote, request, Meaning("noise", outgoing=True, stun=stun))
        when_ns = self._world.now_ns + 2 * self._access.delay(self._draw)
        meaning = Meaning("noise", outgoing=False, stun=stun, mapped=mapped)
        self._datapath.forward(self._phone, socket, remote, reply, meaning, when_ns)

    def _dns(self) -> None:
        remote = Endpoint(self._name_server, 53)
        labels = (self._draw.choice(_HOSTS), "example", "org")
        name = b"".join(bytes([len(label)]) + label.encode() for label in labels) + b"\0"
        question = name + struct.pack("!HH", 1, 1)
        number = self._draw.randrange(1 << 16)
        address = (_FOREIGN_IPV4 + self._draw.randrange(60, 250)).packed
        answer = struct.pack("!HHHIH", 0xC00C, 1, 1, 300, 4) + address
        query = struct.pack("!HHHHHH", number, 0x0100, 1, 0, 0, 0) + question
        reply = struct.pack("!HHHHHH", number, 0x8180, 1, 1, 0, 0) + question + answer
        self._swap(remote, query, reply, socket=self._socket(remote))

    def _ntp(self) -> None:
        remote = self._foreign(123)
        stamp = self._draw.randbytes(8)
        request = struct.pack("!BBBb", 0x23, 0, 6, -20) + bytes(36) + stamp
        reply = struct.pack("!BBBb", 0x24, 2, 6, -24) + self._draw.randbytes(20) + stamp + self._draw.randbytes(16)
        self._swap(remote, request, reply, socket=self._socket(remote))

    def _quic(self) -> None:
        socket, remote = self._draw.choice(self._flows)
        when_ns = self._world.now_ns
        for _ in range(self._draw.randrange(2, 7)):
            when_ns += self._draw.randrange(1, 60) * 1_000_000
            # A first byte of 0x50-0x5f and an impossible length behind it: never ChannelData to any reader.
            head = bytes([0x50 | self._draw.randrange(16), self._draw.randrange(256), 0xFF])
            payload = head + self._draw.randbytes(self._draw.choice((30, 34, 62, 120, 410)))
            meaning = Meaning("noise", outgoing=bool(self._draw.randrange(2)))
            self._datapath.forward(self._phone, socket, remote, payload, meaning, when_ns)

    def _stun(self) -> None:
        remote = self._foreign(self._draw.choice((3478, 3478, 19302)))
        socket = self._socket(remote)
        transaction = stunwire.new_transaction(self._draw)
        mapped = self._access.mapped(socket, remote.address)
        request = stunwire.message(stunwire.BINDING, transaction)
        reply = stunwire.binding_success(transaction, mapped)
        self._swap(remote, request, reply, socket=socket, mapped=mapped.address)

    def _mdns(self) -> None:
        name = b"\x0b_googlecast\x04_tcp\x05local\0"
        query = struct.pack("!HHHHHH", 0, 0, 1, 0, 0, 0) + name + struct.pack("!HH", 12, 1)
        socket = Endpoint(self._access.ipv4.ip, 5353)
        self._datapath.forward(self._phone, socket, _MDNS, query, Meaning("noise", outgoing=True))

    def _attached(self, before: int) -> None:
        if self._loud and before == 0:
            self._running_loud = True
            self._loud_slot()

    def _detached(self) -> None:
        if self._running_loud:
            self._running_loud = False
            self._wire.cut(_LOUD_GROUP, self._world.now_ns)

    def _loud_slot(self) -> None:
        if not self._running_loud:
            return
        now_ns = self._world.now_ns
        times = now_ns + np.arange(_LOUD_FRAMES, dtype=np.int64) * (_LOUD_SLOT_NS // _LOUD_FRAMES)
        text = self._generator.bytes(_LOUD_FRAMES * 64)
        rows = np.frombuffer(text, dtype=np.uint8).reshape(_LOUD_FRAMES, 64).copy()
        rows[:, 0] = 0x50
        rows[:, 2] = 0xFF
        packets = Packets(times, np.full(_LOUD_FRAMES, _LOUD_BYTES), rows)
        socket, remote = self._flows[0]
        meaning = Meaning("noise", outgoing=False)
        self._datapath.forward_stream(self._phone, socket, remote, packets, times, meaning, _LOUD_GROUP)
        self._world.after(_LOUD_SLOT_NS, self._loud_slot)
