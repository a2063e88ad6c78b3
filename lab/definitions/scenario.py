"""A call scenario: a short list of steps with roles and waits, and how long to ring and to talk."""

import random
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from lab.definitions.base import Model, Name, Place, Role, Seconds, refuse

Verb = Literal["place_call", "wait_ringing", "answer", "reject", "cancel", "talk", "hang_up", "wait_ended"]
_DOERS: dict[str, tuple[str, ...]] = {
    "place_call": ("caller",),
    "wait_ringing": (),
    "answer": ("callee",),
    "reject": ("callee",),
    "cancel": ("caller",),
    "talk": (),
    "hang_up": ("caller", "callee"),
    "wait_ended": (),
}


class Uniform(Model):
    """A time drawn evenly between two bounds, in seconds."""

    low_s: Seconds
    high_s: Seconds

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.high_s < self.low_s:
            refuse([(("high_s",), f"high_s must be at least low_s ({self.low_s:g}), is {self.high_s:g}")])
        return self

    def draw(self, rng: random.Random) -> float:
        """A time in seconds, rounded to milliseconds."""
        return round(rng.uniform(self.low_s, self.high_s), 3)


class Step(Model):
    """One step: a verb, who does it where somebody does, and how long its effect may take."""

    do: Verb
    by: Role | None = None
    within_s: Seconds = 20.0

    @model_validator(mode="after")
    def _the_right_doer(self) -> Self:
        doers = _DOERS[self.do]
        if doers and self.by is None:
            refuse([((), f"missing key 'by': who does {self.do}? ({' or '.join(doers)})")])
        if self.by is not None and self.by not in doers:
            rule = f"only the {doers[0]} can" if doers else "nobody does that one; leave out 'by'"
            refuse([(("by",), f"{self.do} by {self.by}: {rule}")])
        return self


@dataclass(frozen=True)
class Drawn:
    """The times drawn for one trial, in seconds."""

    ring_s: float
    talk_s: float | None


@dataclass(frozen=True)
class Shape:
    """What a call must have been to be the one that a scenario's steps ask for.

    `rang` is None where the steps do not ask for it: a caller who cancels at once may be faster than the ringing.
    `ended_by` is "system" where no step ends the call.
    """

    rang: bool | None
    answered: bool
    ended_by: Literal["caller", "callee", "system"]


class Scenario(Model):
    """A call scenario of the paper's section 3.2, or one more.

    `wait_ringing` waits until the callee rings and lets it ring for the drawn `ring_s`; `cancel` without it lets the
    drawn `ring_s` pass since the call was placed; `talk` stays in the call for the drawn `talk_s`; `wait_ended` waits
    until both phones are idle.
    """

    name: Name
    answered: bool
    ring_s: Uniform
    talk_s: Uniform | None = None
    steps: Annotated[list[Step], Field(min_length=1, max_length=50)]

    @model_validator(mode="after")
    def _possible(self) -> Self:
        refuse([*_order_mistakes(self.steps), *self._field_mistakes()])
        return self

    def _field_mistakes(self) -> list[tuple[Place, str]]:
        verbs = [step.do for step in self.steps]
        found: list[tuple[Place, str]] = []
        if self.answered != ("answer" in verbs):
            steps = "an answer step" if "answer" in verbs else "no answer step"
            found.append((("answered",), f"answered is {str(self.answered).lower()}, but there is {steps}"))
        if "talk" in verbs and self.talk_s is None:
            found.append(((), "missing key 'talk_s': there is a talk step"))
        if "talk" not in verbs and self.talk_s is not None:
            found.append((("talk_s",), "talk_s is given, but there is no talk step"))
        return found

    @property
    def shape(self) -> Shape:
        """What the steps ask for: `caller_hangs_up` -> `Shape(rang=True, answered=True, ended_by="caller")`."""
        enders: list[Role] = [step.by for step in self.steps if step.do in _ENDS and step.by is not None]
        rang = True if self.waits_for_ringing else None
        return Shape(rang=rang, answered=self.answered, ended_by=enders[0] if enders else "system")

    @property
    def waits_for_ringing(self) -> bool:
        """Whether the callee is seen to ring before anybody acts."""
        return any(step.do == "wait_ringing" for step in self.steps)

    def draw(self, rng: random.Random) -> Drawn:
        """The times of one trial; the same `rng` state gives the same times."""
        ring_s = self.ring_s.draw(rng)
        return Drawn(ring_s, None if self.talk_s is None else self.talk_s.draw(rng))


_NEEDS_BEFORE: dict[str, str] = {
    "answer": "wait_ringing",
    "reject": "wait_ringing",
    "talk": "answer",
    "hang_up": "answer",
}
_WHY: dict[str, str] = {"wait_ringing": "before the callee rings", "answer": "before the call is answered"}
_ENDS = ("reject", "cancel", "hang_up")


def _order_mistakes(steps: list[Step]) -> list[tuple[Place, str]]:
    verbs = [step.do for step in steps]
    found: list[tuple[Place, str]] = []
    if verbs[0] != "place_call":
        found.append((("steps", 0, "do"), f"the first step must be place_call, is {verbs[0]}"))
    if verbs[-1] != "wait_ended":
        found.append((("steps", len(steps) - 1, "do"), f"the last step must be wait_ended, is {verbs[-1]}"))
    for index, verb in enumerate(verbs):
        earlier = verbs[:index]
        place: Place = ("steps", index, "do")
        needed = _NEEDS_BEFORE.get(verb)
        if needed is not None and needed not in earlier:
            found.append((place, f"{verb} {_WHY[needed]}: {needed} must come earlier"))
        if verb in earlier:
            found.append((place, f"{verb} stands here a second time"))
        elif verb in ("reject", "cancel") and "answer" in earlier:
            found.append((place, f"{verb} after the call is answered: use hang_up"))
        over = next((one for one in earlier if one in (*_ENDS, "wait_ended")), None)
        if over is not None and verb not in ("wait_ended", over):
            found.append((place, f"{verb} after {over}: the call is over"))
    return found
