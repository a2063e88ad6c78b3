"""How a YAML tree fits a model: first its keys, then its values.

A misspelt key is one mistake: it is put right before the values are looked at, so that nothing follows from it, and
a key that nobody knows is left out.
"""

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from lab.definitions.base import model_in, private
from lab.definitions.yaml.tree import Node, Place

M = TypeVar("M", bound=BaseModel)
Found = list[tuple[tuple[int, int], str]]
# What a value of a field is called in a message, where the field's own name reads badly.
_NOUNS = {"do": "verb", "by": "role", "services": "service"}


def fit(root: Node, model: type[M]) -> tuple[M | None, Found]:
    """The model a tree holds (None where it does not), and every mistake as ((line, column), text)."""
    if not isinstance(root.value, dict):
        return None, [((root.line, root.column), f"must hold keys and values, holds {_kind(root)}")]
    found = _repair(root, model)
    try:
        return model.model_validate(root.plain()), found
    except ValidationError as error:
        for one in error.errors(include_url=False):
            found += _worded(root, one, model)
        return None, found


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` where a known word is near, else nothing."""
    near = nearest(word, known)
    return f"; did you mean '{near}'?" if near else ""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word nearest in spelling; None where none is near."""
    by_folded = {_folded(one): one for one in sorted(known)}
    folded = _folded(word[:100])
    if folded in by_folded:
        return by_folded[folded]
    near = difflib.get_close_matches(folded, by_folded, n=1, cutoff=0.6)
    return by_folded[near[0]] if near else None


def _folded(word: str) -> str:
    return word.casefold().replace("-", "_").replace(" ", "_")


# Keys


def _repair(node: Node, model: type[BaseModel]) -> Found:
    """Put misspelt keys right and take unknown ones out, in the whole tree below a node that holds a `model`, or a list
    of them."""
    if isinstance(node.value, list):
        return [mistake for item in node.value for mistake in _repair(item, model)]
    if not isinstance(node.value, dict):
        return []
    found = _put_right(node.value, node.keys, model.model_fields)
    for key, child in node.value.items():
        if (inner := model_in(model.model_fields[key].annotation)) is not None:
            found += _repair(child, inner)
    return found


def _put_right(
    mapping: dict[str, Node], positions: dict[str, tuple[int, int]], known: Mapping[str, FieldInfo]
) -> Found:
    """Each unknown key goes to the field it nearly spells and nobody gives, required ones first; else it goes out."""
    found: Found = []
    for key in [key for key in mapping if key not in known]:
        absent = [name for name in known if name not in mapping]
        right = nearest(key, [name for name in absent if known[name].is_required()]) or nearest(key, absent)
        child, position = mapping.pop(key), positions.pop(key)
        found.append((position, f"unknown key '{_cut(key)}'{did_you_mean(key, [right] if right else known)}"))
        if right is not None:
            mapping[right], positions[right] = child, position
    return found


# Values


def _worded(root: Node, error: ErrorDetails, model: type[BaseModel]) -> Found:
    """One pydantic error as mistakes in plain words."""
    place = _written(root, error["loc"])
    if root.is_refused(place):
        return []
    if error["type"] == "mistakes":
        return [(root.find((*place, *below)), text) for below, text in error["ctx"]["found"]]
    if error["type"] == "missing":
        *parent, key = error["loc"]
        return [(root.find(_written(root, tuple(parent))), f"missing key '{key}'")]
    if isinstance(error["input"], str) and _holds_secret(model, place):
        error = {**error, "input": _NotShown()}
    return [(root.find(place), _text(place, error))]


class _NotShown:
    """Stands in a message for a secret."""

    def __repr__(self) -> str:
        return "secret and not shown"


def _holds_secret(model: type[BaseModel], place: Place) -> bool:
    """Whether what stands at a place, or what holds it, is marked as a secret."""
    kind: type[BaseModel] | None = model
    for part in place:
        info = kind.model_fields.get(part) if kind is not None and isinstance(part, str) else None
        if info is not None:
            if private(info) is not None:
                return True
            kind = model_in(info.annotation)
    return False


def _written(root: Node, loc: tuple[str | int, ...]) -> Place:
    """The parts of a pydantic location that stand in the file: names of types in it do not."""
    return tuple(part for part, _, _ in root.written(loc))


_MUST: dict[str, str] = {
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "too_short": "must have at least {min_length} of them",
    "too_long": "must have at most {max_length} of them",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "finite_number": "must be a number",
    "ip_v4_address": "must be an IPv4 address",
    "ip_v6_address": "must be an IPv6 address",
    "ip_any_address": "must be an IP address",
    "ip_v4_network": "must be an IPv4 network",
    "ip_v6_network": "must be an IPv6 network",
    "ip_any_network": "must be an IP network",
    "ip_v4_interface": "must be an IPv4 address with its prefix length",
    "ip_v6_interface": "must be an IPv6 address with its prefix length",
    "ip_any_interface": "must be an IP address with its prefix length",
}
_KINDS: tuple[tuple[str, str], ...] = (
    (r"int_", "must be a whole number"),
    (r"float_", "must be a number"),
    (r"bool_", "must be true or false"),
    (r"string_(type|sub_type|unicode)", "must be text"),
    (r"(list|tuple|set|frozen_set)_type", "must be a list"),
    (r"(model|dict|dataclass|model_attributes)_type|mapping_type", "must hold keys and values"),
)
_NAME_PATTERN = r"^[a-z0-9][a-z0-9_]{0,63}$"


def _text(place: Place, error: ErrorDetails) -> str:
    what = ".".join(part for part in place if isinstance(part, str)) or "the file"
    kind, context, given = error["type"], error.get("ctx", {}), error["input"]
    if kind in ("literal_error", "enum"):
        return _not_one_of(place, str(given), re.findall(r"'([^']*)'", str(context.get("expected", ""))), given)
    if kind == "value_error":
        text = str(context["error"])
        return text if text.startswith(str(what).rsplit(".", maxsplit=1)[-1]) else f"{what} {text}"
    if kind == "string_pattern_mismatch":
        return f"{what} {_pattern_words(context['pattern'])}, is {_shown(given)}"
    return f"{what} {_rule(kind, context, error['msg'])}, {_is(given)}"


def _rule(kind: str, context: dict[str, Any], message: str) -> str:
    if kind in _MUST:
        return _MUST[kind].format(**{key: _number(value) for key, value in context.items()})
    for pattern, words in _KINDS:
        if re.match(pattern, kind):
            return words
    return message[:1].lower() + message[1:]


def _not_one_of(place: Place, word: str, known: list[str], given: object) -> str:
    field = next((part for part in reversed(place) if isinstance(part, str)), "value")
    noun = _NOUNS.get(field, field)
    if not isinstance(given, (str, dict)):
        return f"{field} must be one of {', '.join(known)}, {_is(given)}"
    near = did_you_mean(word, known)
    return f"no {noun} '{_cut(word)}'{near or '; there is ' + ', '.join(known)}"


def _pattern_words(pattern: str) -> str:
    if pattern == _NAME_PATTERN:
        return "must be lower-case letters, digits and _, at most 64"
    return f"must look like {pattern}"


def _number(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _is(given: object) -> str:
    if given is None:
        return "has no value"
    return f"has {len(given)}" if isinstance(given, list) else f"is {_shown(given)}"


def _shown(given: object) -> str:
    if isinstance(given, dict):
        return "a mapping"
    if isinstance(given, list):
        return "a list"
    if isinstance(given, str) and re.fullmatch(r"-?[0-9.]{1,30}", given):
        return given
    text = repr(given)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _cut(word: str) -> str:
    printable = "".join(one if one.isprintable() else "?" for one in word)
    return printable if len(printable) <= 60 else f"{printable[:57]}..."


def _kind(node: Node) -> str:
    return "a list" if isinstance(node.value, list) else "nothing" if node.value is None else "a single text"
