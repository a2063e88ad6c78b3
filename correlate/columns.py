"""A finding as columns of a CSV: their names and types, their values as cells and back, and why a value is null.

A finding is a frozen dataclass, one side's of one dimension. A dataclass inside is spread out as PREFIX_NAME. In memory
an `Instant` is nanoseconds since 1970; in a CSV it is counted from the trial's `started_ns` (`shifted`).
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import Field, asdict, dataclass, fields, is_dataclass, replace
from functools import cache
from typing import Annotated, Any, ClassVar, Protocol, TypeVar, get_args, get_origin, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

from correlate.pairs import CallPair, Sided
from correlate.pairs.frames import OfTrial


class Finding(Protocol):
    """Any dataclass; typing has no name for it."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


Cells = dict[str, str]
Measure = Callable[[CallPair], Sided[Any]]
T = TypeVar("T", bound=Finding)

_NUMBER = re.compile(r"-\d+(\.\d+)?([eE][+-]?\d+)?\Z", re.ASCII)
_BOOLEANS = {"TRUE": True, "FALSE": False}
_RUN = tuple("=+-@\t\r\n＝＋－＠")
"""With what a cell begins that a spreadsheet takes for a formula, the wide forms of East Asian keyboards too."""


@dataclass(frozen=True)
class Reason:
    """Why values are null: `text`, of each column that has one of `names` as its name or as a part of it."""

    names: tuple[str, ...]
    text: str

    def __str__(self) -> str:
        return f"{', '.join(self.names)}: {self.text}" if self.names else self.text


def explained(finding: T, reasons: Sequence[Reason]) -> T:
    """The finding with `reason`, all of them in words, and `reasons`, those of each column that is null."""
    by_column = {
        column: "; ".join(each.text for each in reasons if any(name in column for name in each.names))
        for column, value in flat(finding).items()
        if value is None
    }
    return replace(finding, reasons=by_column, reason="; ".join(str(each) for each in reasons))


def columns(measure: Measure) -> list[str]:
    """The columns of a dimension, from the dataclass that its `measure` returns."""
    (finding,) = get_args(get_type_hints(measure)["return"])
    return list(columns_of(finding))


def columns_of(finding: type) -> Iterator[str]:
    """The columns of a finding's dataclass, those of a dataclass inside spread out."""
    return iter(types_of(finding))


def types_of(finding: type) -> dict[str, Any]:
    """Column -> its type, of a finding's dataclass."""
    found: dict[str, Any] = {}
    for name, hint in _hints(finding).items():
        if isinstance(hint, type) and is_dataclass(hint):
            found |= {f"{name}_{inner}": kind for inner, kind in types_of(hint).items()}
        else:
            found[name] = hint
    return found


def shifted(finding: T, by_ns: int) -> T:
    """The finding with each `Instant` in it so much later, those of dataclasses in a tuple too."""
    changed = {name: _later(getattr(finding, name), by_ns) for name in _instants(type(finding))}
    return replace(finding, **changed) if changed else finding


def _later(value: Any, by_ns: int) -> Any:
    if isinstance(value, tuple):
        return tuple(shifted(each, by_ns) for each in value)
    if is_dataclass(value) and not isinstance(value, type):
        return shifted(value, by_ns)
    return None if value is None else value + by_ns


@cache
def _instants(kind: type) -> tuple[str, ...]:
    """The fields that hold instants."""
    return tuple(name for name, hint in _hints(kind).items() if _holds_instant(hint))


def _holds_instant(hint: Any) -> bool:
    if isinstance(hint, type) and is_dataclass(hint):
        return bool(_instants(hint))
    if get_origin(hint) is Annotated:
        return any(isinstance(each, OfTrial) for each in hint.__metadata__)
    return any(_holds_instant(each) for each in get_args(hint))


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


def cells(finding: Finding) -> Cells:
    """Column -> cell."""
    return {column: encode(value) for column, value in flat(finding).items()}


def parse(row: Mapping[str, str], kind: type[T], prefix: str = "") -> T:
    """The finding of this kind whose `cells` are in a row.

    Raises `KeyError` for a column that is missing and `ValueError` for a cell that is not of its column's type.
    """
    values: dict[str, Any] = {}
    for name, hint in _hints(kind).items():
        is_inside = isinstance(hint, type) and is_dataclass(hint)
        values[name] = parse(row, hint, f"{prefix}{name}_") if is_inside else _decoded(row, prefix + name, hint)
    return kind(**values)


def _decoded(row: Mapping[str, str], column: str, kind: Any) -> Any:
    try:
        return decode(row[column], kind)
    except ValueError as error:
        raise ValueError(f"{column}: {error}") from error


def inert(text: str) -> str:
    """A text as a CSV cell: one that a spreadsheet would run as a formula gets an apostrophe before it, and so does one
    that begins with an apostrophe, so that taking one away gives the text again. Numbers stay numbers."""
    runs = text.startswith(_RUN) and not _NUMBER.match(text)
    return f"'{text}" if runs or text.startswith("'") else text


def encode(value: object) -> str:
    """A value as a CSV cell: nothing for None, TRUE and FALSE, which every tool takes for booleans, JSON for lists and
    objects, a text as `inert` has it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, str):
        return inert(value)
    return json.dumps(value, ensure_ascii=False, default=asdict) if isinstance(value, tuple | dict) else str(value)


def decode(cell: str, kind: Any) -> Any:
    """What `encode` wrote, for a column of this type; every number is finite. Raises `ValueError`."""
    if cell == "" and type(None) in get_args(kind):
        return None
    if kind in (str, str | None):
        return cell.removeprefix("'")
    if kind in (bool, bool | None):
        if cell not in _BOOLEANS:
            raise ValueError(f"{cell[:40]!r}: neither TRUE nor FALSE")
        return _BOOLEANS[cell]
    try:
        return _adapter(kind).validate_json(cell, strict=True)
    except ValidationError as error:
        raise ValueError(f"{cell[:40]!r}: {error.errors()[0]['msg']}") from error


@cache
def _hints(kind: type) -> Mapping[str, Any]:
    """Its fields and their types; to evaluate them takes longer than to read a row."""
    return get_type_hints(kind, include_extras=True)


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind, config=ConfigDict(allow_inf_nan=False))
