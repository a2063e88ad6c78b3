"""The version of each app on each phone that a dataset's trials have: one that moves closes the batch.

What it knows follows from the dataset alone: from the last complete trial of each app since it was last unparked. A
dataset in which an app has no trial yet takes any version.
"""

import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Self

from correlate.dataset import Dataset
from correlate.dataset.record import JournalLine, TrialRecord
from correlate.errors import BadDataset
from lab.definitions import Trial
from lab.errors import AttemptVoid

MOVED = "app_version_moved"


class Versions:
    """By app and phone; several threads may ask and tell."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, str]] = {}
        self._changing = threading.Lock()

    @classmethod
    def of(cls, dataset: Dataset, lines: Iterable[JournalLine], trials: Mapping[str, Trial]) -> Self:
        """As the journal and the records of a dataset have it; a record that cannot be read is said elsewhere."""
        made: dict[str, list[str]] = {}
        for line in lines:
            if line.event == "unparked" and line.app:
                made.pop(line.app, None)
            elif line.event in ("completed", "found") and (trial := trials.get(line.trial or "")) is not None:
                made.setdefault(trial.app, []).append(trial.id)
        found = cls()
        for ids in made.values():
            for trial_id in reversed(ids):
                with suppress(BadDataset):
                    found.made(dataset.record(trial_id))
                    break
        return found

    def made(self, record: TrialRecord) -> None:
        """A trial is complete: its versions are those that the next ones must have."""
        found = {side.phone: side.app_version for side in record.sides.values() if side.app_version}
        with self._changing:
            self._known.setdefault(record.asked.app, {}).update(found)

    def known(self, app: str) -> dict[str, str]:
        """The versions of an app by phone, as far as the dataset has any."""
        with self._changing:
            return dict(self._known.get(app, {}))

    def require(self, app: str, found: Mapping[str, str]) -> None:
        """Raise `AttemptVoid("app_version_moved")` where an app's version on a phone is another than the trials so
        far have. `found` are the versions by phone."""
        known = self.known(app)
        moved = [f"{name} {known[name]} -> {now}" for name, now in found.items() if known.get(name, now) != now]
        if moved:
            raise AttemptVoid(
                MOVED, f"{app}: its version moved on {', '.join(moved)}; unpark it to go on with that one"
            )
