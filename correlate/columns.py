"""A finding as columns of a CSV: their names and types, their values, and why a value is null.

A finding is a frozen dataclass, one side's of one dimension. A dataclass inside is spread out as PREFIX_NAME.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import Field, dataclass, fields, is_dataclass, replace
from typing import Any, ClassVar, Protocol, TypeVar, get_args, get_type_hints

from correlate.pairs import CallPair
from correlate.pairs.sided import Sided


class Finding(Protocol):
    """Any dataclass; typing has no name for it."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


Measure = Callable[[CallPair], Sided[Any]]
T = TypeVar("T", bound=Finding)


@dataclass(frozen=True)
class Reason:
    """Why values are null: `text`, of each column that has one of `names` as its name or as a part of it."""

    names: tuple[str, ...]
    text: str

    def __str__(self) -> str:
        return f"{', '.join(self.names)}: {self.text}" if self.names else self.text


def explained(finding: T, reasons: Sequence[Reason]) -> T:
    """The finding with `reason`, all of them in words, and `reasons`, those of each column that is null."""
    nulls = [column for column, value in flat(finding).items() if value is None]
    by_column = {
        column: "; ".join(each.text for each in reasons if any(name in column for name in each.names))
        for column in nulls
    }
    return replace(finding, reasons=by_column, reason="; ".join(str(each) for each in reasons))


def columns(measure: Measure) -> list[str]:
    """The columns of a dimension, from the dataclass that its `measure` returns."""
    (finding,) = get_args(get_type_hints(measure)["return"])
    return list(_columns(finding))


def _columns(finding: type) -> Iterator[str]:
    for name, hint in get_type_hints(finding).items():
        if isinstance(hint, type) and is_dataclass(hint):
            yield from (f"{name}_{inner}" for inner in _columns(hint))
        else:
            yield name


def flat(finding: Finding) -> dict[str, object]:
    """Column -> value."""
    row: dict[str, object] = {}
    for field in fields(finding):
        value = getattr(finding, field.name)
        if is_dataclass(value) and not isinstance(value, type):
            row |= {f"{field.name}_{inner}": inside for inner, inside in flat(value).items()}
        else:
            row[field.name] = value
    return row
