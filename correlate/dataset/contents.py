"""Which files count as content of a dataset: all but what is hidden and what is being written."""

from collections.abc import Iterator
from pathlib import Path

from correlate.dataset.durable import sha256
from correlate.errors import BadDataset


def paths(folder: Path) -> Iterator[Path]:
    """Everything in a folder and its folders that counts, in order: files, folders, and what is neither."""
    for path in sorted(folder.rglob("*"), key=Path.as_posix):
        if not any(part.startswith(".") or part.endswith(".partial") for part in path.relative_to(folder).parts):
            yield path


def files(folder: Path) -> dict[str, Path]:
    """Path within a folder, by `/` -> the regular files in it that count, in order.

    Raises `BadDataset` for a name that no manifest can hold.
    """
    found = {}
    for path in paths(folder):
        if path.is_file() and not path.is_symlink():
            name = path.relative_to(folder).as_posix()
            if not name.isprintable() or "\\" in name:
                raise BadDataset(f"{name!r}: a file name that no manifest can hold; rename it")
            found[name] = path
    return found


def hashes(folder: Path) -> dict[str, str]:
    """Path within a folder -> SHA-256 of each of its `files`. Raises `BadDataset`."""
    return {name: sha256(path) for name, path in files(folder).items()}
