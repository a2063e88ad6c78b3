"""What did not go well: void attempts with their reasons, captures that were begun again, trials that are missing."""

from dataclasses import dataclass

from correlate.dataset import Dataset
from correlate.dataset.anchors import Kept
from correlate.errors import BadDataset
from correlate.tables.layout import plain_text


@dataclass(frozen=True)
class Void:
    """A void attempt as its void.json tells it; `became` says what the trial is now. One that the bench spoilt has
    `spoilt`, which of those it is; it is not counted."""

    trial: str
    attempt: int
    spoilt: int | None
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
    voids = sorted(
        _voids(dataset, complete), key=lambda void: (order.get(void.trial, len(order)), void.attempt, void.spoilt or 0)
    )
    restarts = {trial: number for trial in planned if trial in complete and (number := _restarts(dataset, trial))}
    return Troubles(tuple(voids), restarts, tuple(trial for trial in planned if trial not in complete))


def _voids(dataset: Dataset, complete: set[str]) -> list[Void]:
    folders = dataset.attempts_dir.iterdir() if dataset.attempts_dir.is_dir() else ()
    found = []
    for folder in folders:
        kept = Kept.of(folder.name)
        if kept is None or folder.is_symlink() or not folder.is_dir():
            continue
        became = "completed later" if kept.trial in complete else "not complete"
        try:
            record = dataset.void(kept)
            reason, text = record.reason, record.text
        except BadDataset as error:
            reason, text = "unknown", str(error).replace(f"{dataset.path}/", "")
        found.append(Void(*kept, plain_text(reason), plain_text(text), became))
    return found


def _restarts(dataset: Dataset, trial: str) -> int:
    try:
        return dataset.record(trial).capture_restarts or 0
    except BadDataset:
        return 0  # `findings` says why this trial cannot be read, and the page lists it
