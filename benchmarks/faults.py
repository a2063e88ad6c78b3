"""The soak of faults: `make soak SOAK=faults`. Every fault of a rehearsal x step x machine, in generated runs.

A run is the smoke matrix with one fault a trial, at a step that the trial comes to. What is complete must be as the
truth says; what is void, void by a reason of the fault's class; nothing may end a run but its last trial. A line of
JSON for each run is kept in datasets/soak-faults.jsonl, and a run that has one is not made again. A case that is wrong
ends the soak with exit 1, once all were made.
"""

from __future__ import annotations

import io
import json
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

from rich.console import Console

from benchmarks.committed import all_differences
from correlate.dataset import Dataset
from lab.clocks.real_time import Deadline
from lab.clocks.stop import Stop
from lab.definitions import PlannedTrial
from lab.definitions.faults import STATES, At, Fault, Faults, What, When
from lab.errors import TrialsFailed
from lab.run.matrix import run_missing
from lab.run.options import Options
from lab.run.plan import Run, prepare
from lab.run.progress import Progress

SCENARIOS = Path(__file__).resolve().parent.parent / "scenarios"
PHONES = ("pixel6", "pixel6pro")
MATRIX, SEEDS = "smoke", 3
AFTER_S = (0.0, 0.4, 2.0)
SLOW = ("adb_silent", "agent_hung", "adb_offline", "su_denied")
"""These cost real deadlines, and the last one ends the run: they are proven at their seams, and not generated."""
DETAILS: dict[str, dict[str, Any]] = {
    "logged_out": {"app": "whatsapp"},
    "updated": {"app": "whatsapp", "version": "999.0"},
    "battery": {"battery_percent": 5},
    "answers_late": {"late_s": 25.0},
}
BENCH = (
    "adb_reset",
    "adb_away",
    "adb_unauthorised",
    "adb_server_killed",
    "agent_killed",
    "agent_fails",
    "hotspot_gone",
    "reboot",
)
CAPTURE = ("capture_killed", "capture_refused")
OF_CAPTURES = ("capture_not_ready", "marker_not_captured", "capture_damaged", "bench_trouble")
NEVER = ("bug", "unknown_command")
"""Reasons that no fault may have: the lab's own, and the bench's."""


@dataclass(frozen=True)
class Case:
    """One fault at one step on one machine."""

    what: str
    on: str
    step: str

    def at(self, trial: int, after_s: float) -> Fault:
        """The fault, at a trial of the run."""
        lasts = {"for_minutes": 0.3} if self.what in STATES else {}
        at = At(trial=trial, step=self.step, after_s=after_s)  # type: ignore[arg-type]
        return Fault(what=self.what, on=self.on, at=at, **lasts, **DETAILS.get(self.what, {}))  # type: ignore[arg-type]


Struck = Mapping[int, Case]
"""The fault of each trial of a run, by the trial's number in it, from 1."""


def cases() -> list[Case]:
    """All of them."""
    found = []
    for what in get_args(What):
        machines = {"adb_server_killed": ("bench",), "hotspot_gone": ("laptop",)}.get(what, PHONES)
        machines = ("pixel6", "laptop") if what.startswith("capture_") else machines
        steps = ("begun",) if what in ("hotspot_gone", "capture_refused") else get_args(When)
        found += [Case(what, on, step) for on in machines for step in steps if what not in SLOW]
    return found


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


def allowed(what: str, reason: str) -> bool:
    """Whether an attempt may be void by this reason where this fault struck."""
    if what in BENCH:
        return reason == "bench_trouble"
    if what in CAPTURE:
        return reason in OF_CAPTURES
    return reason not in NEVER


def play(run: Run, struck: Struck, seed: int) -> dict[str, Any]:
    """One run, with its fault at each trial; what came of it."""
    draw, clock = random.Random(f"{seed}/after"), Deadline(3600.0)
    faults = [case.at(number, draw.choice(AFTER_S)) for number, case in struck.items()]
    rehearsed = replace(run, faults=Faults(name="generated", faults=faults))
    with suppress(TrialsFailed):
        run_missing(rehearsed, Progress(Console(file=io.StringIO())), Stop())
    dataset = run.dataset
    return {
        "cases": [f"{case.what}/{case.on}/{case.step}" for case in struck.values()],
        "complete": len(dataset.trial_ids()),
        "trials": len(run.chosen),
        "falsely_valid": all_differences(dataset),
        "damaged": [str(one) for one in dataset.verify()],
        **voids(dataset, struck, [item.trial.id for item in run.chosen]),
        "seconds": round(3600.0 - clock.left(), 1),
    }


def voids(dataset: Dataset, struck: Struck, order: Sequence[str]) -> dict[str, Any]:
    """Why attempts were void, by fault; and those whose reason is of another class than the faults of their trial and
    of the two before, whose states may still hold."""
    why, strange = Counter[str](), []
    for line in dataset.journal.read():
        if line.event != "void":
            continue
        number = order.index(str(line.trial)) + 1
        whats = [struck[each].what for each in range(number - 2, number + 1) if each in struck]
        why[f"{whats[-1] if whats else 'none'}: {line.reason}"] += 1
        if not any(allowed(what, str(line.reason)) for what in whats):
            strange.append(f"{line.trial}: {line.reason} by {whats}: {line.text}"[:300])
    return {"voids": dict(sorted(why.items())), "strange": strange}


def run(first: int, out: Path = Path("datasets/soak-faults.jsonl"), most: int | None = None) -> None:
    """The soak; figures are appended to `out` as they come. `most` is how many runs are made of each seed."""
    done = {(one["seed"], one["number"]) for one in read(out)}
    for seed in range(first, first + SEEDS):
        trials = prepare(Options(matrix=MATRIX, seed=seed, scenarios=str(SCENARIOS))).chosen
        for number, struck in enumerate(shared_out(cases(), trials, seed)):
            if (seed, number) in done or (most is not None and number >= most):
                continue
            with tempfile.TemporaryDirectory(prefix="im-call-lab-faults-") as folder:
                options = Options(matrix=MATRIX, seed=seed, scenarios=str(SCENARIOS), dataset=f"{folder}/dataset")
                found = play(prepare(options), struck, seed)
            out.parent.mkdir(exist_ok=True)
            with out.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"seed": seed, "number": number, **found}) + "\n")
            print(summary(read(out)), flush=True)
    if any(wrong(one) for one in read(out)):
        sys.exit(1)


def read(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()] if out.exists() else []


def wrong(found: dict[str, Any]) -> list[str]:
    """What is not as it must be in a run."""
    return [*found["falsely_valid"], *found["damaged"], *found["strange"]]


def summary(found: Sequence[dict[str, Any]]) -> str:
    """The figures so far, in a line, and each thing that is wrong in one."""
    count = sum(len(one["cases"]) for one in found)
    complete, trials = (sum(one[key] for one in found) for key in ("complete", "trials"))
    false = sum(len(one["falsely_valid"]) for one in found)
    void = sum(sum(one["voids"].values()) for one in found)
    line = f"faults: {count} cases, {complete} of {trials} trials complete, {void} attempts void, {false} falsely valid"
    return "\n".join([line, *(f"  wrong: {text}" for one in found for text in wrong(one))])
