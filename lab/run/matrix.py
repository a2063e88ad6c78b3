"""A matrix: which trials are missing, running them, journalling, trying again.

A trial is complete when its folder stands under its final name; the journal is history. Whatever way a run ends, what
was verified stays, and the next run takes up what is missing.
"""

import shutil
import threading
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from correlate.dataset import AttemptFolder
from correlate.dataset.attempts import JOURNAL_TEXT
from correlate.dataset.record import TrialRecord
from lab.bench.bench import Bench
from lab.bench.ladder import Rung
from lab.clocks.stop import Stop
from lab.definitions import PlannedTrial
from lab.errors import AttemptVoid, BenchUnhealthy, LabError, LaptopTrouble, PhoneTrouble, TrialsFailed
from lab.run import calibration, introductions
from lab.run.attempt import Attempt
from lab.run.description import check_fits, create
from lab.run.guard import Bugs, guarded
from lab.run.introductions import Pair
from lab.run.options import holding
from lab.run.plan import Run, check_callees, check_introduced
from lab.run.policy import Policy
from lab.run.progress import Progress
from lab.run.revisions import in_revision
from lab.run.side_by_side import share
from lab.run.status import Status

ROOM_BYTES = 32 << 20
"""What must be free for a trial to begin: its two captures, and evidence where it fails."""

FURTHER_ATTEMPTS = 3
"""How often a void attempt is tried again in one run."""

SPOILT_ATTEMPTS = 5
"""How often the bench may spoil attempts at one trial in one run; they are no attempts of the trial."""


def run_missing(run: Run, progress: Progress, stop: Stop) -> bool:
    """Run every chosen trial that is missing; whether the dataset is another one now, and is to be computed again.

    Raises `TrialsFailed` when some stay void, or are left out because who calls whom is parked, and what ends a run
    early: `BenchUnhealthy`, `BenchBusy`, `Interrupted`. Of several benches side by side all must open; one that is lost
    later is told in a line, and the others go on. `BenchUnhealthy` is raised when the last one is lost, which leaves
    trials missing.
    Where nothing is missing nothing is written, but a journal that does not hold is set aside, and one that says
    otherwise than the folders of what there is is put right.
    """
    check_fits(run)
    dataset = run.dataset
    if not run.missing() and not dataset.journal_problem() and not dataset.unjournalled():
        progress.nothing_to_do(len(run.chosen), dataset.path)
        return False
    check_callees(run)
    check_introduced(run)
    dataset.make()
    with holding(dataset), stop.on_signals():
        # Another run may have been here while this one waited for nothing.
        check_fits(run)
        if not dataset.info_path.exists():
            create(run)
        elif broken := dataset.journal_problem():
            kept = dataset.begin_journal_anew()
            is_kept = f"it is kept as {kept}, " if kept else ""
            progress.say(f"{broken}; {is_kept}a new one begins with the trials that are complete")
        dataset.put_right()
        dataset.reopen()
        missing = in_revision(run, run.missing(), progress.say)
        ends = Ends(run)
        policy = Policy(run.observe_only, run.spec.name, flags=calibration.learns(run.spec))
        try:
            if allowed := [item for item in missing if not ends.leaves_out(item)]:
                _run_all(run, allowed, progress, stop, policy, ends)
        finally:
            progress.remarks += [*policy.tell(), *ends.left_out()]
    ends.require_all(len(missing))
    return True


