"""All definitions of a scenarios directory, loaded and checked against each other."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeVar

from pydantic import BaseModel, ValidationError

from correlate.dataset.record import DOCUMENTS, ID_CHARACTERS
from lab.definitions.app import App
from lab.definitions.base import Model, Place
from lab.definitions.bench import BenchSpec
from lab.definitions.faults import Faults, of_no_bench
from lab.definitions.local import LocalBench, merged
from lab.definitions.matrix import Matrix, Trial
from lab.definitions.scenario import Scenario
from lab.definitions.secrets import choose, private_places
from lab.definitions.virtual_app import VirtualApp
from lab.definitions.yaml import Document, Mistake, YamlMistakes, did_you_mean, read_document
from lab.errors import BadInput

FOLDERS: dict[str, type[Model]] = {
    "calls": Scenario,
    "apps": App,
    "benches": BenchSpec,
    "matrices": Matrix,
    "virtual": VirtualApp,
    "faults": Faults,
}
T = TypeVar("T")
_LOCAL_SUFFIX = ".local.yaml"
# What lies beside a dataset's own scenarios.
_DATASET = "dataset.json"
# Where a mistake stands that is about the merge of two files, not about one of them.
_WHOLE_FILE: Place = ()


@dataclass(frozen=True)
class Lab:
    """Everything that `scenarios/` defines, by name."""

    directory: Path
    apps: dict[str, App]
    scenarios: dict[str, Scenario]
    benches: dict[str, BenchSpec]
    matrices: dict[str, Matrix]
    virtual_apps: dict[str, VirtualApp]
    faults: dict[str, Faults]
    local_files: dict[str, Path]
    """The local file that was merged over a bench, by the bench's name."""

    @classmethod
    def load(cls, directory: Path, local: Path | None = None) -> Self:
        """Read every file, merge local files over the benches, and check across files.

        `local` is the local file of the bench that names it, where it does not lie beside that bench: a dataset's own
        `scenarios/` hold what was used, without what is local.

        Raises:
            YamlMistakes: (a BadInput) with all mistakes of all files; those across files only once every file is
                right by itself.
            BadInput: no bench names `local`, or there is no such file.
        """
        found = _read(directory, local)
        if not found.mistakes:
            found.mistakes += cross_mistakes(found)
        if found.mistakes:
            raise YamlMistakes(found.mistakes)
        return cls(
            directory=directory,
            apps=_values(found, "apps"),
            scenarios=_values(found, "calls"),
            benches=_values(found, "benches") | found.merged,
            matrices=_values(found, "matrices"),
            virtual_apps=_values(found, "virtual"),
            faults=_values(found, "faults"),
            local_files=found.local_files,
        )

    def bench(self, name: str) -> BenchSpec:
        """The bench of that name, its local file merged over it. Raises BadInput with a suggestion for no such."""
        return choose(_known("bench", name, self.benches))

    def matrix(self, name: str) -> Matrix:
        """The matrix of that name; raises alike."""
        return _known("matrix", name, self.matrices)


def check(directory: Path, file: Path | None = None) -> list[Mistake]:
    """All mistakes below a scenarios directory, in order; of one file alone where `file` names it.

    `file` may also lie elsewhere, as `FOLDER/NAME.yaml`; then it is checked by itself.
    """
    alone = [] if file is None else _alone(file)
    if file is not None and (alone or not file.resolve().is_relative_to(directory.resolve())):
        return alone
    try:
        Lab.load(directory)
    except YamlMistakes as error:
        return [one for one in error.mistakes if file is None or one.path.resolve() == file.resolve()]
    return []


def json_schemas() -> dict[str, dict[str, Any]]:
    """A JSON Schema for each kind of YAML file, for editors, and for each of a dataset's documents."""
    kinds: dict[str, type[BaseModel]] = {**FOLDERS, "local": LocalBench, **DOCUMENTS}
    return {folder: model.model_json_schema() for folder, model in kinds.items()}


