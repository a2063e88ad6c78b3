"""The on-disk contract of a dataset: where things stand, how they are written, and whether all of it still holds.

The lab writes through this module, the correlator reads through it. Nothing in a dataset is trusted: ids and file
names are checked before they become paths, and every file that does not fit is named.
"""

import hashlib
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from correlate.dataset import documents, links, manifest
from correlate.dataset.anchors import (
    ATTEMPTS,
    INFO,
    JOURNAL,
    MANIFEST,
    NAMES,
    SCENARIOS,
    STATUS,
    TRIALS,
    TRUTH,
    UNLISTED,
    Anchors,
    Kept,
    folder_of,
    unfinished_place,
)
from correlate.dataset.attempts import AttemptFolder, commit, discard_unfinished, rename
from correlate.dataset.contents import hashes
from correlate.dataset.durable import make_directory, readable, remove, replacing, sha256, write_json, write_text
from correlate.dataset.examination import Examined, examine
from correlate.dataset.journal import BrokenJournal, Clean, Journal, as_it_is
from correlate.dataset.names import is_host_name, misshapen
from correlate.dataset.record import DatasetRecord, PlanEntry, Role, TrialRecord, VoidRecord
from correlate.dataset.record.base import NAME
from correlate.errors import BadDataset, Damaged, NewerVersion
from correlate.files import first_link

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

MOST_KEPT = 500
"""So many records are read once as long as their files do not change: findings, tables and page all ask for them."""
LOOKS = 3
"""How often a dataset is looked at whose journal grows meanwhile: a run may be at it."""

