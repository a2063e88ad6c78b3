"""The file system of a virtual machine: a directory on disk, and who may do what in it."""

import fnmatch
import os
import posixpath
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT_UID = 0
SHELL_UID = 2000
NULL = "/dev/null"
FULL = "/dev/full"
"""Linux' device on which any write fails with ENOSPC."""


class Files:
    """Maps paths of the machine into `root` on disk. Every method takes absolute paths of the machine.

    Errors are the OSErrors of the disk, and PermissionError where `uid` may not. Files on disk all belong to the
    bench's own user, so owners are remembered here; a phone's shell (uid 2000) writes below `shell_places` only.
    `live` has what certain files hold at the moment they are read, by their paths; `clock_ns` is the machine's clock,
    which says when a directory has changed. While the disk is `full` a file can be made, and nothing be written into
    it.
    """

    def __init__(self, root: Path, shell_places: tuple[str, ...]) -> None:
        self.root = root
        self._shell_places = shell_places
        self._owners: dict[str, int] = {}
        self.live: dict[str, Callable[[], bytes]] = {}
        self.clock_ns: Callable[[], int] | None = None
        self._changed_ns: dict[str, int] = {}
        self.full = False
        for place in shell_places:
            self.on_disk(place).mkdir(parents=True, exist_ok=True)
        if not self.exists(NULL):
            self.on_disk(NULL).parent.mkdir(parents=True, exist_ok=True)
            self.on_disk(NULL).symlink_to(NULL)

    @staticmethod
    def normal(path: str) -> str:
        """The path without `.`, `..` and doubled slashes; it never leaves the machine's root."""
        return posixpath.normpath("/" + path.lstrip("/"))

    def on_disk(self, path: str) -> Path:
        return self.root / self.normal(path).lstrip("/")

    def owner(self, path: str) -> int:
        path = self.normal(path)
        return self._owners.get(path, SHELL_UID if self._in_shell_places(path) else ROOT_UID)

    def _in_shell_places(self, path: str) -> bool:
        return any(path == place or path.startswith(place + "/") for place in self._shell_places)

    def check_write(self, path: str, uid: int) -> None:
        """Raise PermissionError unless `uid` may create or overwrite the file."""
        path = self.normal(path)
        # Not even root: this one is the bench's own.
        allowed = (uid == ROOT_UID and path != NULL) or (self._in_shell_places(path) and self.owner(path) == uid)
        if not allowed:
            raise PermissionError(13, "Permission denied", path)

    def check_remove(self, path: str, uid: int) -> None:
        """Raise PermissionError unless `uid` may remove the file: who owns a directory removes anybody's files."""
        if uid != ROOT_UID and not self._in_shell_places(self.normal(path)):
            raise PermissionError(13, "Permission denied", path)

    def check_read(self, path: str, uid: int) -> None:
        """Raise PermissionError unless `uid` may read the file."""
        if uid == ROOT_UID or self.owner(path) == uid:
            return
        if not self.stat(path).st_mode & stat.S_IROTH:
            raise PermissionError(13, "Permission denied", path)

    def open_write(self, path: str, uid: int, append: bool = False) -> int:
        """An open file descriptor for writing; the file belongs to `uid` if it is new."""
        self.check_write(path, uid)
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | (os.O_APPEND if append else os.O_TRUNC)
        new = not self.on_disk(path).exists()
        descriptor = os.open(self.on_disk(path), flags, 0o644)
        if new:
            self._owners[self.normal(path)] = uid
            self._change_directory_of(path)
        if self.full:
            os.close(descriptor)
            return os.open(FULL, os.O_WRONLY | os.O_CLOEXEC)
        return descriptor

    def changed_ns(self, path: str) -> int | None:
        """When something was last made, renamed or removed in a directory, by the machine's clock; None for any other
        file, and before that."""
        return self._changed_ns.get(self.normal(path))

    def _change_directory_of(self, *paths: str) -> None:
        if self.clock_ns is not None:
            for path in paths:
                self._changed_ns[posixpath.dirname(self.normal(path))] = self.clock_ns()

    def read(self, path: str, uid: int) -> bytes:
        self.check_read(path, uid)
        if (now := self.live.get(self.normal(path))) is not None:
            return now()
        return self.on_disk(path).read_bytes()

    def stat(self, path: str) -> os.stat_result:
        return os.stat(self.on_disk(path))

    def exists(self, path: str) -> bool:
        return self.on_disk(path).exists()

    def listing(self, path: str) -> list[str]:
        return sorted(os.listdir(self.on_disk(path)))

    def remove(self, path: str, uid: int) -> None:
        self.check_remove(path, uid)
        os.unlink(self.on_disk(path))
        self._owners.pop(self.normal(path), None)
        self._change_directory_of(path)

    def remove_directory(self, path: str, uid: int) -> None:
        self.check_remove(path, uid)
        os.rmdir(self.on_disk(path))
        self._changed_ns.pop(self.normal(path), None)
        self._change_directory_of(path)

    def make_directory(self, path: str, uid: int, parents: bool = False) -> None:
        if parents and self.on_disk(path).is_dir():
            return
        self.check_write(path, uid)
        if parents:
            os.makedirs(self.on_disk(path), exist_ok=True)
        else:
            os.mkdir(self.on_disk(path))
        self._owners[self.normal(path)] = uid
        self._change_directory_of(path, posixpath.join(path, "made"))

    def change_mode(self, path: str, mode: int, uid: int) -> None:
        self.check_write(path, uid)
        # The bench keeps its own access, whatever the machine's users may do.
        os.chmod(self.on_disk(path), mode | stat.S_IRUSR | stat.S_IWUSR)

    def rename(self, source: str, target: str, uid: int) -> None:
        self.check_remove(source, uid)
        self.check_write(target, uid)
        os.replace(self.on_disk(source), self.on_disk(target))
        self._owners[self.normal(target)] = self._owners.pop(self.normal(source), uid)
        self._change_directory_of(source, target)

    def matches(self, pattern: str, directory: str) -> list[str]:
        """What fits a shell pattern, seen from a directory, sorted; hidden names where the pattern names their dot."""
        found = [""]
        for slashes, part in re.findall("(/*)([^/]+|$)", pattern):
            found = [base + slashes + name for base in found for name in self._fitting(directory, base + slashes, part)]
        return sorted(found)

    def _fitting(self, directory: str, base: str, part: str) -> Iterator[str]:
        """The names below `base` that fit one part of a pattern; the empty part fits a directory behind a slash."""
        path = posixpath.join(directory, base)
        if not part:
            yield from [""] if not base.endswith("/") or self.on_disk(path).is_dir() else []
        elif not re.search(r"[*?\[]", part):
            yield from [part] if self.exists(posixpath.join(path, part)) else []
        elif self.on_disk(path).is_dir():
            hidden = part.startswith(".")
            names = [name for name in self.listing(path) if hidden or not name.startswith(".")]
            yield from fnmatch.filter(names, part)
