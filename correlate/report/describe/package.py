"""datapackage.json (Data Package 2.0): of each CSV its bytes and SHA-256, of each column the type and what it says.

Types are those of the dataclasses and columns that write the CSVs, never guessed from their cells.
"""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, get_args, get_origin

from correlate import files, link
from correlate.columns import types_of
from correlate.dataset import Dataset
from correlate.dataset.durable import readable, sha256
from correlate.dataset.record import DatasetRecord
from correlate.findings import header, sessions
from correlate.findings.cases import KINDS
from correlate.findings.keys import Key
from correlate.findings.sessions import SessionRow
from correlate.findings.trials import TrialRow
from correlate.findings.wrong_pairs import WrongPair
from correlate.report.describe import words
from correlate.tables import kinds
from correlate.tables.provenance import MEANINGS

SCHEMA = "https://datapackage.org/profiles/2.0/datapackage.json"
TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", tuple: "array", list: "array"}
SIDES = {"side": ["caller", "callee"]}


@dataclass(frozen=True)
class Resource:
    """One CSV: `name`, its path within the dataset, what it is, its columns with their types, and its keys."""

    name: str
    path: str
    title: str
    columns: Mapping[str, Any]
    primary: tuple[str, ...]
    foreign: tuple[str, ...]
    bytes: int
    sha256: str

    @property
    def fields(self) -> list[dict[str, Any]]:
        """Its columns as Table Schema has them."""
        return [self._field(column, kind) for column, kind in self.columns.items()]

    def _field(self, column: str, kind: Any) -> dict[str, Any]:
        named = type_name(kind)
        field: dict[str, Any] = {"name": column, "type": named, "description": words.of(self.name, column)}
        if named == "boolean":
            field |= {"trueValues": ["TRUE"], "falseValues": ["FALSE"]}
        rules: dict[str, Any] = (
            {"required": True} if column in self.primary and not self.path.startswith("tables/") else {}
        )
        if column in SIDES:
            rules |= {"enum": SIDES[column]}
        return field | ({"constraints": rules} if rules else {})


def type_name(kind: Any) -> str:
    """What Table Schema calls a type of Python: of `X | None` that of X."""
    if get_origin(kind) is Annotated:
        return type_name(get_args(kind)[0])
    options = [each for each in get_args(kind) if each is not NoneType]
    if NoneType in get_args(kind) and len(options) == 1:
        return type_name(options[0])
    return TYPES.get(get_origin(kind) or kind, "object")


def resources(dataset: Dataset) -> list[Resource]:
    """All CSVs of a dataset, in the order of the manifest. Raises `BadDataset` where link.csv does not fit."""
    ranked = any(row["load"] for row in link.read(dataset))
    found = [_resource(dataset, dataset.trials_path, types_of(TrialRow), ("trial",), ())]
    for name, kind in KINDS.items():
        path = dataset.findings_dir / f"{name}.csv"
        types = types_of(Key) | types_of(kind)
        found.append(_resource(dataset, path, {each: types[each] for each in header(list(types))}, SIDED, TRIAL))
    types = types_of(Key) | types_of(SessionRow)
    of_sessions = {column: types[column] for column in sessions.COLUMNS}
    path = dataset.findings_dir / sessions.NAME
    found.append(_resource(dataset, path, of_sessions, (*SIDED, "number"), TRIAL))
    path, both = dataset.findings_dir / "wrong_pairs.csv", ("caller_trial", "callee_trial")
    found.append(_resource(dataset, path, types_of(WrongPair), both, both))
    by = ("load", "skew_s", "app", "score") if ranked else ()
    path = dataset.findings_dir / "link.csv"
    found.append(_resource(dataset, path, {each: link.KINDS[each] for each in link.COLUMNS}, by, ()))
    for path in sorted(dataset.tables_dir.glob("*.csv")):
        columns = {column: kinds.COLUMNS[column].kind for column in _first_line(dataset, path)}
        foreign = TRIAL if "trial" in columns else ()
        found.append(_resource(dataset, path, columns, kinds.KEYS.get(path.stem, ()), foreign))
    return sorted(found, key=lambda each: each.path)


SIDED, TRIAL = ("trial", "side"), ("trial",)


def _first_line(dataset: Dataset, path: Path) -> list[str]:
    with files.text(path, dataset.path) as file:
        return next(csv.reader(file))


def _resource(
    dataset: Dataset, path: Path, columns: Mapping[str, Any], primary: tuple[str, ...], foreign: tuple[str, ...]
) -> Resource:
    place = path.relative_to(dataset.path).as_posix()
    title = words.TITLES[path.stem]
    return Resource(path.stem, place, title, columns, primary, foreign, path.stat().st_size, sha256(path))


def text(info: DatasetRecord, found: Sequence[Resource]) -> str:
    """datapackage.json. Without a licence that somebody stated it has no `licenses`."""
    package: dict[str, Any] = {
        "$schema": SCHEMA,
        "name": re.sub(r"[^a-z0-9._-]+", "-", info.name.lower()).strip("-") or "dataset",
        "title": f"Calls of {', '.join(info.apps)}: {info.bench}, {info.matrix}",
        "description": MEANINGS[info.provenance].text,
        "provenance": info.provenance,
        **({"licenses": [{"name": info.licence}]} if info.licence else {}),
        **({"contributors": [{"title": info.contact, "roles": ["contact"]}]} if info.contact else {}),
        "resources": list(_described(found)),
    }
    return readable(package)


def _described(found: Sequence[Resource]) -> Iterator[dict[str, Any]]:
    for each in found:
        schema: dict[str, Any] = {"fields": each.fields, "missingValues": [""]}
        if each.primary:
            schema["primaryKey"] = list(each.primary)
        if each.foreign:
            to = {"resource": "trials", "fields": ["trial"]}
            schema["foreignKeys"] = [{"fields": [column], "reference": to} for column in each.foreign]
        yield {
            "name": each.name,
            "type": "table",
            "path": each.path,
            "title": each.title,
            "format": "csv",
            "mediatype": "text/csv",
            "encoding": "utf-8",
            "bytes": each.bytes,
            "hash": f"sha256:{each.sha256}",
            "schema": schema,
        }
