"""What dataset.json says of a run, and whether a dataset that is there fits it."""

import hashlib
import platform
import shlex
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from correlate import files
from correlate.dataset.anchors import SCENARIOS
from correlate.dataset.durable import unfinished
from correlate.dataset.record import LIBRARY, SCHEMA, AppEntry, DatasetRecord, Device, Machine, PlanEntry, Provenance
from lab.definitions import BenchSpec, PlannedTrial
from lab.errors import BadInput
from lab.run.plan import Run

PROVENANCES: dict[str, Provenance] = {"virtual": "modelled", "rig": "rehearsed", "real": "measured"}
"""What the traffic of each kind of bench is."""

LIBRARIES = ("im-call-lab", "adbutils", "uiautomator2", "dnspython", LIBRARY, "numpy", "pydantic", "PyYAML")


def controller_versions() -> dict[str, str]:
    """Name -> version of Python, the system and the libraries that take part in a trial."""
    return {"python": platform.python_version(), "system": platform.platform(terse=True)} | {
        library: version(library) for library in LIBRARIES
    }


def scenario_hash(run: Run) -> str:
    """SHA-256 over the names and bytes of the YAML files that this matrix uses, without what is local."""
    digest = hashlib.sha256()
    for name, path in _used_files(run).items():
        data = files.read(path)
        digest.update(f"{name}\0{len(data)}\0".encode() + data)
    return digest.hexdigest()


def _used_files(run: Run) -> dict[str, Path]:
    root = run.lab.directory
    names = [f"benches/{run.spec.name}.yaml", f"matrices/{run.matrix.name}.yaml"]
    names += [f"calls/{name}.yaml" for name in run.matrix.scenarios]
    names += [f"apps/{name}.yaml" for name in run.matrix.apps]
    if run.spec.emulated:
        names += [f"virtual/{name}.yaml" for name in run.matrix.apps]
    return {name: root / name for name in sorted(names)}


def describe(run: Run) -> DatasetRecord:
    """What dataset.json says of a run."""
    spec, laptop = run.spec, run.spec.laptop
    apps = {name: app for name, app in run.lab.apps.items() if name in run.matrix.apps}
    services = list(run.matrix.services)
    return DatasetRecord(
        schema_number=SCHEMA,
        name=run.dataset.path.resolve().name,
        bench=spec.name,
        matrix=run.matrix.name,
        seed=run.seed,
        provenance=PROVENANCES[spec.kind],
        contact=spec.contact,
        approval=spec.approval,
        scenario_hash=scenario_hash(run),
        versions=controller_versions(),
        devices=[
            Device(name=phone.name, model=phone.model, os=phone.os, tools=phone.tools, network=phone.network)
            for phone in spec.phones
        ],
        laptop=Machine(model=laptop.model, os=laptop.os, tools=laptop.tools),
        apps={
            name: AppEntry(package=app.package, version=app.version, services=services, analysis=app.analysis)
            for name, app in apps.items()
        },
        plan=[_plan_entry(item, spec) for item in run.planned],
    )


def _plan_entry(item: PlannedTrial, spec: BenchSpec) -> PlanEntry:
    trial, caller = item.trial, spec.caller_of(item.trial.direction)
    return PlanEntry(id=trial.id, **asdict(trial), caller=caller.name, callee=spec.other(caller).name)


def check_fits(run: Run) -> None:
    """Refuse a dataset that was begun with another seed, matrix, bench or other scenarios. Raises `BadInput`."""
    path = run.dataset.path
    if not run.dataset.info_path.exists():
        # A run that was killed while it began leaves no more than these.
        dataset = run.dataset
        files = (dataset.lock_path, dataset.journal.path, unfinished(dataset.info_path))
        begun = {SCENARIOS, *(each.name for each in files)}
        if path.exists() and (not path.is_dir() or {entry.name for entry in path.iterdir()} - begun):
            raise BadInput(f"{path}: not empty and no dataset; name another folder with --dataset")
        return
    there, here = run.dataset.info(), describe(run)
    for key in ("bench", "matrix", "seed", "scenario_hash"):
        before, now = getattr(there, key), getattr(here, key)
        if before != now:
            own = path / SCENARIOS
            may_finish = key == "scenario_hash" and own.is_dir() and own.resolve() != run.lab.directory.resolve()
            finish = f", or finish it with its own scenarios: {_finishing(run)}" if may_finish else ""
            raise BadInput(
                f"{run.dataset.info_path}: this dataset was begun with {key} {before}, not {now}; "
                f"name another folder with --dataset{finish}"
            )


def _finishing(run: Run) -> str:
    """The command that runs what is missing of a dataset with the YAML that it was begun with, and this local file."""
    words = ["invoke", "run-matrix", "--scenarios", str(run.dataset.path / SCENARIOS), "--bench", run.spec.name]
    words += ["--matrix", run.matrix.name, "--dataset", str(run.dataset.path), "--seed", str(run.seed)]
    local = run.lab.local_files.get(run.spec.name)
    return shlex.join([*words, *(["--local", str(local)] if local is not None else [])])


def create(run: Run) -> None:
    """Write a new dataset's dataset.json and its copy of the YAML."""
    run.dataset.begin(describe(run), {name: files.read(path).decode() for name, path in _used_files(run).items()})
