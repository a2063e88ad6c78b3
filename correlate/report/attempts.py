"""What did not go well: void attempts with their reasons, captures that were begun again, trials that are missing."""

import re
from dataclasses import dataclass

from correlate.dataset import Dataset, check_id
from correlate.errors import BadDataset
from correlate.tables.layout import plain_text

_FOLDER = re.compile(r"(.+)\.(\d{1,6})\Z")


@dataclass(frozen=True)
class Void:
    """A void attempt as `attempts/ID.N/void.json` tells it; `became` says what the trial is now."""

    trial: str
    attempt: int
    reason: str
    text: str
    became: str


@dataclass(frozen=True)
class Troubles:
    """All of it: void attempts in plan order, trial -> captures begun again for noise, trials without a result."""

    voids: tuple[Void, ...]
    restarts: dict[str, int]
    missing: tuple[str, ...]


def troubles(dataset: Dataset) -> Troubles:
    """Reads attempts/ and the records of complete trials. What cannot be read is listed, with that as its reason."""
    planned = [entry.id for entry in dataset.plan()]
    complete = set(dataset.trial_ids())
    order = {trial: number for number, trial in enumerate(planned)}
    voids = sorted(_voids(dataset, complete), key=lambda void: (order.get(void.trial, len(order)), void.attempt))
    restarts = {trial: number for trial in planned if trial in complete and (number := _restarts(dataset, trial))}
    return Troubles(tuple(voids), restarts, tuple(trial for trial in planned if trial not in complete))


def _voids(dataset: Dataset, complete: set[str]) -> list[Void]:
    folders = dataset.attempts_dir.iterdir() if dataset.attempts_dir.is_dir() else ()
    found = []
    for folder in folders:
        match = _FOLDER.match(folder.name)
        if match is None or folder.is_symlink() or not folder.is_dir():
            continue
        trial, attempt = match[1], int(match[2])
        became = "completed later" if trial in complete else "not complete"
        try:
            record = dataset.void(check_id(trial), attempt)
            reason, text = record.reason, record.text
        except BadDataset as error:
            reason, text = "unknown", str(error).replace(f"{dataset.path}/", "")
        found.append(Void(trial, attempt, plain_text(reason), plain_text(text), became))
    return found


def _restarts(dataset: Dataset, trial: str) -> int:
    try:
        return dataset.record(trial).capture_restarts or 0
    except BadDataset:
        return 0  # `findings` says why this trial cannot be read, and the page lists it