_NAME = re.compile(rf"{NAME}\Z")
_ID = re.compile(rf"{NAME}(-{NAME})*\Z")


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
    """One dataset folder. Making the object touches nothing on the disk.

    Words go into its journal, its documents and its report as `clean` gives them.
    """

    def __init__(self, path: Path, clean: Clean = as_it_is) -> None:
        self.path = Path(path)
        self.info_path = self.path / INFO
        self.lock_path = self.path / ".lock"
        self.names_path = self.path / NAMES
        self.report_path = self.path / "report.html"
        self.status_path = self.path / STATUS
        self.manifest_path = self.path / MANIFEST
        self.trials_dir = self.path / TRIALS
        self.attempts_dir = self.path / ATTEMPTS
        self.truth_dir = self.path / TRUTH
        self.trials_path = self.path / "trials.csv"
        self.findings_dir = self.path / "findings"
        self.tables_dir = self.path / "tables"
        self.journal = Journal(self.path / JOURNAL, clean)
        self._records: dict[str, tuple[tuple[int, ...], TrialRecord]] = {}

    def make(self) -> None:
        """The folder, open to its owner alone; one that is there stays as it is. What is in it points to people."""
        make_directory(self.path, 0o700)

    def info(self) -> DatasetRecord:
        """dataset.json. Raises `BadDataset`, `NewerVersion` where its schema is above this one."""
        hint = "; put back the file as it was recorded"
        return documents.read(self.info_path, str(self.info_path), DatasetRecord, hint, self.path)

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
        label, path = f"trials/{trial_id}/trial.json", self.trial_dir(trial_id) / "trial.json"
        as_it_is = _state(path, self.path)
        if as_it_is and (before := self._records.get(trial_id)) and before[0] == as_it_is:
            return before[1]
        record = documents.read(path, label, TrialRecord, within=self.path)
        if record.trial != trial_id:
            raise BadDataset(f"{label}: trial: must be {trial_id}, is {record.trial}")
        if len(self._records) < MOST_KEPT:
            self._records[trial_id] = as_it_is, record
        return record

    def capture(self, trial_id: str, side: Role) -> Path:
        """The capture file of one side, `caller` or `callee`. Raises `BadDataset`."""
        return self.trial_dir(trial_id) / self.record(trial_id).sides[side].capture

    def void(self, kept: Kept) -> VoidRecord:
        """void.json of a void attempt. Raises `BadDataset`."""
        check_id(kept.trial)
        folder = kept.name
        label, path = f"attempts/{folder}/void.json", self.attempts_dir / folder / "void.json"
        return documents.read(path, label, VoidRecord, within=self.path)

    def names(self) -> dict[str, dict[str, Any]]:
        """names.json: address -> {name, how, when_ns, earlier} (`names`); empty before names were asked for."""
        label = str(self.names_path)
        return documents.parse(self.names_path, label, self.path) if self.names_path.exists() else {}

    def host_names(self) -> dict[str, str]:
        """Address -> host name, of the addresses in names.json that have one.

        Only what can be a host name is given. Raises `BadDataset` for what has not the shape of an entry.
        """
        found = {}
        for address, entry in self.names().items():
            if wrong := misshapen(entry):
                raise BadDataset(f"{self.names_path}: the entry of {address!r} {wrong}")
            if is_host_name(entry.get("name")):
                found[address] = str(entry["name"])
        return found

    def begin(self, info: DatasetRecord, scenarios: Mapping[str, str]) -> None:
        """Writes a new dataset's copy of the YAML, name -> text, and, last, dataset.json, both bound by the journal."""
        shutil.rmtree(self.path / SCENARIOS, ignore_errors=True)
        for name, text in scenarios.items():
            write_text(self.path / SCENARIOS / name, text)
        data = documents.as_bytes(documents.cleaned(info, self.journal.clean))
        files = {INFO: hashlib.sha256(data).hexdigest()} | self._scenarios()
        with replacing(self.info_path, data):
            self.journal.append("begun", files=files)

    def _scenarios(self) -> dict[str, str]:
        return {f"{SCENARIOS}/{name}": digest for name, digest in hashes(self.path / SCENARIOS).items()}

    def reopen(self) -> None:
        """Takes the manifest away: call it before anything that it lists is changed. Raises `Damaged` where something
        would be written through a link."""
        links.refuse(self.path)
        if MANIFEST in Anchors(self.journal.read()).files:
            self.journal.append("reopened")
        remove(self.manifest_path)

    def write_manifest(self) -> None:
        """manifest-sha256.txt over every file but `UNLISTED` and what is not finished; sorted by path."""
        listed = {name: digest for name, digest in hashes(self.path).items() if name not in UNLISTED}
        data = manifest.text(listed, (len(self.journal.read()), self.journal.head())).encode()
        with replacing(self.manifest_path, data):
            self.journal.append("finished", files={MANIFEST: hashlib.sha256(data).hexdigest()})

    def write_names(self, names: Mapping[str, Mapping[str, Any]]) -> None:
        """names.json, sorted by address, bound by the journal."""
        data = readable(dict(sorted(names.items()))).encode()
        with replacing(self.names_path, data):
            self.journal.append("resolved", files={NAMES: hashlib.sha256(data).hexdigest()})

    def attempt(self, trial_id: str) -> AttemptFolder:
        """The next attempt at a trial, to be made within a `with`."""
        return AttemptFolder(self.path, self.journal, check_id(trial_id))

    def commit_trial(self, trial_id: str) -> Path:
        """Renames `trials/ID.partial`, in which everything is verified, to `trials/ID`, bound by the journal."""
        commit(self.path, self.journal, check_id(trial_id), 0)
        return self.trial_dir(trial_id)

    def journal_problem(self) -> str:
        """Why the journal cannot be gone on with; empty where it can."""
        if problem := self.journal.problem():
            return problem
        return "" if self.journal.read() else f"{self.journal.path}: holds no line"

    def begin_journal_anew(self) -> str:
        """Keeps a journal that does not hold under another name, which is returned (empty where there was none), and
        begins a new one with what is here: `put_right` adds the rest."""
        remove(self.manifest_path)
        kept = self.journal.begin_anew()
        self.journal.append("begun", files={INFO: sha256(self.info_path)} | self._scenarios())
        return kept

    def finish(self) -> None:
        """Renames what a killed command had written and journalled, but not renamed. Raises `BrokenJournal`."""
        last = Anchors(self.journal.read()).last()
        for folder in {folder_of(path) for path in last} - {""}:
            waiting = unfinished_place(folder)
            files = {path[len(folder) + 1 :]: digest for path, digest in last.items() if folder_of(path) == folder}
            if not (self.path / folder).exists() and hashes(self.path / waiting) == files:
                rename(self.path / waiting, self.path / folder)
        for path, digest in last.items():
            waiting_file = self.path / unfinished_place(path)
            if not folder_of(path) and waiting_file.is_file() and sha256(waiting_file) == digest:
                rename(waiting_file, self.path / path)

    def unjournalled(self) -> list[tuple[str, dict[str, Any]]]:
        """What there is and what the journal says there is differ by these events, each with its fields. Raises
        `BrokenJournal`."""
        anchors = Anchors(self.journal.read())
        there = {f"{TRIALS}/{trial_id}": {"trial": trial_id} for trial_id in self.trial_ids()} | self._kept_attempts()
        lost = [(folder, _about(folder)) for folder in sorted(set(anchors.folders) - set(there))]
        files = [path for path in anchors.files if "/" not in path and path != INFO and not (self.path / path).exists()]
        found = [(folder, about) for folder, about in there.items() if folder not in anchors.folders]
        events: list[tuple[str, dict[str, Any]]] = [("lost", about) for _, about in lost]
        events += [("lost", {"file": path}) for path in files]
        for folder, about in found:
            held = {f"{folder}/{name}": digest for name, digest in hashes(self.path / folder).items()}
            truth = f"{TRUTH}/{about['trial']}.json"
            if folder.startswith(f"{TRIALS}/") and (self.path / truth).is_file():
                held[truth] = sha256(self.path / truth)
            events.append(("found", {**about, "files": held}))
        if anchors.is_whole and NAMES not in anchors.files and self.names_path.is_file():
            events.append(("found", {"files": {NAMES: sha256(self.names_path)}}))
        return events

    def _kept_attempts(self) -> dict[str, dict[str, Any]]:
        folders = sorted(self.attempts_dir.iterdir()) if self.attempts_dir.is_dir() else []
        known = (kept for path in folders if path.is_dir() and (kept := Kept.of(path.name)) is not None)
        return {f"{ATTEMPTS}/{kept.name}": _about(f"{ATTEMPTS}/{kept.name}") for kept in known if _ID.match(kept.trial)}

    def put_right(self) -> None:
        """Puts right what an earlier run left: what was not finished, and a journal that says otherwise of
        what there is than the folders do. Raises `BrokenJournal`."""
        self.finish()
        discard_unfinished(self.path, self.journal)
        for event, fields in self.unjournalled():
            self.journal.append(event, **fields)

    def examine(self) -> Examined:
        """Everything against the journal, the records and the manifest.

        Unfinished folders, a run that stopped half way and a journal line that a power loss cut are no problems. Raises
        `NewerVersion` where dataset.json is of one.
        """
        try:
            planned = [entry.id for entry in self.plan()]
        except NewerVersion:
            raise
        except BadDataset as error:
            return Examined(recorded=(str(error),))
        for _ in range(LOOKS):
            before = self.journal.size_bytes()
            examined = examine(self.path, self.journal, planned, self.record)
            if not examined.problems or self.journal.size_bytes() == before:
                break
        return examined

    def verify(self) -> list[str]:
        """The problems that `examine` finds, a line each; empty if all that is complete is what was recorded."""
        return list(self.examine().problems)

    def require_recorded(self) -> Examined:
        """Call it, holding the dataset, before anything is computed or written: everything that was recorded is as it
        was. Finishes what a killed command left; returns what else was found. Raises `Damaged`, a line for each thing.
        """
        links.refuse(self.path)
        if not self.journal.problem():
            self.finish()
        examined = self.examine()
        if examined.recorded:
            todo = "put back what was recorded; a trial whose folder is taken away is run again by run-matrix"
            raise Damaged("\n".join([*examined.recorded, f"{self.path}: nothing is written; {todo}"]))
        return examined


def _state(path: Path, within: Path) -> tuple[int, ...]:
    """What changes with a file of a dataset; empty where there is none, or a link on the way to it."""
    try:
        if first_link(within, path):
            return ()
        found = path.lstat()
    except OSError:
        return ()
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _about(folder: str) -> dict[str, Any]:
    top, _, name = folder.partition("/")
    kept = Kept.of(name) if top == ATTEMPTS else None
    if kept is None:
        return {"trial": name}
    spoilt = {} if kept.spoilt is None else {"spoilt": kept.spoilt}
    return {"trial": kept.trial, "attempt": kept.attempt, **spoilt}
