"""The device side of the ADB wire protocol on a loopback TCP port: CNXN, AUTH, OPEN, OKAY, WRTE, CLSE.

Source: AOSP packages/modules/adb, docs/dev/protocol.md, version 0x01000001 (checksums are not checked at that
version) and without delayed acknowledgements: each stream has at most one WRTE under way in either direction.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable

VERSION = 0x01000001
MAX_DATA_BYTES = 1 << 20
FEATURES = ("shell_v2", "cmd", "stat_v2", "ls_v2", "fixed_push_mkdir", "sendrecv_v2")
HEADER = struct.Struct("<6I")
NO_LINGER = struct.pack("ii", 1, 0)
"""A socket that is closed with this sends a reset."""
TOKEN, SIGNATURE = 1, 2
"""Kinds of AUTH: the device's token, and what the host makes of it. Where no key fits, the host sends one at last."""
TOKEN_BYTES = bytes(range(20))
COMMANDS = {name: int.from_bytes(name.encode(), "little") for name in ("CNXN", "AUTH", "OPEN", "OKAY", "WRTE", "CLSE")}
NAMES = {number: name for name, number in COMMANDS.items()}

Service = Callable[["AdbStream"], Awaitable[None]]
"""What runs behind a stream; the stream closes when it returns."""


class StreamClosed(ConnectionError):
    """The other end closed the stream, or the connection is gone."""


def packet(command: str, arg0: int, arg1: int, data: bytes = b"") -> bytes:
    """One ADB message: header, then data. The checksum of the first version is sent too; old hosts check it."""
    number = COMMANDS[command]
    checksum = sum(data) & 0xFFFFFFFF if command in ("CNXN", "AUTH", "OPEN") else 0
    return HEADER.pack(number, arg0, arg1, len(data), checksum, number ^ 0xFFFFFFFF) + data


class AdbStream:
    """One ADB stream, seen from the device.

    An OPEN is answered when the service first blocks, writes or returns. So whatever the service did to the bench
    until then is done before the peer goes on: bench time stays a function of the requests alone.
    """

    def __init__(self, connection: Connection, local_id: int, remote_id: int) -> None:
        self._connection = connection
        self.local_id, self.remote_id = local_id, remote_id
        self._input = bytearray()
        self._arrived = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._accepted = False
        self.closed = asyncio.Event()

    def accept(self) -> None:
        """Answer the OPEN, once."""
        if not self._accepted:
            self._accepted = True
            self._connection.send("OKAY", self.local_id, self.remote_id)

    async def read(self) -> bytes:
        """What has arrived, at least one byte; nothing at the end of the stream."""
        await self._arrival(lambda: bool(self._input))
        return self._take(len(self._input))

    async def read_exactly(self, count: int) -> bytes:
        """Exactly `count` bytes. Raises StreamClosed if the stream ends before."""
        if not await self._arrival(lambda: len(self._input) >= count):
            raise StreamClosed("the stream ended inside a message")
        return self._take(count)

    async def read_line(self) -> bytes:
        """A line with its newline; what is left without one at the end of the stream."""
        await self._arrival(lambda: b"\n" in self._input)
        return self._take(self._input.find(b"\n") + 1 or len(self._input))

    async def _arrival(self, enough: Callable[[], bool]) -> bool:
        """Wait until enough has arrived; False where the stream ends before."""
        self.accept()
        while not enough():
            if self.closed.is_set():
                return False
            self._arrived.clear()
            await self._arrived.wait()
        return True

    def _take(self, count: int) -> bytes:
        data = bytes(self._input[:count])
        del self._input[:count]
        return data

    async def write(self, data: bytes) -> None:
        """Send `data`, each piece once the one before is acknowledged. Raises StreamClosed if the peer is gone."""
        self.accept()
        limit = self._connection.max_data_bytes
        for start in range(0, len(data), limit):
            await self._writable.wait()
            if self.closed.is_set():
                raise StreamClosed("the peer closed the stream")
            self._writable.clear()
            self._connection.send("WRTE", self.local_id, self.remote_id, data[start : start + limit])

    def received(self, data: bytes) -> None:
        self._input += data
        self._arrived.set()

    def acknowledged(self) -> None:
        self._writable.set()

    def peer_closed(self) -> None:
        self.closed.set()
        self._writable.set()
        self._arrived.set()

    def close(self) -> None:
        """Close this end. The host first hands on what was written before."""
        if not self.closed.is_set():
            self.accept()
            self._connection.send("CLSE", self.local_id, self.remote_id)
            self.peer_closed()
        self._connection.streams.pop(self.local_id, None)


class Device:
    """What the daemon asks of the phone: its banner, and the service behind a name (None: refused with CLSE)."""

    def banner(self) -> str:
        raise NotImplementedError

    def service(self, name: str) -> Service | None:
        raise NotImplementedError


