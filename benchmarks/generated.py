"""Generated cases of faults: each kind x step x machine, shared out among runs, played, and judged by what is expected.

A run is played on the virtual bench and compared with its truth. What is complete must be as the truth says; what is
void, void by a reason of the fault's row (`benchmarks.expected`); the run must end as the row says; no step may take
longer than its budget (`benchmarks.watched`).
"""

from __future__ import annotations

import contextlib
import io
import json
import random
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from invoke.exceptions import Exit

from benchmarks.committed import all_differences
from benchmarks.expected import CODES, KINDS, TABLE
from benchmarks.watched import Watched
from correlate.dataset import Dataset
from lab.clocks.real_time import elapsed
from lab.clocks.stop import Stop
from lab.commands.unpark import unpark
from lab.definitions import PlannedTrial
from lab.definitions.faults import STATES, At, Fault, Faults
from lab.errors import LabError
from lab.night.whole_run import run_and_report
from lab.run.matrix import run_missing
from lab.run.plan import Run

AFTER_S = (0.0, 0.4, 2.0)
"""How long after its step a fault strikes, drawn."""
SCALE, LEAST_S = 0.02, 1.0
"""Of the real deadlines, where something is silent in a generated case; and what each keeps, for busy machines."""
STRUCK_AT = 2
"""The trial that is struck in a run of one case, which has a complete one before it."""


@dataclass(frozen=True)
class Case:
    """One fault at one step on one machine."""

    what: str
    on: str
    step: str

    @property
    def name(self) -> str:
        return f"{self.what}/{self.on}/{self.step}"

    def at(self, trial: int, after_s: float) -> Fault:
        """The fault, at a trial of the run."""
        row = TABLE[self.what]
        lasts: dict[str, Any] = {"for_minutes": row.minutes} if self.what in STATES else {}
        if row.alone:
            lasts = {"for_ever": True}
        at = At(trial=trial, step=self.step, after_s=after_s)
        return Fault(what=self.what, on=self.on, at=at, **lasts, **row.details)


Struck = Mapping[int, Case]
"""The fault of each trial of a run, by the trial's number in it, from 1."""


def cases() -> list[Case]:
    """All of them."""
    return [Case(what, on, step) for what in KINDS for on in TABLE[what].on for step in TABLE[what].steps]


def shared() -> list[Case]:
    """Those that go into a run together."""
    return [case for case in cases() if not TABLE[case.what].alone and not TABLE[case.what].slow]


def slow() -> list[Case]:
    """Those that cost deadlines; they go into a run together."""
    return [case for case in cases() if TABLE[case.what].slow and not TABLE[case.what].alone]


def alone() -> list[Case]:
    """Those that end a run, or park its app."""
    return [case for case in cases() if TABLE[case.what].alone]


def comes_to(step: str, item: PlannedTrial) -> bool:
    """Whether a trial comes to a step."""
    return step != "answered" or item.trial.scenario in ("caller_hangs_up", "callee_hangs_up")


def shared_out(pool: Sequence[Case], trials: Sequence[PlannedTrial], seed: int) -> Iterator[Struck]:
    """The cases in an order of the seed, a run's worth at a time, each at a trial that comes to its step."""
    left = random.Random(f"{seed}/faults").sample(list(pool), len(pool))
    while left:
        taken = {}
        for number, item in enumerate(trials, 1):
            if (case := next((one for one in left if comes_to(one.step, item)), None)) is not None:
                left.remove(case)
                taken[number] = case
        yield taken


