"""The laptop of the virtual bench, one program at a time: `laptop.py ADDRESS:PORT TOKENFILE PROGRAM ARG...`.

It stands where `ssh HOST` stands on a real bench. The bench process plays the program; this one hands it the lines of
standard input and SIGINT, prints what it says, and writes and acknowledges the bytes of a capture, so that the file is
written by another process than the one that makes the frames, as on hardware. The token is read from a file that its
owner alone may read: anybody can read a command line. Standard library alone, few imports: it starts in 15 ms.

Frames on the socket, both ways: kind (1 byte), length (4 bytes, big-endian), data. From here: A token and argv with NUL
between, I input, E end of input, S SIGINT, K acknowledgement. To here: 1 standard output, 2 standard error, O open a
file, W write to it, T cut so many bytes off its end, Q acknowledge when all before is written, X exit code.
"""

import os
import select
import signal
import socket
import struct
import sys

HEAD = struct.Struct(">cI")
CHUNK_BYTES = 65536


class Gone(Exception):
    """The bench has closed the connection."""


def write_all(descriptor: int, data: bytes) -> bool:
    """Write everything; a reader that has gone is told by False."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except BrokenPipeError:
            return False
    return True


class StandIn:
    """One program of the laptop, as the bench plays it."""

    def __init__(self, address: str, token: str, argv: list[str]) -> None:
        host, _, port = address.rpartition(":")
        self.socket = socket.create_connection((host, int(port)))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = -1
        self.buffer = bytearray()
        # A word holds no NUL, so one separates them.
        self.send(b"A", "\0".join([token, *argv]).encode("utf-8", "surrogateescape"))

    def send(self, kind: bytes, data: bytes = b"") -> None:
        try:
            self.socket.sendall(HEAD.pack(kind, len(data)) + data)
        except OSError as error:
            raise Gone from error

    def run(self) -> int:
        """Serve the bench until it says how the program ended."""
        wake, waker = os.pipe()
        os.set_blocking(waker, False)
        signal.set_wakeup_fd(waker)
        signal.signal(signal.SIGINT, lambda number, frame: None)
        poll = select.poll()
        for descriptor in (self.socket.fileno(), wake, 0):
            poll.register(descriptor, select.POLLIN)
        while True:
            for descriptor, _ in poll.poll():
                if descriptor == self.socket.fileno():
                    code = self.receive()
                    if code is not None:
                        return code
                elif descriptor == wake:
                    os.read(wake, 64)
                    self.send(b"S")
                elif not self.forward_input():
                    poll.unregister(0)

    def forward_input(self) -> bool:
        try:
            data = os.read(0, CHUNK_BYTES)
        except OSError:
            data = b""
        self.send(b"I" if data else b"E", data)
        return bool(data)

    def receive(self) -> int | None:
        """Take what the bench sent; an exit code once it sends one."""
        try:
            data = self.socket.recv(1 << 20)
        except OSError as error:
            raise Gone from error
        if not data:
            raise Gone
        self.buffer += data
        while len(self.buffer) >= HEAD.size:
            kind, length = HEAD.unpack_from(self.buffer)
            if len(self.buffer) < HEAD.size + length:
                break
            body = bytes(self.buffer[HEAD.size : HEAD.size + length])
            del self.buffer[: HEAD.size + length]
            if kind == b"X":
                return body[0]
            self.obey(kind, body)
        return None

    def obey(self, kind: bytes, body: bytes) -> None:
        if kind in (b"1", b"2"):
            write_all(int(kind), body)
        elif kind == b"O":
            self.file = os.open(body, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        elif kind == b"W":
            write_all(self.file, body)
        elif kind == b"T":
            end = max(0, os.lseek(self.file, 0, os.SEEK_END) - int(body))
            os.ftruncate(self.file, end)
            os.lseek(self.file, end, os.SEEK_SET)
        elif kind == b"Q":
            self.send(b"K")


def main() -> int:
    if len(sys.argv) < 4:
        write_all(2, b"usage: laptop.py ADDRESS:PORT TOKENFILE PROGRAM [ARG...]\n")
        return 2
    try:
        with open(sys.argv[2]) as stream:
            token = stream.read()
        return StandIn(sys.argv[1], token, sys.argv[3:]).run()
    except (Gone, OSError):
        # The bench has ended: so do its programs, like those of a laptop that is switched off.
        return 255


if __name__ == "__main__":
    os._exit(main())
