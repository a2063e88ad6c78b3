"""What a bench holds that is somebody's, or opens something: where it may stand, and texts without it.

Which fields are secrets is marked on the models (`Private`); names, apps, ports, `contact` and `approval` are none. A
value that the same bench also says in the open (a phone's name as the title of its chat) hides nothing and is none.
"""

import functools
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from pydantic import BaseModel

from lab.definitions.base import Place, Private, private
from lab.definitions.bench import BenchSpec

SHORT_CHARACTERS = 8
"""A secret of fewer characters is found only where it is all of a JSON string: as a part, it would be by chance."""

# What may stand in `connect` and names nobody; all else in it, but numbers and switches, is a secret.
_PLAIN_WORDS = frozenset(
    (
        *("ssh", "sudo", "doas", "env", "exec", "ip", "netns", "sshpass", "wsl", "docker", "podman", "bash", "sh"),
        *("accept-new", "ask", "auto", "no", "none", "off", "on", "yes", "true", "false"),
        *("error", "fatal", "info", "quiet", "nice", "timeout"),
    )
)
_DIGITS = re.compile(r"\+?\d{8,}")
_BETWEEN_DIGITS = r"[\s().\-\u2010-\u2015]{0,3}"
# A token begins after what is no letter or digit, or after such a character as URLs write it.
_BEGINS = r"(?:(?<![^\W_])|(?<=%[0-9A-Fa-f]{2}))"
_ENDS = r"(?![^\W_])"
_JSON_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_NO_LETTER = re.compile(r"[\W_]+")


@dataclass(frozen=True)
class Secret:
    """`field` says which one it is (`serial of pixel6`), in words that may be shown."""

    field: str
    value: str


def secrets(spec: BenchSpec) -> tuple[Secret, ...]:
    """All secrets of a bench, each value once, in the order of its fields."""
    found: dict[str, Secret] = {}
    public: set[str] = set()
    for held in _walk(spec):
        if held.mark is None:
            public.add(held.value.casefold())
        else:
            for word in _words(held.value) if held.mark.argv else (held.value,):
                found.setdefault(word.casefold(), Secret(held.field, word))
    return tuple(secret for key, secret in found.items() if key not in public)


def private_places(model: BaseModel) -> list[tuple[Place, str]]:
    """Where a definition holds secrets, one place a field (an empty list holds none), with the field's words."""
    places: dict[Place, str] = {}
    for held in _walk(model):
        if held.mark is not None:
            places.setdefault(held.place, held.field)
    return list(places.items())


class Redactor:
    """Texts without these secrets.

    A secret is found as a whole token, in whatever case, a number of digits also where blanks, dots, dashes or brackets
    divide it. One of fewer than 8 characters is found only where it is all of a JSON string. Numbers of JSON are never
    rewritten.
    """

    def __init__(self, secrets: tuple[Secret, ...]) -> None:
        long = sorted((one for one in secrets if len(one.value) >= SHORT_CHARACTERS), key=lambda one: -len(one.value))
        self._long = tuple((_core(one.value), one) for one in long)
        self._short = {one.value.casefold(): one.field for one in secrets if len(one.value) < SHORT_CHARACTERS}

    def clean(self, text: str) -> str:
        """`text` with each secret replaced by `<FIELD>`. Where it is JSON, it still is."""
        return self.cleaned(text)[0]

    def hits(self, text: str) -> tuple[str, ...]:
        """The fields whose secrets stand in a text, each once."""
        return self.cleaned(text)[1]

    def cleaned(self, text: str) -> tuple[str, tuple[str, ...]]:
        """`clean` and `hits` at once."""
        hits: dict[str, None] = {}
        return self._text(text, hits), tuple(hits)

    def cleaned_value(self, value: object) -> tuple[object, tuple[str, ...]]:
        """A value as JSON has them, its strings and keys cleaned, and the fields that were hit."""
        hits: dict[str, None] = {}
        return self._value(value, hits), tuple(hits)

    def _text(self, text: str, hits: dict[str, None]) -> str:
        # An escape of JSON hides a letter.
        if "\\" not in text and not self._may_hold(text):
            return text
        if _is_json(text):
            return _JSON_STRING.sub(lambda found: self._literal(found[0], hits), text)
        quoted = _JSON_STRING.sub(lambda found: self._short_literal(found[0], hits), text) if self._short else text
        return self._string(quoted, hits)

    def _may_hold(self, text: str) -> bool:
        core = _core(text)
        return any(each in core for each, _ in self._long) or any(_core(each) in core for each in self._short)

    def _literal(self, literal: str, hits: dict[str, None]) -> str:
        string = json.loads(literal)
        cleaned = self._string(string, hits)
        return literal if cleaned == string else json.dumps(cleaned, ensure_ascii=literal.isascii())

    def _short_literal(self, literal: str, hits: dict[str, None]) -> str:
        field = self._short.get(literal[1:-1].casefold())
        if field is None:
            return literal
        hits[field] = None
        return f'"<{field}>"'

    def _value(self, value: object, hits: dict[str, None]) -> object:
        if isinstance(value, str):
            return self._string(value, hits)
        if isinstance(value, dict):
            return {self._value(key, hits): self._value(item, hits) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self._value(item, hits) for item in value]
        return value

    def _string(self, string: str, hits: dict[str, None]) -> str:
        if (field := self._short.get(string.casefold())) is not None:
            hits[field] = None
            return f"<{field}>"
        core = _core(string)
        for each, secret in self._long:
            if each in core:
                parts = _pattern(secret.value).split(string)
                if len(parts) > 1:
                    hits[secret.field] = None
                    string = f"<{secret.field}>".join(parts)
        return string


