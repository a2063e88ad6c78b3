"""Whether everything in a dataset still is what was recorded and computed: each file against the journal, the record of
its trial, and the manifest."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from correlate.dataset import contents, manifest
from correlate.dataset.anchors import (
    ATTEMPTS,
    JOURNAL,
    MANIFEST,
    NAMES,
    TRIALS,
    TRUTH,
    UNLISTED,
    Anchors,
    folder_of,
    is_recorded,
    unfinished_place,
)
from correlate.dataset.durable import sha256
from correlate.dataset.journal import BrokenJournal, Journal
from correlate.dataset.record import JournalLine, Side, TrialRecord
from correlate.errors import BadDataset


@dataclass(frozen=True)
class Examined:
    """A line for each thing that is not as it should be: of what was `recorded`, which no command may sign then; of
    records that are `unreadable`, but perhaps as they were written; of what was `computed`, which `correlate` makes
    new. `manifest_only` are the recorded files of which the journal says
    nothing, since an earlier version wrote it; `found` are the folders that it has only since it was begun anew."""

    recorded: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    computed: tuple[str, ...] = ()
    manifest_only: tuple[str, ...] = ()
    found: tuple[str, ...] = ()

    @property
    def problems(self) -> tuple[str, ...]:
        """All that is not as it should be."""
        return self.recorded + self.unreadable + self.computed


def examine(root: Path, journal: Journal, plan: Sequence[str], record: Callable[[str], TrialRecord]) -> Examined:
    """Looks at every file of a dataset with this plan; `record` reads a trial.json or raises `BadDataset`."""
    examination = _Examination(root, journal)
    examination.look(plan, record)
    return examination.result()


class _Examination:
    def __init__(self, root: Path, journal: Journal) -> None:
        self._root = root
        self._recorded: dict[str, str] = {}
        self._unreadable: dict[str, str] = {}
        self._computed: dict[str, str] = {}
        self._gone: set[str] = set()
        self._hashes: dict[str, str] = {}
        # Those whose SHA-256 an earlier version journalled.
        self._captures: set[str] = set()
        # Before the journal is read: what a command finishes meanwhile then has its line.
        self._files = self._list()
        self._lines, self._head = self._read(journal)
        self._anchors = Anchors(self._lines)
        held = self._anchors.files
        self._unanchored = [
            name for name in self._files if is_recorded(name) and name not in held and not self._is_unfinished(name)
        ]

    def look(self, plan: Sequence[str], record: Callable[[str], TrialRecord]) -> None:
        self._look_at_trials(plan, record)
        for folder, line in self._anchors.folders.items():
            is_unfinished = line == len(self._lines) and (self._root / unfinished_place(folder)).is_dir()
            if not (self._root / folder).is_dir() and not is_unfinished:
                self._gone.add(folder)
                self._recorded.setdefault(folder, f"is in the journal, line {line}, but not in the dataset")
        for path, (digest, line) in self._anchors.files.items():
            if path != MANIFEST and folder_of(path) not in self._gone:
                self._look_at(path, digest, line)
        for name in self._unanchored:
            if not self._anchors.is_earlier(name):
                self._tell(name, "is not in the journal")
        self._look_at_manifest()

    def result(self) -> Examined:
        """What was found; the first thing of each file."""
        unreadable = {path: text for path, text in self._unreadable.items() if path not in self._recorded}
        alone = (name for name in self._unanchored if self._anchors.is_earlier(name) and name not in self._captures)
        found = tuple(sorted(self._anchors.found))
        return Examined(_texts(self._recorded), _texts(unreadable), _texts(self._computed), tuple(alone), found)

    def _tell(self, path: str, text: str) -> None:
        (self._recorded if is_recorded(path) or path in (JOURNAL, MANIFEST) else self._computed).setdefault(path, text)

    def _list(self) -> dict[str, Path]:
        for path in contents.paths(self._root):
            name = path.relative_to(self._root).as_posix()
            if path.is_symlink():
                self._recorded[name] = "is a symbolic link"
            elif not path.is_dir() and not path.is_file():
                self._tell(name, "is no regular file")
        try:
            found = contents.files(self._root)
        except BadDataset as error:
            self._recorded["."] = str(error)
            found = {}
        return {name: path for name, path in found.items() if name not in UNLISTED}

    def _read(self, journal: Journal) -> tuple[list[JournalLine], str]:
        try:
            lines, head = journal.read(), journal.head()
        except BrokenJournal as error:
            self._recorded[JOURNAL] = str(error).removeprefix(f"{journal.path}:")
            return [], ""
        begun = (f"{TRIALS}/", f"{ATTEMPTS}/", f"{TRUTH}/", NAMES)
        if not lines and (self._has(MANIFEST) or any(name.startswith(begun) for name in self._files)):
            self._recorded[JOURNAL] = "holds no line" if journal.path.exists() else "is missing"
        return lines, head

    def _look_at_trials(self, plan: Sequence[str], record: Callable[[str], TrialRecord]) -> None:
        planned = set(plan)
        for folder in sorted((self._root / TRIALS).iterdir()) if (self._root / TRIALS).is_dir() else ():
            if folder.name not in planned and folder.suffix != ".partial":
                self._recorded.setdefault(f"{TRIALS}/{folder.name}", "is not a trial of this dataset's plan")
        for trial_id in plan:
            folder_name = f"{TRIALS}/{trial_id}"
            if not (self._root / folder_name).is_dir():
                continue
            try:
                sides = record(trial_id).sides
            except BadDataset as error:
                self._unreadable[f"{folder_name}/trial.json"] = str(error).partition(": ")[2]
                continue
            for role, side in sides.items():
                self._look_at_capture(f"{folder_name}/{side.capture}", side)
                told = self._anchors.captures.get(folder_name)
                if told is None:
                    continue
                self._captures.add(f"{folder_name}/{side.capture}")
                if told[role] != side.sha256:
                    text = f"the SHA-256 of the {role}'s capture differs from the journal"
                    self._recorded.setdefault(f"{folder_name}/trial.json", text)

    def _look_at_capture(self, path: str, side: Side) -> None:
        if path not in self._files:
            self._tell(path, "is missing")
        elif (size_bytes := self._files[path].stat().st_size) != side.bytes:
            self._tell(path, f"has {size_bytes} bytes, {side.bytes} were recorded")
        elif self._hash(path) != side.sha256:
            self._tell(path, "its SHA-256 differs from the one recorded")

    def _look_at(self, path: str, digest: str, line: int) -> None:
        """A file against its line; of the last line it may not have been renamed yet."""
        if path in self._files and self._hash(path) == digest:
            return
        if line == len(self._lines) and _hash_of(self._root / unfinished_place(path)) == digest:
            return
        # A command may have renamed it meanwhile.
        if path not in self._files and _hash_of(self._root / path) == digest:
            return
        if path in self._files:
            self._tell(path, f"differs from the journal, line {line}")
        else:
            self._tell(path, f"is in the journal, line {line}, but not in the dataset")

    def _is_unfinished(self, name: str) -> bool:
        """Whether it is the truth of a trial that a run was at."""
        top, _, rest = name.partition("/")
        return top == TRUTH and (self._root / TRIALS / f"{rest.removesuffix('.json')}.partial").is_dir()

    def _look_at_manifest(self) -> None:
        anchor = self._anchors.files.get(MANIFEST)
        if not self._has(MANIFEST):
            if anchor is not None and self._pending_manifest() != anchor.sha256:
                self._tell(MANIFEST, f"is missing; the journal, line {anchor.line}, says that it was finished")
            return
        data = (self._root / MANIFEST).read_bytes()
        if anchor is not None and sha256(self._root / MANIFEST) != anchor.sha256:
            self._tell(MANIFEST, f"differs from the journal, line {anchor.line}")
            return
        read = manifest.parse(data)
        if read.problems:
            self._tell(MANIFEST, read.problems[0])
        if read.journal is not None:
            self._look_at_journal(*read.journal)
        elif self._anchors.is_whole:
            self._tell(MANIFEST, "does not say how far the journal went")
        for path, digest in read.files.items():
            if folder_of(path) in self._gone:
                continue
            if path not in self._files:
                self._tell(path, "is in the manifest, but not in the dataset")
            elif self._hash(path) != digest:
                self._tell(path, "differs from the manifest")
        for path in self._files:
            if path not in read.files:
                told = self._computed if path in self._anchors.files else self._recorded
                (told if is_recorded(path) else self._computed).setdefault(
                    path, "is not in the manifest; correlate again"
                )

    def _look_at_journal(self, count: int, head: str) -> None:
        """Whether the journal has the lines that it had when the manifest was written, and the one that says so."""
        if count > len(self._lines):
            self._tell(JOURNAL, f"has {len(self._lines)} lines; it had {count} when the manifest was written")
        elif head != ([line.sha256 for line in self._lines] + [self._head])[count]:
            self._tell(JOURNAL, f"its first {count} lines are not those that it had when the manifest was written")
        elif count == len(self._lines) or self._lines[count].event != "finished":
            self._tell(JOURNAL, f"its line {count + 1}, which says that the manifest was finished, is gone")

    def _pending_manifest(self) -> str:
        """SHA-256 of a manifest that was journalled and not renamed."""
        is_last = self._anchors.files[MANIFEST].line == len(self._lines)
        return _hash_of(self._root / unfinished_place(MANIFEST)) if is_last else ""

    def _has(self, name: str) -> bool:
        return (self._root / name).is_file() and not (self._root / name).is_symlink()

    def _hash(self, path: str) -> str:
        if path not in self._hashes:
            self._hashes[path] = _hash_of(self._files[path])
        return self._hashes[path]


def _texts(told: Mapping[str, str]) -> tuple[str, ...]:
    """A line for each file; journal and manifest, of which the others may be the consequence, first."""
    return tuple(f"{path}: {told[path]}" for path in sorted(told, key=lambda path: path not in (JOURNAL, MANIFEST)))


def _hash_of(path: Path) -> str:
    """SHA-256 of a regular file; empty where there is none."""
    try:
        return sha256(path) if path.is_file() and not path.is_symlink() else ""
    except FileNotFoundError:
        return ""
