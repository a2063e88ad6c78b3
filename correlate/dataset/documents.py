"""Documents on the disk: JSON text -> a model of `record`, strictly, and back. A mistake is one line with its place."""

import json
import math
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from correlate import files
from correlate.dataset.durable import readable, write_bytes
from correlate.dataset.record import SCHEMA, Asked, Clock, Document, Side, TrialRecord, nullable
from correlate.errors import BadDataset, NewerVersion

MAX_JSON_BYTES = 64 << 20
MAX_SHOWN = 60

D = TypeVar("D", bound=Document)
Place = tuple[str | int, ...]


class Unfit(str):
    """Why there is no value here: its key was given before, or the number is none."""


def read(path: Path, label: str, model: type[D], hint: str = "", within: Path | None = None) -> D:
    """The document in a file; `label` names the file in messages, `hint` says what to do about what does not fit,
    `within` names the dataset that it belongs to (`files.opened`).

    Raises `NewerVersion` for a schema above this one, and `BadDataset` for whatever else does not fit.
    """
    value = parse(path, label, within)
    if "schema_number" in model.model_fields:
        value = _of_this_schema(value, label)
    try:
        # Python's objects have no way back to addresses in strict mode; JSON has.
        return _model(model, value)
    except ValidationError as error:
        raise BadDataset(f"{label}: {mistake(error)}{hint}") from error


def cleaned(document: D, clean: Callable[[object], object]) -> D:
    """A document whose texts `clean` has passed. A value for which a rule holds (a name, an address, a word of a list)
    and that would break it by that stays as it is: no document is lost."""
    before = document.model_dump(mode="json", by_alias=True)
    after = clean(before)
    if after == before:
        return document
    for mend in (_cut, _first):
        for place in _unfitting(type(document), after):
            _mend(after, before, place, mend)
    try:
        return _model(type(document), after)
    except ValidationError:
        return document


def _model(kind: type[D], value: Any) -> D:
    return kind.model_validate_json(json.dumps(value), strict=True)


def _unfitting(kind: type[Document], value: Any) -> list[Place]:
    try:
        _model(kind, value)
    except ValidationError as error:
        return [found["loc"] for found in error.errors(include_url=False)]
    return []


def _first(_after: Any, before: Any) -> Any:
    return before


def _cut(after: Any, before: Any) -> Any:
    """A text that may have become too long, as long as it was."""
    return after[: len(before)] if isinstance(after, str) and isinstance(before, str) else after


def _mend(after: Any, before: Any, place: Place, mend: Callable[[Any, Any], Any]) -> None:
    """Mend a value by what it was, or where it has no place of its own in both, what holds it."""
    if not place or place[0] not in _places(before):
        return
    first, *below = place
    if below and first in _places(after) and below[0] in _places(after[first]) and below[0] in _places(before[first]):
        _mend(after[first], before[first], tuple(below), mend)
    elif first in _places(after):
        after[first] = mend(after[first], before[first])


def _places(value: Any) -> Collection[str | int]:
    if isinstance(value, list):
        return range(len(value))
    return value.keys() if isinstance(value, dict) else ()


def write(path: Path, document: Document) -> None:
    """Puts a document at `path`, durably, as `read` takes it."""
    write_bytes(path, as_bytes(document))


def as_bytes(document: Document) -> bytes:
    """The text of a document, in UTF-8."""
    return readable(document.model_dump(mode="json", by_alias=True)).encode("utf-8")


def parse(path: Path, label: str, within: Path | None = None) -> dict[str, Any]:
    """The JSON object in a file: no key is doubled, every number is finite. Raises `BadDataset`."""
    data = _bytes(path, label, within)
    try:
        value = json.loads(
            data,
            object_pairs_hook=_unique,
            parse_constant=lambda text: Unfit(f"must be a finite number, is {text}"),
            parse_float=_finite,
        )
        unfit = next(_unfit(value, ()), None)
        json.dumps(None if unfit else value, ensure_ascii=False).encode()  # Half a surrogate pair is no text.
    except (ValueError, RecursionError) as error:
        raise BadDataset(f"{label}: is no JSON: {error}") from error
    if unfit:
        raise BadDataset(f"{label}: {in_words(unfit[0])}{unfit[1]}")
    if not isinstance(value, dict):
        raise BadDataset(f"{label}: holds no JSON object")
    return value


