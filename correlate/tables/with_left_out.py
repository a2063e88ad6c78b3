"""What a table says of the trials that are left out of it: how many, why, and what its cells would be with them."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from correlate.dataset.proven import Lack, Speaks
from correlate.tables.layout import Cell, Table, plain_text, text
from correlate.tables.study import Study

KEYS = (
    *("claim", "app", "caller_device", "service", "scenario", "direction"),
    *("measure", "volume", "session", "address", "name"),
)
"""The columns that tell one cell from another; a table has some of them."""
VALUES = ("median", "holds")
MAX_SHOWN = 12
MAX_REASONS = 3


def noted(study: Study, make: Callable[[Study], Table], *speaks_of: Speaks) -> Table:
    """The table of the trials that are proven to be what its cells speak of, its notes beginning with the others."""
    of_cells = study.speaking_of(*speaks_of)
    made = make(of_cells)
    notes = out_notes(of_cells)
    if not of_cells.out and not of_cells.lacking:
        return replace(made, notes=(*notes, *made.notes))
    changed = list(_changed(made, make(of_cells.whole)))
    notes += [f"with them: {each}" for each in changed[:MAX_SHOWN]] or ["with them every cell would be the same"]
    notes += [f"with them {len(changed) - MAX_SHOWN} more cells would be others"] if len(changed) > MAX_SHOWN else []
    return replace(made, notes=(*notes, *made.notes))


def out_notes(study: Study) -> list[str]:
    """How many trials are left out because they are not this call, and why each of them; then, by app and claim, how
    many because what these cells need of them is not proven."""
    if not study.out:
        notes = [f"left out: none of {len(study.read)} trials"]
    else:
        whys = "; ".join(f"{trial}: {reason}" for trial, reason in study.out.items())
        notes = [f"left out: {len(study.out)} of {len(study.read)} trials: {whys}"]
    return notes + unproven_notes(study)


def unproven_notes(study: Study) -> list[str]:
    """A line an app with trials that are left out of these cells, as the phones' own witnesses did not prove of them
    what the cells need; none without such trials."""
    notes = []
    for app in study.apps:
        trials = [case.trial for case in study.read if case.app == app]
        lacks = {trial: study.lacking[trial] for trial in trials if trial in study.lacking}
        if lacks:
            whys = "; ".join(grouped(lack for each in lacks.values() for lack in each))
            notes.append(f"not proven, so not in these cells: {len(lacks)} of {len(trials)} trials of {app}: {whys}")
    return notes


def grouped(lacks: Iterable[Lack]) -> Iterator[str]:
    """By claim and verdict in how many trials, and why: the most frequent reasons, and how many others there are."""
    found: dict[tuple[str, str], Counter[str]] = {}
    for lack in lacks:
        found.setdefault((lack.claim, lack.verdict), Counter())[plain_text(lack.reason)] += 1
    for (claim, verdict), reasons in found.items():
        most = reasons.most_common(MAX_REASONS)
        whys = [f"{reason} ({many})" if len(reasons) > 1 else reason for reason, many in most]
        rest = reasons.total() - sum(many for _, many in most)
        whys += [f"other reasons ({rest})"] if rest else []
        yield f"{claim} {verdict} in {reasons.total()}: {', '.join(whys)}"


def _changed(made: Table, whole: Table) -> Iterator[str]:
    """Each cell that would be another one: which, and both values."""
    ours = {_key(row): row for row in made.rows}
    for row in whole.rows:
        value, before = _value(row), ours.get(_key(row))
        if before is None or _value(before) != value:
            yield f"{', '.join(_key(row))}: {value}{f' instead of {_value(before)}' if before else ', not here'}"


def _key(row: Mapping[str, Cell]) -> tuple[str, ...]:
    return tuple(text(row[key]) for key in KEYS if row.get(key) is not None and row[key] != "")


def _value(row: Mapping[str, Cell]) -> str:
    undecided = f" and {row['undecided']} undecided" if row.get("undecided") else ""
    values = (f", {key} {text(row[key])}" for key in VALUES if row.get(key) is not None)
    return f"{text(row['n'])}/{text(row['total'])}{undecided}{''.join(values)}"