def write_schemas(directory: Path) -> list[Path]:
    """Write `json_schemas` as KIND.schema.json into a folder, which is made where it is missing; returns the files.

    Raises:
        BadInput: the folder cannot be written.
    """
    files = [directory / f"{kind}.schema.json" for kind in json_schemas()]
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for file, schema in zip(files, json_schemas().values(), strict=True):
            file.write_text(json.dumps(schema, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{directory}: schemas cannot be written here: {error.strerror}") from error
    return files


@dataclass
class Found:
    """What reading a directory gave: documents by folder and name, and mistakes. `of_dataset`: a dataset's own."""

    of_dataset: bool = False
    files: dict[str, dict[str, Document[Any]]] = field(default_factory=dict)
    merged: dict[str, BenchSpec] = field(default_factory=dict)
    local_files: dict[str, Path] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)

    def names(self, folder: str) -> list[str]:
        return list(self.files[folder])


def _values(found: Found, folder: str) -> dict[str, Any]:
    return {name: document.value for name, document in found.files[folder].items()}


def _known(kind: str, name: str, table: dict[str, T]) -> T:
    if name not in table:
        raise BadInput(_unknown(kind, name[:100], list(table)))
    return table[name]


def _alone(file: Path) -> list[Mistake]:
    try:
        if file.name.endswith(_LOCAL_SUFFIX):
            read_document(file, LocalBench)
            return []
        model = FOLDERS.get(file.resolve().parent.name)
        if model is None:
            known = ", ".join(f"{folder}/" for folder in FOLDERS)
            return [Mistake(file, 1, 1, f"cannot tell what this file defines: it lies in none of {known}")]
        document = read_document(file, model)
        return [*_name_mistakes(document), *_secret_mistakes(document)]
    except YamlMistakes as error:
        return error.mistakes


# Reading


def _read(directory: Path, local: Path | None) -> Found:
    # A dataset has its first YAML one folder deep, and what a repair made of it two.
    above = (directory.parent, directory.parent.parent)
    found = Found(of_dataset=any((folder / _DATASET).is_file() for folder in above))
    if not directory.is_dir():
        raise YamlMistakes([Mistake(directory, 1, 1, "no such directory; name it with --scenarios")])
    for folder, model in FOLDERS.items():
        found.files[folder] = {}
        for path in sorted((directory / folder).glob("*.yaml")):
            if not path.name.endswith(_LOCAL_SUFFIX):
                _read_one(found, folder, path, model)
        found.mistakes += [
            Mistake(path, 1, 1, "is not read: name it *.yaml") for path in sorted((directory / folder).glob("*.yml"))
        ]
    benches = found.files["benches"].values()
    if local is not None and not (local.is_file() and local.name in [bench.value.local for bench in benches]):
        why = "no bench names it under 'local'" if local.is_file() else "no such file"
        raise BadInput(f"--local {local}: {why}")
    for bench in benches:
        _merge_local(found, bench, local)
    return found


def _read_one(found: Found, folder: str, path: Path, model: type[Model]) -> None:
    try:
        document = read_document(path, model)
    except YamlMistakes as error:
        found.mistakes += error.mistakes
        return
    found.mistakes += _name_mistakes(document)
    # A dataset of before may hold what its bench file held then.
    found.mistakes += [] if found.of_dataset else _secret_mistakes(document)
    found.files[folder][path.stem] = document


def _name_mistakes(document: Document[Any]) -> list[Mistake]:
    name, stem = document.value.name, document.path.stem
    return [] if name == stem else [document.mistake(("name",), f"name is '{name}', but the file is {stem}.yaml")]


def _secret_mistakes(document: Document[Any]) -> list[Mistake]:
    """What is somebody's, or opens something, stands in no file of a real bench that may be committed."""
    if not isinstance(spec := document.value, BenchSpec) or spec.kind != "real":
        return []
    there = spec.local or f"{spec.name}.local.yaml, named under `local`"
    return [document.mistake(place, f"{what} is secret; move it into {there}") for place, what in private_places(spec)]


def _merge_local(found: Found, bench: Document[BenchSpec], given: Path | None) -> None:
    if bench.value.local is None:
        return
    path = bench.path.with_name(bench.value.local)
    if given is not None and given.name == path.name:
        path = given
    if not path.exists():
        return
    found.local_files[bench.value.name] = path
    try:
        local = read_document(path, LocalBench)
    except YamlMistakes as error:
        found.mistakes += error.mistakes
        return
    phones = [phone.name for phone in bench.value.phones]
    strangers = [
        local.mistake(("phones", index, "name"), _unknown("phone", phone.name, phones))
        for index, phone in enumerate(local.value.phones)
        if phone.name not in phones
    ]
    found.mistakes += strangers
    try:
        found.merged[bench.value.name] = merged(bench.value, local.value)
    except ValidationError as error:
        text = "; ".join(one["msg"] for one in error.errors())
        found.mistakes.append(local.mistake(_WHOLE_FILE, f"does not fit over {bench.path.name}: {text}"))


# Checks across files


def _unknown(kind: str, name: str, known: Sequence[str]) -> str:
    there = f"; there is {', '.join(known)}" if known else ""
    return f"no {kind} '{name}'{did_you_mean(name, known) or there}"


def cross_mistakes(found: Found) -> list[Mistake]:
    """What does not fit between files that are each right by themselves."""
    checks: tuple[Callable[[Found], Iterable[Mistake]], ...] = (
        _matrices,
        _long_ids,
        _contacts,
        _virtual_apps,
        _emulated_benches,
        _networks_of_rigs,
        _faults,
    )
    return [mistake for one in checks for mistake in one(found)]


def _matrices(found: Found) -> Iterator[Mistake]:
    apps, calls = found.names("apps"), found.names("calls")
    for matrix in found.files["matrices"].values():
        for index, name in enumerate(matrix.value.apps):
            if name not in apps:
                yield matrix.mistake(("apps", index), _unknown("app", name, apps))
                continue
            lacking = [one for one in matrix.value.services if one not in found.files["apps"][name].value.services]
            for service in lacking:
                yield matrix.mistake(("apps", index), f"app '{name}' has no way to place and answer a {service} call")
        for index, name in enumerate(matrix.value.scenarios):
            if name not in calls:
                yield matrix.mistake(("scenarios", index), _unknown("scenario", name, calls))


def _long_ids(found: Found) -> Iterator[Mistake]:
    """Of each scenario of a matrix the longest trial id that a bench makes."""
    directions = [one for bench in found.files["benches"].values() for one in bench.value.directions()]
    for matrix in found.files["matrices"].values():
        names = (matrix.value.apps, matrix.value.services, directions or [""])
        app, service, direction = (max(of, key=len) for of in names)
        for index, scenario in enumerate(matrix.value.scenarios):
            trial = Trial(app, service, direction, scenario, matrix.value.repetitions).id
            if len(trial) > ID_CHARACTERS:
                what = f"trial id '{trial}' has {len(trial)} characters, an id at most {ID_CHARACTERS}"
                yield matrix.mistake(("scenarios", index), f"{what}; shorten a name in it")


def _contacts(found: Found) -> Iterator[Mistake]:
    """A dataset's own scenarios have the apps of its matrix alone, its bench may have contacts for more."""
    apps = found.names("apps")
    for bench in () if found.of_dataset else found.files["benches"].values():
        for i, phone in enumerate(bench.value.phones):
            for j, contact in enumerate(phone.contacts):
                if contact.app not in apps:
                    yield bench.mistake(("phones", i, "contacts", j, "app"), _unknown("app", contact.app, apps))


def _virtual_apps(found: Found) -> Iterator[Mistake]:
    apps = found.names("apps")
    for virtual in found.files["virtual"].values():
        if virtual.value.name not in apps:
            yield virtual.mistake(("name",), _unknown("app", virtual.value.name, apps))


def _emulated_benches(found: Found) -> Iterator[Mistake]:
    """An emulated bench has no local file for what is missing: contacts and emulations must be there."""
    for bench in found.files["benches"].values():
        spec: BenchSpec = bench.value
        if not spec.emulated:
            continue
        played = [name for name, app in found.files["virtual"].items() if spec.kind == "virtual" or app.value.rig]
        for index, phone in enumerate(spec.phones):
            if phone.emulation is None:
                yield bench.mistake(("phones", index), f"missing key 'emulation': phone '{phone.name}' is virtual")
            for app in played:
                if phone.address_in(app) is None:
                    text = f"no contact of phone '{phone.name}' for app '{app}', which is emulated"
                    yield bench.mistake(("phones", index, "contacts"), text)
        if spec.kind == "virtual" and spec.laptop.emulation is None:
            yield bench.mistake(("laptop",), "missing key 'emulation': the laptop is virtual")


def _faults(found: Found) -> Iterable[Mistake]:
    benches = [bench.value for bench in found.files["benches"].values()]
    return of_no_bench(found.files["faults"].values(), benches, _values(found, "virtual"))


def _networks_of_rigs(found: Found) -> Iterator[Mistake]:
    """Nobody is ever told a relay for a network that no rig has, and a phone that is told none can call nobody."""
    rigs = [bench.value for bench in found.files["benches"].values() if bench.value.kind == "rig"]
    labels = list(dict.fromkeys(phone.network for rig in rigs for phone in rig.phones))
    for app in found.files["virtual"].values() if rigs else ():
        named = [relay.network for relay in app.value.rig.relays] if app.value.rig else [None]
        strangers = [(i, name) for i, name in enumerate(named) if name is not None and name not in labels]
        for index, network in strangers:
            yield app.mistake(("rig", "relays", index, "network"), _unknown("network", network, labels))
        if not strangers and None not in named:
            for label in (label for label in labels if label not in named):
                text = f"no relay for a phone on network '{label}'; name one, or one for all"
                yield app.mistake(("rig", "relays"), text)
