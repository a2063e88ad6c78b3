"""The revisions of a dataset's YAML: the first is `scenarios/`, what a repair made of it later `scenarios/rev-N/`."""

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from correlate import files
from correlate.dataset import Dataset, documents
from correlate.dataset.anchors import SCENARIOS, Anchors
from correlate.dataset.durable import replacing
from correlate.dataset.journal import BrokenJournal
from correlate.dataset.record import Change, RevisionRecord
from correlate.errors import BadDataset

REVISION = "revision.json"
MAX_YAML_BYTES = 4 << 20
FEW = 3
"""How many changes of a revision a table names; its revision.json has all."""

_FOLDER = re.compile(r"rev-([1-9][0-9]{0,3})\Z")


def folder(dataset: Dataset, revision: int) -> Path:
    """Where the YAML of a revision stands."""
    return dataset.path / SCENARIOS / f"rev-{revision}" if revision else dataset.path / SCENARIOS


def kept(dataset: Dataset) -> list[int]:
    """The numbers of the revisions that are kept, in order; 0 is always one of them."""
    root = dataset.path / SCENARIOS
    there = sorted(root.iterdir()) if root.is_dir() else []
    found = [int(match[1]) for path in there if (match := _FOLDER.match(path.name)) and (path / REVISION).is_file()]
    return [0, *sorted(found)]


def texts(dataset: Dataset, revision: int, names: Sequence[str]) -> dict[str, bytes]:
    """The text of each of these files that a revision has, by name."""
    there = {name: folder(dataset, revision) / name for name in names}
    return {name: files.read(path, MAX_YAML_BYTES, dataset.path) for name, path in there.items() if path.is_file()}


def is_as_recorded(dataset: Dataset, revision: int, names: Sequence[str]) -> bool:
    """Whether these files of a revision are there, and are what the journal says; one of an earlier version may not
    say it."""
    here = texts(dataset, revision, names)
    try:
        anchors = Anchors(dataset.journal.read())
    except BrokenJournal:
        return False
    for name, data in here.items():
        path = (folder(dataset, revision) / name).relative_to(dataset.path).as_posix()
        anchor = anchors.files.get(path)
        if hashlib.sha256(data).hexdigest() != anchor.sha256 if anchor else not anchors.is_earlier(path):
            return False
    return here.keys() == set(names)


def keep(dataset: Dataset, record: RevisionRecord, yaml: Mapping[str, bytes]) -> None:
    """Keeps the YAML of one more revision, bound by the journal. Call it while the manifest is away (`reopen`)."""
    made = {**yaml, REVISION: documents.as_bytes(record)}
    there = folder(dataset, record.revision)
    hashed = {
        (there / name).relative_to(dataset.path).as_posix(): hashlib.sha256(data).hexdigest()
        for name, data in made.items()
    }
    with ExitStack() as written:
        for name, data in made.items():
            written.enter_context(replacing(there / name, data))
        dataset.journal.append("revision", files=hashed)


def record(dataset: Dataset, revision: int) -> RevisionRecord:
    """revision.json of a revision after the first. Raises `BadDataset`."""
    label = f"{SCENARIOS}/rev-{revision}/{REVISION}"
    found = documents.read(folder(dataset, revision) / REVISION, label, RevisionRecord, within=dataset.path)
    if found.revision != revision:
        raise BadDataset(f"{label}: revision: must be {revision}, is {found.revision}")
    return found


@dataclass(frozen=True)
class Revised:
    """How many complete trials of each app ran with which revision, and what the revisions after the first are.

    A trial that names none ran with the first one.
    """

    trials: Mapping[str, Mapping[int, int]] = field(default_factory=dict)
    later: tuple[RevisionRecord, ...] = ()

    def of(self, app: str) -> str:
        """`0: 10 trials; 1: 10 trials`; empty where there is one revision alone."""
        counted = sorted(self.trials.get(app, {}).items()) if self.later else ()
        return "; ".join(f"{revision}: {_trials(many)}" for revision, many in counted)

    @property
    def notes(self) -> tuple[str, ...]:
        """A line for each revision: how many trials ran with it, and what differs from that before."""
        total = Counter[int]()
        for counted in self.trials.values():
            total.update(counted)
        first = f"revision 0: the YAML as it was first; {_trials(total[0])}"
        after = (
            f"revision {each.revision} (scenarios/rev-{each.revision}), after revision {each.before}: "
            f"{_differs(each)}; {_trials(total[each.revision])}"
            for each in self.later
        )
        return (first, *after) if self.later else ()


def revised(dataset: Dataset) -> Revised:
    """Which revisions the complete trials ran with. Raises `BadDataset` for a revision.json that does not fit."""
    later = tuple(record(dataset, each) for each in kept(dataset)[1:])
    trials: dict[str, Counter[int]] = {}
    complete = set(dataset.trial_ids()) if later else set()
    for entry in (entry for entry in dataset.plan() if entry.id in complete):
        try:
            number = dataset.record(entry.id).revision
        except BadDataset:
            continue  # `findings` says why this trial cannot be read, and the page lists it
        trials.setdefault(entry.app, Counter())[number or 0] += 1
    return Revised(trials, later)


def in_words(change: Change) -> str:
    """`apps/maple.yaml hang_up.0.tap.id "end" -> "end_call"`; `nothing` stands for no value."""
    return f"{change.file} {change.key} {_shown(change.before)} -> {_shown(change.now)}"


def _shown(value: str | None) -> str:
    return "nothing" if value is None else value


def _differs(of: RevisionRecord) -> str:
    named = ", ".join(of.files)
    if of.changed is None:
        return f"{named}, and what in them cannot be said"
    if not of.changed:
        return f"{named}, of which nothing but comments, order or what is local"
    more = len(of.changed) - FEW
    return "; ".join(map(in_words, of.changed[:FEW])) + (f"; and {more} more" if more > 0 else "")


def _trials(many: int) -> str:
    return "1 trial" if many == 1 else f"{many} trials"
