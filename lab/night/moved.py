"""What else moved when a cell did. In time, which is no proof."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import NamedTuple

from lab.night.history import Covariates, PhoneState

HOURS_APART = 2
"""A night that began so many hours earlier or later in the day began at another hour."""

SHOWN = 10
"""So many moves stand in a sentence."""

_OF_PHONES = {
    "OS build": "os_build",
    "Android patch": "patch",
    "carrier": "carrier",
    "radio": "radio",
    "NAT class": "nat",
    "IPv6": "ipv6",
    "egress class": "egress",
}
"""By name the field of `PhoneState`."""


class _Pair(NamedTuple):
    """One thing then and now; None: not known. `name` stands in lists, `words` in a move."""

    name: str
    words: str
    phone: str
    then: str | None
    now: str | None


@dataclass(frozen=True)
class Moves:
    """What moved, in words, and the names of what did not and of what nobody knows."""

    moved: tuple[str, ...]
    unchanged: tuple[str, ...]
    unknown: tuple[str, ...]

    def sentence(self) -> str:
        """What moved since then, with what that can and cannot show."""
        shown = [*self.moved[:SHOWN], *([f"{len(self.moved) - SHOWN} more"] if len(self.moved) > SHOWN else [])]
        if not shown:
            text = "Nothing that we record moved: the app's servers, the network or chance."
        elif len(shown) == 1:
            text = f"Since then moved: {shown[0]}."
        else:
            text = f"Since then moved, and cannot be told apart: {'; '.join(shown)}."
        for words, names in (("Unchanged", self.unchanged), ("Not known", self.unknown)):
            text += f" {words}: {', '.join(names)}." if names else ""
        return f"{text} In time, no proof."


def moves(then: Covariates, now: Covariates, app: str, scenario: str) -> Moves:
    """What moved of that which may change what a cell of this app and scenario counts."""
    pairs = list(_pairs(then, now, app, scenario))
    where: dict[tuple[str, str, str], list[str]] = {}
    for each in pairs:
        if each.then is not None and each.now is not None and each.then != each.now:
            where.setdefault((each.words, each.then, each.now), []).append(each.phone)
    unknown = {each.name for each in pairs if each.then is None or each.now is None}
    moving = {each.name for each in pairs if each.then != each.now} | unknown
    names = list(dict.fromkeys(each.name for each in pairs))
    return Moves(
        tuple(_in_words(*what, phones) for what, phones in where.items()),
        tuple(name for name in names if name not in moving),
        tuple(name for name in names if name in unknown),
    )


def _in_words(what: str, then: str, now: str, phones: list[str]) -> str:
    on = " and ".join(phone for phone in phones if phone)
    return f"{what}{f' on {on}' if on else ''} {then} -> {now}"


def _pairs(then: Covariates, now: Covariates, app: str, scenario: str) -> Iterator[_Pair]:
    phones = sorted({*then.phones, *now.phones})
    yield _Pair("phones", "phones", "", ", ".join(sorted(then.phones)), ", ".join(sorted(now.phones)))
    both = [phone for phone in phones if phone in then.phones and phone in now.phones]
    for phone in both:
        yield _Pair("app version", app, phone, *(each.phones[phone].apps.get(app) for each in (then, now)))
    for name, field in _OF_PHONES.items():
        for phone in both:
            yield _Pair(name, name, phone, *(_text(each.phones[phone], field) for each in (then, now)))
    yield _Pair("resolver", "resolver", "", then.resolver, now.resolver)
    for file in sorted({*then.yaml, *now.yaml}):
        if _concerns(file, app, scenario):
            hashes = [each.yaml.get(file, "none")[:12] for each in (then, now)]
            yield _Pair("YAML", file, "", *hashes)
    yield _Pair("harness", "harness", "", then.harness, now.harness)
    yield _Pair("hour", "hour", "", *_hours(then.hour, now.hour))


def _text(state: PhoneState, field: str) -> str | None:
    value = getattr(state, field)
    return None if value is None else {True: "yes", False: "no"}.get(value, value)


def _concerns(file: str, app: str, scenario: str) -> bool:
    """Whether a YAML file is not of another app or scenario alone."""
    path = PurePosixPath(file)
    own = {"apps": app, "virtual": app, "calls": scenario}.get(path.parent.name)
    return own in (None, "all", path.stem)


def _hours(then: int | None, now: int | None) -> tuple[str | None, str | None]:
    """Both hours; the same text where they are near each other, around midnight too."""
    texts = [None if hour is None else str(hour) for hour in (then, now)]
    if then is not None and now is not None and min((then - now) % 24, (now - then) % 24) < HOURS_APART:
        texts[0] = texts[1]
    return texts[0], texts[1]
