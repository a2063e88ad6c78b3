"""What dataset.json says of a run, and whether a dataset that is there fits it."""

import hashlib
import platform
import shlex
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from correlate.dataset import documents, revisions
from correlate.dataset.anchors import SCENARIOS
from correlate.dataset.durable import unfinished
from correlate.dataset.record import LIBRARY, SCHEMA, AppEntry, DatasetRecord, Device, Machine, PlanEntry, Provenance
from lab.definitions import BenchSpec, PlannedTrial
from lab.definitions.yaml import YamlMistakes
from lab.errors import BadInput
from lab.run import meaning
from lab.run.plan import Run
from lab.run.revisions import texts, used_files

PROVENANCES: dict[str, Provenance] = {"virtual": "modelled", "rig": "rehearsed", "real": "measured"}
"""What the traffic of each kind of bench is."""

LIBRARIES = ("im-call-lab", "adbutils", "uiautomator2", "dnspython", LIBRARY, "numpy", "pydantic", "PyYAML")

SHOWN = 3
"""How many keys a refusal names."""


def controller_versions() -> dict[str, str]:
    """Name -> version of Python, the system and the libraries that take part in a trial."""
    return {"python": platform.python_version(), "system": platform.platform(terse=True)} | {
        library: version(library) for library in LIBRARIES
    }


def scenario_meaning(run: Run) -> meaning.Meaning:
    """What of the YAML that this matrix uses decides the data, without what is local."""
    found = meaning.read_definitions(run.lab.directory, used_files(run))
    return {name: meaning.deciding(definition) for name, definition in found.items()}


def scenario_hash(run: Run) -> str:
    """SHA-256 over `scenario_meaning`."""
    return meaning.sha256(scenario_meaning(run))


def earlier_hash(run: Run) -> str:
    """What an earlier version wrote for it: SHA-256 over the names and bytes of these files."""
    digest = hashlib.sha256()
    for name, data in texts(run).items():
        digest.update(f"{name}\0{len(data)}\0".encode() + data)
    return digest.hexdigest()


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
        licence=spec.licence,
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
    """Refuse a dataset that was begun with another seed, matrix, bench or meaning of the YAML. Raises `BadInput`."""
    path = run.dataset.path
    if not run.dataset.info_path.exists():
        # A run that was killed while it began leaves no more than these.
        dataset = run.dataset
        files = (dataset.lock_path, dataset.journal.path, unfinished(dataset.info_path))
        begun = {SCENARIOS, *(each.name for each in files)}
        if path.exists() and (not path.is_dir() or {entry.name for entry in path.iterdir()} - begun):
            raise BadInput(f"{path}: not empty and no dataset; name another folder with --dataset")
        return
    there = run.dataset.info()
    for key, now in (("bench", run.spec.name), ("matrix", run.matrix.name), ("seed", run.seed)):
        before = getattr(there, key)
        if before != now:
            raise BadInput(_begun_with(run, f"{key} {before}, not {now}"))
    if other := _other_meaning(run, there.scenario_hash):
        own = revisions.folder(run.dataset, revisions.kept(run.dataset)[-1])
        # Where its own YAML was changed by hand, it is no way out.
        may_finish = own.is_dir() and own.resolve() != run.lab.directory.resolve()
        finish = f", or finish it with its own scenarios: {_finishing(run, own)}" if may_finish else ""
        raise BadInput(_begun_with(run, other) + finish)


def _begun_with(run: Run, what: str) -> str:
    return f"{run.dataset.info_path}: this dataset was begun with {what}; name another folder with --dataset"


def _other_meaning(run: Run, begun: str | None) -> str:
    """In words what decides the data and is another than when the dataset was begun, both values; empty where nothing
    is. Its own YAML is read as today's, so that a key that the program learnt since makes no other dataset of it."""
    now = scenario_meaning(run)
    if begun in (meaning.sha256(now), earlier_hash(run)):
        return ""
    unknown, names = f"scenario_hash {begun}, not {meaning.sha256(now)}", used_files(run)
    if not revisions.is_as_recorded(run.dataset, 0, names):
        return unknown
    try:
        own = meaning.read_definitions(revisions.folder(run.dataset, 0), names)
    except YamlMistakes:
        return unknown
    found = meaning.differences({name: meaning.deciding(each) for name, each in own.items()}, now)
    shown = [f"{file}: {key} {_shown(before)}, not {_shown(after)}" for file, key, before, after in found]
    return "; ".join(shown[:SHOWN]) + (f"; and {len(shown) - SHOWN} more" if len(shown) > SHOWN else "")


def _shown(value: meaning.Value | None) -> str:
    return "nothing" if value is None else documents.shown(value)


def _finishing(run: Run, own: Path) -> str:
    """The command that runs what is missing of a dataset with its `own` YAML, and this local file."""
    words = ["invoke", "run-matrix", "--scenarios", str(own), "--bench", run.spec.name]
    words += ["--matrix", run.matrix.name, "--dataset", str(run.dataset.path), "--seed", str(run.seed)]
    local = run.lab.local_files.get(run.spec.name)
    return shlex.join([*words, *(["--local", str(local)] if local is not None else [])])


def create(run: Run) -> None:
    """Write a new dataset's dataset.json and its copy of the YAML."""
    run.dataset.begin(describe(run), {name: data.decode() for name, data in texts(run).items()})
