"""Files that are either the old ones or the new ones, also after a power loss."""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = unfinished(path)
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    yield
    temporary.replace(path)
    sync_directory(path.parent)


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


def remove(path: Path) -> None:
    """Takes a file away for good; one that is not there is fine."""
    if path.exists():
        path.unlink()
        sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Makes names that were created, renamed or removed in `directory` survive a power loss."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
