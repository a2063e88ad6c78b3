"""Symbolic links in a dataset: who hands one on may have put them there, and they lead wherever he likes."""

import os
from collections.abc import Iterator
from pathlib import Path

from correlate import files
from correlate.errors import Damaged

FINISHED = ("trials", "attempts")
"""In these nothing is written into what has its final name; a link there is a trial that cannot be read."""


def refuse(root: Path) -> None:
    """Raises `Damaged` where something in a dataset would be written through a link: call it before anything is.

    The dataset's own path may be a link, as whoever names it likes.
    """
    for entry in _written(root):
        if entry.is_symlink():
            text = f"is {files.LINK}, and nothing in a dataset is written through one; put there what it leads to"
            raise Damaged(f"{entry.path}: {text}")


def _written(root: Path) -> Iterator[os.DirEntry[str]]:
    """What stands in a dataset and in its folders, where a command may write."""
    for entry in _entries(root):
        yield entry
        if entry.is_dir(follow_symlinks=False):
            inside = _entries(Path(entry.path))
            yield from (one for one in inside if entry.name not in FINISHED or one.name.endswith(".partial"))


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    if not folder.is_dir():
        return []
    with os.scandir(folder) as found:
        return sorted(found, key=lambda entry: entry.name)
