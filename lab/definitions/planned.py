"""The trials of a full matrix with their place and, on an emulated bench, their possible routes."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from lab.definitions.bench import BenchSpec
from lab.definitions.lab import Lab
from lab.definitions.matrix import Trial


@dataclass(frozen=True)
class PlannedTrial:
    """A trial with its place in the full matrix and, on an emulated bench, whether a direct route is possible.

    `revision` is that of the YAML that the run goes by, as the dataset numbers it.
    """

    trial: Trial
    index: int
    direct: bool
    revision: int = 0


def plan_routes(lab_: Lab, trials: Sequence[Trial], spec: BenchSpec, seed: int) -> list[PlannedTrial]:
    """The trials of a full matrix with their place, and on an emulated bench whether a direct route is possible.

    Of each full cell (app, caller's network, scenario) of the emulated app's `direct` counts an exact sample is drawn
    by seed; of a smaller cell the same share, rounded down or up by chance.
    """
    direct: set[str] = set()
    for app in lab_.virtual_apps.values() if spec.emulated else ():
        for count in app.network.direct:
            cell = sorted(
                trial.id
                for trial in trials
                if (trial.app, trial.scenario) == (app.name, count.scenario)
                and spec.caller_of(trial.direction).network == count.caller_network
            )
            chance = random.Random(f"{seed}/direct/{app.name}/{count.caller_network}/{count.scenario}")
            share = len(cell) * count.direct
            number = share // count.of + (chance.randrange(count.of) < share % count.of)
            direct.update(chance.sample(cell, number))
    return [PlannedTrial(trial, index, trial.id in direct) for index, trial in enumerate(trials)]
