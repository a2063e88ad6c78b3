"""A TCP connection between a phone and a server: handshake, data, acknowledgements and farewell (RFC 9293)."""

from dataclasses import replace

import numpy as np

from lab.virtual.network.addresses import Access, Endpoint
from lab.virtual.network.datagrams import Integers
from lab.virtual.network.datapath import Datapath, Pipe
from lab.virtual.network.meaning import Meaning
from lab.virtual.network.media import Packets
from lab.virtual.network.tcp import ACK, FIN, HEADER_BYTES, PSH, SYN, Numbers, Segments, syn_options, written

_DELAYED_ACK_NS = 40_000_000
"""How long a received segment waits for data to acknowledge it with (RFC 9293 section 3.8.6.3)."""
_TURNAROUND_NS = 150_000
_SERVER_MSS = 1400


class TcpStream:
    """One connection of a phone. What it sends before the handshake is through waits for that.

    `plain` is what a segment without a message means: an acknowledgement, a handshake.
    """

    def __init__(
        self, datapath: Datapath, access: Access, phone: str, remote: Endpoint, socket: Endpoint, plain: Meaning
    ) -> None:
        self._datapath, self._access, self._pipe = datapath, access, Pipe(phone, socket, remote)
        self._draw = datapath.world.chance(f"network/tcp/{phone}/{socket.port}")
        self._numbers = Numbers(self._draw, 2 * access.delay_ns)
        self._plain = {way: replace(plain, outgoing=way) for way in (True, False)}
        interface = access.towards(remote.address)
        if interface is None:
            raise ValueError(f"{phone} has no route to {remote.address}")
        self._mss = interface.mtu - HEADER_BYTES - (20 if socket.address.version == 4 else 40)
        self._ready_ns = 0
        self.opened = False

    def open(self) -> int:
        """Begin the handshake now; returns in how many nanoseconds data may be sent."""
        self.opened = True
        now_ns = self._datapath.world.now_ns
        answered_ns = now_ns + self._round_trip_ns()
        self._ready_ns = answered_ns + _TURNAROUND_NS
        self._bare(True, now_ns, SYN, syn_options(self._mss))
        self._bare(False, answered_ns, SYN | ACK, syn_options(_SERVER_MSS))
        self._bare(True, self._ready_ns, ACK)
        return self._ready_ns - now_ns

    @property
    def waits_ns(self) -> int:
        """How long what is sent now waits for the handshake."""
        return max(0, self._ready_ns - self._datapath.world.now_ns)

    def send(self, message: bytes, meaning: Meaning, when_ns: int) -> None:
        """A message from or to the phone at an instant, in as many segments as it needs."""
        when_ns = max(when_ns, self._datapath.world.now_ns, self._ready_ns)
        mss = min(self._mss, _SERVER_MSS)
        pieces = [message[at : at + mss] for at in range(0, len(message), mss)]
        for piece in pieces[:-1]:
            self._segment(self._plain[meaning.outgoing], piece, when_ns)
        self._segment(meaning, pieces[-1], when_ns, len(message))
        self._bare(not meaning.outgoing, self._acknowledged_ns(meaning.outgoing, when_ns), ACK)

    def swap(self, request: bytes, reply: bytes) -> None:
        """A request that means nothing to the call, and its reply; what is sent next waits for that."""
        asked_ns = max(self._datapath.world.now_ns, self._ready_ns)
        self.send(request, self._plain[True], asked_ns)
        answered_ns = asked_ns + self._round_trip_ns()
        self.send(reply, self._plain[False], answered_ns)
        self._ready_ns = answered_ns + _TURNAROUND_NS

    def send_stream(self, messages: Packets, times_ns: Integers, meaning: Meaning, group: str) -> None:
        """Many messages of one direction at `times_ns`, each at most as long as a segment."""
        if not len(times_ns):
            return
        stream, times_ns = written(messages, times_ns, self._draw)
        self._datapath.segments(self._numbers, self._pipe, stream, times_ns, meaning, group)
        nothing = np.zeros_like(times_ns)
        empty = Packets(stream.packets.sent_ns, nothing, np.zeros((len(times_ns), 0), dtype=np.uint8))
        delay_ns = self._acknowledged_ns(meaning.outgoing, 0)
        acknowledgement = self._plain[not meaning.outgoing]
        bare = Segments(empty, nothing, nothing)
        self._datapath.segments(self._numbers, self._pipe, bare, times_ns + delay_ns, acknowledgement, group)

    def close(self) -> None:
        """End the connection from the phone's side; the server does the same."""
        now_ns = max(self._datapath.world.now_ns, self._ready_ns)
        answered_ns = now_ns + self._round_trip_ns()
        self._bare(True, now_ns, FIN | ACK)
        self._bare(False, answered_ns, FIN | ACK)
        self._bare(True, answered_ns + _TURNAROUND_NS, ACK)

    def _round_trip_ns(self) -> int:
        return self._access.delay(self._draw) + self._access.delay_ns + _TURNAROUND_NS

    def _acknowledged_ns(self, outgoing: bool, when_ns: int) -> int:
        """When the acknowledgement of a segment passes if no data carry it before."""
        return when_ns + _DELAYED_ACK_NS + (2 * self._access.delay_ns if outgoing else 0)

    def _segment(self, meaning: Meaning, piece: bytes, when_ns: int, message_bytes: int = 0) -> None:
        self._datapath.segment(
            self._numbers, self._pipe, piece, meaning, when_ns, flags=PSH | ACK, message_bytes=message_bytes
        )

    def _bare(self, outgoing: bool, when_ns: int, flags: int, options: bytes = b"") -> None:
        self._datapath.segment(self._numbers, self._pipe, options, self._plain[outgoing], when_ns, flags=flags)
