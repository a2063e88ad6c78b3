"""Files that are either the old ones or the new ones, also after a power loss."""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from correlate import files
from correlate.errors import Damaged

BLOCK_BYTES = 1 << 20


def write_bytes(path: Path, data: bytes) -> None:
    """Puts `data` at `path` in one step: temporary name, fsync, rename, fsync of the folder."""
    with replacing(path, data):
        pass


@contextmanager
def replacing(path: Path, data: bytes) -> Iterator[None]:
    """`write_bytes` with a block between: `data` is on the disk under its temporary name, and is renamed after it.

    The temporary name ends in `.partial`, which nothing in a dataset counts as content. Where the block raises, the
    file stays under it.
    """
    make_directory(path.parent)
    temporary = unfinished(path)
    temporary.unlink(missing_ok=True)  # A link in its place is not followed: what is new is made, and made here.
    with temporary.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    yield
    temporary.replace(path)
    sync(path.parent)


def unfinished(path: Path) -> Path:
    """The temporary name of a file that is being written."""
    return path.with_name(f".{path.name}.partial")


def write_text(path: Path, text: str) -> None:
    """`write_bytes` of UTF-8 text, line ends as they are."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, obj: object) -> None:
    """`write_text` of readable JSON; keys keep the order they were given."""
    write_text(path, readable(obj))


def readable(obj: object) -> str:
    """The text that `write_json` writes."""
    return json.dumps(obj, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def appending(path: Path) -> BinaryIO:
    """The regular file at `path`, made where it is missing, open for writing at its end. Raises `Damaged` where a link
    or something else stands there."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    if os.path.lexists(path) and (what := files.odd(path)):
        raise Damaged(f"{path}: is {what}, nothing is written there; move it away")
    return os.fdopen(os.open(path, flags, 0o666), "ab")


def remove(path: Path) -> None:
    """Takes a file away for good; one that is not there is fine."""
    if path.exists():
        path.unlink()
        sync(path.parent)


def make_directory(path: Path, mode: int = 0o777) -> None:
    """Makes a folder, and those above it that are missing, so that their names survive a power loss; what is there
    stays as it is. `mode` is that of the folder itself."""
    if path.is_dir():
        return
    make_directory(path.parent)
    path.mkdir(mode, exist_ok=True)
    sync(path.parent)


def sync(path: Path) -> None:
    """Makes the bytes of a file, or the names that were created, renamed or removed in a folder, survive a power
    loss."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256(path: Path) -> str:
    """SHA-256 of a regular file's bytes, in hex. Raises `OSError`."""
    digest = hashlib.sha256()
    with files.opened(path) as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
