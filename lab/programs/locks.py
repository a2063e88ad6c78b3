"""Holding something for this process alone, by a lock that the system lets go however the process ends."""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lab.errors import BenchBusy

# Without O_CREAT: in /tmp Linux refuses that, root included, for a file that is there and somebody else's
# (fs.protected_regular). O_NONBLOCK: nobody waits at a FIFO that lies there.
_THERE = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
EVERYBODY = 0o666


@contextmanager
def held(lock: Path, what: str) -> Iterator[None]:
    """Hold `lock`, a file that is made where it is missing, for whoever may use the same lock later.

    Raises `BenchBusy`: naming the process that holds it, or where the file is somebody else's who lets nobody read it,
    or is no plain file.
    """
    descriptor, ours_to_write = _opened(lock, what)
    with open(descriptor, "r+" if ours_to_write else "r", encoding="ascii", errors="replace") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = file.read(20).strip() or "?"
            raise BenchBusy(f"{what} is held by process {holder}; wait until it has ended, or end it") from None
        if ours_to_write:
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
        yield


def _opened(lock: Path, what: str) -> tuple[int, bool]:
    """A descriptor of the lock, and whether it may be written: to lock it needs no more than to be read."""
    with suppress(FileExistsError):
        made = os.open(lock, _THERE | os.O_RDWR | os.O_CREAT | os.O_EXCL, EVERYBODY)
        with suppress(PermissionError):  # A file system without modes: whoever mounted it says who may what.
            os.fchmod(made, EVERYBODY)
        return made, True
    if lock.is_symlink():  # O_NOFOLLOW refuses it anyhow, in words that nobody understands.
        raise BenchBusy(f"{what} cannot be held: {lock} is a symbolic link; remove it")
    with suppress(PermissionError):
        return _plain(os.open(lock, _THERE | os.O_RDWR), lock, what), True
    try:
        return _plain(os.open(lock, _THERE | os.O_RDONLY), lock, what), False
    except PermissionError as error:
        raise BenchBusy(f"{what} cannot be held: {lock}: {error.strerror}; have its owner remove it") from error


def _plain(descriptor: int, lock: Path, what: str) -> int:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise BenchBusy(f"{what} cannot be held: {lock} is no plain file; have its owner remove it")
    return descriptor
