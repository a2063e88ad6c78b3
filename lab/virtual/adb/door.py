"""Where hosts reach a phone's ADB daemon: one TCP port that can be shut, fall silent, greet nobody, ask for a key."""

import asyncio
import socket

from lab.virtual.adb.daemon import Connection, Device
from lab.virtual.adb.server import SCANNED_PORTS


class Door:
    """The port of one phone on the loopback interface. What is done to it holds at once, for all that are connected."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._connections: list[Connection] = []
        self._server: asyncio.Server | None = None
        self._opening: asyncio.Task[None] | None = None
        self._silent = self._asks = False
        self._slow_s = 0.0
        # Bound and never listening: the port stays this phone's while nobody is let in.
        self._holder = _bound(0)
        self.port: int = self._holder.getsockname()[1]

    async def open(self) -> None:
        """Let hosts in."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connected, sock=_bound(self.port))

    def _connected(self) -> Connection:
        connection = Connection(self._device, silent=self._silent, asks=self._asks)
        connection.slow_s = self._slow_s
        self._connections.append(connection)
        return connection

    def reset(self) -> None:
        """Reset all connections: a cable that slips, an adbd that is started anew."""
        for connection in self._connections:
            connection.hang_up()
        self._connections.clear()

    def shut(self) -> None:
        """The phone is away: nobody is connected, and connections are refused."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.reset()

    def reopen(self) -> None:
        """The phone is back, at the latest once `settled` returns."""
        if self._server is None and self._opening is None:
            self._opening = asyncio.get_running_loop().create_task(self.open())

    async def settled(self) -> None:
        """Return once hosts can connect, if they are to."""
        if self._opening is not None:
            await self._opening
            self._opening = None

    def hush(self) -> None:
        """Connections stand, and nothing is read or answered."""
        self._silent = True
        for connection in self._connections:
            connection.hush()

    def speak(self) -> None:
        """All that was asked meanwhile is answered."""
        self._silent = False
        for connection in self._connections:
            connection.speak()

    def slow(self, seconds: float) -> None:
        """Each answer takes so much longer, in real time; 0 ends it."""
        self._slow_s = seconds
        for connection in self._connections:
            connection.slow_s = seconds

    def wedge(self) -> None:
        """All connections are reset, and whoever connects is taken and never greeted: his adb server calls the phone
        offline."""
        self.reset()
        self._silent = True

    def unwedge(self) -> None:
        """Who connects from now on is greeted; those that are connected never will be."""
        self._silent = False

    def ask_for_key(self) -> None:
        """The keys of all hosts are revoked: who connects waits until somebody accepts his key on the screen."""
        self._asks = True
        self.reset()

    def accept_keys(self) -> None:
        """Somebody accepts them."""
        self._asks = False
        for connection in self._connections:
            connection.admit()

    def close(self) -> None:
        self.shut()
        self._holder.close()


def _bound(port: int) -> socket.socket:
    """A socket that is bound to this port of the loopback interface, or to a free one where it is 0."""
    while True:
        bound = socket.socket()
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(("127.0.0.1", port))
        if bound.getsockname()[1] not in SCANNED_PORTS:
            return bound
        bound.close()
