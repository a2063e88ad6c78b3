"""The life of a trial's folder: written as `trials/ID.partial`, then complete as `trials/ID`, kept void as
`attempts/ID.N`, or gone. Each step is in the journal, so that the next run can tell what came of it.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from correlate.dataset import documents
from correlate.dataset.durable import sync_directory, write_text
from correlate.dataset.journal import Journal
from correlate.dataset.record import VoidRecord

PRIVATE = "PRIVATE: screens and logs of the lab's phones. Do not publish.\n"
JOURNAL_TEXT = 500


class AttemptFolder:
    """One attempt at a trial, `number` counting from 0 those that are kept, written into `path` within a `with`.

    What it is once the block is left says whoever made it, by `complete` or `void`. Left by an error, or without a
    word, it was interrupted: its folder goes, and its number is used again. Where the disk failed (`OSError`) the
    folder stays for `discard_unfinished`, which the next run begins with.
    """

    def __init__(self, trials_dir: Path, attempts_dir: Path, journal: Journal, trial_id: str) -> None:
        self._attempts_dir, self._journal, self._trial = attempts_dir, journal, trial_id
        self._final = trials_dir / trial_id
        self.path = trials_dir / f"{trial_id}.partial"
        self.number = next_number(attempts_dir, trial_id)
        self._captures: Mapping[str, str] | None = None
        self._void: tuple[str, str] | None = None

    def complete(self, captures: Mapping[str, str]) -> None:
        """Everything in the folder is verified; `captures` has the SHA-256 of each side's."""
        self._captures = captures

    def void(self, reason: str, text: str) -> None:
        """It does not count, and is kept with what is in its folder."""
        self._void = reason, text

    def __enter__(self) -> Self:
        self.path.mkdir(parents=True)
        self._journal.append("attempt", trial=self._trial, attempt=self.number)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None:
            if isinstance(error, Exception) and not isinstance(error, OSError):
                self._interrupted(str(error))
        elif self._void is not None:
            self._keep(*self._void)
        elif self._captures is not None:
            self._commit(self._captures)
        else:
            self._interrupted("left without an end")

    def _commit(self, captures: Mapping[str, str]) -> None:
        commit(self.path, self._final)
        self._journal.append("completed", trial=self._trial, attempt=self.number, captures=captures)

    def _keep(self, reason: str, text: str) -> None:
        about = VoidRecord(trial=self._trial, attempt=self.number, reason=reason, text=text)
        documents.write(self.path / "void.json", about)
        write_text(self.path / "PRIVATE", PRIVATE)
        self._attempts_dir.mkdir(parents=True, exist_ok=True)
        self.path.rename(self._attempts_dir / f"{self._trial}.{self.number}")
        self._journal.append("void", trial=self._trial, attempt=self.number, reason=reason, text=text[:JOURNAL_TEXT])

    def _interrupted(self, reason: str) -> None:
        self._journal.append("interrupted", trial=self._trial, attempt=self.number, reason=reason)
        shutil.rmtree(self.path)


def commit(partial: Path, final: Path) -> None:
    """Give a folder in which everything is verified its final name; durable on return."""
    sync_directory(partial)
    partial.rename(final)
    sync_directory(final.parent)


def next_number(attempts_dir: Path, trial_id: str) -> int:
    """The number of attempts that are kept; where somebody took one away, the next free one."""
    kept = [path.suffix[1:] for path in attempts_dir.glob(f"{trial_id}.*")]
    return max((int(number) + 1 for number in kept if number.isdecimal()), default=0)


def discard_unfinished(trials_dir: Path, journal: Journal) -> None:
    """Take away the folders that a run left when it was killed."""
    for partial in sorted(trials_dir.glob("*.partial")):
        # Journalled first: a kill in between must not hide it.
        journal.append("interrupted", trial=partial.name.removesuffix(".partial"), reason="killed")
        shutil.rmtree(partial)
