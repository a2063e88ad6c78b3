"""What a power loss leaves of a folder: what was fsynced, by the notes of `benchmarks/unsynced/sitecustomize.py`.

Two kinds, since file systems differ: a file system that writes names in their order keeps names of files whose bytes it
has not written; one that does not loses both. Bytes that were not fsynced are gone, or zeros.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

HOOK = Path(__file__).resolve().parent / "unsynced"
NOTES = "IM_CALL_LAB_SYNCED"


@dataclass
class Synced:
    """What is on the disk for good, by the number of an inode."""

    folders: dict[int, Mapping[str, tuple[int, bool]]] = field(default_factory=dict)
    files: dict[int, Path] = field(default_factory=dict)

    @classmethod
    def of(cls, notes: Path) -> Synced:
        """As all programs noted it; a last note that was never finished is of an fsync that nobody waited for."""
        lines = []
        for path in notes.glob("*.jsonl"):
            whole = path.read_text().rpartition("\n")[0]
            lines += [json.loads(line) for line in whole.splitlines()]
        synced = cls()
        for line in sorted(lines, key=lambda each: each["at_ns"]):
            if "names" in line:
                synced.folders[line["inode"]] = line["names"]
            else:
                synced.files[line["inode"]] = notes / line["bytes"]
        return synced


def lose(root: Path, notes: Path, draw: Random, *, names_too: bool) -> int:
    """Make `root` what a power loss leaves of it; the number of files and folders that are not as they were."""
    synced, left = Synced.of(notes), root.with_name(f"{root.name}.left")
    loss = _Loss(synced, draw)
    left.mkdir()
    if names_too:
        loss.by_names(root.stat().st_ino, left)
    else:
        loss.by_tree(root, left)
    lost = sum(_bytes(path) != _bytes(left / path.relative_to(root)) for path in root.rglob("*"))
    shutil.rmtree(root)
    left.rename(root)
    return lost


def _bytes(path: Path) -> bytes | str | None:
    return path.read_bytes() if path.is_file() else "folder" if path.is_dir() else None


@dataclass
class _Loss:
    synced: Synced
    draw: Random

    def by_names(self, inode: int, target: Path) -> None:
        """What is below a folder: the names that were fsynced, with the bytes that were."""
        for name, (number, is_folder) in self.synced.folders.get(inode, {}).items():
            if is_folder:
                (target / name).mkdir()
                self.by_names(number, target / name)
            else:
                self._file(number, target / name, lambda: 0)

    def by_tree(self, source: Path, target: Path) -> None:
        """What is below a folder: all names as they are, with the bytes that were fsynced."""
        for path in source.iterdir():
            if path.is_dir():
                (target / path.name).mkdir()
                self.by_tree(path, target / path.name)
            else:
                about = path.stat()
                self._file(about.st_ino, target / path.name, lambda size=about.st_size: size)  # type: ignore[misc]

    def _file(self, inode: int, target: Path, size_bytes: Callable[[], int]) -> None:
        if inode in self.synced.files:
            shutil.copyfile(self.synced.files[inode], target)
        else:
            target.write_bytes(bytes(size_bytes()) if self.draw.random() < 0.5 else b"")
