"""What figures show that is not in a `Study`: the bench's YAML, link.csv, frames with user ids, void attempts."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import yaml

from correlate import files, link
from correlate.dataset import Dataset
from correlate.dataset.record.base import Role
from correlate.errors import BadDataset, CorrelateError
from correlate.report.attempts import Void, troubles
from correlate.tables.study import Study
from correlate.trace import blocks

ROLES: tuple[Role, ...] = ("caller", "callee")
MAX_YAML_BYTES = 1 << 20
BLOCK_BYTES = 1 << 16


@dataclass(frozen=True)
class Bytes:
    """One frame of a capture: its number from 1, its bytes as captured."""

    number: int
    data: bytes


@dataclass(frozen=True)
class Linked:
    """A row of link.csv of all apps together: how often `score` ranks the true partner first, and the 95% interval."""

    score: str
    load: float
    skew_s: float
    calls_an_hour: int
    n: int
    precision_at_1: float
    low: float
    high: float
    left_out: int
    assumes: str


@dataclass(frozen=True)
class Sources:
    """`bench` is the bench's file as it was used, None where there is none that can be read. `linked` are the rows of
    link.csv and `not_linked` why there are none. `frames` are those that prove user ids, of one trial an app: trial ->
    side -> frame; `no_frames` says of an app's trial why they could not be read."""

    bench: Mapping[str, object] | None = None
    linked: tuple[Linked, ...] = ()
    not_linked: str = ""
    frames: Mapping[str, Mapping[str, Bytes]] = field(default_factory=dict)
    no_frames: Mapping[str, str] = field(default_factory=dict)
    voids: tuple[Void, ...] = ()

    @staticmethod
    def of(dataset: Dataset, study: Study) -> "Sources":
        """Reads them. What is missing or does not fit is left out, with the reason; link.csv raises `BadDataset`."""
        linked, reason = linked_rows(dataset)
        frames, no_frames = _frames(dataset, study)
        return Sources(
            bench_file(dataset, study.info.bench), linked, reason, frames, no_frames, troubles(dataset).voids,
        )  # fmt: skip


def linked_rows(dataset: Dataset) -> tuple[tuple[Linked, ...], str]:
    """The rows, and the reason where there are none. Raises `BadDataset`."""
    rows = link.read(dataset)
    if not rows or not rows[0]["load"]:
        return (), rows[0]["reason"] if rows else "link.csv has no rows"
    try:
        return tuple(_linked_row(row) for row in rows if row["app"] == link.ALL), ""
    except ValueError as error:
        raise BadDataset(f"{dataset.findings_dir / 'link.csv'}: does not fit: {error}; correlate again") from error


def _linked_row(row: Mapping[str, str]) -> Linked:
    keys = ("load", "skew_s", "precision_at_1", "precision_at_1_low", "precision_at_1_high")
    values = [float(row[key]) for key in keys]
    if not all(map(math.isfinite, values)):
        raise ValueError(f"{values} are not all finite")
    load, skew_s, share, low, high = values
    size, n, left_out = (int(row[key]) for key in ("calls_an_hour", "n", "left_out"))
    return Linked(row["score"], load, skew_s, size, n, share, low, high, left_out, row["assumes"])


def bench_file(dataset: Dataset, name: str) -> Mapping[str, object] | None:
    """The bench's YAML as it was used; None where it is missing or is no mapping."""
    path = dataset.path / "scenarios" / "benches" / f"{name}.yaml"
    if "/" in name or not name:
        return None
    try:
        text = files.read(path, MAX_YAML_BYTES, dataset.path).decode()
        found = yaml.load(text, yaml.BaseLoader)  # noqa: S506 (texts, lists and mappings alone)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def chosen(study: Study) -> dict[str, str]:
    """App -> its first trial that shows the same user id on both sides, one without more than it needs first."""
    found: dict[str, str] = {}
    for case in study.cases:
        if case.signalling["caller"].user_ids and case.signalling["callee"].user_ids:
            found.setdefault(case.app, case.trial)
    return found


def _frames(dataset: Dataset, study: Study) -> tuple[dict[str, dict[str, Bytes]], dict[str, str]]:
    frames: dict[str, dict[str, Bytes]] = {}
    missing: dict[str, str] = {}
    cases = {case.trial: case for case in study.cases}
    for trial in chosen(study).values():
        try:
            frames[trial] = {
                side: read_frame(dataset, trial, side, _proof(cases[trial].signalling[side].evidence)) for side in ROLES
            }
        except CorrelateError as error:
            missing[trial] = str(error).replace(f"{dataset.path}/", "")
    return frames, missing


def _proof(evidence: object) -> int:
    """The number of the first frame that proves a user id; 0 without any."""
    found = evidence if isinstance(evidence, tuple) else ()
    return next((each.frame for each in found if each.what.startswith("user id ")), 0)


def read_frame(dataset: Dataset, trial: str, side: Role, number: int) -> Bytes:
    """A frame of a capture, read no further than it stands. Raises `BadDataset` and `Unreadable`."""
    path = dataset.capture(trial, side)
    if (odd := files.first_link(dataset.path, path)) is not None:
        raise BadDataset(f"{odd}: is {files.LINK}, a dataset has none; put there what it leads to")
    for block in blocks(path, block_bytes=BLOCK_BYTES):
        row = number - block.frame
        if 0 <= row < len(block.records):
            start, size = int(block.records.start[row]), int(block.records.captured[row])
            return Bytes(number, block.octets[start : start + size].tobytes())
    raise BadDataset(f"{path}: has no frame {number}; correlate again")
