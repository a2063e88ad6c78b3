"""A matrix: which trials are missing, running them one after the other, journalling, trying again.

A trial is complete when its folder stands under its final name; the journal is history. Whatever way a run ends, what
was verified stays, and the next run takes up what is missing.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from correlate.dataset import BadDataset, Dataset, write_json, write_text
from lab import asked, hold, versions
from lab.bench import Bench, PlannedTrial, plan_routes
from lab.clock import Stop
from lab.definitions import BenchSpec, Lab, Matrix, plan
from lab.errors import AttemptVoid, BadInput, BenchUnhealthy, LabError, LaptopTrouble, PhoneTrouble, TrialsFailed
from lab.progress import Progress
from lab.trial import Attempt
from lab.yamlfile import did_you_mean

LOCK = ".lock"
BEGINNING = {LOCK, "scenarios"}
ROOM_BYTES = 32 << 20
"""What must be free for a trial to begin: its two captures, and evidence where it fails."""
FURTHER_ATTEMPTS = 3
"""How often a void attempt is tried again in one run."""


@dataclass(frozen=True)
class Options:
    """What a task was asked for, as typed."""

    bench: str = "virtual"
    matrix: str = "paper"
    dataset: str = ""
    seed: int | str = 1
    scenarios: str = "scenarios"
    only: str = ""


@dataclass(frozen=True)
class Run:
    """A matrix on a bench, planned; nothing is touched by making it."""

    lab: Lab
    spec: BenchSpec
    matrix: Matrix
    seed: int
    dataset: Dataset
    planned: tuple[PlannedTrial, ...]
    chosen: tuple[PlannedTrial, ...]

    def missing(self) -> list[PlannedTrial]:
        """The chosen trials that have no complete folder, in order."""
        return [item for item in self.chosen if not self.dataset.trial_dir(item.trial.id).is_dir()]

    def only(self, *items: PlannedTrial) -> Run:
        """The same run with these trials chosen."""
        return replace(self, chosen=items)

    def one(self, trial_id: str) -> PlannedTrial:
        """The planned trial of that id. Raises `BadInput` with the nearest id."""
        by_id = {item.trial.id: item for item in self.planned}
        if trial_id not in by_id:
            raise BadInput(f"no trial '{trial_id}' in matrix {self.matrix.name}{did_you_mean(trial_id, by_id)}")
        return by_id[trial_id]


def prepare(options: Options) -> Run:
    """Read the YAML and lay the plan. Raises `BadInput`, also where an app has no emulation; touches nothing."""
    lab = Lab.load(Path(options.scenarios))
    spec, matrix = lab.bench(options.bench), lab.matrix(options.matrix)
    seed = asked.seed(options.seed)
    _require_emulations(lab, spec, matrix)
    planned = tuple(plan_routes(lab, plan(matrix, spec, seed), spec, seed))
    dataset = asked.dataset(options.dataset or f"datasets/{spec.name}-{matrix.name}")
    return Run(lab, spec, matrix, seed, dataset, planned, asked.chosen(planned, options.only))


def _require_emulations(lab: Lab, spec: BenchSpec, matrix: Matrix) -> None:
    lacking = [name for name in matrix.apps if spec.kind == "virtual" and name not in lab.virtual_apps]
    if lacking:
        why = f"missing, bench {spec.name} needs it; write it (docs/add-an-app.md), or name a real bench with --bench"
        raise BadInput("\n".join(f"{lab.directory}/virtual/{name}.yaml: {why}" for name in lacking))


def scenario_hash(run: Run) -> str:
    """SHA-256 over the names and bytes of the YAML files that this matrix uses, without what is local."""
    digest = hashlib.sha256()
    for name, path in _used_files(run).items():
        data = path.read_bytes()
        digest.update(f"{name}\0{len(data)}\0".encode() + data)
    return digest.hexdigest()


def _used_files(run: Run) -> dict[str, Path]:
    root = run.lab.directory
    names = [f"benches/{run.spec.name}.yaml", f"matrices/{run.matrix.name}.yaml"]
    names += [f"calls/{name}.yaml" for name in run.matrix.scenarios]
    names += [f"apps/{name}.yaml" for name in run.matrix.apps]
    if run.spec.kind == "virtual":
        names += [f"virtual/{name}.yaml" for name in run.matrix.apps]
    return {name: root / name for name in sorted(names)}


def describe(run: Run) -> dict[str, Any]:
    """What dataset.json says of a run."""
    spec = run.spec
    return {
        "schema": 1,
        "name": run.dataset.path.resolve().name,
        "bench": spec.name,
        "matrix": run.matrix.name,
        "seed": run.seed,
        "provenance": "modelled" if spec.kind == "virtual" else "measured",
        "contact": spec.contact,
        "approval": spec.approval,
        "scenario_hash": scenario_hash(run),
        "versions": versions.of_the_controller(),
        "devices": [
            {"name": phone.name, "model": phone.model, "os": phone.os, "tools": phone.tools, "network": phone.network}
            for phone in spec.phones
        ],
        "laptop": {"model": spec.laptop.model, "os": spec.laptop.os, "tools": spec.laptop.tools},
        "apps": {
            name: {
                "package": app.package,
                "version": app.version,
                "services": list(run.matrix.services),
                "analysis": None if app.analysis is None else app.analysis.model_dump(mode="json"),
            }
            for name, app in run.lab.apps.items()
            if name in run.matrix.apps
        },
        "plan": [_plan_entry(item, spec) for item in run.planned],
    }


def _plan_entry(item: PlannedTrial, spec: BenchSpec) -> dict[str, Any]:
    trial, caller = item.trial, spec.caller_of(item.trial.direction)
    fields = ("id", "app", "service", "direction", "scenario", "repetition")
    entry = {field: getattr(trial, field) for field in fields}
    return entry | {"caller": caller.name, "callee": spec.other(caller).name}


def check_fits(run: Run) -> None:
    """Refuse a dataset that was begun with another seed, matrix, bench or other scenarios. Raises `BadInput`."""
    path = run.dataset.path
    if not run.dataset.info_path.exists():
        # A run that was killed while it began leaves no more than these.
        if path.exists() and (not path.is_dir() or {entry.name for entry in path.iterdir()} - BEGINNING):
            raise BadInput(f"{path}: not empty and no dataset; name another folder with --dataset")
        return
    there, here = run.dataset.info(), describe(run)
    for key in ("bench", "matrix", "seed", "scenario_hash"):
        if getattr(there, key) != here[key]:
            raise BadInput(
                f"{run.dataset.info_path}: this dataset was begun with {key} {getattr(there, key)}, not {here[key]}; "
                "name another folder with --dataset"
            )


def create(run: Run) -> None:
    """Write a new dataset's dataset.json and its copy of the YAML."""
    for name, path in _used_files(run).items():
        write_text(run.dataset.path / "scenarios" / name, path.read_text("utf-8"))
    write_json(run.dataset.info_path, describe(run))


