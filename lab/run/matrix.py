"""A matrix: which trials are missing, running them, journalling, trying again.

A trial is complete when its folder stands under its final name; the journal is history. Whatever way a run ends, what
was verified stays, and the next run takes up what is missing.
"""

import shutil
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from correlate.dataset import AttemptFolder
from correlate.dataset.attempts import JOURNAL_TEXT
from correlate.dataset.record import TrialRecord
from lab.bench.bench import Bench
from lab.bench.rungs import PAUSES_S, Rung
from lab.clocks.stop import Stop
from lab.definitions import PlannedTrial
from lab.errors import AttemptVoid, BenchUnhealthy, LabError, LaptopTrouble, NeedsPerson, PhoneTrouble
from lab.run import calibration, introductions
from lab.run.attempt import Attempt
from lab.run.causes import OF_A_DATASET, class_of
from lab.run.description import check_fits, create
from lab.run.ends import Ends
from lab.run.guard import Bugs, guarded
from lab.run.options import holding
from lab.run.plan import Run, check_callees, check_introduced
from lab.run.policy import Policy
from lab.run.progress import Progress
from lab.run.queue import Entry, Outcome, Pause, Queue
from lab.run.readiness import Readiness
from lab.run.revisions import in_revision
from lab.run.side_by_side import share
from lab.run.status import Status
from lab.run.tonight import Tonight

ROOM_BYTES = 32 << 20
"""What must be free for a trial to begin: its two captures, and evidence where it fails."""

SPOILT_ATTEMPTS = 5
"""How often the bench may spoil attempts at one trial in one run; they are no attempts of the trial."""


