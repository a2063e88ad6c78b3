"""Notes what a program has on the disk for good: in every Python that has this folder in PYTHONPATH.

After each fsync the bytes of a file, or the names in a folder, are kept under $IM_CALL_LAB_SYNCED. Its descriptors are
kept open, so that no number of an inode is given away twice. `benchmarks.power` makes of it what a power loss leaves.
"""

import json
import os
import shutil
import stat
import time
from typing import Protocol

_WHERE = os.environ.get("IM_CALL_LAB_SYNCED", "")
_SYNC = os.fsync
_HELD: dict[int, int] = {}


class _File(Protocol):
    def fileno(self) -> int: ...


def _noted(fd: int | _File) -> None:
    descriptor = fd if isinstance(fd, int) else fd.fileno()
    _SYNC(descriptor)
    about, at_ns = os.fstat(descriptor), time.monotonic_ns()
    if about.st_ino not in _HELD:
        _HELD[about.st_ino] = os.dup(descriptor)
    note: dict[str, object] = {"at_ns": at_ns, "inode": about.st_ino}
    if stat.S_ISDIR(about.st_mode):
        with os.scandir(descriptor) as found:
            note["names"] = {entry.name: [entry.inode(), entry.is_dir(follow_symlinks=False)] for entry in found}
    else:
        note["bytes"] = f"{about.st_ino}-{at_ns}"
        shutil.copyfile(f"/proc/self/fd/{descriptor}", f"{_WHERE}/{note['bytes']}")
    line = json.dumps(note).encode() + b"\n"
    with open(f"{_WHERE}/{os.getpid()}.jsonl", "ab", buffering=0) as file:
        file.write(line)


if _WHERE:
    os.fsync = _noted
