"""Opening what somebody else made: regular files alone, at once, and none of a dataset through a link.

A FIFO would keep its reader waiting for a writer, a device has no end, and a link may lead anywhere. All errors are
`OSError`, whose `strerror` is for people: `Is a FIFO; only regular files are read`.
"""

import errno
import os
import stat
from io import BufferedReader, FileIO, TextIOWrapper
from pathlib import Path

LINK = "a symbolic link"
_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
    stat.S_IFLNK: LINK,
}
# O_NONBLOCK: nobody waits, should a FIFO have come there in between; O_NOCTTY: nor does a terminal become ours.
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


def opened(path: str | os.PathLike[str], within: Path | None = None) -> FileIO:
    """The regular file at `path`, open for reading. What is none is not even opened, and nobody waits.

    A link is followed, but for a file `within` a dataset: there neither it nor a folder on the way may be one; the
    dataset's own path may. Raises `OSError`.
    """
    if within is not None and (link := first_link(within, Path(path))) is not None:
        where = "" if link == Path(path) else f"{link.relative_to(within)} "
        raise OSError(errno.ELOOP, f"{where}is {LINK}, a dataset has none; put there what it leads to", os.fspath(path))
    _require_regular(os.stat(path).st_mode, path)
    descriptor = os.open(path, _READ | (os.O_NOFOLLOW if within is not None else 0))
    try:
        _require_regular(os.fstat(descriptor).st_mode, path)
        return FileIO(descriptor)
    except BaseException:
        os.close(descriptor)
        raise


def text(path: str | os.PathLike[str], within: Path | None = None) -> TextIOWrapper:
    """The same as UTF-8 text with its line ends, for csv. Raises `OSError`."""
    return TextIOWrapper(BufferedReader(opened(path, within)), encoding="utf-8", newline="")


def read(path: str | os.PathLike[str], most: int = -1, within: Path | None = None) -> bytes:
    """The first `most` bytes of the file, or all of them. Raises `OSError`."""
    with BufferedReader(opened(path, within)) as file:
        return file.read(most)


def first_link(root: Path, path: Path) -> Path | None:
    """The first symbolic link on the way from `root`, itself left out, to `path`, which lies below it; None without."""
    below = path.relative_to(root)
    way = [root / each for each in (*reversed(below.parents), below)][1:]
    return next((place for place in way if place.is_symlink()), None)


def odd(path: Path) -> str:
    """What stands at `path` in words, `a FIFO` or `a symbolic link`; empty for a regular file and for a directory."""
    mode = path.lstat().st_mode
    return "" if stat.S_ISREG(mode) or stat.S_ISDIR(mode) else _kind(mode)


def _kind(mode: int) -> str:
    return _KINDS.get(stat.S_IFMT(mode), "no regular file")


def _require_regular(mode: int, path: str | os.PathLike[str]) -> None:
    if stat.S_ISDIR(mode):
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, f"Is {_kind(mode)}; only regular files are read", os.fspath(path))
