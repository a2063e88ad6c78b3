"""A matrix: which trials are missing, running them one after the other, journalling, trying again.

A trial is complete when its folder stands under its final name; the journal is history. Whatever way a run ends, what
was verified stays, and the next run takes up what is missing.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from correlate.dataset import Dataset, write_json, write_text
from lab import versions
from lab.bench import Bench, PlannedTrial, plan_routes
from lab.clock import Stop
from lab.definitions import BenchSpec, Lab, Matrix, plan
from lab.errors import AttemptVoid, BadInput, BenchBusy, LaptopTrouble, PhoneTrouble, TrialsFailed
from lab.progress import Progress
from lab.trial import Attempt
from lab.yamlfile import did_you_mean

FURTHER_ATTEMPTS = 3
"""How often a void attempt is tried again in one run."""


@dataclass(frozen=True)
class Options:
    """What a task was asked for, as typed."""

    bench: str = "virtual"
    matrix: str = "paper"
    dataset: str = ""
    seed: int = 1
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

    def only(self, item: PlannedTrial) -> Run:
        """The same run with one trial chosen."""
        return replace(self, chosen=(item,))

    def one(self, trial_id: str) -> PlannedTrial:
        """The planned trial of that id. Raises `BadInput` with the nearest id."""
        by_id = {item.trial.id: item for item in self.planned}
        if trial_id not in by_id:
            raise BadInput(f"no trial '{trial_id}' in matrix {self.matrix.name}{did_you_mean(trial_id, by_id)}")
        return by_id[trial_id]


def prepare(options: Options) -> Run:
    """Read the YAML and lay the plan. Raises `BadInput`; touches nothing."""
    lab = Lab.load(Path(options.scenarios))
    spec, matrix = lab.bench(options.bench), lab.matrix(options.matrix)
    planned = tuple(plan_routes(lab, plan(matrix, spec, options.seed), spec, options.seed))
    path = Path(options.dataset) if options.dataset else Path("datasets") / f"{spec.name}-{matrix.name}"
    chosen = tuple(item for item in planned if _matches(item, _filter(options.only)))
    return Run(lab, spec, matrix, options.seed, Dataset(path), planned, chosen)


FILTERS = ("app", "service", "direction", "scenario", "repetition", "id")


def _filter(only: str) -> dict[str, str]:
    wanted: dict[str, str] = {}
    for part in filter(None, only.split(",")):
        key, equals, value = part.partition("=")
        if not equals or key not in FILTERS:
            raise BadInput(
                f"--only {part}: write KEY=VALUE with KEY one of {', '.join(FILTERS)}{did_you_mean(key, FILTERS)}"
            )
        wanted[key] = value
    return wanted


def _matches(item: PlannedTrial, wanted: Mapping[str, str]) -> bool:
    return all(str(getattr(item.trial, key)) == value for key, value in wanted.items())


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
    if not run.dataset.info_path.exists():
        if run.dataset.path.exists() and any(run.dataset.path.iterdir()):
            raise BadInput(f"{run.dataset.path}: not empty and no dataset; name another folder with --dataset")
        return
    there, here = run.dataset.info(), describe(run)
    for key in ("bench", "matrix", "seed", "scenario_hash"):
        if there.get(key) != here[key]:
            raise BadInput(
                f"{run.dataset.info_path}: this dataset was begun with {key} {there.get(key)}, not {here[key]}; "
                "name another folder with --dataset"
            )


def create(run: Run) -> None:
    """Write a new dataset's dataset.json and its copy of the YAML."""
    for name, path in _used_files(run).items():
        write_text(run.dataset.path / "scenarios" / name, path.read_text("utf-8"))
    write_json(run.dataset.info_path, describe(run))


