"""What dataset.json says of a run, and whether a dataset that is there fits it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from correlate.dataset import write_json, write_text
from lab.definitions import BenchSpec, PlannedTrial
from lab.errors import BadInput
from lab.run import versions
from lab.run.plan import Run


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
        begun = {run.dataset.lock_path.name, "scenarios"}
        if path.exists() and (not path.is_dir() or {entry.name for entry in path.iterdir()} - begun):
            raise BadInput(f"{path}: not empty and no dataset; name another folder with --dataset")
        return
    there, here = run.dataset.info(), describe(run)
    run.dataset.plan()
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
