"""What a bench's nights may cost, and which of their datasets stay: hours, data of the phones' SIMs, an archive."""

import re
from datetime import date, timedelta
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from lab.definitions.base import PRIVATE, Model, Name, Place, refuse, repeated

LONGEST_H = 14
"""A night has at most so many hours."""


def _plain_date(value: object) -> object:
    if isinstance(value, str) and not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value, re.ASCII):
        raise ValueError("write a date, e.g. 2027-01-31")
    return value


Day = Annotated[date, BeforeValidator(_plain_date)]


class DataPlan(Model):
    """How many megabytes (of 10^6 bytes) a SIM may send and receive, in a month that begins on `from_day`, or a day."""

    mb: Annotated[int, Field(ge=1, le=10_000_000)]
    per: Literal["month", "day"] = "month"
    from_day: Annotated[int, Field(ge=1, le=28)] = 1

    def first_day(self, today: date) -> date:
        """The day on which the month, or day, that `today` is in began."""
        if self.per == "day":
            return today
        month = today.replace(day=self.from_day)
        return month if month <= today else (today.replace(day=1) - timedelta(days=1)).replace(day=self.from_day)

    def next_day(self, today: date) -> date:
        """The first day of the next one."""
        first = self.first_day(today)
        if self.per == "day":
            return first + timedelta(days=1)
        return (first.replace(day=1) + timedelta(days=32)).replace(day=self.from_day)


class Sim(Model):
    """The SIM of a phone, by the phone's name. `sim_expires` is the last day on which it works."""

    name: Name
    data_plan: DataPlan | None = None
    sim_expires: Day | None = None


class Budgets(Model):
    """What a night may take. How often an account may call stands under `caps`."""

    hours: Annotated[float, Field(gt=0, le=LONGEST_H, allow_inf_nan=False)] | None = None
    sims: Annotated[list[Sim], Field(max_length=2)] = Field(default_factory=list)

    @model_validator(mode="after")
    def _one_a_phone(self) -> Self:
        found: list[tuple[Place, str]] = [
            (("sims", index, "name"), f"a second SIM of phone '{name}'")
            for index, name in repeated(sim.name for sim in self.sims)
        ]
        refuse(found)
        return self

    def strangers(self, phones: list[str]) -> list[tuple[Place, str]]:
        """The SIMs of phones that the bench has not."""
        return [
            (("sims", index, "name"), f"the bench has no phone '{sim.name}', it has {', '.join(phones)}")
            for index, sim in enumerate(self.sims)
            if sim.name not in phones
        ]


class Retention(Model):
    """After how many nights a dataset is taken away, once a copy of it at `archive` is found whole."""

    keep_nights: Annotated[int, Field(ge=1, le=10_000)]
    archive: Annotated[str, StringConstraints(pattern=r"^/[^\x00-\x1f\x7f]{1,499}$"), PRIVATE]
    alarms_too: bool = False
