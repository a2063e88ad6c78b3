"""A socket whose answer ends at a real deadline and at a number of bytes, whoever reads it, also while data flow.

`http.client` reads an answer for as long as a byte of it comes now and then: its time-out is that of each read.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Self

from lab.clocks.real_time import Deadline

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer


class BoundedSocket(socket.socket):
    """Made by `of`. Raises `TimeoutError` at its deadline, and `OSError` where more bytes come than it may give."""

    _deadline: Deadline
    _left_bytes: int

    @classmethod
    def of(cls, other: socket.socket, seconds: float, limit_bytes: int) -> Self:
        """The connection of `other`, which is closed to whoever has it."""
        bounded = cls(other.family, other.type, other.proto, other.detach())
        bounded._deadline, bounded._left_bytes = Deadline(seconds), limit_bytes
        return bounded

    def recv_into(self, buffer: WriteableBuffer, nbytes: int = 0, flags: int = 0) -> int:
        """The one way in which `makefile` reads."""
        self._wait_no_longer()
        count = super().recv_into(buffer, nbytes, flags)
        self._left_bytes -= count
        if self._left_bytes < 0:
            raise OSError("more bytes come than any answer has")
        return count

    def sendall(self, data: ReadableBuffer, flags: int = 0) -> None:
        self._wait_no_longer()
        super().sendall(data, flags)

    def _wait_no_longer(self) -> None:
        if self._deadline.passed():
            raise TimeoutError("timed out")
        self.settimeout(max(self._deadline.left(), 0.001))
