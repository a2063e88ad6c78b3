"""The soak of faults: `make soak SOAK=faults`. Every fault of a rehearsal x step x machine, in generated runs.

A run is the smoke matrix with one fault a trial, at a step that the trial comes to; what ends a run, or parks an app,
has runs of its own of three trials. What costs real deadlines has them scaled, and true in 20 cases more. A line of
JSON for each run is kept in datasets/soak-faults.jsonl, and a run that has one is not made again. A case that is wrong
(`benchmarks.generated`) ends the soak with exit 1, once all were made.
"""

from __future__ import annotations

import math
import os
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.expected import KINDS, TABLE
from benchmarks.generated import SCALE, STRUCK_AT, Case, Struck, alone, cases, play, shared, shared_out, slow
from benchmarks.lines import add, read
from benchmarks.pools import pool
from lab.definitions import PlannedTrial
from lab.run.options import Options
from lab.run.plan import Run, prepare

SCENARIOS = Path(__file__).resolve().parent.parent / "scenarios"
OUT = Path("datasets/soak-faults.jsonl")
LEAST_CASES, TRUE_CASES = 1_000, 20
WAITING = 5
"""So many runs wait for real deadlines at once, beside those that keep each core busy."""
MATRIX = "smoke"
ALONE_MATRIX = "paper"
ALONE = ("caller_cancels", "callee_hangs_up", "callee_rejects")
"""The scenarios of the app that is struck, in a run of one case; another app's trial follows."""
OTHER = {"whatsapp": "messenger", "messenger": "whatsapp"}


@dataclass(frozen=True)
class Job:
    """One run: its name, the faults that strike in it, and what of the real deadlines holds.

    A `quick` one is not gone on with once it has ended as it should, and has two trials where it is of its own.
    """

    name: str
    seed: int
    struck: Struck
    of_its_own: bool = False
    scale: float = 1.0
    waits: bool = False
    quick: bool = False
    scenarios: Path = SCENARIOS

    def planned(self, folder: str) -> Run:
        """The run, without faults."""
        matrix = ALONE_MATRIX if self.of_its_own else MATRIX
        run = prepare(
            Options(matrix=matrix, seed=self.seed, scenarios=str(self.scenarios), dataset=f"{folder}/dataset")
        )
        if self.of_its_own:
            (case,) = self.struck.values()
            struck = TABLE[case.what].details.get("app", "whatsapp")
            pairs = [*((struck, scenario) for scenario in ALONE), (OTHER[struck], ALONE[0])]
            pairs = pairs[1:3] if self.quick else pairs
            return run.only(*(run.one(f"{app}-voice-lte_to_fixed-{scenario}-1") for app, scenario in pairs))
        return run.only(*sharing(run, self.quick)[: max(self.struck)])

    def made(self) -> dict[str, Any]:
        """It is played; what came of it."""
        with tempfile.TemporaryDirectory(prefix="im-call-lab-faults-") as folder:
            found = play(self.planned(folder), self.struck, self.seed, scale=self.scale, mended=not self.quick)
        return {"name": self.name, **found}


def sharing(run: Run, quick: bool = False) -> list[PlannedTrial]:
    """The trials of a run that cases share; `quick`: without those that ring until nobody is there."""
    return [item for item in run.chosen if not quick or item.trial.scenario != "system_timeout"]


def trials(seed: int, scenarios: Path = SCENARIOS, quick: bool = False) -> list[PlannedTrial]:
    return sharing(prepare(Options(matrix=MATRIX, seed=seed, scenarios=str(scenarios))), quick)


def jobs(seed: int) -> Iterator[Job]:
    """All runs of a seed: each case once."""
    there = trials(seed)
    for number, struck in enumerate(shared_out(shared(), there, seed)):
        yield Job(f"{seed}-shared-{number}", seed, struck)
    for number, struck in enumerate(shared_out(slow(), there[:10], seed)):
        yield Job(f"{seed}-slow-{number}", seed, struck, scale=SCALE, waits=True)
    for number, case in enumerate(alone()):
        yield Job(f"{seed}-alone-{number}", seed, {STRUCK_AT: case}, of_its_own=True)


def true_jobs(seed: int) -> Iterator[Job]:
    """Those in which the real deadlines are true, each with one case."""
    there = trials(seed)
    drawn: list[Case] = random.Random(f"{seed}/true").sample(slow(), min(TRUE_CASES, len(slow())))
    for number, case in enumerate(drawn):
        struck = next(shared_out([case], there, seed))
        yield Job(f"{seed}-true-{number}", seed, struck, waits=True)


def sample(number: int, seed: int, scenarios: Path) -> list[Job]:
    """Each kind of fault once, and `number` cases in all that wait for no deadlines."""
    draw, pool = random.Random(f"{seed}/sample"), cases()
    drawn = [draw.choice([case for case in pool if case.what == what]) for what in KINDS]
    drawn += draw.sample(
        [case for case in shared() if case not in drawn], number - sum(not TABLE[case.what].slow for case in drawn)
    )
    there, made = trials(seed, scenarios, quick=True), list[Job]()
    for kind, some, scale in (("shared", shared(), 1.0), ("slow", slow(), SCALE)):
        pool = [case for case in drawn if case in some]
        made += [
            Job(f"{kind}-{index}", seed, struck, scale=scale, waits=scale < 1, quick=True, scenarios=scenarios)
            for index, struck in enumerate(shared_out(pool, there, seed))
        ]
    return made + [
        Job(f"alone-{index}", seed, {1: case}, of_its_own=True, quick=True, scenarios=scenarios)
        for index, case in enumerate(case for case in drawn if case in alone())
    ]


def every_job(first: int) -> list[Job]:
    """At least 1,000 cases: all of them once for each seed, from the first on; and those with the true deadlines."""
    seeds = range(first, first + math.ceil(LEAST_CASES / len(cases())))
    return [*true_jobs(first), *(job for seed in seeds for job in jobs(seed))]


def run(first: int, out: Path = OUT, only: str = "") -> None:
    """The soak; figures are appended to `out` as they come. `only` is what the names of the runs that are made hold."""
    done = {one["name"] for one in read(out)}
    left = [job for job in every_job(first) if job.name not in done and only in job.name]
    with pool(os.cpu_count() or 1) as busy, pool(WAITING) as waiting:
        found: list[Future[dict[str, Any]]] = [(waiting if job.waits else busy).submit(job.made) for job in left]
        for each in as_completed(found):
            add(out, each.result())
            print(summary(read(out)), flush=True)
    if any(one["wrong"] for one in read(out)):
        sys.exit(1)


def summary(found: Sequence[dict[str, Any]]) -> str:
    """The figures so far, in a line, and each thing that is wrong in one."""
    count, struck = (
        sum(len(one["cases"]) for one in found),
        sum(len(one["cases"]) - len(one["unstruck"]) for one in found),
    )
    true = sum(len(one["cases"]) for one in found if "-true-" in one["name"])
    void = sum(sum(one["voids"].values()) for one in found)
    codes = {code: sum(one["code"] == code for one in found) for code in sorted({one["code"] for one in found})}
    wrong = [f"  wrong: {one['name']}: {text}" for one in found for text in one["wrong"]]
    false = sum("falsely valid" in text for text in wrong)
    hung = sum("over its budget" in text for text in wrong)
    line = (
        f"faults: {count} cases in {len(found)} runs ({true} with true deadlines), {struck} seen to strike, {void} "
        f"attempts void, {false} falsely valid, {hung} steps over their budget, runs by exit code {codes}, "
        f"{len(wrong)} wrong"
    )
    return "\n".join([line, *wrong])
