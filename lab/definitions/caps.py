"""How much a bench may call."""

from typing import Annotated

from pydantic import Field

from lab.definitions.base import Model


class Caps(Model):
    """How many calls each account may place, so that its operator does not bar it, and how long a run waits for them:
    what would have to wait longer is left for another run.
    """

    per_hour: Annotated[int, Field(ge=1, le=1000)] = 12
    per_day: Annotated[int, Field(ge=1, le=10_000)] = 80
    apart_s: Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)] = 60.0
    wait_hours: Annotated[float, Field(ge=0, le=24, allow_inf_nan=False)] = 1.0
