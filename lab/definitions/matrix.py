"""A matrix of trials, and the order in which they are run."""

import random
from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import Field, model_validator

from lab.definitions.base import Model, Name, Place, Service, refuse, repeated
from lab.definitions.bench import BenchSpec


class Matrix(Model):
    """What is measured: every app with every service and scenario, in both directions, so many times."""

    name: Name
    apps: Annotated[list[Name], Field(min_length=1)]
    services: Annotated[list[Service], Field(min_length=1)]
    scenarios: Annotated[list[Name], Field(min_length=1)]
    repetitions: Annotated[int, Field(ge=1, le=1000)]

    @model_validator(mode="after")
    def _nothing_twice(self) -> Self:
        found: list[tuple[Place, str]] = [
            ((field, index), f"{field} has '{name}' a second time")
            for field in ("apps", "services", "scenarios")
            for index, name in repeated(getattr(self, field))
        ]
        refuse(found)
        return self


@dataclass(frozen=True)
class Trial:
    """One call to be measured; `repetition` counts from 1."""

    app: str
    service: Service
    direction: str
    scenario: str
    repetition: int

    @property
    def id(self) -> str:
        """`whatsapp-voice-lte_to_fixed-callee_rejects-2`; never parsed back."""
        return f"{self.app}-{self.service}-{self.direction}-{self.scenario}-{self.repetition}"


def plan(matrix: Matrix, bench: BenchSpec, seed: int | str) -> list[Trial]:
    """All trials of a matrix in the order they are run; the same seed gives the same order.

    One block a repetition. Within a block each direction has its cells (app, scenario) in its own shuffled order,
    the two directions take turns, and the services of a cell stand next to each other: slow drifts of network and
    apps then meet all that is compared alike.
    """
    trials: list[Trial] = []
    for repetition in range(1, matrix.repetitions + 1):
        rng = random.Random(f"{seed}/order/{repetition}")
        trials += _block(matrix, bench, repetition, rng)
    return trials


def _block(matrix: Matrix, bench: BenchSpec, repetition: int, rng: random.Random) -> list[Trial]:
    directions = bench.directions()
    rng.shuffle(directions)
    cells = [(app, scenario) for app in matrix.apps for scenario in matrix.scenarios]
    lanes = [rng.sample(cells, len(cells)) for _ in directions]
    trials = []
    for turn in zip(*lanes, strict=True):
        for direction, (app, scenario) in zip(directions, turn, strict=True):
            services = rng.sample(matrix.services, len(matrix.services))
            trials += [Trial(app, service, direction, scenario, repetition) for service in services]
    return trials
