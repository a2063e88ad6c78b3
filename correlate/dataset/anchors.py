"""What the journal says of files: which of them were recorded, with which bytes, and where one stands meanwhile.

Every file that is not computed is anchored by the line of the event that recorded it: written under a temporary name,
journalled with its SHA-256, renamed. So a file that has its final name has its line, and what was killed between the
two is found by its last line and finished by the next command.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from correlate.dataset.record import JournalLine
from correlate.dataset.record.base import Role

INFO = "dataset.json"
NAMES = "names.json"
MANIFEST = "manifest-sha256.txt"
JOURNAL = "journal.jsonl"
STATUS = "status.html"
"""What a run shows of itself while it goes: no evidence, nobody examines it."""
UNLISTED = (MANIFEST, JOURNAL, STATUS)
"""The files at a dataset's root that no manifest lists."""
SCENARIOS, TRIALS, ATTEMPTS, TRUTH = "scenarios", "trials", "attempts", "truth"

EVENTS_OF_TRIALS = ("completed", "found", "void")
_KEPT_JOURNAL = re.compile(rf"{re.escape(JOURNAL)}\.broken-[0-9]{{1,9}}\Z")
_KEPT_ATTEMPT = re.compile(
    r"(?P<trial>[^./]+)\.(?P<attempt>0|[1-9][0-9]{0,5})(\.bench-(?P<spoilt>[1-9][0-9]{0,5}))?\Z", re.ASCII
)


class Anchor(NamedTuple):
    """SHA-256 of a file, and the line of the journal, from 1, that says so."""

    sha256: str
    line: int


class Kept(NamedTuple):
    """A void attempt that is kept, by the name of its folder: `ID.N`, or `ID.N.bench-K` where the bench spoilt it: such
    a one is not counted in N, and K counts them from 1."""

    trial: str
    attempt: int
    spoilt: int | None = None

    @property
    def name(self) -> str:
        return f"{self.trial}.{self.attempt}" + ("" if self.spoilt is None else f".bench-{self.spoilt}")

    @staticmethod
    def of(name: str) -> "Kept | None":
        """What a folder of attempts/ is by its name; None for any other name."""
        found = _KEPT_ATTEMPT.match(name)
        if found is None:
            return None
        return Kept(found["trial"], int(found["attempt"]), None if found["spoilt"] is None else int(found["spoilt"]))


def is_recorded(path: str) -> bool:
    """Whether a file of a dataset was recorded, so that nothing can compute it again; `path` as in a manifest."""
    top, _, rest = path.partition("/")
    if rest:
        return top in (SCENARIOS, TRIALS, ATTEMPTS, TRUTH)
    return top in (INFO, NAMES) or _KEPT_JOURNAL.match(top) is not None


def folder_of(path: str) -> str:
    """`trials/ID` or `attempts/ID.N` of a file in such a folder; of any other file nothing."""
    parts = PurePosixPath(path).parts
    return "/".join(parts[:2]) if len(parts) > 2 and parts[0] in (TRIALS, ATTEMPTS) else ""


def unfinished_place(path: str) -> str:
    """Where a file, or the folder of a trial or a void attempt, stands until it is renamed to `path`."""
    parts = PurePosixPath(path).parts
    folder = "/".join(parts[:2]) if parts[0] in (TRIALS, ATTEMPTS) else ""
    if not folder:
        pure = PurePosixPath(path)
        return str(pure.with_name(f".{pure.name}.partial"))
    name = folder.partition("/")[2]
    kept = Kept.of(name) if folder.startswith(ATTEMPTS) else None
    trial = name if kept is None else kept.trial
    return f"{TRIALS}/{trial}.partial{path[len(folder) :]}"


class Anchors:
    """The sum of a journal's events.

    `files` are those that must stand in the dataset. `folders` are the trials and void attempts, with their lines, and
    `earlier` those of them whose line an earlier version wrote, without their files; of such a trial `captures` may
    have what is known of both. `is_whole` says that the dataset was begun with a line of its own, so that every
    recorded file must be anchored. `found` are the folders that a run came upon without a line.
    """

    def __init__(self, lines: Sequence[JournalLine]) -> None:
        self.files: dict[str, Anchor] = {}
        self.captures: dict[str, Mapping[Role, str]] = {}
        self.folders: dict[str, int] = {}
        self.earlier: set[str] = set()
        self.found: set[str] = set()
        self.is_whole = False
        self.last_line = len(lines)
        for entry in lines:
            for forgotten in _replaced(entry):
                self._forget(forgotten)
            self._take(entry)

    def last(self) -> dict[str, str]:
        """Path -> SHA-256 of what the last line anchors: what a command that was killed may have left unfinished."""
        return {path: anchor.sha256 for path, anchor in self.files.items() if anchor.line == self.last_line}

    def is_earlier(self, path: str) -> bool:
        """Whether an earlier version recorded this file, and said of its bytes nothing in the journal."""
        folder = folder_of(path)
        top, _, name = path.partition("/")
        if top == TRUTH and (of_trial := f"{TRIALS}/{name.removesuffix('.json')}") in self.folders:
            return of_trial in self.earlier
        return folder in self.earlier if folder else not self.is_whole

    def _take(self, entry: JournalLine) -> None:
        files = dict(entry.files or {})
        if entry.file is not None and entry.file_sha256 is not None:
            files[entry.file] = entry.file_sha256
        self.files |= {path: Anchor(digest, entry.seq + 1) for path, digest in files.items()}
        self.is_whole |= entry.event == "begun"
        folder = _folder(entry)
        if entry.event in EVENTS_OF_TRIALS and folder:
            self.folders[folder] = entry.seq + 1
            if entry.files is None:
                self.earlier.add(folder)
            if entry.event == "found":
                self.found.add(folder)
            if entry.captures is not None:
                self.captures[folder] = entry.captures

    def _forget(self, path: str) -> None:
        self.files.pop(path, None)
        for each in [each for each in self.files if each.startswith(f"{path}/")]:
            del self.files[each]
        for folders in (self.earlier, self.found):
            folders.discard(path)
        for of_folders in (self.folders, self.captures):
            of_folders.pop(path, None)


def _folder(entry: JournalLine) -> str:
    """The folder that an event is about; empty where it is about none."""
    found = {folder for path in entry.files or () if (folder := folder_of(path))}
    if found or entry.trial is None:
        return min(found, default="")
    is_attempt = entry.event == "void" or (entry.event in ("lost", "found") and entry.attempt is not None)
    if not is_attempt or entry.attempt is None:
        return f"{TRIALS}/{entry.trial}"
    return f"{ATTEMPTS}/{Kept(entry.trial, entry.attempt, entry.spoilt).name}"


def _replaced(entry: JournalLine) -> Iterator[str]:
    """What holds no longer once this event has happened: files, or folders with all that is in them."""
    if entry.event == "begun":
        yield from (INFO, SCENARIOS)
    elif entry.event == "reopened":
        yield MANIFEST
    elif entry.event == "lost" and entry.file is not None:
        yield entry.file
    elif entry.event == "lost" or entry.event in EVENTS_OF_TRIALS:
        folder = _folder(entry)
        yield folder
        if folder.startswith(f"{TRIALS}/"):
            yield f"{TRUTH}/{folder.partition('/')[2]}.json"
