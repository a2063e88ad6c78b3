"""The soak of validity: `make soak SOAK=validity`. Undisturbed trials with every disorder drawn, each disorder alone, a
visitor who taps at random, and what the witnesses cost.

Targets: undisturbed, no trial is void by a witness and at most 2% have an undecided claim; what is complete is as the
truth says, with a visitor too; no phone is left in a call; the witnesses take at most 1.5 s of bench time a trial. Each
part says its figures; one that is missed ends the soak with exit 1, once all were said.
"""

from __future__ import annotations

import io
import json
import multiprocessing
import re
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any, get_args

from benchmarks.committed import differences
from rich.console import Console

import lab.run.matrix
from correlate.dataset import Dataset
from correlate.dataset.record import Observed
from lab.bench.bench import Bench
from lab.clocks.stop import Stop
from lab.definitions import PlannedTrial
from lab.definitions.virtual_network import Disorder
from lab.phone.witnesses import events, notifications, reading, telephony
from lab.run.description import create
from lab.run.matrix import run_one
from lab.run.options import Options
from lab.run.plan import Run, prepare
from lab.run.progress import Progress

SCENARIOS = Path(__file__).resolve().parent.parent / "scenarios"
BENCH = "virtual"
SEEDS, VISITED, SMOKE = 10, 300, 20
UNDECIDED, ADDED_S = 0.02, 1.5
EVERY_S = 4.0
"""How often a visitor taps, on average, on each phone."""
WITNESSES: tuple[tuple[Any, str], ...] = (
    (reading, "read"),
    (reading, "uid_of"),
    (telephony, "look"),
    (notifications, "posted"),
    (events, "EventsStream"),
    (events, "whole"),
)
"""What asks a phone for its records."""


@dataclass
class Found:
    """What came of trials. `added_s` and `lasted_s`: bench time of the witnesses and of whole trials."""

    trials: int = 0
    complete: int = 0
    voids: Counter[str] = field(default_factory=Counter)
    undecided: Counter[str] = field(default_factory=Counter)
    undecided_trials: int = 0
    wrong: list[str] = field(default_factory=list)
    in_call: list[str] = field(default_factory=list)
    added_s: float = 0.0
    lasted_s: float = 0.0

    def __add__(self, other: Found) -> Found:
        return Found(**{name: value + getattr(other, name) for name, value in vars(self).items()})

    def by_a_witness(self) -> int:
        """How many attempts are void because a witness refuted a claim."""
        return sum(count for reason, count in self.voids.items() if reason.startswith("witness "))

    def say(self) -> Iterator[str]:
        yield f"  {self.trials} trials: {self.complete} complete, {sum(self.voids.values())} attempts void"
        yield from (f"  void {count} times: {reason}" for reason, count in self.voids.most_common())
        share = self.undecided_trials / max(1, self.complete)
        yield f"  {self.undecided_trials} with an undecided claim ({share:.1%})"
        yield from (f"  undecided {count} times: {reason}" for reason, count in self.undecided.most_common())
        yield from (f"  not as the truth: {one}" for one in self.wrong)
        yield from (f"  left in a call: {one}" for one in self.in_call)


@dataclass(frozen=True)
class Job:
    """Some trials of a matrix with one seed, one attempt each if `once`, with a visitor on both phones or not."""

    matrix: str
    seed: int
    share: tuple[int, int] = (0, 1)
    scenarios: Path = SCENARIOS
    visitor: bool = False
    limit: int | None = None


def played(job: Job) -> Found:
    """Runs the trials of a job on one bench, each attempted once."""
    lab.run.matrix.FURTHER_ATTEMPTS = 0
    number, of = job.share
    with tempfile.TemporaryDirectory(prefix="im-call-lab-soak-") as folder:
        options = Options(BENCH, job.matrix, f"{folder}/dataset", seed=job.seed, scenarios=str(job.scenarios))
        run = prepare(options)
        run = run.only(*run.planned[: job.limit][number::of])
        run.dataset.path.mkdir()
        create(run)
        with Bench(run.lab, run.spec, Stop()) as bench, timed(bench) as spent_s:
            found = reduce(add, (one(run, bench, item, job) for item in run.chosen), Found())
            found.in_call = list(bench.kind.left_in_call)  # type: ignore[attr-defined]
        found.added_s = sum(spent_s)
        return found


def one(run: Run, bench: Bench, item: PlannedTrial, job: Job) -> Found:
    """One trial; its folder is gone afterwards."""
    for phone in run.spec.phones if job.visitor else ():
        ask: Callable[..., object] = bench.kind.ask  # type: ignore[attr-defined]
        ask(op="fail_next", what="visitor", on=phone.name, every_s=EVERY_S)
    run_one(run, bench, item, Progress(Console(file=io.StringIO())))
    found = judged(run.dataset, item.trial.id)
    if found.complete:
        record = run.dataset.record(item.trial.id)
        assert record.started_ns is not None
        assert record.ended_ns is not None
        found.lasted_s = (record.ended_ns - record.started_ns) / 1e9
    for path in (run.dataset.trial_dir(item.trial.id), run.dataset.attempts_dir / f"{item.trial.id}.0"):
        shutil.rmtree(path, ignore_errors=True)
    return found