class Ends:
    """How the trials of a run ended that did not complete: void, or left out because who calls whom is parked."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._parked: dict[Pair, str] = {}
        self._left_out: list[Pair] = []
        self.void: list[str] = []

    def leaves_out(self, item: PlannedTrial) -> bool:
        """Whether a trial is left out, which is then noted."""
        pair = introductions.pair_of(self._run.spec, item.trial)
        why = introductions.parked(self._run.lab, self._run.spec, *pair)
        if why is None:
            return False
        self._parked[pair] = why
        self._left_out.append(pair)
        return True

    def left_out(self) -> list[str]:
        """A line for each parked pair."""
        return list(introductions.left_out(self._run.spec, self._parked, self._left_out))

    def require_all(self, missing: int) -> None:
        """Raise `TrialsFailed` where some of the `missing` trials did not complete."""
        told, void = [], self.void
        if void:
            named = ", ".join(sorted(void)[:5]) + (", ..." if len(void) > 5 else "")
            told.append(f"{len(void)} of {missing} trials stay void: {named}; see {self._run.dataset.attempts_dir}")
        if self._left_out:
            told.append(f"{len(self._left_out)} of {missing} trials are left out, who calls whom is parked")
        if told:
            raise TrialsFailed("; ".join(told))


def _run_all(run: Run, missing: list[PlannedTrial], progress: Progress, stop: Stop, policy: Policy, ends: Ends) -> None:
    bugs, told = Bugs(), threading.Lock()

    def make(bench: Bench, item: PlannedTrial) -> None:
        if not ends.leaves_out(item) and not run_one(run, bench, item, progress, policy, bugs):
            ends.void.append(item.trial.id)
        if progress.lost_output and told.acquire(blocking=False):  # once, and never given back
            run.dataset.journal.append("output_lost", text=progress.lost_output)

    with progress.showing(len(missing), Status(run)), ExitStack() as opened:
        benches = []
        for _ in range(min(run.benches, len(missing))):
            benches.append(bench := opened.enter_context(Bench(run.lab, run.spec, stop)))
            progress.say(bench.kind.hint)
        run.dataset.journal.append("run", trials=len(missing), seed=run.seed)
        share(missing, benches, partial(_require_leave, run.dataset.path, len(benches), stop), make, progress.lost)
        stop.check()


def _require_leave(path: Path, at_once: int, stop: Stop) -> None:
    """Raise where no further trial may begin: the end was asked for, or the disk may not hold so many at once."""
    stop.check()
    free_bytes, needed_bytes = shutil.disk_usage(path).free, at_once * ROOM_BYTES
    if free_bytes < needed_bytes:
        trials = "a trial" if at_once == 1 else f"{at_once} trials at once"
        free = f"{free_bytes >> 20} MiB are free, {trials} may need {needed_bytes >> 20}"
        raise BenchUnhealthy(f"{path}: {free}; what is recorded is kept; make room and run again")


def run_one(
    run: Run,
    bench: Bench,
    item: PlannedTrial,
    progress: Progress,
    policy: Policy | None = None,
    bugs: Bugs | None = None,
) -> bool:
    """Attempt one trial until it is complete, at most four times; False when all attempts are void.

    One that parks who calls whom is not tried again. One that the bench spoilt is no attempt of the trial: once the
    bench is well again (`Bench.recover`) the trial is attempted anew, at most five times. `policy` says what a witness
    may void; without one it may always. Raises `Bug` where `bugs` counts three in a row, and what else ends a run.
    """
    policy, bugs = policy or Policy(flags=False), bugs or Bugs()
    phones = introductions.pair_of(run.spec, item.trial)[1:]
    retries, spoilt = iter(range(1 + FURTHER_ATTEMPTS)), 0
    retry = next(retries)
    with progress.trial(item.trial.id):
        while True:
            progress.attempt(item.trial.id, retry)
            with run.dataset.attempt(item.trial.id) as folder:
                failed = _attempt(run, bench, item, folder, progress, policy)
            reason = None if failed is None else _reason(failed)
            policy.ended(item.trial.id, item.trial.app, phones, reason)
            bugs.ended(reason, folder.kept)
            if failed is None:
                progress.completed(item.trial.id)
                return True
            progress.void(item.trial.id, _reason(failed), str(failed))
            if isinstance(failed, AttemptVoid):
                following = None if reason == introductions.PARKED else next(retries, None)
                if following is None:
                    return False
                retry = following
                continue
            spoilt += 1
            bench.recover(partial(_tell_rung, run, progress))
            if spoilt == SPOILT_ATTEMPTS:
                return False


def _tell_rung(run: Run, progress: Progress, rung: Rung, on: str, why: str) -> None:
    """Journal a rung of the ladder before it is stepped on, and say it."""
    run.dataset.journal.append("ladder", rung=rung.name, on=on, text=why[:JOURNAL_TEXT])
    progress.say(f"{on}: {why}; {rung.name}: {rung.does}, within {rung.budget_s:g} s")


def _attempt(
    run: Run, bench: Bench, item: PlannedTrial, folder: AttemptFolder, progress: Progress, policy: Policy
) -> LabError | None:
    """Make one attempt; why it is void, None where it is complete. Raises what ends the run."""
    show = partial(progress.step, item.trial.id)
    try:
        with guarded(folder.path):
            attempt = Attempt(bench, item, run.seed, folder.number, folder.path, show, policy, folder.clean)
            record = _record(attempt, bench, folder.truth)
    except (AttemptVoid, PhoneTrouble, LaptopTrouble) as error:
        # A signal reaches the programs on the bench too, and sometimes before the harness has noticed it.
        bench.stop.check()
        folder.void(_reason(error), str(error), by_bench=not isinstance(error, AttemptVoid))
        return error
    folder.complete()
    if record.observed is not None:
        progress.undecided([name for name, claim in record.observed.claims.items() if claim.verdict == "undecided"])
    return None


def _reason(error: LabError) -> str:
    return error.reason if isinstance(error, AttemptVoid) else "bench_trouble"


def _record(attempt: Attempt, bench: Bench, truth: Path) -> TrialRecord:
    """`attempt.run`; trouble with a phone or the laptop because the whole bench has gone is the bench's error."""
    try:
        return attempt.run(truth)
    except (PhoneTrouble, LaptopTrouble):
        bench.kind.check_health()
        raise