def check_callees(run: Run) -> None:
    """Refuse to call anybody whom the bench file does not allow. Raises `BadInput`, one line a contact."""
    mistakes: set[str] = set()
    for trial in (item.trial for item in run.missing()):
        callee = run.spec.other(run.spec.caller_of(trial.direction))
        address = callee.address_in(trial.app)
        where = f"{run.lab.directory / 'benches' / run.spec.name}.yaml: {callee.name}"
        if address is None:
            mistakes.add(f"{where} has no contact for {trial.app}; add it there or in the *.local.yaml")
        elif address not in run.spec.allowed_callees:
            mistakes.add(f"{where}: {trial.app} contact '{address}' is not in allowed_callees; nobody was called")
    if mistakes:
        raise BadInput("\n".join(sorted(mistakes)))


def holding(dataset: Dataset) -> AbstractContextManager[None]:
    """Hold a dataset for this process alone. Raises `BenchBusy` naming the holder."""
    return hold.held(dataset.path / LOCK, str(dataset.path))


@contextmanager
def opened(folder: str) -> Iterator[Dataset]:
    """A dataset that is there, held. Raises `BadDataset` where it is none, `BenchBusy` naming the holder."""
    dataset = Dataset(Path(folder))
    dataset.info()
    with holding(dataset):
        yield dataset


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
            attempt, captures = record.attempt, record.captures
        except BadDataset:
            attempt, captures = None, None  # What is wrong with it the findings say, and the exit code.
        dataset.journal.append("completed", trial=trial_id, attempt=attempt, captures=captures)


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
            reason = error.reason if isinstance(error, AttemptVoid) else "bench_trouble"
            _keep_void(dataset, trial_id, number, folder, reason, str(error))
            progress.void(trial_id, reason, str(error))
            if not isinstance(error, AttemptVoid):
                bench.check_health()
            continue
        except LabError as error:
            dataset.journal.append("interrupted", trial=trial_id, attempt=number, reason=str(error))
            shutil.rmtree(folder)
            raise
        dataset.commit_trial(trial_id)
        dataset.journal.append("completed", trial=trial_id, attempt=number, captures=record["captures"])
        progress.completed(trial_id)
        return True
    return False


def next_attempt(dataset: Dataset, trial_id: str) -> int:
    """The number of attempts that are kept; where somebody took one away, the next free one."""
    kept = [path.suffix[1:] for path in dataset.attempts_dir.glob(f"{trial_id}.*")]
    return max((int(number) + 1 for number in kept if number.isdecimal()), default=0)


def _recorded(attempt: Attempt, bench: Bench, truth: Path) -> dict[str, Any]:
    """`attempt.run`; trouble with a phone or the laptop because the whole bench has gone is the bench's error."""
    try:
        return attempt.run(truth)
    except (PhoneTrouble, LaptopTrouble):
        bench.clock.now_ns()
        raise


def _keep_void(dataset: Dataset, trial_id: str, number: int, folder: Path, reason: str, text: str) -> None:
    """Move a void attempt with its evidence to attempts/ID.N and journal it."""
    write_json(folder / "void.json", {"trial": trial_id, "attempt": number, "reason": reason, "text": text})
    note = "PRIVATE: screens and logs of the lab's phones. Do not publish.\n"
    write_text(folder / "PRIVATE", note)
    kept = dataset.attempts_dir / f"{trial_id}.{number}"
    kept.parent.mkdir(parents=True, exist_ok=True)
    folder.rename(kept)
    dataset.journal.append("void", trial=trial_id, attempt=number, reason=reason, text=text[:500])
