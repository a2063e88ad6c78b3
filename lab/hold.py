"""Holding something for this process alone, by a lock that the system lets go however the process ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.errors import BenchBusy


@contextmanager
def held(lock: Path, what: str) -> Iterator[None]:
    """Hold `lock`, a file that is made where it is missing. Raises `BenchBusy` naming the process that holds it."""
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    with open(descriptor, "r+", encoding="ascii", errors="replace") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = file.read(20).strip() or "?"
            raise BenchBusy(f"{what} is held by process {holder}; wait until it has ended, or end it") from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