@contextmanager
def holding(dataset: Dataset) -> Iterator[None]:
    """Hold a dataset for this process alone. Raises `BenchBusy` naming the holder."""
    dataset.path.mkdir(parents=True, exist_ok=True)
    with (dataset.path / ".lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise BenchBusy(f"{dataset.path} is held by process {lock.read(20).strip() or '?'}; wait for it") from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def run_missing(run: Run, progress: Progress, stop: Stop) -> None:
    """Run every chosen trial that is missing.

    Raises `TrialsFailed` when some stay void, and what ends a run early: `BenchUnhealthy`, `BenchBusy`, `Interrupted`.
    Where nothing is missing nothing is written.
    """
    check_fits(run)
    missing = run.missing()
    if not missing:
        progress.nothing_to_do(len(run.chosen), run.dataset.path)
        return
    with holding(run.dataset), stop.on_signals():
        if not run.dataset.info_path.exists():
            create(run)
        run.dataset.drop_manifest()
        _clear_up(run)
        void = _run_all(run, missing, progress, stop)
    if void:
        raise TrialsFailed(f"{len(void)} of {len(missing)} trials stay void: {', '.join(sorted(void)[:5])} ...")


def _clear_up(run: Run) -> None:
    """Put right what an earlier run left: unfinished folders are discarded, trials that vanished are journalled."""
    dataset = run.dataset
    for partial in sorted(dataset.trials_dir.glob("*.partial")):
        shutil.rmtree(partial)
        dataset.journal.append("interrupted", trial=partial.name.removesuffix(".partial"))
    complete: set[str] = set()
    for entry in dataset.journal.read():
        if entry["event"] == "completed":
            complete.add(entry["trial"])
        elif entry["event"] == "lost":
            complete.discard(entry["trial"])
    for trial_id in sorted(complete):
        if not dataset.trial_dir(trial_id).is_dir():
            dataset.journal.append("lost", trial=trial_id)


def _run_all(run: Run, missing: list[PlannedTrial], progress: Progress, stop: Stop) -> list[str]:
    void: list[str] = []
    with progress.showing(len(missing)), Bench(run.lab, run.spec, stop) as bench:
        run.dataset.journal.append("run", trials=len(missing), seed=run.seed)
        for item in missing:
            stop.check()
            if not run_one(run, bench, item, progress):
                void.append(item.trial.id)
    return void


def run_one(run: Run, bench: Bench, item: PlannedTrial, progress: Progress) -> bool:
    """Attempt one trial until it is complete, at most four times; False when all attempts are void."""
    dataset, trial_id = run.dataset, item.trial.id
    for retry in range(1 + FURTHER_ATTEMPTS):
        number = len(list(dataset.attempts_dir.glob(f"{trial_id}.*")))
        folder = dataset.trials_dir / f"{trial_id}.partial"
        folder.mkdir(parents=True)
        progress.attempt(trial_id, retry)
        dataset.journal.append("attempt", trial=trial_id, attempt=number)
        attempt = Attempt(bench, item, run.seed, number, folder, progress.step)
        try:
            record = attempt.run(dataset.truth_dir / f"{trial_id}.json")
        except (AttemptVoid, PhoneTrouble, LaptopTrouble) as error:
            reason = error.reason if isinstance(error, AttemptVoid) else "bench_trouble"
            _keep_void(dataset, trial_id, number, folder, reason, str(error))
            progress.void(trial_id, reason, str(error))
            if not isinstance(error, AttemptVoid):
                bench.check_health()
            continue
        dataset.commit_trial(trial_id)
        dataset.journal.append("completed", trial=trial_id, attempt=number, captures=record["captures"])
        progress.completed(trial_id)
        return True
    return False


def _keep_void(dataset: Dataset, trial_id: str, number: int, folder: Path, reason: str, text: str) -> None:
    """Move a void attempt with its evidence to attempts/ID.N and journal it."""
    write_json(folder / "void.json", {"trial": trial_id, "attempt": number, "reason": reason, "text": text})
    note = "PRIVATE: screens and logs of the lab's phones. Do not publish.\n"
    write_text(folder / "PRIVATE", note)
    kept = dataset.attempts_dir / f"{trial_id}.{number}"
    kept.parent.mkdir(parents=True, exist_ok=True)
    folder.rename(kept)
    dataset.journal.append("void", trial=trial_id, attempt=number, reason=reason, text=text[:500])
