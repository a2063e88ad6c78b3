"""What a run knows of the night: its clock, which trials are let be, and how many calls were placed.

All of it follows from the dataset's journal, and on real phones from the bench's own file: another run goes on with it.
"""

from dataclasses import dataclass
from typing import Self

from correlate.dataset.attempts import JOURNAL_TEXT
from lab.definitions import PlannedTrial
from lab.run.accounts import Accounts
from lab.run.breaker import Breaker
from lab.run.causes import CERTAIN_REASONS, OF_A_DATASET
from lab.run.night_clock import NightClock
from lab.run.plan import Run
from lab.run.queue import Queue
from lab.run.versions import Versions


@dataclass(frozen=True)
class Tonight:
    """The night of a run, of all its benches."""

    run: Run
    clock: NightClock
    breaker: Breaker
    accounts: Accounts
    versions: Versions
    begun: tuple[str, ...] = ()
    """The trials that earlier runs of the dataset began, in that order."""

    @classmethod
    def of(cls, run: Run) -> Self:
        """As the journal of the dataset has it. Raises `BrokenJournal`, and `BadInput` for a bench's file of accounts
        that does not fit."""
        lines = run.dataset.journal.read()
        clock = NightClock(run.spec.emulated, lines)
        trials = {item.trial.id: item.trial for item in run.planned}
        breaker = Breaker()
        breaker.replay(lines, trials, clock.now_s(), CERTAIN_REASONS)
        calls = [
            (trials[line.trial].app, line.night_s)
            for line in lines
            if line.trial in trials and line.night_s is not None
            for _ in range(line.calls or 0)
        ]
        accounts = Accounts(run.lab, run.spec, clock, calls, run.benches)
        breaker.park(accounts.parked)
        begun = dict.fromkeys(line.trial for line in lines if line.event == "attempt" and line.trial)
        return cls(run, clock, breaker, accounts, Versions.of(run.dataset, lines, trials), tuple(begun))

    def queue(self, items: list[PlannedTrial]) -> Queue:
        """A queue of trials on this night."""
        return Queue(items, self.breaker, self.clock.now_s, self.accounts.wait, self.accounts.most_wait_s)

    def park(self, app: str, reason: str, trial: str, text: str) -> None:
        """Nobody is to call in `app`; it is parked for all that follows, with why in words."""
        self.run.dataset.journal.append("parked", app=app, trial=trial, reason=reason, text=text[:JOURNAL_TEXT])
        if reason not in OF_A_DATASET:
            self.accounts.park(app, reason)


def versions_of(run: Run) -> Versions:
    """The versions that a run's dataset has; none where its journal does not hold. Raises as `Tonight.of`."""
    return Versions() if run.dataset.journal.problem() else Tonight.of(run).versions


def none_parked(run: Run) -> tuple[bool, str]:
    """Whether a run may call in every app, and which are parked and why; nothing is touched.

    A journal that does not hold is the next run's business. Raises `BadInput`, as `Tonight.of`.
    """
    parked = {} if run.dataset.journal.problem() else Tonight.of(run).breaker.parked()
    return not parked, ", ".join(f"{app}: {why}" for app, why in parked.items())
