"""How a YAML tree fits a model: first its keys, then its values.

A misspelt key is one mistake: it is put right before the values are looked at, so that nothing follows from it, and
a key that nobody knows is left out.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from lab.definitions.yaml.tree import Node, Place

M = TypeVar("M", bound=BaseModel)
Found = list[tuple[tuple[int, int], str]]
# What a value of a field is called in a message, where the field's own name reads badly.
_NOUNS = {"do": "verb", "by": "role", "services": "service"}


def fit(root: Node, model: type[M]) -> tuple[M | None, Found]:
    """The model a tree holds (None where it does not), and every mistake as ((line, column), text)."""
    if not isinstance(root.value, dict):
        return None, [((root.line, root.column), f"must hold keys and values, holds {_kind(root)}")]
    found = _repair(root, (model,), None)
    try:
        return model.model_validate(root.plain()), found
    except ValidationError as error:
        for one in error.errors(include_url=False):
            found += _worded(root, model, one)
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


def _repair(node: Node, models: tuple[type[BaseModel], ...], discriminator: str | None) -> Found:
    """Put misspelt keys right and take unknown ones out, in the whole tree below a node that holds one of `models`."""
    found: Found = []
    if isinstance(node.value, list):
        for item in node.value:
            found += _repair(item, models, discriminator)
        return found
    if not isinstance(node.value, dict) or not models:
        return found
    model: type[BaseModel] | None = models[0]
    if len(models) > 1:
        model = _chosen(node, models, discriminator, found)
    if model is None:
        return found
    fields = _fields(model)
    _put_right(node, fields, _required(model), found)
    for key, child in list(node.value.items()):
        if key in fields:
            found += _repair(child, *_models_in(fields[key]))
    return found


def _put_right(node: Node, known: Iterable[str], required: set[str], found: Found) -> None:
    """Each unknown key goes to the field it nearly spells and nobody gives, required ones first; else it goes out."""
    mapping = node.value
    if not isinstance(mapping, dict):
        return
    for key in [key for key in mapping if key not in known]:
        absent = [name for name in known if name not in mapping]
        right = nearest(key, [name for name in absent if name in required]) or nearest(key, absent)
        child = mapping.pop(key)
        position = node.keys.pop(key)
        found.append((position, f"unknown key '{_cut(key)}'{did_you_mean(key, [right] if right else known)}"))
        if right is not None:
            mapping[right] = child
            node.keys[right] = position


def _chosen(
    node: Node, models: tuple[type[BaseModel], ...], discriminator: str | None, found: Found
) -> type[BaseModel] | None:
    """Which of several models a mapping is meant for; None where its discriminator says nothing that is known."""
    mapping = node.value
    if not isinstance(mapping, dict):
        return None
    if discriminator is None:
        return max(models, key=lambda model: len(_fields(model).keys() & mapping.keys()))
    if discriminator not in mapping:
        known = {name for model in models for name in _fields(model)}
        strangers = [key for key in mapping if key not in known and nearest(key, [discriminator])]
        if not strangers:
            return None
        for key in strangers[:1]:
            found.append((node.keys[key], f"unknown key '{_cut(key)}'; did you mean '{discriminator}'?"))
            mapping[discriminator], node.keys[discriminator] = mapping.pop(key), node.keys.pop(key)
    tag = mapping[discriminator].value
    return next((model for model in models if tag in get_args(_fields(model)[discriminator].annotation)), None)


def _fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    return {info.alias or name: info for name, info in model.model_fields.items()}


def _required(model: type[BaseModel]) -> set[str]:
    return {name for name, info in _fields(model).items() if info.is_required()}


def _models_in(info: FieldInfo) -> tuple[tuple[type[BaseModel], ...], str | None]:
    """The models a field may hold, alone or in a list, and the key that tells them apart."""
    told_by = [info.discriminator] if isinstance(info.discriminator, str) else []
    models = tuple(_walk(info.annotation, told_by))
    return models, told_by[0] if told_by else None


def _walk(annotation: object, told_by: list[str]) -> Iterable[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) is Annotated:
        inner, *metadata = get_args(annotation)
        told_by += [m.discriminator for m in metadata if isinstance(m, FieldInfo) and isinstance(m.discriminator, str)]
        yield from _walk(inner, told_by)
    elif get_origin(annotation) in (list, tuple, Union, UnionType):
        for argument in get_args(annotation):
            yield from _walk(argument, told_by)


# Values


def _worded(root: Node, model: type[BaseModel], error: ErrorDetails) -> Found:
    """One pydantic error as mistakes in plain words."""
    place = _written(root, error["loc"])
    if root.is_refused(place):
        return []
    if error["type"] == "mistakes":
        return [(root.find((*place, *below)), text) for below, text in error["ctx"]["found"]]
    if error["type"] == "missing":
        *parent, key = error["loc"]
        return [(root.find(_written(root, tuple(parent))), f"missing key '{key}'")]
    return [(root.find(place), _text(place, error))]


def _written(root: Node, loc: tuple[str | int, ...]) -> Place:
    """The parts of a pydantic location that stand in the file: tags and names of classes in it do not."""
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
    if kind == "union_tag_invalid":
        tags = re.findall(r"'([^']*)'", str(context["expected_tags"]))
        return _not_one_of((str(context["discriminator"]).strip("'"),), str(context["tag"]), tags, given)
    if kind == "union_tag_not_found":
        return f"missing key {context['discriminator']}"
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
