"""What came of each trial of a night, however its run ended."""

from collections.abc import Mapping
from dataclasses import dataclass

from lab.run import introductions
from lab.run.plan import Run
from lab.run.queue import FURTHER_ATTEMPTS
from lab.run.tonight import Tonight


@dataclass(frozen=True)
class Outcomes:
    """How many trials are `complete`, and which are not: all attempts are `void`; app, or who calls whom, is `parked`;
    or the trial is `left` for another night, not begun or `held` by the breaker."""

    complete: int
    void: list[str]
    parked: list[str]
    left: list[str]
    held: list[str]


def of_trials(run: Run, attempts: Mapping[str, int], *, ended_early: bool) -> Outcomes:
    """`attempts` is by trial how many this night began; one that `ended_early` leaves what may still be made.

    Raises `BadInput` and `BrokenJournal`, as `Tonight.of`.
    """
    missing = [item.trial for item in run.missing()]
    tonight = Tonight.of(run)
    apps, now_s = tonight.breaker.parked(), tonight.clock.now_s()
    parked = {
        trial.id
        for trial in missing
        if trial.app in apps
        or introductions.parked(run.lab, run.spec, *introductions.pair_of(run.spec, trial)) is not None
    }
    held = {
        trial.id
        for trial in missing
        if attempts.get(trial.id, 0) <= FURTHER_ATTEMPTS and tonight.breaker.held(trial, now_s) is not None
    }
    left = held | {trial.id for trial in missing if ended_early or not attempts.get(trial.id)}
    void = [trial.id for trial in missing if trial.id not in parked | left]
    return Outcomes(len(run.chosen) - len(missing), void, sorted(parked), sorted(left - parked), sorted(held - parked))
