"""findings/*.csv: one file a dimension, one row a trial and side, and the way back from these files.

Measuring reads captures and takes seconds; names of servers come later and change one dimension alone. So `measure_all`
keeps what is small of every trial, and `write` puts the names in.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, get_args, get_type_hints

from correlate import dns, pairs, workers
from correlate.dataset import SIDES, Dataset
from correlate.dataset.durable import write_text
from correlate.dataset.names import Answer
from correlate.dataset.record import AppEntry
from correlate.dimensions import DIMENSIONS
from correlate.errors import BadDataset, CorrelateError
from correlate.pairs import CallPair
from correlate.pairs.sided import Sided

Row = dict[str, Any]
Measure = Callable[[CallPair], Sided[Any]]

KEYS = ("trial", "side")
SERVICES = ("voice", "video")
NAMED = ("servers",)
"""The dimensions that look at host names; test_findings holds the others to not doing so."""

# The longest cell is a list of user ids or servers, and how long that is the traces say, not csv's default of 128 KiB.
csv.field_size_limit(1 << 28)


@dataclass(frozen=True)
class Case:
    """A complete trial: what was asked, and what each dimension found, as facts[dimension][side][column]."""

    trial: str
    app: str
    service: str
    direction: str
    scenario: str
    phones: Mapping[str, str]
    facts: Mapping[str, Mapping[str, Row]]

    @property
    def is_service_known(self) -> bool:
        """Whether anybody wrote down what was called: captures that were made by hand may come without."""
        return self.service in SERVICES

    @property
    def unread(self) -> str:
        """Why the trial could not be read; empty where it was."""
        rows = self.facts["endpoints"]
        return str(rows["caller"]["reason"]) if rows["caller"]["established"] is None else ""

    def of(self, dimension: str, column: str, side: str = "caller") -> Any:
        """One finding; None where it is null. Facts of the whole call are the same on both sides."""
        return self.facts[dimension][side][column]


@dataclass(frozen=True)
class Measured:
    """One trial, measured without names. `rows` are those of each dimension but the named ones; `pair` has lost its
    packets, so that 180 of them are small, and `sides` says which of its vantages is which side. `heard` are the names
    that DNS answers in its traces give. Where the trial cannot be read `pair` is None and `reason` says why."""

    trial: str
    rows: Mapping[str, Sequence[Row]]
    pair: CallPair | None
    sides: tuple[tuple[str, str], ...]
    heard: Mapping[str, Answer]
    reason: str

    def of(self, name: str, dimension: Measure, names: Mapping[str, str]) -> Sequence[Row]:
        """The rows of one dimension: nulls with the reason where the trial cannot be read."""
        if self.pair is None:
            return [{"trial": self.trial, "side": side, "reason": self.reason} for side in SIDES]
        if name in NAMED:
            return self._rows(dimension(replace(self.pair, names=names)))
        return self.rows[name]

    def _rows(self, sided: Sided[Any]) -> list[Row]:
        """The rows of both sides; evidence names the capture by its side, as its file is named."""
        of_phone = {getattr(sided, key).phone: side for side, key in self.sides}
        rows = [{"trial": self.trial, "side": side, **flat(getattr(sided, key))} for side, key in self.sides]
        for row in rows:
            row["evidence"] = [{**each, "capture": of_phone[each["capture"]]} for each in row["evidence"]]
        return rows


def measure_all(dataset: Dataset) -> list[Measured]:
    """Reads the captures of every complete trial, as many at a time as there are cores; in order of the trials' ids.

    Reads neither truth nor tables nor names.
    """
    apps = dataset.info().apps
    return workers.each(lambda trial_id: measure(dataset, trial_id, apps), sorted(dataset.trial_ids()))


def measure(dataset: Dataset, trial_id: str, apps: Mapping[str, AppEntry]) -> Measured:
    """One trial under all dimensions that need no names."""
    try:
        pair = pairs.load(dataset, trial_id, apps, {})
        of_phone = {side.phone: role for role, side in dataset.record(trial_id).sides.items()}
    except CorrelateError as error:
        # Where the dataset lies is no finding: a copy of it gives the same bytes.
        return Measured(trial_id, {}, None, (), {}, str(error).replace(f"{dataset.path}/", ""))
    sides = tuple(sorted(((of_phone[pair.a.phone], "a"), (of_phone[pair.b.phone], "b")), reverse=True))
    empty = Measured(trial_id, {}, pair, sides, dns.heard(pair), "")
    rows = {name: empty._rows(dimension(pair)) for name, dimension in DIMENSIONS if name not in NAMED}
    return replace(empty, rows=rows, pair=pair.without_packets())


def write(dataset: Dataset, measured: Sequence[Measured]) -> None:
    """Writes a CSV for each dimension, with the names that names.json has now."""
    names = dataset.host_names()
    for name, dimension in DIMENSIONS:
        rows = [row for trial in measured for row in trial.of(name, dimension, names)]
        write_text(dataset.findings_dir / f"{name}.csv", _csv([*KEYS, *columns(dimension)], rows))


def columns(dimension: Measure) -> dict[str, Any]:
    """Column -> type of a dimension's CSV, from what its `measure` returns; a dataclass inside becomes PREFIX_NAME."""
    (of_side,) = get_args(get_type_hints(dimension)["return"])
    return dict(_columns(of_side))


