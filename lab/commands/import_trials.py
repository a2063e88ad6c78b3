"""Capture pairs that the lab made by hand become a dataset. What is not known of them is null, never guessed."""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from correlate.dataset import Dataset, documents, record
from correlate.dataset.durable import unfinished
from correlate.dataset.record import SCHEMA, PlanEntry, Role, TrialRecord, nullable
from lab.commands.import_list import Capture, ImportedTrial, read_list, stop_at
from lab.definitions import Lab
from lab.definitions.yaml import Mistake, did_you_mean
from lab.errors import BadInput, BenchUnhealthy
from lab.run.description import controller_versions
from lab.run.options import holding

ROLES: tuple[Role, Role] = ("caller", "callee")
UNKNOWN = "unknown"
BY_SIDE = re.compile(r"(.+)_(a_to_b|b_to_a)")
"""A direction between phones of one network label (`BenchSpec.direction`); side a is Device 1."""


def import_trials(trials: Path, dataset: Dataset, scenarios: Path) -> int:
    """Write a dataset of the trials that a list names; returns how many.

    Raises `BadInput`, with everything untouched, for mistakes in the list and for a folder that is not empty, and
    `BenchUnhealthy` where the disk fails. dataset.json is written last, so half an import is no dataset: what came
    before is taken away where it failed, and by the next import where it was killed.
    """
    _require_free(dataset)
    lab = Lab.load(scenarios)
    rows = read_list(trials, {"app": lab.apps, "scenario": lab.scenarios})
    plan = _plan(trials, rows)
    info = _describe(trials, dataset, lab, plan, _devices(trials, rows, plan))
    dataset.make()
    with holding(dataset):
        _require_free(dataset)
        _clear(dataset)
        try:
            dataset.journal.append("import", trials=len(rows), list=trials.name)
            for row, entry in zip(rows, plan, strict=True):
                _store(dataset, row, entry, lab)
            dataset.begin(info, {})
        except OSError as error:
            # Of a copy that fails `filename` is the source, which is well.
            where = error.filename2 or error.filename or dataset.path
            text = f"{where}: {error.strerror}; nothing is imported; mend this and import again"
            raise BenchUnhealthy(text) from error
        finally:
            if not dataset.info_path.exists():
                _clear(dataset)
    return len(rows)


def _require_free(dataset: Dataset) -> None:
    """Refuse a folder with anything in it but what an import that was killed left."""
    path = dataset.path
    if not path.exists():
        return
    found = {entry.name for entry in path.iterdir()} - {dataset.lock_path.name} if path.is_dir() else {path.name}
    is_left = found <= {each.name for each in _begun(dataset)} and dataset.journal.path.name in found
    if found and not (is_left and all(line.event == "import" for line in dataset.journal.read()[:1])):
        is_dataset = "; what it holds is computed again by correlate" if dataset.info_path.exists() else ""
        raise BadInput(f"{path}: is not empty; name another folder with --dataset{is_dataset}")


def _begun(dataset: Dataset) -> list[Path]:
    """All that an import has written before it is complete."""
    return [dataset.trials_dir, unfinished(dataset.info_path), dataset.journal.path]


def _clear(dataset: Dataset) -> None:
    """Take a half import away; the journal, by which it is known, last."""
    for path in _begun(dataset):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _plan(trials: Path, rows: Sequence[ImportedTrial]) -> list[PlanEntry]:
    """Entries of dataset.json's plan; a row without a repetition is the next of its kind. Raises `BadInput`."""
    plan: list[PlanEntry] = []
    mistakes = []
    taken: set[str] = set()
    for row in rows:
        kind = {key: row[key] or UNKNOWN for key in ("app", "service", "direction", "scenario")}
        stem = "-".join(kind.values())
        repetition = row["repetition"] or next(n for n in range(1, len(rows) + 2) if f"{stem}-{n}" not in taken)
        trial_id = f"{stem}-{repetition}"
        if trial_id in taken:
            text = f"{trial_id} a second time; give it another repetition, or leave repetition empty"
            mistakes.append(Mistake(trials, row.line, 1, text))
        taken.add(trial_id)
        plan.append(PlanEntry(id=trial_id, **kind, repetition=repetition, **_phones(row)))
    stop_at(mistakes)
    return plan


def _phones(row: ImportedTrial) -> dict[str, str]:
    """Names of both phones: as given, else by the direction's labels, else by side, so that no name tells the role."""
    direction = str(row["direction"] or "")
    labels = direction.split("_to_")
    if by_side := BY_SIDE.fullmatch(direction):
        labels = [f"{by_side[1]}_{side}" for side in by_side[2].split("_to_")]
    elif len(labels) != 2 or not all(labels) or labels[0] == labels[1]:
        labels = ["side_a", "side_b"]
    return {role: row[f"{role}_phone"] or label for role, label in zip(ROLES, labels, strict=True)}


