"""trials.csv at the dataset's root: one row a complete trial, what was asked, with which versions, when, and what the
phones' own witnesses hold of it. Its `started_ns` is the zero of the times in findings/."""

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from correlate.columns import cells, parse, shifted
from correlate.dataset import Dataset
from correlate.dataset.durable import write_text
from correlate.dataset.record import Observed, PlanEntry, TrialRecord, stepped
from correlate.findings import rows
from correlate.findings.keys import ROLES
from correlate.pairs import CallPair
from correlate.pairs.frames import Instant

T = TypeVar("T")


@dataclass(frozen=True)
class TrialRow:
    """One complete trial; what nobody recorded is None. `started_ns` is when the attempt began by the controller
    (`stepped`), and where nobody wrote that down the first datagram of both captures; None where the trial cannot be
    read, and `reason` says why. Bounds are those of the error of a side's times in the controller's.

    `answered` and `answered_by` are those of `Case`. The other claims of the phones' witnesses have a value where they
    are proven; `not_proven` says of each of the others why not.
    """

    trial: str
    app: str
    service: str
    direction: str
    scenario: str
    repetition: int
    caller: str
    callee: str
    caller_app_version: str | None
    callee_app_version: str | None
    caller_network: str | None
    callee_network: str | None
    caller_vantage: str | None
    callee_vantage: str | None
    revision: int | None
    attempt: int | None
    capture_restarts: int | None
    started_ns: int | None
    ended_ns: Instant | None
    caller_bound_ns: int | None
    callee_bound_ns: int | None
    answered: bool | None
    answered_by: str
    calls: int | None
    rang: bool | None
    ended_by: str | None
    service_observed: str | None
    nothing_else: bool | None
    in_front: bool | None
    provenance: str
    not_proven: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""


COLUMNS = tuple(each.name for each in fields(TrialRow))


def origin_ns(record: TrialRecord, pair: CallPair) -> int:
    """The zero of a trial's times."""
    began_ns = record.started_ns
    if began_ns is None:
        firsts = (side.trace.udp.time_ns.min() for side in pair.sides if len(side.trace.udp.time_ns))
        began_ns = int(min(firsts, default=0))
    return stepped(began_ns)


def row(
    entry: PlanEntry,
    record: TrialRecord | None,
    bounds_ns: Mapping[str, int | None],
    started_ns: int | None,
    seen: Mapping[str, Any],
    provenance: str,
    reason: str,
) -> TrialRow:
    """The row of a planned trial; `seen` are the fields of `Case` of what was seen of the phones."""
    values: dict[str, Any] = {
        name: getattr(entry, name) for name in ("app", "service", "direction", "scenario", "repetition")
    }
    values |= entry.phones | {f"{side}_bound_ns": bounds_ns.get(side) for side in ROLES}
    for name in ("app_version", "network", "vantage"):
        values |= {f"{side}_{name}": getattr(record.sides[side], name) if record else None for side in ROLES}
    for name in ("revision", "attempt", "capture_restarts"):
        values[name] = getattr(record, name) if record else None
    values["ended_ns"] = record.ended_ns if record and started_ns is not None else None
    values |= _claims(record.observed if record else None)
    values |= {"answered": seen.get("answered"), "answered_by": seen.get("answered_by", "")}
    return TrialRow(trial=entry.id, started_ns=started_ns, provenance=provenance, reason=reason, **values)


def _claims(observed: Observed | None) -> dict[str, Any]:
    """The claims but `answered`: the proven values, and of each of the others why it is not proven."""
    claims = {} if observed is None else {name: getattr(observed, name) for name in Observed.model_fields}
    proven = {name: claim.value for name, claim in claims.items() if claim.verdict == "proven"}
    return {
        "calls": _of(int, proven.get("calls")),
        "rang": _of(bool, proven.get("rang")),
        "ended_by": _of(str, proven.get("ended_by")),
        "service_observed": _of(str, proven.get("service")),
        "nothing_else": _of(bool, proven.get("nothing_else")),
        "in_front": _of(bool, proven.get("in_front")),
        "not_proven": {
            name: f"{claim.verdict}: {claim.reason}" for name, claim in claims.items() if claim.verdict != "proven"
        },
    }


def _of(kind: type[T], value: object) -> T | None:
    """A claim's value where it is of this type: a record may hold another."""
    return value if type(value) is kind else None


def write(dataset: Dataset, found: Iterable[TrialRow]) -> None:
    """Writes trials.csv."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(cells(shifted(each, -(each.started_ns or 0))) for each in found)
    write_text(dataset.trials_path, text.getvalue())


def read(dataset: Dataset) -> dict[str, TrialRow]:
    """Trial -> its row. Raises `BadDataset` where trials.csv is missing or does not fit."""
    found: dict[str, TrialRow] = {}

    def take(cells_of: dict[str, str]) -> None:
        each = parse(cells_of, TrialRow)
        found[each.trial] = shifted(each, each.started_ns or 0)

    rows.read(dataset.trials_path, dataset.path, take)
    return found
