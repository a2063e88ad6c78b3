"""What all definitions share: the frozen base model, names, and mistakes that say where they are."""

import functools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import NoneType
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from correlate.dataset.record import Document
from correlate.dataset.record import Name as Name
from correlate.dataset.record import Port as Port
from correlate.dataset.record import Role as Role
from correlate.dataset.record import Service as Service

NAME_CHARACTERS = 64
"""The most that a name may have."""

Text = Annotated[str, StringConstraints(min_length=1, max_length=2000)]
"""Some text that may not be empty."""


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must be one line of printable text: it goes into a command")
    return text


Line = Annotated[Text, AfterValidator(_one_line)]
"""Some text that a phone's shell is given as one word of a command."""

Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]
"""A time in seconds, above zero and at most a day."""


@dataclass(frozen=True)
class Private:
    """Marks a field of a definition that holds a secret of the lab: what it names is somebody's, or opens something.

    `argv`: a program's words, of which those are secret that name a machine, an account or a file.
    """

    argv: bool = False


PRIVATE = Private()
"""The mark of a field, or of the items of a list, each of which is one secret."""

ApiKey = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{16,64}$"), PRIVATE]
"""A key as PCAPdroid makes one: 32 letters and digits."""

Place = tuple[str | int, ...]
"""Where something is in a file: field names and list indices (from 0) from the root."""

_PLAIN = {
    bool: re.compile(r"true|false"),
    int: re.compile(r"-?(0|[1-9][0-9]{0,17})"),
    float: re.compile(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,18})?"),
}


class NotPlain:
    """A text where a number or a truth value belongs; no type takes it, so the mistake is found in its own place."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return repr(self.text)


class Model(BaseModel):
    """A frozen definition that refuses what it does not know.

    Texts become numbers only where they are plain decimals, and truth values only as `true` and `false`: `1_000`,
    `0x10`, ` 7`, `inf` and `yes` are mistakes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _only_plain_numbers(cls, values: object) -> object:
        return _plain(cls, values)


def _plain(model: type[BaseModel], values: object) -> object:
    """What a model is given; so is what it holds of dataset.json, whose models do not know YAML."""
    if not isinstance(values, dict):
        return values
    numeric, inner = _numeric_fields(model), _documents(model)
    return {
        key: _plain(inner[key], value) if key in inner else _refuse_odd_texts(value, numeric.get(key, ()))
        for key, value in values.items()
    }


@functools.cache
def _documents(model: type[BaseModel]) -> dict[str, type[Document]]:
    """The fields that hold a part of a dataset's document."""
    held = {name: model_in(info.annotation) for name, info in model.model_fields.items()}
    return {name: kind for name, kind in held.items() if kind is not None and issubclass(kind, Document)}


@functools.cache
def _numeric_fields(model: type[BaseModel]) -> dict[str, tuple[re.Pattern[str], ...]]:
    """The fields that hold numbers or truth values alone, and how their texts may look."""
    kinds = {name: scalar_types(info.annotation) for name, info in model.model_fields.items()}
    return {
        name: tuple(pattern for kind, pattern in _PLAIN.items() if kind in found)
        for name, found in kinds.items()
        if found and found <= _PLAIN.keys()
    }


def model_in(annotation: object) -> type[BaseModel] | None:
    """The model that a field holds, alone or in a list; no field of a definition holds one of several."""
    kinds = scalar_types(annotation)
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)


def scalar_types(annotation: object) -> set[object]:
    """The plain types an annotation is made of: `list[int] | None` -> {int}."""
    arguments = get_args(annotation)
    if not arguments or isinstance(annotation, type(Literal["x"])):
        return set() if annotation in (NoneType, Ellipsis) else {annotation}
    if getattr(annotation, "__metadata__", None):
        return scalar_types(arguments[0])
    return set().union(*(scalar_types(argument) for argument in arguments))


def private(info: FieldInfo) -> Private | None:
    """The mark of a field, or of what it is a list or an option of; None where it holds no secret."""
    found = (one for one in (*info.metadata, *_marks(info.annotation)) if isinstance(one, Private))
    return next(found, None)


def _marks(annotation: object) -> Iterator[object]:
    yield from getattr(annotation, "__metadata__", ())
    for argument in get_args(annotation):
        yield from _marks(argument)


def _refuse_odd_texts(value: object, patterns: tuple[re.Pattern[str], ...]) -> object:
    if patterns and isinstance(value, str):
        return value if any(pattern.fullmatch(value) for pattern in patterns) else NotPlain(value)
    if patterns and isinstance(value, (list, tuple)):
        return [_refuse_odd_texts(item, patterns) for item in value]
    return value


def refuse(found: Iterable[tuple[Place, str]]) -> None:
    """Raise the mistakes a model's validator found, each with its place below the model; nothing found, nothing raised.

    Raises:
        PydanticCustomError: with all of them; `lab.definitions.yaml` turns each into a line with its position.
    """
    mistakes = list(found)
    if mistakes:
        texts = "; ".join(text for _, text in mistakes)
        raise PydanticCustomError("mistakes", "{texts}", {"texts": texts, "found": mistakes})


def repeated(names: Iterable[str]) -> list[tuple[int, str]]:
    """Index and name of each name that stood before."""
    seen: set[str] = set()
    again = []
    for index, name in enumerate(names):
        if name in seen:
            again.append((index, name))
        seen.add(name)
    return again