_CHOSEN: ContextVar[list[BenchSpec] | None] = ContextVar("_CHOSEN", default=None)


@contextmanager
def chosen() -> Iterator[list[BenchSpec]]:
    """The benches that are chosen (`choose`) within the block, as they come to be."""
    benches: list[BenchSpec] = []
    token = _CHOSEN.set(benches)
    try:
        yield benches
    finally:
        _CHOSEN.reset(token)


def choose(spec: BenchSpec) -> BenchSpec:
    """Say that from here on this bench's secrets may turn up in texts."""
    benches = _CHOSEN.get()
    if benches is not None and spec not in benches:
        benches.append(spec)
    return spec


@dataclass(frozen=True)
class _Held:
    """A text in a field: where its field is, and, where it is a secret, its mark and words."""

    place: Place
    field: str
    value: str
    mark: Private | None


def _walk(model: BaseModel, place: Place = (), whose: str = "") -> Iterator[_Held]:
    for name, info in type(model).model_fields.items():
        yield from _held(getattr(model, name), (*place, name), f"{name}{whose}", whose, private(info))


def _held(value: object, place: Place, field: str, whose: str, mark: Private | None) -> Iterator[_Held]:
    if isinstance(value, BaseModel):
        yield from _walk(value, place, _whose(value, place, whose))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            at = (*place, index) if isinstance(item, BaseModel) else place
            yield from _held(item, at, field, whose, mark)
    elif isinstance(value, str):
        yield _Held(place, field, value, mark)


def _whose(model: BaseModel, place: Place, outer: str) -> str:
    """`of pixel6`, `of pixel6 in whatsapp`, `of laptop`."""
    names = [(word, getattr(model, key, None)) for word, key in (("of", "name"), ("in", "app"))]
    own = "".join(f" {word} {name}" for word, name in names if isinstance(name, str))
    return f"{outer}{own}" if own else outer or f" of {place[-1]}"


def _words(argument: str) -> Iterator[str]:
    """What one word of an argv names: in `-oProxyJump=lab@gate:22` it is `lab` and `gate`."""
    switch = re.fullmatch(r"--?[A-Za-z][A-Za-z0-9-]*(?:=(.*))?", argument, re.DOTALL)
    named = (switch[1] or "") if switch else argument.removeprefix("-")
    for word in re.split(r"[,=@\s\"'\[\]]|\w+://|:(?=\d+$)|:(?=\d+[,@])", named):
        if len(word) > 1 and not word.isdecimal() and word.casefold() not in _PLAIN_WORDS:
            yield word


def _core(text: str) -> str:
    """The letters and digits alone, by which a text is looked through quickly."""
    return _NO_LETTER.sub("", text).casefold()


@functools.cache
def _pattern(value: str) -> re.Pattern[str]:
    if _DIGITS.fullmatch(value):
        body = r"\+?" + _BETWEEN_DIGITS.join(value.lstrip("+"))
    else:
        body = r"\s+".join(map(re.escape, value.split()))
    return re.compile(f"{_BEGINS}{body}{_ENDS}", re.IGNORECASE)


def _is_json(text: str) -> bool:
    if text.lstrip()[:1] not in ("{", "[", '"'):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
