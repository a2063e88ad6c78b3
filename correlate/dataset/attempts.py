"""The life of a trial's folder: written as `trials/ID.partial`, then complete as `trials/ID`, kept void as
`attempts/ID.N`, or `attempts/ID.N.bench-K` where the bench spoilt it, or gone. Each step is in the journal before it is
taken, so that the next run can tell what came of it.
"""

import shutil
from pathlib import Path
from types import TracebackType
from typing import Self

from correlate.dataset import documents
from correlate.dataset.anchors import ATTEMPTS, TRIALS, TRUTH, Kept
from correlate.dataset.contents import hashes
from correlate.dataset.durable import make_directory, remove, sha256, sync, write_text
from correlate.dataset.journal import Journal
from correlate.dataset.record import VoidRecord

PRIVATE = "PRIVATE: screens and logs of the lab's phones. Do not publish.\n"
JOURNAL_TEXT = 500


class AttemptFolder:
    """One attempt at a trial, `number` counting from 0 those that are kept, written into `path` within a `with`.
    `truth` is where a virtual bench says what really happened.

    What it is once the block is left says whoever made it, by `complete` or `void`. Left by an error, or without a
    word, it was interrupted: its folder goes, and its number is used again. Where the disk failed (`OSError`) the
    folder stays for `discard_unfinished`, which the next run begins with.
    """

    def __init__(self, root: Path, journal: Journal, trial_id: str) -> None:
        self._root, self._journal, self._trial = root, journal, trial_id
        self.path = root / TRIALS / f"{trial_id}.partial"
        self.truth = root / TRUTH / f"{trial_id}.json"
        self.number = next_number(root / ATTEMPTS, trial_id)
        self.kept = self.path
        """Where it is kept once it has ended void."""
        self.night_s: float | None = None
        """When it ended, by the night clock; None where nobody says."""
        self.calls = 0
        """How many calls it placed."""
        self._complete = False
        self._void: tuple[str, str, bool] | None = None

    def complete(self) -> None:
        """Everything in the folder is verified."""
        self._complete = True

    def void(self, reason: str, text: str, *, by_bench: bool = False) -> None:
        """It does not count, and is kept with what is in its folder. One that the bench spoilt leaves its number to the
        next."""
        self._void = reason, text, by_bench

    def clean(self, value: object) -> object:
        """A value of JSON as it may go into the folder (`Journal.clean`)."""
        return self._journal.clean(value)

    def __enter__(self) -> Self:
        make_directory(self.path.parent)
        self.path.mkdir()
        remove(self.truth)
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
        elif self._complete:
            commit(self._root, self._journal, self._trial, self.number, **self._said())
        else:
            self._interrupted("left without an end")

    def _keep(self, reason: str, text: str, by_bench: bool) -> None:
        text = str(self.clean(text))
        spoilt = {"spoilt": spoilt_before(self._root / ATTEMPTS, self._trial, self.number) + 1} if by_bench else {}
        kept = Kept(self._trial, self.number, **spoilt)
        about = VoidRecord(trial=self._trial, attempt=self.number, reason=reason, text=text, **spoilt)
        if self.truth.exists():
            self.truth.rename(self.path / "truth.json")
        documents.write(self.path / "void.json", about)
        write_text(self.path / "PRIVATE", PRIVATE)
        final = f"{ATTEMPTS}/{kept.name}"
        said = {"reason": reason, "text": text[:JOURNAL_TEXT], "files": _anchored(self.path, final)}
        self._journal.append("void", trial=self._trial, attempt=self.number, **spoilt, **self._said(), **said)
        self.kept = self._root / final
        rename(self.path, self.kept)

    def _said(self) -> dict[str, float | int]:
        """What the journal says of how it ended, where there is something to say."""
        night = {} if self.night_s is None else {"night_s": self.night_s}
        return night | ({"calls": self.calls} if self.calls else {})

    def _interrupted(self, reason: str) -> None:
        calls = {"calls": self.calls} if self.calls else {}
        self._journal.append("interrupted", trial=self._trial, attempt=self.number, reason=reason, **calls)
        shutil.rmtree(self.path)
        remove(self.truth)


def commit(root: Path, journal: Journal, trial_id: str, attempt: int, **said: object) -> None:
    """Give `trials/ID.partial`, in which everything is verified, its final name, once the journal has the SHA-256 of
    each file in it and of the truth, and what else is said; durable on return."""
    partial, final = root / TRIALS / f"{trial_id}.partial", root / TRIALS / trial_id
    files = _anchored(partial, f"{TRIALS}/{trial_id}")
    truth = f"{TRUTH}/{trial_id}.json"
    if (root / truth).exists():
        sync(root / TRUTH)
        sync(root)
        files[truth] = sha256(root / truth)
    journal.append("completed", trial=trial_id, attempt=attempt, files=files, **said)
    rename(partial, final)


def _anchored(partial: Path, final: str) -> dict[str, str]:
    """What stands in a folder, on the disk for good, under the names that it is to have."""
    found = hashes(partial)
    for name in found:
        sync(partial / name)
    sync(partial)
    sync(partial.parent)
    return {f"{final}/{name}": digest for name, digest in found.items()}


def rename(partial: Path, final: Path) -> None:
    """Give a folder or a file its final name, durably."""
    make_directory(final.parent)
    partial.rename(final)
    sync(final.parent)


def next_number(attempts_dir: Path, trial_id: str) -> int:
    """The number of attempts that are kept; where somebody took one away, the next free one."""
    return max((kept.attempt + 1 for kept in _kept(attempts_dir, trial_id) if kept.spoilt is None), default=0)


def spoilt_before(attempts_dir: Path, trial_id: str, attempt: int) -> int:
    """The highest K of the attempts with this number that the bench spoilt; 0 where it spoilt none."""
    spoilt = [kept for kept in _kept(attempts_dir, trial_id) if kept.spoilt is not None]
    return max((each.spoilt or 0 for each in spoilt if each.attempt == attempt), default=0)


def _kept(attempts_dir: Path, trial_id: str) -> list[Kept]:
    folders = (Kept.of(path.name) for path in attempts_dir.glob(f"{trial_id}.*"))
    return [kept for kept in folders if kept is not None and kept.trial == trial_id]


def discard_unfinished(root: Path, journal: Journal) -> None:
    """Take away the folders that a run left when it was killed, and the truth of trials that are not complete."""
    for partial in sorted((root / TRIALS).glob("*.partial")):
        # Journalled first: a kill in between must not hide it.
        journal.append("interrupted", trial=partial.name.removesuffix(".partial"), reason="killed")
        shutil.rmtree(partial)
    for truth in sorted((root / TRUTH).glob("*.json")):
        if not (root / TRIALS / truth.stem).is_dir():
            remove(truth)
