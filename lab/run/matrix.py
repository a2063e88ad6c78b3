"""A matrix: which trials are missing, running them, journalling, trying again.

A trial is complete when its folder stands under its final name; the journal is history. Whatever way a run ends, what
was verified stays, and the next run takes up what is missing.
"""

import shutil
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from correlate.dataset import AttemptFolder
from lab.bench.bench import Bench
from lab.clocks.stop import Stop
from lab.definitions import PlannedTrial
from lab.errors import AttemptVoid, BenchUnhealthy, LabError, LaptopTrouble, PhoneTrouble, TrialsFailed
from lab.run.attempt import Attempt
from lab.run.description import check_fits, create
from lab.run.options import holding
from lab.run.plan import Run, check_callees
from lab.run.progress import Progress
from lab.run.side_by_side import share

ROOM_BYTES = 32 << 20
"""What must be free for a trial to begin: its two captures, and evidence where it fails."""

FURTHER_ATTEMPTS = 3
"""How often a void attempt is tried again in one run."""


def run_missing(run: Run, progress: Progress, stop: Stop) -> bool:
    """Run every chosen trial that is missing; whether the dataset is another one now, and is to be computed again.

    Raises `TrialsFailed` when some stay void, and what ends a run early: `BenchUnhealthy`, `BenchBusy`, `Interrupted`.
    Of several benches side by side all must open; one that is lost later is told in a line, and the others go on.
    `BenchUnhealthy` is raised when the last one is lost, which leaves trials missing.
    Where nothing is missing nothing is written, but a journal that does not hold is set aside, and one that says
    otherwise than the folders of what there is is put right.
    """
    check_fits(run)
    dataset = run.dataset
    if not run.missing() and not dataset.journal_problem() and not dataset.unjournalled():
        progress.nothing_to_do(len(run.chosen), dataset.path)
        return False
    check_callees(run)
    dataset.path.mkdir(parents=True, exist_ok=True)
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
        missing = run.missing()
        void = _run_all(run, missing, progress, stop) if missing else []
    if void:
        named = ", ".join(sorted(void)[:5]) + (", ..." if len(void) > 5 else "")
        raise TrialsFailed(f"{len(void)} of {len(missing)} trials stay void: {named}; see {dataset.attempts_dir}")
    return True


def _run_all(run: Run, missing: list[PlannedTrial], progress: Progress, stop: Stop) -> list[str]:
    void: list[str] = []

    def make(bench: Bench, item: PlannedTrial) -> None:
        if not run_one(run, bench, item, progress):
            void.append(item.trial.id)

    with progress.showing(len(missing)), ExitStack() as opened:
        benches = []
        for _ in range(min(run.benches, len(missing))):
            benches.append(bench := opened.enter_context(Bench(run.lab, run.spec, stop)))
            progress.say(bench.kind.hint)
        run.dataset.journal.append("run", trials=len(missing), seed=run.seed)
        share(missing, benches, partial(_require_leave, run.dataset.path, len(benches), stop), make, progress.lost)
        stop.check()
    return void


def _require_leave(path: Path, at_once: int, stop: Stop) -> None:
    """Raise where no further trial may begin: the end was asked for, or the disk may not hold so many at once."""
    stop.check()
    free_bytes, needed_bytes = shutil.disk_usage(path).free, at_once * ROOM_BYTES
    if free_bytes < needed_bytes:
        trials = "a trial" if at_once == 1 else f"{at_once} trials at once"
        free = f"{free_bytes >> 20} MiB are free, {trials} may need {needed_bytes >> 20}"
        raise BenchUnhealthy(f"{path}: {free}; what is recorded is kept; make room and run again")


def run_one(run: Run, bench: Bench, item: PlannedTrial, progress: Progress) -> bool:
    """Attempt one trial until it is complete, at most four times; False when all attempts are void."""
    with progress.trial(item.trial.id):
        for retry in range(1 + FURTHER_ATTEMPTS):
            progress.attempt(item.trial.id, retry)
            with run.dataset.attempt(item.trial.id) as folder:
                failed = _attempt(run, bench, item, folder, progress)
            if failed is None:
                progress.completed(item.trial.id)
                return True
            progress.void(item.trial.id, _reason(failed), str(failed))
            if not isinstance(failed, AttemptVoid):
                bench.check_health()
    return False


def _attempt(run: Run, bench: Bench, item: PlannedTrial, folder: AttemptFolder, progress: Progress) -> LabError | None:
    """Make one attempt; why it is void, None where it is complete. Raises what ends the run."""
    attempt = Attempt(bench, item, run.seed, folder.number, folder.path, partial(progress.step, item.trial.id))
    try:
        _record(attempt, bench, folder.truth)
    except (AttemptVoid, PhoneTrouble, LaptopTrouble) as error:
        # A signal reaches the programs on the bench too, and sometimes before the harness has noticed it.
        bench.stop.check()
        folder.void(_reason(error), str(error))
        return error
    folder.complete()
    return None


def _reason(error: LabError) -> str:
    return error.reason if isinstance(error, AttemptVoid) else "bench_trouble"


def _record(attempt: Attempt, bench: Bench, truth: Path) -> None:
    """`attempt.run`; trouble with a phone or the laptop because the whole bench has gone is the bench's error."""
    try:
        attempt.run(truth)
    except (PhoneTrouble, LaptopTrouble):
        bench.kind.check_health()
        raise
