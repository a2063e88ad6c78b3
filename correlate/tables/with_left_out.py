"""What a table says of the trials that are left out of it: how many, why, and what its cells would be with them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from correlate.tables.layout import Cell, Table, text
from correlate.tables.study import Study

KEYS = (
    *("claim", "app", "caller_device", "service", "scenario", "direction"),
    *("measure", "volume", "session", "address", "name"),
)
"""The columns that tell one cell from another; a table has some of them."""
VALUES = ("median", "holds")
MAX_SHOWN = 12


def noted(study: Study, make: Callable[[Study], Table]) -> Table:
    """The table, its notes beginning with those trials."""
    made = make(study)
    notes = [out_note(study)]
    if not study.out:
        return replace(made, notes=(*notes, *made.notes))
    changed = list(_changed(made, make(study.whole)))
    notes += [f"with them: {each}" for each in changed[:MAX_SHOWN]] or ["with them every cell would be the same"]
    notes += [f"with them {len(changed) - MAX_SHOWN} more cells would be others"] if len(changed) > MAX_SHOWN else []
    return replace(made, notes=(*notes, *made.notes))


def out_note(study: Study) -> str:
    """How many trials are left out, and why each of them."""
    if not study.out:
        return f"left out: none of {len(study.read)} trials"
    whys = "; ".join(f"{trial}: {reason}" for trial, reason in study.out.items())
    return f"left out: {len(study.out)} of {len(study.read)} trials: {whys}"


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
    return f"{text(row['n'])}/{text(row['N'])}{undecided}{''.join(values)}"
