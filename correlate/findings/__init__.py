"""trials.csv and findings/*.csv: one file a dimension, one row a trial and side.

Measuring reads captures and takes seconds; names of servers come later and change one dimension alone. So `measure_all`
keeps what is small of every trial, and `write` puts the names in. `cases` and `wrong_pairs` read the files back.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from correlate import pairs, workers
from correlate.columns import Cells, Measure, cells, columns, shifted
from correlate.dataset import SIDES, Dataset
from correlate.dataset.durable import write_text
from correlate.dataset.names import Answer
from correlate.dataset.record import AppEntry, PlanEntry, TrialRecord
from correlate.dimensions import DIMENSIONS
from correlate.errors import CorrelateError
from correlate.findings import keys, sessions, trials, wrong_pairs
from correlate.findings.cases import observed
from correlate.findings.keys import Key
from correlate.findings.names import answers_in
from correlate.findings.sessions import SessionRow
from correlate.findings.trials import TrialRow
from correlate.pairs import CallPair, Sided

NAMED = ("servers", "duration", "volume")
"""The dimensions that look at host names (of twins, which are one server); test_findings holds the others to not doing
so."""


@dataclass(frozen=True)
class Measured:
    """One trial, measured without names. `found` are the findings by dimension and side, but those of the named ones;
    `pair` has lost its packets, so that 180 of them are small, and `sides` says which of its vantages is which side.
    `heard` are the names that DNS answers in its traces give, `marked` says whether markers bound its window, and
    `is_conversation` is that of `Case`, `started_ns` is the zero of the trial's times. Where the trial cannot be read
    `pair` is None and `reason` says why; `record` is None where not even that can be read."""

    trial: str
    found: Mapping[str, Mapping[str, Any]]
    pair: CallPair | None
    sides: tuple[tuple[str, str], ...]
    heard: Mapping[str, Answer]
    marked: bool
    is_conversation: bool | None
    reason: str
    record: TrialRecord | None = None
    started_ns: int = 0

    def rows(self, entry: PlanEntry, name: str, dimension: Measure, names: Mapping[str, str]) -> list[Cells]:
        """The rows of one dimension: nulls with the reason where the trial cannot be read."""
        of_side = {side: cells(key) for side, key in keys.keys(entry, self.record).items()}
        if self.pair is None:
            return [{**of_side[side], "reason": self.reason} for side in SIDES]
        found = self.by_side(dimension(replace(self.pair, names=names))) if name in NAMED else self.found[name]
        return [{**of_side[side], **cells(shifted(finding, -self.started_ns))} for side, finding in found.items()]

    def sessions(self, entry: PlanEntry, names: Mapping[str, str]) -> list[tuple[Key, int, SessionRow]]:
        """The sessions of both sides with their keys; none where the trial cannot be read."""
        if self.pair is None:
            return []
        of_side = keys.keys(entry, self.record)
        found = sessions.rows(self.trial, self.pair, self.sides, names)
        return [(of_side[each.side], self.started_ns, each) for each in found]

    def trial_row(self, entry: PlanEntry, provenance: str) -> TrialRow:
        """The row of trials.csv."""
        seen = observed(self.record) if self.record else {}
        if self.pair is None:
            return trials.row(entry, self.record, {}, None, seen, provenance, self.reason)
        clocks = {side: getattr(self.pair, key).clock for side, key in self.sides}
        bounds_ns = {side: clock.bound_ns if clock.known else None for side, clock in clocks.items()}
        return trials.row(entry, self.record, bounds_ns, self.started_ns, seen, provenance, "")

    def by_side(self, sided: Sided[Any]) -> dict[str, Any]:
        """Side -> its finding; evidence names the capture by its side, as its file is named."""
        found = {side: getattr(sided, key) for side, key in self.sides}
        of_phone = {finding.phone: side for side, finding in found.items()}
        for side, finding in found.items():
            frames = (replace(each, capture=of_phone[each.capture]) for each in finding.evidence)
            found[side] = replace(finding, evidence=tuple(frames))
        return found


def measure_all(dataset: Dataset) -> list[Measured]:
    """Reads the captures of every complete trial, as many at a time as there are cores; in order of the trials' ids.

    Reads neither truth nor tables nor names.
    """
    apps = dataset.info().apps
    return workers.each(lambda trial_id: measure(dataset, trial_id, apps), sorted(dataset.trial_ids()))


def measure(dataset: Dataset, trial_id: str, apps: Mapping[str, AppEntry]) -> Measured:
    """One trial under all dimensions that need no names."""
    record = None
    try:
        record = dataset.record(trial_id)
        pair = pairs.load(dataset, trial_id, apps, {})
        of_phone = {side.phone: role for role, side in record.sides.items()}
    except CorrelateError as error:
        # Where the dataset lies is no finding: a copy of it gives the same bytes.
        return Measured(trial_id, {}, None, (), {}, False, None, str(error).replace(f"{dataset.path}/", ""), record)
    sides = tuple(sorted(((of_phone[pair.a.phone], "a"), (of_phone[pair.b.phone], "b")), reverse=True))
    seen = observed(record)
    is_conversation = seen["answered"] if seen["answered_by"] else pair.established
    known = (answers_in(pair), record.markers is not None, is_conversation, "", record, trials.origin_ns(record, pair))
    empty = Measured(trial_id, {}, pair, sides, *known)
    found = {name: empty.by_side(dimension(pair)) for name, dimension in DIMENSIONS if name not in NAMED}
    return replace(empty, found=found, pair=pair.without_packets())


def header(of_dimension: Sequence[str]) -> list[str]:
    """The columns of a dimension's CSV: the keys, then its own."""
    return [*keys.COLUMNS, *(column for column in of_dimension if column not in keys.COLUMNS)]


def write(dataset: Dataset, measured: Sequence[Measured]) -> None:
    """Writes trials.csv, a CSV for each dimension, with the names that names.json has now, sessions.csv and
    wrong_pairs.csv."""
    names, info = dataset.host_names(), dataset.info()
    planned = {entry.id: entry for entry in info.plan}
    trials.write(dataset, (each.trial_row(planned[each.trial], info.provenance) for each in measured))
    for name, dimension in DIMENSIONS:
        text = io.StringIO()
        writer = csv.DictWriter(text, header(columns(dimension)), lineterminator="\n")
        writer.writeheader()
        writer.writerows(row for each in measured for row in each.rows(planned[each.trial], name, dimension, names))
        write_text(dataset.findings_dir / f"{name}.csv", text.getvalue())
    sessions.write(dataset, (row for each in measured for row in each.sessions(planned[each.trial], names)))
    calls = [
        wrong_pairs.Call(planned[each.trial], each.is_conversation, each.marked, each.pair, dict(each.sides))
        for each in measured
        if each.pair is not None
    ]
    wrong_pairs.write(dataset, calls, names)