def judged(dataset: Dataset, trial: str) -> Found:
    """What came of one trial."""
    if not dataset.trial_dir(trial).is_dir():
        void = json.loads((dataset.attempts_dir / f"{trial}.0" / "void.json").read_text())
        claim = void["text"].partition(":")[0]
        by = "witness " if claim in Observed.model_fields else ""
        return Found(trials=1, voids=Counter([f"{by}{void['reason']}"]))
    record = dataset.record(trial)
    claims = () if record.observed is None else tuple(record.observed)
    reasons = Counter(f"{name}: {plain(claim.reason)}" for name, claim in claims if claim.verdict == "undecided")
    wrong = [f"{trial}: {each}" for each in differences(dataset, trial)]
    return Found(1, 1, undecided=reasons, undecided_trials=bool(reasons), wrong=wrong)


def plain(reason: str | None) -> str:
    """A reason without its numbers."""
    return re.sub(r"[0-9]+([.,:][0-9]+)*", "N", reason or "")[:120]


@contextmanager
def timed(bench: Bench) -> Iterator[list[float]]:
    """How much bench time each asking of a witness took while the block runs."""
    spent_s: list[float] = []

    def of(ask: Callable[..., object]) -> Callable[..., object]:
        def asked(*given: object, **named: object) -> object:
            before_ns = bench.clock.now_ns()
            try:
                return ask(*given, **named)
            finally:
                spent_s.append((bench.clock.now_ns() - before_ns) / 1e9)

        return asked

    with ExitStack() as put_back:
        for module, name in WITNESSES:
            ask = getattr(module, name)
            put_back.callback(setattr, module, name, ask)
            setattr(module, name, of(ask))
        yield spent_s


def together(jobs: Sequence[Job], processes: int = 2) -> Found:
    """All of some jobs, by several processes."""
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        return reduce(add, pool.map(played, jobs), Found())


def alone(disorder: str | None, folder: Path) -> Path:
    """The scenarios with this one disorder, or none, on both phones of the virtual bench."""
    shutil.copytree(SCENARIOS, folder)
    bench = folder / "benches" / f"{BENCH}.yaml"
    listed = re.compile(r"^( +)disorders:.*\n(?:\1 +-.*\n)*", re.MULTILINE)
    wanted = f"disorders: [{disorder or ''}]"
    text = bench.read_text()
    if not listed.search(text):
        listed = re.compile(r"^( +)sdk:.*\n", re.MULTILINE)
        wanted = "sdk: 36\n" + r"\1" + wanted
    bench.write_text(listed.sub(rf"\1{wanted}\n", text))
    return folder


def undisturbed(first: int, missed: list[str]) -> None:
    found = together([Job("paper", seed) for seed in range(first, first + SEEDS)])
    print(f"undisturbed, {SEEDS} seeds of paper:", *found.say(), sep="\n", flush=True)
    witnessed_s = found.added_s / max(1, found.trials)
    whole_s = found.lasted_s / max(1, found.complete)
    print(f"  {whole_s:.1f} s of bench time a trial, {whole_s - witnessed_s:.1f} s without the witnesses", flush=True)
    missed += demand(found, "undisturbed")
    if found.undecided_trials > UNDECIDED * found.complete:
        missed.append(f"undisturbed: {found.undecided_trials} of {found.complete} have an undecided claim")
    if witnessed_s > ADDED_S:
        missed.append(f"the witnesses add {witnessed_s:.2f} s of bench time a trial, at most {ADDED_S} s are wanted")


def demand(found: Found, what: str) -> list[str]:
    """What is wrong with undisturbed trials."""
    missed = [f"{what}: {one}" for one in (*found.wrong, *(f"left in a call: {left}" for left in found.in_call))]
    if found.by_a_witness():
        missed.append(f"{what}: {found.by_a_witness()} of {found.trials} are void by a witness")
    return missed


def each_disorder(seed: int, missed: list[str]) -> None:
    with tempfile.TemporaryDirectory(prefix="im-call-lab-soak-") as folder:
        names = [None, *get_args(Disorder)]
        places = {name: alone(name, Path(folder) / (name or "none")) for name in names}
        with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
            all_found = pool.map(played, [Job("smoke", seed, scenarios=place) for place in places.values()])
            for name, found in zip(places, all_found, strict=True):
                print(f"{name or 'no disorder'}, alone:", *found.say(), sep="\n", flush=True)
                missed += demand(found, f"{name or 'no disorder'} alone")


def visitor(first: int, missed: list[str]) -> None:
    jobs = [Job("paper", first, visitor=True), Job("paper", first + 1, visitor=True, limit=VISITED - 180)]
    found = together(jobs)
    print(f"a visitor who taps every {EVERY_S:g} s on each phone:", *found.say(), sep="\n", flush=True)
    missed += [f"visitor: {one}" for one in (*found.wrong, *found.in_call)]


def run(first: int) -> None:
    """All parts. Ends the process with 1 where a target is missed."""
    missed: list[str] = []
    undisturbed(first, missed)
    each_disorder(first, missed)
    visitor(first, missed)
    if missed:
        print(*missed, sep="\n")
        sys.exit(f"validity: {len(missed)} targets are missed, the first: {missed[0]}")