def _columns(of_side: type) -> Iterator[tuple[str, Any]]:
    for name, hint in get_type_hints(of_side).items():
        if is_dataclass(hint):
            yield from ((f"{name}_{inner}", kind) for inner, kind in _columns(hint))  # type: ignore[arg-type]
        else:
            yield name, hint


def flat(side: Any) -> Row:
    """The dataclass of a side as a row; dataclasses inside are spread out, tuples of them become lists of objects."""
    row: Row = {}
    for field in fields(side):
        value = getattr(side, field.name)
        if is_dataclass(value) and not isinstance(value, type):
            row |= {f"{field.name}_{inner}": inside for inner, inside in flat(value).items()}
        elif isinstance(value, tuple):
            row[field.name] = [flat(each) if is_dataclass(each) else each for each in value]
        else:
            row[field.name] = value
    return row


def cases(dataset: Dataset) -> list[Case]:
    """The complete trials with their findings, in plan order. Raises `BadDataset` where a CSV is missing, does not fit,
    or is of other trials than those that are complete."""
    complete = set(dataset.trial_ids())
    tables = {name: _read(dataset, name, dimension) for name, dimension in DIMENSIONS}
    if others := sorted({trial for table in tables.values() for trial, _ in table} - complete):
        raise BadDataset(f"{dataset.findings_dir}: has rows of {others[0]}, which is not complete; correlate again")
    found = []
    for entry in dataset.plan():
        trial = entry.id
        if trial not in complete:
            continue
        if any((trial, side) not in table for table in tables.values() for side in SIDES):
            raise BadDataset(f"{dataset.findings_dir}: has no rows of {trial}; correlate again")
        facts = {name: {side: table[trial, side] for side in SIDES} for name, table in tables.items()}
        found.append(Case(trial, entry.app, entry.service, entry.direction, entry.scenario, entry.phones, facts))
    return found


def as_truth(case: Case) -> dict[str, Any]:
    """The findings of a trial in the shape and with the names of truth/ID.json (DESIGN), what is found of it."""
    called = [side for side in SIDES if case.of("signalling", "calling", side)]
    exposed = {
        f"{side}_{role}": case.of("endpoints", f"exposed_{role}", side)
        for side in SIDES
        for role in ("public", "private")
    }
    media = ("tx_packets", "rx_packets", "tx_payload_bytes", "rx_payload_bytes")
    return {
        "established": case.of("endpoints", "established"),
        "routing": case.of("endpoints", "routing"),
        "p2p_observed": case.of("endpoints", "p2p_observed"),
        "service": case.of("service", "service"),
        "role": called[0] if called else None,
        "exposed": exposed,
        "servers": {
            **{side: case.of("servers", "servers", side) for side in SIDES},
            "shared": case.of("servers", "shared", "caller"),
        },
        "user_ids": case.of("signalling", "user_ids"),
        "media": {side: {name: case.of("volume", f"media_{name}", side) for name in media} for side in SIDES},
    }


def _read(dataset: Dataset, name: str, dimension: Measure) -> dict[tuple[str, str], Row]:
    path = dataset.findings_dir / f"{name}.csv"
    kinds = columns(dimension)
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        return {(row["trial"], row["side"]): {key: decode(row[key], kinds[key]) for key in kinds} for row in rows}
    except OSError as error:
        raise BadDataset(f"{path}: cannot be read: {error.strerror}; correlate first") from error
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise BadDataset(f"{path}: does not fit: {error!r}; correlate again") from error


def encode(value: object) -> str:
    """A value as a CSV cell: nothing for None, JSON for lists."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list) else str(value)


def decode(cell: str, kind: Any) -> Any:
    """What `encode` wrote, for a column of this type."""
    kinds = set(get_args(kind)) | {kind}
    if cell == "" and type(None) in kinds:
        return None
    if bool in kinds:
        return {"true": True, "false": False, "": None}[cell]
    if int in kinds and str not in kinds and not str(kind).startswith("tuple"):
        return int(cell) if cell else None
    if float in kinds:
        return float(cell)
    if str(kind).startswith("tuple"):
        return json.loads(cell) if cell else None
    return cell


def _csv(header: list[str], rows: list[Row]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([encode(row.get(column)) for column in header] for row in rows)
    return text.getvalue()