def _bytes(path: Path, label: str, within: Path | None) -> bytes:
    try:
        data = files.read(path, MAX_JSON_BYTES + 1, within)
    except OSError as error:
        raise BadDataset(f"{label}: cannot be read: {error.strerror}") from error
    if len(data) > MAX_JSON_BYTES:
        raise BadDataset(f"{label}: is larger than {MAX_JSON_BYTES >> 20} MiB, no record of a dataset is")
    return data


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        found[key] = Unfit("is given a second time") if key in found else value
    return found


def _finite(text: str) -> float | Unfit:
    number = float(text)
    return number if math.isfinite(number) else Unfit(f"must be a finite number, is {shown(text, quoted=False)}")


def _unfit(value: object, place: Place) -> Iterator[tuple[Place, str]]:
    if isinstance(value, Unfit):
        yield place, value
    elif isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _unfit(inner, (*place, key))


def _of_this_schema(value: dict[str, Any], label: str) -> dict[str, Any]:
    number = value.get("schema")
    if type(number) is int and number > SCHEMA:
        text = (
            f"schema {shown(number)} was made by a newer version; this one reads schemas 1 and {SCHEMA}; use that one"
        )
        raise NewerVersion(f"{label}: {text}")
    return upgraded(value) if type(number) is int and number == 1 else value


def upgraded(old: dict[str, Any]) -> dict[str, Any]:
    """A document of schema 1 as one of schema 2.

    In 1 trial.json has the captures' hashes twice, and leaves out what is not known where 2 says null.
    """
    if "trial" not in old:
        return {**old, "schema": 2}
    new = {key: value for key, value in _whole(TrialRecord, old).items() if key != "captures"}
    for name, model in (("sides", Side), ("clocks", Clock)):
        if isinstance(parts := old.get(name), dict):
            new[name] = {key: _whole(model, part) for key, part in parts.items()}
    return {**new, "asked": _whole(Asked, old.get("asked")), "schema": 2}


def _whole(model: type[Document], part: Any) -> Any:
    return {**dict.fromkeys(nullable(model)), **part} if isinstance(part, dict) else part


# What does not fit, in words

_MUST = {
    "missing": "is missing",
    "extra_forbidden": "is no key of this document",
    "misfit": "{text}",
    "value_error": "{error}",
    "literal_error": "must be one of {expected}",
    "string_pattern_mismatch": "must look like {pattern}",
    "too_short": "must have at least {min_length} of them",
    "too_long": "must have at most {max_length} of them",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "ip_any_address": "must be an IP address",
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "list_type": "must be a list",
    "dict_type": "must be an object",
    "model_type": "must be an object",
}
_WITHOUT_VALUE = ("missing", "extra_forbidden", "misfit", "value_error", "too_short", "too_long")


def mistake(found: ValidationError) -> str:
    """The first thing that does not fit, in one line: where, and what."""
    error = found.errors(include_url=False)[0]
    kind, context = error["type"], error.get("ctx", {})
    place = (*(part for part in error["loc"] if part != "[key]"), *context.get("below", ()))
    text = _MUST[kind].format(**context) if kind in _MUST else error["msg"]
    return in_words(place) + (text if kind in _WITHOUT_VALUE else f"{text}, is {shown(error['input'])}")


def in_words(place: Place) -> str:
    """`sides.caller.phone: ` for ("sides", "caller", "phone"); nothing for the whole document."""
    return f"{'.'.join(shown(part, quoted=False) for part in place)}: " if place else ""


def shown(value: object, *, quoted: bool = True) -> str:
    """A value of a file for a message: JSON, printable, and not too long."""
    text = value if isinstance(value, str) and not quoted else json.dumps(value, default=str)
    text = "".join(each if each.isprintable() else "?" for each in text[: MAX_SHOWN + 1])
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 1]}…"
