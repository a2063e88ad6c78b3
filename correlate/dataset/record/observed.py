"""What a trial's record says of the call that happened: claims of the phones' own witnesses."""

from collections.abc import Callable
from typing import Annotated, Literal, Self, get_args

from pydantic import Field, StringConstraints, WrapValidator, model_validator
from pydantic_core import PydanticCustomError

from correlate.dataset.record.base import Count, Document, Name, Service

Line = Annotated[str, StringConstraints(max_length=1000)]
Seconds = Annotated[float, Field(ge=0)]
Verdict = Literal["proven", "undecided", "refuted"]
WITNESSES = 100
"""More lines no claim has."""


def _value(value: object, fits: Callable[[object], object]) -> object:
    """One mistake where none of the types fits, not one for each of them."""
    try:
        return fits(value)
    except ValueError:
        raise PydanticCustomError("claim_value", "must be true, false, a count, a name or null") from None


Value = Annotated[bool | Count | Name | None, WrapValidator(_value)]


class Claim(Document):
    """What the phones' own witnesses hold of one thing that was observed."""

    value: Value
    """What was observed; null where nobody can tell"""
    verdict: Verdict
    """`proven`: two independent witnesses say so and none against; `undecided`: a witness is missing, or two do not
    agree on a time; `refuted`: a witness says otherwise, kept only where nothing was to be voided"""
    witnesses: Annotated[list[Line], Field(max_length=WITNESSES)]
    """What each witness said, one line each"""
    reason: Line | None
    """Why it is not proven; null where it is"""

    @model_validator(mode="after")
    def _is_explained(self) -> Self:
        if (self.verdict == "proven") != (self.reason is None):
            text = "must be null, as it is proven" if self.reason is not None else f"is null, and it is {self.verdict}"
            raise _unfit(text, "reason")
        if self.verdict == "proven" and self.value is None:
            raise _unfit("is null, and it is proven", "value")
        return self


class Limits(Document):
    """By which limits a phone's witnesses were judged, in seconds."""

    follow_s: Seconds
    """An end up to this long after a tap follows it"""
    late_s: Seconds
    """An end up to this long after a tap may follow it; a later one does not"""
    apart_s: Seconds
    """How far apart the ends on both phones may lie"""
    unanswered_s: Seconds | None = None
    """How long this phone rings until the app itself gives up, as learnt; null where too few calls told. It may be left
    out"""
    source: Literal["default", "calibrated", "other version"]
    """`calibrated` on these phones with this version of the app, with an `other version`, or the `default`"""


class Observed(Document):
    """What happened in a trial, by claim."""

    calls: Claim
    """How many calls of the app there were between both readings of the phones' records: 1"""
    rang: Claim
    """Whether the callee rang"""
    answered: Claim
    """Whether the call was answered"""
    ended_by: Claim
    """Who ended it: `caller`, `callee` or `system`"""
    service: Claim
    """`voice` or `video`"""
    nothing_else: Claim
    """Whether there was no other call on the phones, of another app or of a SIM"""
    in_front: Claim
    """Whether the call was in front: on the caller from dialling on, on the callee from the answer on"""

    @model_validator(mode="after")
    def _values_fit(self) -> Self:
        for name, claim in self.claims.items():
            words, fits = _FITS[name]
            if claim.value is not None and not fits(claim.value):
                raise _unfit(f"must be {words}", name, "value")
        return self

    @property
    def claims(self) -> dict[str, Claim]:
        """The claims by name, in order."""
        return {name: getattr(self, name) for name in Observed.model_fields}


_BOOLEAN = ("true or false", lambda value: isinstance(value, bool))
_ENDS = ("caller", "callee", "system")
_FITS: dict[str, tuple[str, Callable[[object], bool]]] = {
    "calls": ("a count", lambda value: type(value) is int),
    "rang": _BOOLEAN,
    "answered": _BOOLEAN,
    "ended_by": (" or ".join(_ENDS), lambda value: value in _ENDS),
    "service": (" or ".join(get_args(Service)), lambda value: value in get_args(Service)),
    "nothing_else": _BOOLEAN,
    "in_front": _BOOLEAN,
}


def _unfit(text: str, *below: str) -> PydanticCustomError:
    return PydanticCustomError("misfit", "{text}", {"text": text, "below": below})
