"""The soak of validity: `make soak SOAK=validity`. Undisturbed trials with every disorder drawn, each disorder alone, a
visitor who taps at random, and what the witnesses cost.

Targets: undisturbed, no trial is void (but where it was too loud) and at most 2% have an undecided claim; what is
complete is as the truth says, with a visitor too; no phone is left in a call; the witnesses take at most 1.5 s of bench
time a trial. Each part says its figures; one that is missed ends the soak with exit 1, once all were said.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any, get_args

from benchmarks.committed import differences
from benchmarks.once import once
from benchmarks.pools import pool
from correlate.dataset import Dataset
from correlate.dataset.record import Observed
from lab.bench.bench import Bench
from lab.clocks.stop import Stop
from lab.definitions import PlannedTrial
from lab.definitions.virtual_network import Disorder
from lab.phone.witnesses import events, notifications, reading, telephony
from lab.run.description import create
from lab.run.options import Options
from lab.run.plan import Run, prepare

SCENARIOS = Path(__file__).resolve().parent.parent / "scenarios"
BENCH = "virtual"
SEEDS, VISITED, SMOKE = 10, 300, 20
UNDECIDED, ADDED_S = 0.02, 1.5
SDKS = (33, 34, 36)
EVERY_S = (10.0, 30.0, 90.0)
"""How often a visitor taps, on average, on each phone; in turn. Who taps more often leaves no record to be compared."""
LEAST_VISITED = 30
"""So many of the visited trials must be records."""
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

    def void_wrongly(self) -> int:
        """How many attempts are void for another reason than that it was too loud: a witness refuted a claim, or a look
        at a phone did not show what was there."""
        return sum(count for reason, count in self.voids.items() if not reason.startswith("noisy: "))

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
    """The trials of a matrix with one seed, or the first of them; with a visitor on both phones or not."""

    matrix: str
    seed: int
    scenarios: Path = SCENARIOS
    visitor: bool = False
    limit: int | None = None


def played(job: Job) -> Found:
    """Runs the trials of a job on one bench, each attempted once."""
    with tempfile.TemporaryDirectory(prefix="im-call-lab-soak-") as folder:
        options = Options(BENCH, job.matrix, f"{folder}/dataset", seed=job.seed, scenarios=str(job.scenarios))
        run = prepare(options)
        run = run.only(*run.planned[: job.limit])
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
        ask(op="fail_next", what="visitor", on=phone.name, every_s=EVERY_S[item.index % len(EVERY_S)])
    once(run, bench, item)
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
        return Found(trials=1, voids=Counter([f"{by}{void['reason']}: {plain(void['text'])}"]))
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
    with pool(processes) as made_by:
        return reduce(add, made_by.map(played, jobs), Found())


def scenarios_with(disorders: Sequence[Disorder], sdk: int, folder: Path) -> Path:
    """A copy of the scenarios in which both phones of the virtual bench have these disorders and this version."""
    shutil.copytree(SCENARIOS, folder)
    bench = folder / "benches" / f"{BENCH}.yaml"
    text = re.sub(r"^ +disorders:\s*\[[^\]]*\]\n", "", bench.read_text(), flags=re.MULTILINE)
    wanted = rf"\1sdk: {sdk}\n\1disorders: [{', '.join(disorders)}]\n"
    text, phones = re.subn(r"^( +)sdk:.*\n", wanted, text, flags=re.MULTILINE)
    assert phones == 2
    bench.write_text(text)
    return folder


def undisturbed(first: int, missed: list[str]) -> None:
    with tempfile.TemporaryDirectory(prefix="im-call-lab-soak-") as folder:
        places = [scenarios_with(get_args(Disorder), sdk, Path(folder) / str(sdk)) for sdk in SDKS]
        seeds = range(first, first + SEEDS)
        found = together([Job("paper", seed, scenarios=places[seed % len(SDKS)]) for seed in seeds])
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
    if found.void_wrongly():
        missed.append(f"{what}: {found.void_wrongly()} of {found.trials} are void though nothing disturbed them")
    return missed


def each_disorder(seed: int, missed: list[str]) -> None:
    with tempfile.TemporaryDirectory(prefix="im-call-lab-soak-") as folder:
        names = ["no disorder", *get_args(Disorder)]
        wanted = {name: [name] if name in get_args(Disorder) else [] for name in names}
        places = {
            name: scenarios_with(disorders, SDKS[number % len(SDKS)], Path(folder) / name)
            for number, (name, disorders) in enumerate(wanted.items())
        }
        with pool(2) as made_by:
            all_found = made_by.map(played, [Job("smoke", seed, scenarios=place) for place in places.values()])
            for name, found in zip(places, all_found, strict=True):
                print(f"{name}, alone:", *found.say(), sep="\n", flush=True)
                missed += demand(found, f"{name} alone")


def visitor(first: int, missed: list[str]) -> None:
    jobs = [Job("paper", first, visitor=True), Job("paper", first + 1, visitor=True, limit=VISITED - 180)]
    found = together(jobs)
    often = ", ".join(f"{every_s:g}" for every_s in EVERY_S)
    print(f"a visitor who taps every {often} s on each phone:", *found.say(), sep="\n", flush=True)
    missed += [f"visitor: {one}" for one in (*found.wrong, *found.in_call)]
    if found.complete < LEAST_VISITED:
        missed.append(f"visitor: {found.complete} records to be compared, at least {LEAST_VISITED} are wanted")


def run(first: int) -> None:
    """All parts. Ends the process with 1 where a target is missed."""
    missed: list[str] = []
    undisturbed(first, missed)
    each_disorder(first, missed)
    visitor(first, missed)
    if missed:
        print(*missed, sep="\n")
        sys.exit(f"validity: {len(missed)} targets are missed, the first: {missed[0]}")
