"""A finding as the cells of a CSV row, and the way back to its dataclass."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from functools import cache
from typing import Any, TypeVar, get_args, get_type_hints

from pydantic import TypeAdapter, ValidationError

from correlate.columns import Finding, flat

Cells = dict[str, str]
T = TypeVar("T")


def cells(finding: Finding) -> Cells:
    """Column -> cell."""
    return {column: encode(value) for column, value in flat(finding).items()}


def parse(row: Mapping[str, str], kind: type[T], prefix: str = "") -> T:
    """The finding of this kind whose `cells` are in a row.

    Raises `KeyError` for a column that is missing and `ValueError` for a cell that is not of its column's type.
    """
    values: dict[str, Any] = {}
    for name, hint in get_type_hints(kind).items():
        is_inside = isinstance(hint, type) and is_dataclass(hint)
        values[name] = parse(row, hint, f"{prefix}{name}_") if is_inside else decode(row[prefix + name], hint)
    return kind(**values)


def encode(value: object) -> str:
    """A value as a CSV cell: nothing for None, JSON for lists and objects."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False, default=asdict) if isinstance(value, tuple | dict) else str(value)


def decode(cell: str, kind: Any) -> Any:
    """What `encode` wrote, for a column of this type. Raises `ValueError`."""
    if cell == "" and type(None) in get_args(kind):
        return None
    if kind in (str, str | None):
        return cell
    try:
        return _adapter(kind).validate_json(cell, strict=True)
    except ValidationError as error:
        raise ValueError(f"{cell[:40]!r}: {error.errors()[0]['msg']}") from error


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
