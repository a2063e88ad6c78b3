"""A matrix: which trials are missing, running them one after the other, journalling, trying again.

A trial is complete when its folder stands under its final name; the journal is history. Whatever way a run ends, what
was verified stays, and the next run takes up what is missing.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from correlate.dataset import BadDataset, Dataset, documents, write_text
from correlate.dataset.record import TrialRecord, VoidRecord
from lab.bench.bench import Bench
from lab.clocks.stop import Stop
from lab.definitions import PlannedTrial
from lab.errors import AttemptVoid, BenchUnhealthy, LabError, LaptopTrouble, PhoneTrouble, TrialsFailed
from lab.run.attempt import Attempt
from lab.run.dataset_lock import holding
from lab.run.description import check_fits, create
from lab.run.plan import Run, check_callees
from lab.run.progress import Progress

ROOM_BYTES = 32 << 20
"""What must be free for a trial to begin: its two captures, and evidence where it fails."""


FURTHER_ATTEMPTS = 3
"""How often a void attempt is tried again in one run."""


def run_missing(run: Run, progress: Progress, stop: Stop) -> bool:
    """Run every chosen trial that is missing; whether the dataset is another one now, and is to be computed again.

    Raises `TrialsFailed` when some stay void, and what ends a run early: `BenchUnhealthy`, `BenchBusy`, `Interrupted`.
    Where nothing is missing nothing is written, but a journal that does not hold is set aside.
    """
    check_fits(run)
    if not run.missing() and not run.dataset.journal.problem():
        progress.nothing_to_do(len(run.chosen), run.dataset.path)
        return False
    check_callees(run)
    run.dataset.path.mkdir(parents=True, exist_ok=True)
    with holding(run.dataset), stop.on_signals():
        # Another run may have been here while this one waited for nothing.
        check_fits(run)
        missing, broken = run.missing(), run.dataset.journal.problem()
        if not run.dataset.info_path.exists():
            create(run)
        run.dataset.drop_manifest()
        if broken:
            kept = run.dataset.journal.set_aside()
            progress.say(f"{broken}; it is kept as {kept.name}, a new one begins with the trials that are complete")
        clear_up(run.dataset)
        void = _run_all(run, missing, progress, stop) if missing else []
    if void:
        named = ", ".join(sorted(void)[:5]) + (", ..." if len(void) > 5 else "")
        raise TrialsFailed(f"{len(void)} of {len(missing)} trials stay void: {named}; see {run.dataset.attempts_dir}")
    return True


def clear_up(dataset: Dataset) -> None:
    """Put right what an earlier run left, with the journal: unfinished folders, trials that came or went unseen."""
    for partial in sorted(dataset.trials_dir.glob("*.partial")):
        # Journalled first: a kill in between must not hide it.
        dataset.journal.append("interrupted", trial=partial.name.removesuffix(".partial"), reason="killed")
        shutil.rmtree(partial)
    complete: set[str] = set()
    for entry in dataset.journal.read():
        if entry.event == "completed":
            complete.add(str(entry.trial))
        elif entry.event == "lost":
            complete.discard(str(entry.trial))
    there = set(dataset.trial_ids())
    for trial_id in sorted(complete - there):
        dataset.journal.append("lost", trial=trial_id)
    for trial_id in sorted(there - complete):
        try:
            record = dataset.record(trial_id)
        except BadDataset:
            # What is wrong with it the findings say, and the exit code.
            dataset.journal.append("completed", trial=trial_id, attempt=None, captures=None)
        else:
            dataset.journal.append("completed", trial=trial_id, attempt=record.attempt, captures=record.captures)


def _run_all(run: Run, missing: list[PlannedTrial], progress: Progress, stop: Stop) -> list[str]:
    void: list[str] = []
    with progress.showing(len(missing)), Bench(run.lab, run.spec, stop) as bench:
        progress.say(bench.kind.hint)
        run.dataset.journal.append("run", trials=len(missing), seed=run.seed)
        for item in missing:
            stop.check()
            _require_room(run.dataset.path)
            if not run_one(run, bench, item, progress):
                void.append(item.trial.id)
        stop.check()
    return void


def _require_room(path: Path) -> None:
    free_bytes = shutil.disk_usage(path).free
    if free_bytes < ROOM_BYTES:
        free = f"{free_bytes >> 20} MiB are free, a trial may need {ROOM_BYTES >> 20}"
        raise BenchUnhealthy(f"{path}: {free}; what is recorded is kept; make room and run again")


def run_one(run: Run, bench: Bench, item: PlannedTrial, progress: Progress) -> bool:
    """Attempt one trial until it is complete, at most four times; False when all attempts are void."""
    dataset, trial_id = run.dataset, item.trial.id
    for retry in range(1 + FURTHER_ATTEMPTS):
        number = next_attempt(dataset, trial_id)
        folder = dataset.trials_dir / f"{trial_id}.partial"
        folder.mkdir(parents=True)
        progress.attempt(trial_id, retry)
        dataset.journal.append("attempt", trial=trial_id, attempt=number)
        attempt = Attempt(bench, item, run.seed, number, folder, progress.step)
        try:
            record = _recorded(attempt, bench, dataset.truth_dir / f"{trial_id}.json")
        except (AttemptVoid, PhoneTrouble, LaptopTrouble) as error:
            if bench.stop.requested:
                # The signal reaches the programs on the bench too, and sometimes before the harness has noticed it.
                _interrupted(dataset, trial_id, number, folder, str(error))
                bench.stop.check()
            reason = error.reason if isinstance(error, AttemptVoid) else "bench_trouble"
            _keep_void(dataset, trial_id, number, folder, reason, str(error))
            progress.void(trial_id, reason, str(error))
            if not isinstance(error, AttemptVoid):
                bench.check_health()
            continue
        except LabError as error:
            _interrupted(dataset, trial_id, number, folder, str(error))
            raise
        dataset.commit_trial(trial_id)
        dataset.journal.append("completed", trial=trial_id, attempt=number, captures=record.captures)
        progress.completed(trial_id)
        return True
    return False


def _interrupted(dataset: Dataset, trial_id: str, number: int, folder: Path, reason: str) -> None:
    """Journal an attempt that counts for nothing and whose number is used again."""
    dataset.journal.append("interrupted", trial=trial_id, attempt=number, reason=reason)
    shutil.rmtree(folder)


def next_attempt(dataset: Dataset, trial_id: str) -> int:
    """The number of attempts that are kept; where somebody took one away, the next free one."""
    kept = [path.suffix[1:] for path in dataset.attempts_dir.glob(f"{trial_id}.*")]
    return max((int(number) + 1 for number in kept if number.isdecimal()), default=0)


def _recorded(attempt: Attempt, bench: Bench, truth: Path) -> TrialRecord:
    """`attempt.run`; trouble with a phone or the laptop because the whole bench has gone is the bench's error."""
    try:
        return attempt.run(truth)
    except (PhoneTrouble, LaptopTrouble):
        bench.clock.now_ns()
        raise


def _keep_void(dataset: Dataset, trial_id: str, number: int, folder: Path, reason: str, text: str) -> None:
    """Move a void attempt with its evidence to attempts/ID.N and journal it."""
    void = VoidRecord(trial=trial_id, attempt=number, reason=reason, text=text)
    documents.write(folder / "void.json", void)
    note = "PRIVATE: screens and logs of the lab's phones. Do not publish.\n"
    write_text(folder / "PRIVATE", note)
    kept = dataset.attempts_dir / f"{trial_id}.{number}"
    kept.parent.mkdir(parents=True, exist_ok=True)
    folder.rename(kept)
    dataset.journal.append("void", trial=trial_id, attempt=number, reason=reason, text=text[:500])
