"""The on-disk contract of a dataset: where things stand, how they are written, and whether all of it still holds.

The lab writes through this module, the correlator reads through it. Nothing in a dataset is trusted: ids and file
names are checked before they become paths, and every file that does not fit is named.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from correlate.dataset import documents
from correlate.dataset.attempts import AttemptFolder, commit, discard_unfinished
from correlate.dataset.durable import remove, sha256, write_json, write_text
from correlate.dataset.journal import BrokenJournal, Journal
from correlate.dataset.names import is_host_name
from correlate.dataset.record import DatasetRecord, PlanEntry, Role, Side, TrialRecord, VoidRecord
from correlate.dataset.record.base import NAME
from correlate.errors import BadDataset, NewerVersion

__all__ = [
    "AttemptFolder",
    "BadDataset",
    "BrokenJournal",
    "Dataset",
    "Journal",
    "check_id",
    "check_name",
    "write_json",
    "write_text",
]

SIDES = ("caller", "callee")
MANIFEST = "manifest-sha256.txt"
JOURNAL = "journal.jsonl"

_NAME = re.compile(rf"{NAME}\Z")
_MANIFEST_LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)\Z")


def check_name(name: str) -> str:
    """`name` itself if it matches the rule for names (DESIGN), else `BadDataset`."""
    if not isinstance(name, str) or not _NAME.match(name):
        raise BadDataset(f"{name!r} is no name: names match [a-z0-9][a-z0-9_]{{0,63}}")
    return name


def check_id(trial_id: str) -> str:
    """`trial_id` itself if it is names joined by `-` of at most 200 characters, else `BadDataset`."""
    if not isinstance(trial_id, str) or len(trial_id) > 200:
        raise BadDataset(f"{str(trial_id)[:40]!r}... is no trial id: an id has at most 200 characters")
    for part in trial_id.split("-"):
        check_name(part)
    return trial_id


class Dataset:
    """One dataset folder. Making the object touches nothing on the disk."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self.info_path = self.path / "dataset.json"
        self.lock_path = self.path / ".lock"
        self.names_path = self.path / "names.json"
        self.report_path = self.path / "report.html"
        self.manifest_path = self.path / MANIFEST
        self.trials_dir = self.path / "trials"
        self.attempts_dir = self.path / "attempts"
        self.truth_dir = self.path / "truth"
        self.findings_dir = self.path / "findings"
        self.tables_dir = self.path / "tables"
        self.journal = Journal(self.path / JOURNAL)

    def info(self) -> DatasetRecord:
        """dataset.json. Raises `BadDataset`, `NewerVersion` where its schema is above this one."""
        hint = "; put back the file as it was recorded"
        return documents.read(self.info_path, str(self.info_path), DatasetRecord, hint)

    def plan(self) -> list[PlanEntry]:
        """The planned trials, in order."""
        return self.info().plan

    def trial_ids(self) -> list[str]:
        """Complete trials (their folder exists under its final name), in plan order."""
        return [entry.id for entry in self.plan() if (self.trials_dir / entry.id).is_dir()]

    def trial_dir(self, trial_id: str) -> Path:
        """Where a complete trial stands; the folder need not exist."""
        return self.trials_dir / check_id(trial_id)

    def record(self, trial_id: str) -> TrialRecord:
        """trial.json of a complete trial. Raises `BadDataset`."""
        label = f"trials/{trial_id}/trial.json"
        record = documents.read(self.trial_dir(trial_id) / "trial.json", label, TrialRecord)
        if record.trial != trial_id:
            raise BadDataset(f"{label}: trial: must be {trial_id}, is {record.trial}")
        return record

    def capture(self, trial_id: str, side: Role) -> Path:
        """The capture file of one side, `caller` or `callee`. Raises `BadDataset`."""
        return self.trial_dir(trial_id) / self.record(trial_id).sides[side].capture

    def void(self, trial_id: str, attempt: int) -> VoidRecord:
        """void.json of a void attempt. Raises `BadDataset`."""
        folder = f"{check_id(trial_id)}.{attempt}"
        return documents.read(self.attempts_dir / folder / "void.json", f"attempts/{folder}/void.json", VoidRecord)

    def names(self) -> dict[str, dict[str, Any]]:
        """names.json: address -> {name, how, when_ns, earlier} (`names`); empty before names were asked for."""
        return documents.parse(self.names_path, str(self.names_path)) if self.names_path.exists() else {}

    def host_names(self) -> dict[str, str]:
        """Address -> host name, of the addresses in names.json that have one.

        Only what can be a host name is given. Raises `BadDataset` for an entry that is no object.
        """
        found = {}
        for address, entry in self.names().items():
            if not isinstance(entry, dict):
                raise BadDataset(f"{self.names_path}: the entry of {address!r} is no object")
            if is_host_name(entry.get("name")):
                found[address] = str(entry["name"])
        return found

    def drop_manifest(self) -> None:
        """Takes the manifest away: call it before anything that it lists is changed."""
        remove(self.manifest_path)

    def write_manifest(self) -> None:
        """manifest-sha256.txt over every file but itself, the journal and what is not finished; sorted by path."""
        lines = []
        for path in self._content():
            if "\n" in path.name or "\\" in path.name:
                raise BadDataset(f"{path.name!r}: a file name that no manifest can hold")
            lines.append(f"{sha256(path)}  {path.relative_to(self.path).as_posix()}\n")
        write_text(self.manifest_path, "".join(lines))

    def attempt(self, trial_id: str) -> AttemptFolder:
        """The next attempt at a trial, to be made within a `with`."""
        return AttemptFolder(self.trials_dir, self.attempts_dir, self.journal, check_id(trial_id))

    def commit_trial(self, trial_id: str) -> Path:
        """Renames `trials/ID.partial`, in which everything is verified, to `trials/ID`; durable on return."""
        final = self.trial_dir(trial_id)
        commit(final.with_name(f"{trial_id}.partial"), final)
        return final

    def put_right(self) -> None:
        """Put right what an earlier run left: unfinished folders, and a journal that says otherwise of which trials are
        complete than the folders do."""
        discard_unfinished(self.trials_dir, self.journal)
        complete: set[str] = set()
        for entry in self.journal.read():
            if entry.event == "completed":
                complete.add(str(entry.trial))
            elif entry.event == "lost":
                complete.discard(str(entry.trial))
        there = set(self.trial_ids())
        for trial_id in sorted(complete - there):
            self.journal.append("lost", trial=trial_id)
        for trial_id in sorted(there - complete):
            try:
                recorded: TrialRecord | None = self.record(trial_id)
            except BadDataset:
                recorded = None  # What is wrong with it the findings say, and the exit code.
            attempt, captures = (recorded.attempt, recorded.captures) if recorded else (None, None)
            self.journal.append("completed", trial=trial_id, attempt=attempt, captures=captures)

    def verify(self) -> list[str]:
        """Problems, one line each; empty if all that is complete is still what was recorded.

        Where a manifest is, it lists every file. Unfinished folders, a run that stopped half way and a journal line
        that a power loss cut are no problems. Raises `NewerVersion` where dataset.json is of one.
        """
        try:
            planned = [entry.id for entry in self.plan()]
        except NewerVersion:
            raise
        except BadDataset as error:
            return [str(error)]
        hashes: dict[Path, str] = {}
        problems = [f"{path.relative_to(self.path)}: is a symbolic link" for path in self._files() if path.is_symlink()]
        problems += self._foreign_trials(planned)
        for trial_id in planned:
            if self.trial_dir(trial_id).is_dir():
                problems += self._trial_problems(trial_id, hashes)
        problems += [problem] if (problem := self.journal.problem()) else []
        return problems + self._manifest_problems(hashes)

    def _foreign_trials(self, planned: list[str]) -> list[str]:
        known = set(planned)
        folders = sorted(self.trials_dir.iterdir()) if self.trials_dir.is_dir() else []
        return [
            f"trials/{folder.name}: is not a trial of this dataset's plan"
            for folder in folders
            if folder.name not in known and folder.suffix != ".partial"
        ]

    def _trial_problems(self, trial_id: str, hashes: dict[Path, str]) -> list[str]:
        try:
            sides = self.record(trial_id).sides
        except BadDataset as error:
            return [str(error)]
        problems: list[str] = []
        for side in sides.values():
            path = self.trial_dir(trial_id) / side.capture
            problems += _capture_problems(path, f"trials/{trial_id}/{path.name}", side, hashes)
        return problems

    def _manifest_problems(self, hashes: dict[Path, str]) -> list[str]:
        if not self.manifest_path.exists():
            return []
        problems = []
        listed: set[Path] = set()
        lines = self.manifest_path.read_text(encoding="utf-8", errors="replace").splitlines()
        for number, line in enumerate(lines, 1):
            match = _MANIFEST_LINE.match(line)
            if match is None or not _is_inside(match[2]):
                problems.append(f"{MANIFEST}:{number}: is no line of a manifest")
                continue
            path = self.path / match[2]
            listed.add(path)
            if not path.is_file() or path.is_symlink():
                problems.append(f"{match[2]}: is in the manifest, but not in the dataset")
            elif (hashes.get(path) or sha256(path)) != match[1]:
                problems.append(f"{match[2]}: differs from the manifest")
        unlisted = (path.relative_to(self.path) for path in self._content() if path not in listed)
        return problems + [f"{path}: is not in the manifest; correlate again" for path in unlisted]

    def _files(self) -> Iterator[Path]:
        for path in sorted(self.path.rglob("*")):
            parts = path.relative_to(self.path).parts
            if not any(part.startswith(".") or part.endswith(".partial") for part in parts):
                yield path

    def _content(self) -> Iterator[Path]:
        """Every file that a manifest lists: all but itself, the journal and what is not finished."""
        for path in self._files():
            if path.is_file() and not path.is_symlink() and path not in (self.manifest_path, self.journal.path):
                yield path


def _capture_problems(path: Path, label: str, recorded: Side, hashes: dict[Path, str]) -> list[str]:
    if not path.is_file() or path.is_symlink():
        return [f"{label}: is missing"]
    size_bytes = path.stat().st_size
    if size_bytes != recorded.bytes:
        return [f"{label}: has {size_bytes} bytes, {recorded.bytes} were recorded"]
    hashes[path] = sha256(path)
    if hashes[path] != recorded.sha256:
        return [f"{label}: its SHA-256 differs from the one recorded"]
    return []


def _is_inside(relative: str) -> bool:
    path = Path(relative)
    return not path.is_absolute() and ".." not in path.parts
