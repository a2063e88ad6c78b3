"""Standard output and error that end nothing: a terminal that goes away, or a closed pipe, costs what it would show."""

import errno
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO, cast

GONE = (errno.EPIPE, errno.EIO, errno.ENXIO)
"""A pipe that nobody reads any more, a terminal that was closed, a device that is no longer there."""


class Steady:
    """A text stream; `lost` says what became of it, empty while it is read. From then on it writes to nowhere."""

    def __init__(self, stream: TextIO, name: str) -> None:
        self._stream, self._name = stream, name
        self.lost = ""

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError as error:
            self._lose(error)
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            self._lose(error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _lose(self, error: OSError) -> None:
        if error.errno not in GONE:
            raise error
        self.lost = f"{self._name}: {errno.errorcode[error.errno]}"
        _to_nowhere(self._stream)


@contextmanager
def steady() -> Iterator[None]:
    """What is printed in the block ends nothing."""
    before = sys.stdout, sys.stderr
    sys.stdout = cast(TextIO, Steady(before[0], "standard output"))
    sys.stderr = cast(TextIO, Steady(before[1], "standard error"))
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        sys.stdout, sys.stderr = before


def lost(stream: object) -> str:
    """What became of a stream of `steady`; empty while it is read, and for any other."""
    return stream.lost if isinstance(stream, Steady) else ""


def let_go_of_what_is_gone() -> None:
    """Have standard output and error lead to nowhere where nobody reads them, so that ending fails by nothing."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            poll = select.poll()
            poll.register(stream.fileno(), 0)
            if poll.poll(0):  # POLLERR, POLLHUP, POLLNVAL are told unasked
                _to_nowhere(stream)


def _to_nowhere(stream: TextIO) -> None:
    with suppress(OSError, ValueError):  # one without a descriptor has nothing that could be given up
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