def _devices(trials: Path, rows: Sequence[ImportedTrial], plan: Sequence[PlanEntry]) -> list[str]:
    """The phones, Device 1 first: the one that `device_1` names, else side a, else the first row's caller. Raises
    `BadInput` where `device_1` names no phone of the list, or two."""
    names: list[str] = []
    for entry in plan:
        by_side = BY_SIDE.fullmatch(entry.direction)
        phones = list(entry.phones.values())
        names += reversed(phones) if by_side and by_side[2] == "b_to_a" else phones
    firsts = [row for row in rows if row["device_1"]]
    for row in firsts:
        name, before = row["device_1"], firsts[0]
        text = "" if name in names else f"no phone '{name}' in this list{did_you_mean(name, names)}"
        if name != before["device_1"]:
            text = f"line {before.line} says that device 1 is {before['device_1']}; it is one phone in all lines"
        if text:
            raise BadInput(str(Mistake(trials, row.line, row.places["device_1"], text)))
    return list(dict.fromkeys([*(row["device_1"] for row in firsts[:1]), *names]))


def _describe(
    trials: Path, dataset: Dataset, lab: Lab, plan: Sequence[PlanEntry], devices: Sequence[str]
) -> record.DatasetRecord:
    """dataset.json of an import: no bench, no matrix, no seed; apps that the lab has YAML of with their analysis."""
    apps = sorted({entry.app for entry in plan})
    services = {name: sorted({entry.service for entry in plan if entry.app == name}) for name in apps}
    return record.DatasetRecord(
        schema_number=SCHEMA,
        name=dataset.path.resolve().name,
        bench="imported",
        matrix=trials.stem,
        seed=0,
        provenance="measured",
        contact="",
        approval="",
        scenario_hash=None,
        versions=controller_versions(),
        devices=[record.Device(name=name, model=None, os=None, tools=[], network=None) for name in devices],
        laptop=None,
        apps={name: _app(lab, name, services[name]) for name in apps},
        plan=list(plan),
    )


def _app(lab: Lab, name: str, services: list[str]) -> record.AppEntry:
    """The version is that of the captures, which nobody recorded."""
    app = lab.apps.get(name)
    package, analysis = (None, None) if app is None else (app.package, app.analysis)
    return record.AppEntry(package=package, version=None, services=services, analysis=analysis)


def _store(dataset: Dataset, row: ImportedTrial, entry: PlanEntry, lab: Lab) -> None:
    """Copy both captures, write trial.json, and commit the trial."""
    folder = dataset.trials_dir / f"{entry.id}.partial"
    folder.mkdir(parents=True)
    record = _record(row, entry, lab)
    for role, side in record.sides.items():
        shutil.copyfile(row[f"{role}_capture"].path, folder / side.capture)
    documents.write(folder / "trial.json", record)
    dataset.commit_trial(entry.id)


def _record(row: ImportedTrial, entry: PlanEntry, lab: Lab) -> TrialRecord:
    """trial.json; `markers` None says that the whole of both captures counts. Nobody observed the phones, so whether
    the call was answered is what the scenario says that the list states."""
    asked = {key: row[key] for key in ("app", "service", "direction", "scenario")}
    stated = lab.scenarios.get(str(row["scenario"]))
    return TrialRecord(
        schema_number=SCHEMA,
        **{**dict.fromkeys(nullable(TrialRecord)), "stated_answered": stated.answered if stated else None},
        trial=entry.id,
        attempt=0,
        asked=record.Asked(**asked, repetition=entry.repetition, **entry.phones, ring_s=None, talk_s=None),
        outcome="completed",
        sides={role: _side(role, entry.phones[role], row) for role in ROLES},
        clocks={**{role: _clock(row, role) for role in ROLES}, "laptop": None},
    )


def _side(role: Role, phone: str, row: ImportedTrial) -> record.Side:
    capture: Capture = row[f"{role}_capture"]
    return record.Side(
        **dict.fromkeys(nullable(record.Side)),
        phone=phone,
        addresses=row[f"{role}_addresses"] or record.Addresses(interface=None, probed=None),
        capture=f"{role}.{capture.suffix}",
        sha256=capture.integrity.sha256,
        bytes=capture.integrity.bytes,
        packets=capture.integrity.packets,
        clock=role,
    )


def _clock(row: ImportedTrial, role: str) -> record.Clock | None:
    """One reading stands for before and after: nobody measured how the clock drifted."""
    offset_s, bound_s = row[f"{role}_offset_s"], row["offset_bound_s"]
    if offset_s is None:
        return None
    reading = record.Reading(offset_ns=round(offset_s * 1e9), bound_ns=round(bound_s * 1e9), at_ns=0)
    return record.Clock(before=reading, after=reading, drift_ppm=None)