def run_missing(
    run: Run, progress: Progress, stop: Stop, may_begin: Callable[[PlannedTrial], bool] = lambda item: True
) -> bool:
    """Run every chosen trial that is missing; whether the dataset is another one now, and is to be computed again.

    A trial that `may_begin` refuses, asked right before it, stays missing.

    Raises `TrialsFailed` when some stay void, are held by the breaker, or are left out because an app, or who calls
    whom, is parked; and what ends a run early: `BenchUnhealthy`, `BenchBusy`, `Interrupted`. Of several benches side by
    side all must open; one that is lost later is told in a line, and the others go on. `BenchUnhealthy` is raised when
    the last one is lost, which leaves trials missing.
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
        tonight, ends = Tonight.of(run), Ends(run, may_begin)
        policy = Policy(run.observe_only, run.spec.name, flags=calibration.learns(run.spec))
        allowed = [item for item in missing if not ends.leaves_out(item)]
        ends.queue = queue = tonight.queue(allowed)
        try:
            # Where all are parked no bench is opened.
            if any(item.trial.app not in tonight.breaker.parked() for item in allowed):
                _run_all(tonight, queue, len(allowed), progress, stop, policy, ends)
        finally:
            progress.remarks += [*policy.tell(), *ends.told(), *filter(None, [tonight.accounts.told()])]
    ends.require_all(len(missing))
    return True


def _run_all(
    tonight: Tonight, queue: Queue, trials: int, progress: Progress, stop: Stop, policy: Policy, ends: Ends
) -> None:
    run, told = tonight.run, threading.Lock()
    making = Making(tonight, progress, policy, Bugs(), lambda item: not ends.may_begin(item) or ends.leaves_out(item))

    def make(bench: Bench, entry: Entry) -> Outcome:
        outcome = make_one(making, bench, entry)
        if progress.lost_output and told.acquire(blocking=False):  # once, and never given back
            run.dataset.journal.append("output_lost", text=progress.lost_output)
        return outcome

    with progress.showing(trials, Status(run)), ExitStack() as opened:
        benches, name = [], run.dataset.path.resolve().name
        for _ in range(min(run.benches, trials)):
            opening = Bench(run.lab, run.spec, stop, run=name, say=progress.say, tell=making.tell_rung)
            benches.append(bench := opened.enter_context(opening))
            progress.say(bench.kind.hint)
            if run.faults is not None:
                bench.kind.rehearse(run.faults, run.seed, tonight.clock.now_s(), tonight.begun)
        rehearsed = {} if run.faults is None else {"faults": run.faults.name}
        run.dataset.journal.append("run", trials=trials, seed=run.seed, **rehearsed)
        require = partial(_require_leave, run.dataset.path, len(benches), stop)
        share(queue, benches, require, make, progress.lost, making.rest)
        stop.check()


def _require_leave(path: Path, at_once: int, stop: Stop) -> None:
    """Raise where no further trial may begin: the end was asked for, or the disk may not hold so many at once."""
    stop.check()
    free_bytes, needed_bytes = shutil.disk_usage(path).free, at_once * ROOM_BYTES
    if free_bytes < needed_bytes:
        trials = "a trial" if at_once == 1 else f"{at_once} trials at once"
        free = f"{free_bytes >> 20} MiB are free, {trials} may need {needed_bytes >> 20}"
        raise BenchUnhealthy(f"{path}: {free}; what is recorded is kept; make room and run again")


WORTH_A_WORD_S, EMULATED_WORTH_A_WORD_S = 5.0, 300.0
"""A shorter wait is not told; on an emulated bench, where most cost nobody anything, only a long one is."""


@dataclass(frozen=True)
class Making:
    """What the trials of a run are made with. `policy` says what a witness may void; `bugs` raises `Bug` at three in a
    row; `leaves` says right before an attempt whether its trial is left for another run."""

    tonight: Tonight
    progress: Progress
    policy: Policy
    bugs: Bugs
    leaves: Callable[[PlannedTrial], bool] = lambda item: False

    def rest(self, bench: Bench, pause: Pause) -> None:
        """No call may be placed for a while; a bench waits, and it is said what for."""
        emulated = self.tonight.run.spec.emulated
        if pause.seconds >= (EMULATED_WORTH_A_WORD_S if emulated else WORTH_A_WORD_S):
            self.progress.say(pause.why)
        self.sleep(bench, pause.seconds)

    def sleep(self, bench: Bench, seconds: float) -> None:
        before_ns = bench.clock.now_ns()
        bench.pauses.sleep(seconds)
        self.tonight.clock.went_on(before_ns, bench.clock.now_ns())

    @cached_property
    def readiness(self) -> Readiness:
        """What is asked before an attempt; its pauses are of the night clock."""
        return Readiness(self.tonight.run.dataset.journal, self.progress.say, self.sleep)

    def tell_rung(self, rung: Rung, on: str, why: str) -> None:
        """Journal a rung of the ladder before it is stepped on, and say it."""
        self.tonight.run.dataset.journal.append("ladder", rung=rung.name, on=on, text=why[:JOURNAL_TEXT])
        self.progress.say(f"{on}: {why}; {rung.name}: {rung.does}, within {rung.budget_s:g} s")

    def tell_restarts(self, bench: Bench) -> None:
        """Journal which phones have restarted, and say it."""
        for name in bench.restarted():
            self.tonight.run.dataset.journal.append("restarted", on=name)
            self.progress.say(f"{name} has restarted")


def run_one(
    run: Run,
    bench: Bench,
    item: PlannedTrial,
    progress: Progress,
    policy: Policy | None = None,
    bugs: Bugs | None = None,
) -> bool:
    """Make one trial alone on a bench that is open, by the rules of a whole run; False where it is not complete."""
    tonight = Tonight.of(run)
    making = Making(tonight, progress, policy or Policy(flags=False), bugs or Bugs())
    queue, outcome = tonight.queue([item]), Outcome()
    while (taken := queue.next()) is not None:
        if isinstance(taken, Pause):
            making.rest(bench, taken)
            continue
        queue.ended(taken, outcome := make_one(making, bench, taken))
    return outcome.complete


def make_one(making: Making, bench: Bench, entry: Entry) -> Outcome:
    """Attempt a trial once; anew where the bench spoilt the attempt, which is none of the trial's.

    Where a phone or the laptop fails, the ladder brings it back (`Bench.recover`), at most five times for a trial;
    where the networks are not those of the bench, it waits, for an hour at most. What can be told before an attempt
    begins is asked first (`lab.run.readiness`), and whether its night is over. Raises what ends a run.
    """
    tonight, progress, trial = making.tonight, making.progress, entry.item.trial
    phones = introductions.pair_of(tonight.run.spec, trial)[1:]
    pauses_s, spoilt = iter(PAUSES_S), 0
    with progress.trial(trial.id):
        while not making.leaves(entry.item):
            if (unfit := making.readiness.require(bench)) is not None:
                _await_network(making, bench, unfit, next(pauses_s, None))
                continue
            progress.attempt(trial.id, entry.tries)
            with tonight.run.dataset.attempt(trial.id) as folder:
                failed = _attempt(making, bench, entry.item, folder)
            making.tell_restarts(bench)
            reason = None if failed is None else _reason(failed)
            making.policy.ended(trial.id, trial.app, phones, reason)
            making.bugs.ended(reason, folder.kept)
            if failed is None:
                progress.completed(trial.id)
                return Outcome(complete=True)
            progress.void(trial.id, _reason(failed), str(failed))
            policy, calls = class_of(failed).policy, folder.calls
            if policy == "stop":
                raise failed
            if policy in ("ladder", "pause"):
                # A phone has no network where the hotspot is off, too, which the ladder brings back.
                before_ns = bench.clock.now_ns()
                try:
                    bench.recover(making.tell_rung)
                finally:
                    making.tell_restarts(bench)
                tonight.clock.went_on(before_ns, bench.clock.now_ns())
            if policy == "ladder":
                spoilt += 1
                if spoilt == SPOILT_ATTEMPTS:
                    return Outcome(reason=_reason(failed), again=False, calls=calls)
            elif policy == "pause":
                _await_network(making, bench, failed, next(pauses_s, None))
            else:
                if policy == "park":
                    tonight.park(trial.app, _reason(failed), trial.id, str(failed))
                    progress.say(f"{trial.app} is parked on both phones: {failed}")
                certain, again = policy == "park", policy == "breaker"
                return Outcome(reason=_reason(failed), certain=certain, again=again, calls=calls)
        return Outcome()


def _await_network(making: Making, bench: Bench, failed: LabError, pause_s: float | None) -> None:
    """Pause for what a person may mend, or mends itself. Raises `BenchUnhealthy` after the last pause."""
    if pause_s is None:
        hours = sum(PAUSES_S) / 3600
        raise BenchUnhealthy(f"{failed}; waited {hours:g} h for it; mend the network and run again") from failed
    making.progress.say(f"{failed}; the same trial again in {pause_s / 60:g} min")
    making.sleep(bench, pause_s)


def _attempt(making: Making, bench: Bench, item: PlannedTrial, folder: AttemptFolder) -> LabError | None:
    """Make one attempt; why it is void, None where it is complete. Raises what ends the run."""
    tonight, progress = making.tonight, making.progress
    show = partial(progress.step, item.trial.id)

    def placing() -> None:
        tonight.accounts.placed(item.trial.app)
        folder.calls += 1

    try:
        with guarded(folder.path):
            seed, number = tonight.run.seed, folder.number
            versions = partial(tonight.versions.require, item.trial.app)
            attempt = Attempt(
                bench, item, seed, number, folder.path, show, making.policy, folder.clean, placing, versions
            )
            record = _record(attempt, bench, folder.truth)
    except (AttemptVoid, PhoneTrouble, LaptopTrouble, NeedsPerson) as error:
        # A signal reaches the programs on the bench too, and sometimes before the harness has noticed it.
        bench.stop.check()
        folder.night_s = tonight.clock.went_on(bench.begun_ns, bench.clock.now_ns())
        cause = making.readiness.cause(bench, error)
        spoilt = class_of(cause).policy in ("pause", "ladder", "stop") or _reason(cause) in OF_A_DATASET
        folder.void(_reason(cause), str(cause), by_bench=spoilt)
        return cause
    folder.night_s = tonight.clock.went_on(bench.begun_ns, bench.clock.now_ns())
    folder.complete()
    tonight.versions.made(record)
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