class Connection(asyncio.Protocol):
    """One host connected over TCP. While `silent` it neither reads nor writes; while it `asks`, no key fits."""

    def __init__(self, device: Device, *, silent: bool = False, asks: bool = False) -> None:
        self._device, self._silent, self._asks = device, silent, asks
        self._waits = False
        self.slow_s = 0.0
        """How much real time each answer takes on its way to the host."""
        self._buffer = bytearray()
        self._out = bytearray()
        self._transport: asyncio.Transport | None = None
        self._next_id = 1
        self._tasks: set[asyncio.Task[None]] = set()
        self.streams: dict[int, AdbStream] = {}
        self.max_data_bytes = 4096

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # asyncio sets TCP_NODELAY on every TCP transport.
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if self._silent:
            transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        for stream in tuple(self.streams.values()):
            stream.peer_closed()
        self.streams.clear()

    def send(self, command: str, arg0: int, arg1: int, data: bytes = b"") -> None:
        """Send a message; an OKAY and the answer behind it leave together, which spares the host a wake-up."""
        if not self._out:
            loop = asyncio.get_running_loop()
            if self.slow_s:
                loop.call_later(self.slow_s, self._flush)
            else:
                loop.call_soon(self._flush)
        self._out += packet(command, arg0, arg1, data)

    def _flush(self) -> None:
        if self._silent:
            return
        if self._transport is not None:
            self._transport.write(bytes(self._out))
        self._out.clear()

    def hush(self) -> None:
        """Read and write nothing from now on; the connection stays."""
        self._silent = True
        if self._transport is not None:
            self._transport.pause_reading()

    def speak(self) -> None:
        """Read what came meanwhile, and go on."""
        self._silent = False
        if self._transport is not None:
            self._flush()
            self._transport.resume_reading()

    def admit(self) -> None:
        """Somebody accepts the host's key on the screen."""
        self._asks = False
        if self._waits:
            self._waits = False
            self._greet()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while len(self._buffer) >= HEADER.size:
            number, arg0, arg1, length, _, magic = HEADER.unpack_from(self._buffer)
            if magic != number ^ 0xFFFFFFFF or length > MAX_DATA_BYTES:
                self.hang_up()
                return
            end = HEADER.size + length
            if len(self._buffer) < end:
                return
            body = bytes(self._buffer[HEADER.size : end])
            del self._buffer[:end]
            handler = self._HANDLERS.get(NAMES.get(number, ""))
            if handler is None:
                self.hang_up()
                return
            handler(self, arg0, arg1, body)

    def hang_up(self) -> None:
        """Reset the connection: the host reads ECONNRESET."""
        if self._transport is not None:
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
            self._transport.abort()

    def _connect(self, version: int, max_data_bytes: int, _banner: bytes) -> None:
        self.max_data_bytes = min(max_data_bytes, MAX_DATA_BYTES)
        if self._asks:
            self.send("AUTH", TOKEN, 0, TOKEN_BYTES)
        else:
            self._greet()

    def _greet(self) -> None:
        self.send("CNXN", VERSION, MAX_DATA_BYTES, self._device.banner().encode())

    def _authenticate(self, kind: int, _arg1: int, _data: bytes) -> None:
        """A signature does not fit: another token. The host's key is shown on the screen, where somebody accepts it."""
        if not self._asks:
            self._greet()
        elif kind == SIGNATURE:
            self.send("AUTH", TOKEN, 0, TOKEN_BYTES)
        else:
            self._waits = True

    def _open(self, remote_id: int, _window: int, name: bytes) -> None:
        service = self._device.service(name.rstrip(b"\0").decode("utf-8", "replace"))
        if service is None:
            self.send("CLSE", 0, remote_id)
            return
        stream = AdbStream(self, self._next_id, remote_id)
        self.streams[self._next_id] = stream
        self._next_id += 1
        task = asyncio.get_running_loop().create_task(self._serve(service, stream))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, service: Service, stream: AdbStream) -> None:
        try:
            await service(stream)
        except StreamClosed:
            pass  # Hosts go away in the middle of things; nobody is left to tell.
        finally:
            stream.close()

    def _write(self, remote_id: int, local_id: int, data: bytes) -> None:
        stream = self.streams.get(local_id)
        if stream is None:
            self.send("CLSE", 0, remote_id)
            return
        stream.received(data)
        self.send("OKAY", local_id, remote_id)

    def _okay(self, _remote_id: int, local_id: int, _data: bytes) -> None:
        if stream := self.streams.get(local_id):
            stream.acknowledged()

    def _close(self, _remote_id: int, local_id: int, _data: bytes) -> None:
        if stream := self.streams.pop(local_id, None):
            stream.peer_closed()

    _HANDLERS: dict[str, Callable[[Connection, int, int, bytes], None]] = {  # noqa: RUF012 - a literal table
        "CNXN": _connect,
        "AUTH": _authenticate,
        "OPEN": _open,
        "WRTE": _write,
        "OKAY": _okay,
        "CLSE": _close,
    }


async def listen(device: Device) -> tuple[asyncio.Server, int]:
    """Serve `device` on a free loopback port. Ports 5555 to 5585 are left out: adb servers scan them for emulators."""
    loop = asyncio.get_running_loop()
    while True:
        server = await loop.create_server(lambda: Connection(device), "127.0.0.1", 0)
        port: int = server.sockets[0].getsockname()[1]
        if not 5554 <= port <= 5585:
            return server, port
        server.close()