def play(run: Run, struck: Struck, seed: int, *, scale: float = 1.0, mended: bool = True) -> dict[str, Any]:
    """One run, with its fault at each trial; what came of it, and all that is wrong with it.

    With `mended` tables are made of a run that ended as its fault has it, and it is gone on with without the fault.
    """
    draw, began_s = random.Random(f"{seed}/after"), elapsed()
    faults = [case.at(number, draw.choice(AFTER_S)) for number, case in struck.items()]
    rehearsed = replace(run, faults=Faults(name="generated", faults=faults))
    least_s = 0.0 if scale == 1.0 else LEAST_S
    watched, dataset, kinds = Watched(scale, least_s), run.dataset, {TABLE[case.what].end for case in struck.values()}
    code, text = _ended(rehearsed, watched, tables=mended and kinds != {"complete"})
    watched.end()
    why, strange = voids(dataset, struck, [item.trial.id for item in run.chosen])
    wrong = [*(f"falsely valid: {each}" for each in all_differences(dataset)), *strange]
    wrong += [f"over its budget: {each}" for each in watched.over]
    seen = _struck(dataset, struck) if kinds == {"complete"} else {case.name for case in struck.values() if code}
    if code not in {CODES[kind] for kind in kinds}:
        wrong.append(f"exit code {code}, expected {sorted(kinds)}: {text}")
    complete = len(dataset.trial_ids())
    if kinds == {"complete"} and complete != len(run.chosen):
        wrong.append(f"{complete} of {len(run.chosen)} trials are complete: {text}")
    if kinds != {"complete"}:
        wrong += _left(run, kinds, struck)
        wrong += _mended(run, kinds, struck) if mended else []
    wrong += [f"does not verify: {each}" for each in dataset.verify()]
    return {
        "cases": [case.name for case in struck.values()],
        "unstruck": sorted({case.name for case in struck.values()} - seen),
        "complete": complete,
        "trials": len(run.chosen),
        "code": code,
        "voids": why,
        "wrong": wrong,
        "longest": dict(sorted(watched.longest.items(), key=lambda each: -each[1])[:3]),
        "seconds": round(elapsed() - began_s, 1),
    }


def _ended(run: Run, progress: Watched, *, tables: bool = False) -> tuple[int, str]:
    """The exit code that a run ends with, and what it says then; with `tables` all is computed that follows from it."""
    try:
        if tables:
            with contextlib.redirect_stdout(io.StringIO()):
                run_and_report(run, progress)
        else:
            run_missing(run, progress, Stop())
    except LabError as error:
        return error.exit_code, f"{type(error).__name__}: {error}"
    except Exit as end:
        return end.code, str(end)
    return 0, ""


def _left(run: Run, kinds: Collection[str], struck: Struck) -> Iterator[str]:
    """What is wrong with what a run has left that its fault ended, or whose app is parked."""
    dataset, left = run.dataset, run.missing()
    spared = {item.trial.id for number, item in enumerate(run.chosen, 1) if number < min(struck)}
    if missed := spared - set(dataset.trial_ids()):
        yield f"not complete though nothing struck it: {missed}"
    app = run.chosen[min(struck) - 1].trial.app
    if kinds == {"parked"} and (others := [item.trial.id for item in left if item.trial.app != app]):
        yield f"not complete, and {app} was to be parked: {others}"
    if not left:
        yield "nothing is left, though the fault was to end the run"


def _mended(run: Run, kinds: Collection[str], struck: Struck) -> Iterator[str]:
    """What is wrong once a person has mended it: all that is left must complete. `run` has no faults."""
    dataset = run.dataset
    if not dataset.manifest_path.exists():
        yield "no tables were made of what is complete"
    if kinds == {"parked"}:
        app = run.chosen[min(struck) - 1].trial.app
        unpark(str(run.lab.directory), run.spec.name, str(dataset.path), app, lambda text: None)
    code, text = _ended(run, Watched())
    if code or run.missing():
        yield f"run again without the fault: exit code {code}, {len(run.missing())} left: {text}"


def _struck(dataset: Dataset, struck: Struck) -> set[str]:
    """The cases whose fault struck, by the truth of the trials."""
    by_number = list(struck.values())
    found = set()
    for path in dataset.truth_dir.glob("*.json"):
        found |= {by_number[number].name for number in json.loads(path.read_text()).get("faults", [])}
    return found


def voids(dataset: Dataset, struck: Struck, order: Sequence[str]) -> tuple[dict[str, int], list[str]]:
    """Why attempts were void, by fault; and those whose reason is none of the faults' of their trial and of the two
    before, whose states may still hold."""
    why, strange = Counter[str](), []
    for line in dataset.journal.read():
        if line.event != "void":
            continue
        number = order.index(str(line.trial)) + 1
        whats = [struck[each].what for each in range(number - 2, number + 1) if each in struck]
        why[f"{whats[-1] if whats else 'none'}: {line.reason}"] += 1
        if not any(line.reason in TABLE[what].voids for what in whats):
            names = [struck[each].name for each in range(number - 2, number + 1) if each in struck]
            strange.append(f"void: {line.trial}: {line.reason} by {names}: {line.text}"[:300])
    return dict(sorted(why.items())), strange
