"""Datasets of old nights are taken away once a copy of each is found whole in an archive.

The lab makes the copies, e.g. by `rsync -a nights/ ARCHIVE/`; the archive is only read. A dataset goes only where its
every file stands there with the SHA-256 of the manifest, and both verify. It is renamed to `dataset.removing` in one
step and then deleted: what is killed between is gone on with by the next night. The night's own files and history.jsonl
stay.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from correlate import files
from correlate.dataset import Dataset, documents, durable, manifest
from correlate.dataset.anchors import UNLISTED
from correlate.errors import CorrelateError
from lab.definitions.budgets import Retention
from lab.errors import LabError
from lab.night.folders import may_go_on, records
from lab.night.record import NightRecord
from lab.run.options import holding

DATASETS = ("dataset", "again")
"""What of a night may be taken away."""

REMOVING = ".removing"
LOCK = ".lock"
SHOWN = 3
MAX_BYTES = 1 << 28
"""A longer manifest or journal is read no further."""


class _Stays(Exception):
    """Why a dataset stays."""


@dataclass(frozen=True)
class Keeping:
    """Which nights stay whatever the archive holds: those `named`, and all but old ones."""

    nights: Path
    rule: Retention
    named: frozenset[str]
    today: date


def retain(keeping: Keeping, step: Callable[[], None] = lambda: None) -> Iterator[str]:
    """Take away what may be; a line for each dataset that was, and for each reason for which old ones stay all the
    same. `step` is called before each, and ends it all where it raises."""
    yield from _gone_on_with(keeping.nights)
    stay: dict[str, list[str]] = {}
    for folder in _old(keeping):
        step()
        for name in DATASETS:
            if not os.path.lexists(folder / name):
                continue
            where = f"{folder.name}/{name}"
            try:
                freed_bytes = _taken_away(keeping, folder, name)
            except (_Stays, LabError, CorrelateError) as error:
                stay.setdefault(str(error).splitlines()[0], []).append(where)
            except OSError as error:
                why = f"{error.strerror or type(error).__name__}: {error.filename or ''}"
                stay.setdefault(why, []).append(where)
            else:
                yield f"{where} is removed, {freed_bytes / 1e6:.0f} MB: its copy in the archive is whole"
    for why, those in stay.items():
        named = ", ".join(those[:SHOWN]) + (f" and {len(those) - SHOWN} more" if len(those) > SHOWN else "")
        yield f"{named} {'stays' if len(those) == 1 else 'stay'}: {why}"


def _old(keeping: Keeping) -> list[Path]:
    """The folders of nights with a dataset, the oldest first, but for the newest and those that are named."""
    there = [path for path in sorted(keeping.nights.glob("*/")) if os.path.lexists(path / "dataset")]
    old = there[: -keeping.rule.keep_nights]
    return [path for path in old if path.name not in keeping.named]


def _gone_on_with(nights: Path) -> Iterator[str]:
    """Delete what an earlier night found whole elsewhere and had no time to delete."""
    for path in sorted(nights.glob(f"*/*{REMOVING}")):
        if path.name.removesuffix(REMOVING) not in DATASETS:
            continue
        where = f"{path.parent.name}/{path.name}"
        if path.is_symlink() or path.parent.is_symlink() or not path.is_dir():
            yield f"{where} stays: it is no folder of a night"
            continue
        try:
            _delete(path)
        except OSError as error:
            yield f"{where} stays: {error.strerror}: {error.filename}"
        else:
            yield f"{where}, which an earlier night had begun to remove, is removed"


def _taken_away(keeping: Keeping, folder: Path, name: str) -> int:
    """Remove a dataset; how many bytes it had. Raises `_Stays`, and what reading it raises."""
    here, there = folder / name, Path(keeping.rule.archive) / folder.name / name
    for path in (folder, here):
        if path.is_symlink():
            raise _Stays("it is reached through a symbolic link")
    if here.lstat().st_dev != keeping.nights.stat().st_dev or os.path.ismount(here):
        raise _Stays("it lies on another filesystem than the nights")
    _require_may_go(keeping, folder)
    _require_copy(keeping.rule.archive, there)
    dataset = Dataset(here)
    with holding(dataset):
        size_bytes = _require_same(dataset, Dataset(there))
        gone = here.with_name(f"{name}{REMOVING}")
        if os.path.lexists(gone):
            raise _Stays(f"{gone.name} is in the way")
        here.rename(gone)
        durable.sync(folder)
    _delete(gone)
    return size_bytes


def _require_may_go(keeping: Keeping, folder: Path) -> None:
    """Raise `_Stays` where something is still to come of the night, or it told an alarm."""
    own = documents.read(folder / "night.json", f"{folder.name}/night.json", NightRecord)
    later = [each for each in records(keeping.nights) if each.dataset == own.dataset]
    if any(each.verdict is None for each in later):
        raise _Stays("its night was never finished")
    if any(may_go_on(keeping.nights, each, keeping.today) for each in later):
        raise _Stays("it has trials that are still to be made")
    if not keeping.rule.alarms_too and any(alarm.loud for each in later for alarm in each.told):
        raise _Stays("its night told an alarm; alarms_too: true under retention removes such ones, too")


def _require_copy(archive: str, there: Path) -> None:
    root = Path(archive)
    if root.is_symlink() or not root.is_dir():
        raise _Stays("there is no archive")
    if files.first_link(root, there) is not None:
        raise _Stays("its copy in the archive is reached through a symbolic link")
    if not there.is_dir():
        raise _Stays("it has no copy in the archive")


def _require_same(ours: Dataset, copy: Dataset) -> int:
    """Bytes of a dataset whose copy is whole. Raises `_Stays` for everything that is not as it should be."""
    for what, dataset in (("it", ours), ("its copy", copy)):
        if not dataset.manifest_path.is_file():
            raise _Stays(f"{what} has no manifest, it is not finished")
        if problems := dataset.verify():
            raise _Stays(f"{what} does not verify: {problems[0]}")
    for one in (ours.manifest_path, ours.journal.path):
        if _read(ours, one.name) != _read(copy, one.name):
            raise _Stays(f"{one.name} of its copy is another one")
    listed = manifest.parse(_read(ours, ours.manifest_path.name)).files
    sizes = _sizes(ours)
    if strangers := sorted(set(sizes) - {*listed, *UNLISTED, LOCK}):
        raise _Stays(f"{strangers[0]} is in no manifest, so nobody knows whether it was copied")
    for name, digest in listed.items():
        here, there = ours.path / name, copy.path / name
        if os.path.samestat(here.lstat(), there.lstat()):
            raise _Stays(f"{name} of its copy is the same file and no copy")
        if durable.sha256(there) != digest:
            raise _Stays(f"{name} of its copy differs from the manifest")
    return sum(sizes.values())


def _read(dataset: Dataset, name: str) -> bytes:
    return files.read(dataset.path / name, MAX_BYTES, dataset.path)


def _sizes(dataset: Dataset) -> dict[str, int]:
    """All that is in a dataset's folder but folders, hidden and unfinished ones too, with its bytes."""
    paths = (path for path in dataset.path.rglob("*") if path.is_symlink() or not path.is_dir())
    return {path.relative_to(dataset.path).as_posix(): path.lstat().st_size for path in paths}


def _delete(path: Path) -> None:
    shutil.rmtree(path)
    durable.sync(path.parent)
