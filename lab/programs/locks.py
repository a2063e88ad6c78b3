"""Holding something for this process alone, by a lock that the system lets go however the process ends."""

import fcntl
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from lab.errors import BenchBusy

PLACE = Path("/tmp")  # noqa: S108  # Each run of this machine must look here, whatever its TMPDIR says.
"""Where the locks of phones lie."""

# Without O_CREAT: in /tmp Linux refuses that, root included, for a file that is there and somebody else's
# (fs.protected_regular). O_NONBLOCK: nobody waits at a FIFO that lies there.
_THERE = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_OWNER_ALONE = 0o600
_TRIES = 100


def of_phone(serial: str) -> Path:
    """The lock of a phone, for all runs of this machine; its name does not tell the serial."""
    return PLACE / f"im-call-lab-{hashlib.sha256(serial.encode()).hexdigest()[:16]}.lock"


@contextmanager
def held(lock: Path, what: str) -> Iterator[None]:
    """Hold `lock`, a file that is made where it is missing and is gone afterwards.

    Raises `BenchBusy`: naming the process that holds it where the system knows it, or where the file is somebody else's
    who lets nobody read it, or is no plain file.
    """
    with _locked(lock, what) as file:
        if file.writable():
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
        try:
            yield
        finally:
            # While it is held, so that nobody else's is taken away.
            with suppress(OSError):
                lock.unlink()


def _locked(lock: Path, what: str) -> TextIO:
    """The file that stands at `lock` now, open and locked."""
    for _ in range(_TRIES):
        descriptor, ours_to_write = _opened(lock, what)
        file = os.fdopen(descriptor, "r+" if ours_to_write else "r", encoding="ascii", errors="replace")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(lock, descriptor):
                return file
        except BlockingIOError:
            with file:
                raise BenchBusy(f"{what} is held by {_holder(descriptor)}") from None
        except BaseException:
            file.close()
            raise
        # Its last holder took it away between the two steps above.
        file.close()
    raise BenchBusy(f"{what} cannot be held: {lock} is made and taken away all the time; try again")


def _is_at(lock: Path, descriptor: int) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(os.lstat(lock), os.fstat(descriptor))
    return False


def _holder(descriptor: int) -> str:
    """Who holds a lock, by the system's own word (proc_locks(5)): what stands in the file anybody may have written."""
    of = os.fstat(descriptor)
    where = f"{os.major(of.st_dev):02x}:{os.minor(of.st_dev):02x}:{of.st_ino}"
    with suppress(OSError):
        for line in Path("/proc/locks").read_text(encoding="ascii", errors="replace").splitlines():
            words = line.split()
            if words[1:2] == ["FLOCK"] and words[5:6] == [where] and words[4].isdecimal() and int(words[4]) > 0:
                return f"process {words[4]}; wait until it has ended, or end it"
    return "another process; wait until it has ended"


def _opened(lock: Path, what: str) -> tuple[int, bool]:
    """A descriptor of the lock, and whether it may be written: to lock it needs no more than to be read."""
    with suppress(FileExistsError):
        return os.open(lock, _THERE | os.O_RDWR | os.O_CREAT | os.O_EXCL, _OWNER_ALONE), True
    if lock.is_symlink():  # O_NOFOLLOW refuses it anyhow, in words that nobody understands.
        raise BenchBusy(f"{what} cannot be held: {lock} is a symbolic link; remove it")
    with suppress(PermissionError):
        return _plain(os.open(lock, _THERE | os.O_RDWR), lock, what), True
    try:
        return _plain(os.open(lock, _THERE | os.O_RDONLY), lock, what), False
    except PermissionError:
        raise BenchBusy(
            f"{what} is held by user {_owner(lock)}, or a run of theirs was killed: {lock} is theirs; "
            "have them look, and remove it where nothing runs"
        ) from None


def _owner(lock: Path) -> str:
    try:
        return str(lock.lstat().st_uid)
    except OSError:
        return "?"


def _plain(descriptor: int, lock: Path, what: str) -> int:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise BenchBusy(f"{what} cannot be held: {lock} is no plain file; have its owner remove it")
    return descriptor
