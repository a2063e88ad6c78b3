"""What comes of wrong causes: `python benchmarks/validity.py [--write docs/validity.md] [--every N] [--processes N]`.

Each case (`benchmarks.causes`) is one attempt on a virtual bench. It ends void, or as a record, whose claims are
compared with the truth: what is called proven is right, or the record is falsely valid. Exit 1 where one is, and where
a phone was left in a call.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.causes import CAUSES, ROLES, VERBS, Case, Undisturbed, cases
from benchmarks.committed import differences
from benchmarks.once import once
from benchmarks.pools import pool
from correlate.dataset import Dataset
from correlate.dataset.record import TrialRecord
from lab.bench.bench import Bench
from lab.bench.virtual import EPOCH_NS
from lab.clocks.stop import Stop
from lab.definitions import Role
from lab.run.description import create
from lab.run.limits import DEFAULT
from lab.run.options import Options
from lab.run.plan import Run, prepare

ROOT = Path(__file__).resolve().parent.parent
Outcome = Literal["void", "undecided", "valid", "false", "untellable"]
OUTCOMES: tuple[Outcome, ...] = ("void", "undecided", "valid", "untellable", "false")
HOUR_NS = 3_600_000_000_000
"""How far the beginnings of two trials are apart on the virtual bench."""

LOST = 0.01
"""The share of taps that are lost, for the sake of a figure."""

HEAD = "| {} | cases | void | undecided | valid | cannot be told | falsely valid | void because |"
RULE = "|---|---|---|---|---|---|---|---|"

INTRODUCTION = """# Validity

What comes of a trial when something else happens than the harness wants: a tap is lost, the other side is faster, the
call drops and is redialled, somebody else calls. By `python benchmarks/validity.py --write docs/validity.md`, on the
virtual bench: each case is one attempt in which one thing goes wrong, in one verb, on one phone, early or late in it.

An attempt is *void* where a step did not see its effect or a witness refuted a claim; else it is a record. Of a record
claims are *proven* or *undecided*. *Valid*: all are proven, and the truth that the emulator wrote says the same: the
cause changed nothing that is claimed. *Falsely valid*: a claim is called proven that the truth denies.
"""

UNTELLABLE = """
Three things leave the same records on both phones as what was asked for (F is 1.5 s where nothing was learnt):

- Our tap at the end of a call is lost, and the other side ends that call within F of it. The record names us, wrongly;
  the traffic is that of a call which ended then.
- Nobody is to end the call, and somebody does within F of the instant at which the app gives up by itself.
- Our tap that places a call is lost, somebody places one of the other service by hand within F, and nobody answers it.
"""


@dataclass(frozen=True)
class Played:
    """What came of one case: void for a reason, or complete with claims that are undecided or false.

    `in_call`: the phones that the harness left in a call.
    """

    case: Case
    outcome: Outcome
    reasons: tuple[str, ...] = ()
    in_call: tuple[str, ...] = ()


class Player:
    """Plays cases on one bench, each in one attempt."""

    def __init__(self, run: Run, bench: Bench) -> None:
        self._run, self._bench = run, bench
        self.undisturbed: dict[str, Undisturbed] = {}

    def play(self, case: Case) -> Played:
        trial = case.trial.id
        if trial not in self.undisturbed:
            self.undisturbed[trial] = self._calm(trial)
        for request in case.requests(self.undisturbed[trial], self._phones(trial)):
            self._bench.kind.ask(op="fail_next", **request)  # type: ignore[attr-defined]
        before = len(self._bench.kind.left_in_call)  # type: ignore[attr-defined]
        with self._attempted(trial) as dataset:
            left = tuple(self._bench.kind.left_in_call[before:])  # type: ignore[attr-defined]
            return replace(judged(case, dataset, self.undisturbed[trial]), in_call=left)

    def _phones(self, trial: str) -> dict[Role, str]:
        spec = self._run.spec
        caller = spec.caller_of(self._run.one(trial).trial.direction)
        return {"caller": caller.name, "callee": spec.other(caller).name}

    def _attempted(self, trial: str) -> Attempted:
        return Attempted(self._run, self._bench, trial)

    def _calm(self, trial: str) -> Undisturbed:
        """A trial without any cause; what it draws and when it does what are the same in its cases."""
        with self._attempted(trial) as dataset:
            if not dataset.trial_dir(trial).is_dir():
                raise RuntimeError(f"{trial} is void though nothing disturbs it: {void_of(dataset, trial)}")
            record = dataset.record(trial)
            begun_ns = EPOCH_NS + self._run.one(trial).index * HOUR_NS
            (call,) = json.loads((dataset.truth_dir / f"{trial}.json").read_text())["calls"]
        assert record.asked.ring_s is not None
        instants = (call["placed_ns"], call["rung_ns"], call["answered_ns"], call["ended_ns"])
        return Undisturbed(begun_ns, *instants, record.asked.ring_s)


class Attempted:
    """One attempt at a trial in a dataset of its own, which is gone after the block."""

    def __init__(self, run: Run, bench: Bench, trial: str) -> None:
        self._run, self._bench, self._trial = run, bench, trial
        self._folder = tempfile.TemporaryDirectory(prefix="im-call-lab-validity-")

    def __enter__(self) -> Dataset:
        item = self._run.one(self._trial)
        run = replace(self._run, dataset=Dataset(Path(self._folder.name) / "dataset"), chosen=(item,))
        run.dataset.path.mkdir()
        create(run)
        once(run, self._bench, item)
        return run.dataset

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()


def judged(case: Case, dataset: Dataset, calm: Undisturbed) -> Played:
    """What a case came to."""
    trial = case.trial.id
    if not dataset.trial_dir(trial).is_dir():
        return Played(case, "void", (void_of(dataset, trial)["reason"],))
    record, wrong = dataset.record(trial), tuple(differences(dataset, trial))
    if wrong:
        truth = json.loads((dataset.truth_dir / f"{trial}.json").read_text())
        return Played(case, "untellable" if cannot_be_told(record, truth, wrong, calm) else "false", wrong)
    claims = () if record.observed is None else tuple(record.observed)
    undecided = tuple(f"{name}: {claim.reason}" for name, claim in claims if claim.verdict != "proven")
    return Played(case, "undecided" if undecided else "valid", undecided)


def void_of(dataset: Dataset, trial: str) -> dict[str, str]:
    """Why the one attempt at a trial is void: `reason` and `text`."""
    void: dict[str, str] = json.loads((dataset.attempts_dir / f"{trial}.0" / "void.json").read_text())
    return void


def cannot_be_told(record: TrialRecord, truth: dict[str, Any], wrong: Sequence[str], calm: Undisturbed) -> bool:
    """Whether all that is wrong is what no phone remembers, whose finger it was:

    - who ended the call, where the other side did so within F of our first tap at its end;
    - who ended it, where nobody was to and somebody did within F of when the app would have given up;
    - the service of a call that nobody answered, where somebody placed the other one within F of our first tap.
    """
    follow_s = max((DEFAULT if record.limits is None else record.limits[role]).follow_s for role in ROLES)

    def within(key: str, ours_ns: int, *, before: bool) -> bool:
        off_s = [(call[key] - ours_ns) / 1e9 for call in truth["calls"] if call[key] is not None]
        return any((-follow_s if before else 0) <= each_s <= follow_s for each_s in off_s)

    untold = {
        "ended_by": within("ended_ns", calm.ended_ns, before=record.asked.scenario == "system_timeout"),
        "service": record.asked.talk_s is None and within("placed_ns", calm.placed_ns, before=False),
    }
    return all(untold.get(one.partition(":")[0], False) for one in wrong)


def play_all(chosen: Sequence[Case], seed: int) -> tuple[list[Played], dict[str, Undisturbed]]:
    """Plays cases one after the other on one bench."""
    run = ready(seed)
    with Bench(run.lab, run.spec, Stop()) as bench:
        player = Player(run, bench)
        played = [player.play(case) for case in chosen]
    return played, player.undisturbed


def ready(seed: int) -> Run:
    return prepare(Options(bench="virtual", matrix="paper", scenarios=str(ROOT / "scenarios"), seed=seed))


def shared_out(chosen: Sequence[Case], seed: int, processes: int) -> tuple[list[Played], dict[str, Undisturbed]]:
    """The same by several processes, the cases of a trial in one of them; in the order of the cases."""
    trials = list(dict.fromkeys(case.trial.id for case in chosen))
    shares = [[case for case in chosen if trials.index(case.trial.id) % processes == one] for one in range(processes)]
    with pool(processes) as made_by:
        done = list(made_by.map(play_all, shares, [seed] * processes))
    by_id = {one.case.id: one for played, _ in done for one in played}
    return [by_id[case.id] for case in chosen], {name: calm for _, calms in done for name, calm in calms.items()}


def counted(played: Iterable[Played]) -> Counter[str]:
    return Counter(one.outcome for one in played)


def row(name: str, played: Sequence[Played]) -> str:
    found = counted(played)
    reasons = Counter(reason for one in played if one.outcome == "void" for reason in one.reasons)
    why = ", ".join(f"{reason} {count}" for reason, count in sorted(reasons.items(), key=lambda item: -item[1]))
    return f"| {name} | {len(played)} | {' | '.join(str(found[outcome]) for outcome in OUTCOMES)} | {why} |"


def by_cause(played: Sequence[Played]) -> Iterator[str]:
    """A table for each verb: what came of each cause."""
    for verb in VERBS:
        here = {cause: [one for one in played if (one.case.verb, one.case.cause) == (verb, cause)] for cause in CAUSES}
        if any(here.values()):
            yield from (f"### {verb}", "", HEAD.format("cause"), RULE)
            yield from (row(cause, found) for cause, found in here.items() if found)
            yield ""


def upper_bound(n: int) -> str:
    """The exact upper 95% bound of a share of which none was found in n."""
    return f"{1 - 0.05 ** (1 / n):.2%}"


def totals(played: Sequence[Played]) -> Iterator[str]:
    found = counted(played)
    complete = len(played) - found["void"] - found["untellable"]
    yield from (HEAD.format(""), RULE, row("all cases", played), "")
    if found["false"]:
        yield f"**{found['false']} of {complete} records are falsely valid.**"
    elif complete:
        untold = found["untellable"]
        beside = f", beside {untold} of which no witness can tell (below)" if untold else ""
        yield (
            f"None of {complete} records is falsely valid{beside}: under such causes at most {upper_bound(complete)} "
            f"of records and {upper_bound(len(played))} of attempts are (exact upper 95% bounds)."
        )
    left = [f"{one.case.id}: {', '.join(one.in_call)}" for one in played if one.in_call]
    yield f"A phone was left in a call by {len(left)} of {len(played)} attempts{': ' if left else ''}{'; '.join(left)}."
    yield ""


def undecided(played: Sequence[Played]) -> Iterator[str]:
    """By which reasons claims stayed undecided."""
    found = Counter(plain(reason) for one in played if one.outcome == "undecided" for reason in one.reasons)
    yield from ("| claim: reason | records |", "|---|---|")
    yield from (
        f"| {reason} | {count} |" for reason, count in sorted(found.items(), key=lambda item: (-item[1], item[0]))
    )
    yield ""


def plain(reason: str) -> str:
    """A reason without its numbers, as a cell of a table."""
    return re.sub(r"[0-9]+([.,:][0-9]+)*", "N", reason).replace("|", "/")[:120]


def chance(played: Sequence[Played], calms: Iterable[Undisturbed]) -> Iterator[str]:
    """What no witness can tell, and how often that would be by chance."""
    lasted_s = [(call.ended_ns - call.placed_ns) / 1e9 for call in calms]
    mean_s, window_s = sum(lasted_s) / len(lasted_s), DEFAULT.follow_s
    cases_ = [one.case.id for one in played if one.outcome == "untellable"]
    yield f"Here, of {len(played)} cases, {len(cases_)}: {', '.join(cases_)}." if cases_ else "Here never."
    yield ""
    yield (
        f"The calls here last {mean_s:.0f} s on average. Somebody who ends one at an instant by chance hits the "
        f"{window_s:g} s behind our tap in {window_s / mean_s:.1%} of calls, and it must be lost as well: where "
        f"{LOST:.0%} of taps are and somebody ends every call, in {LOST * window_s / mean_s:.3%} of trials. "
        "The second takes no lost tap: where somebody ends every call at an instant by chance, it is "
        f"{2 * window_s / mean_s:.1%} of those that are to time out."
    )
    yield ""


def wrong_ones(played: Sequence[Played]) -> Iterator[str]:
    for one in played:
        if one.outcome == "false":
            yield f"- {one.case.id} ({one.case.trial.id}): {'; '.join(plain(each) for each in one.reasons)}"


def page(played: Sequence[Played], calms: Iterable[Undisturbed]) -> str:
    """docs/validity.md."""
    false = [*wrong_ones(played)]
    parts = [
        INTRODUCTION,
        *totals(played),
        *(["## Falsely valid", "", *false, ""] if false else []),
        "## What no witness can tell",
        "",
        UNTELLABLE.strip(),
        "",
        *chance(played, calms),
        "## By verb and cause",
        "",
        *by_cause(played),
        "## Why claims are undecided",
        "",
        *undecided(played),
    ]
    return "\n".join(parts).rstrip("\n") + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the page there; without it, to the terminal")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="every Nth case alone")
    parser.add_argument("--only", default="", metavar="TEXT", help="the cases whose name has it alone")
    parser.add_argument("--processes", type=int, default=2, metavar="N")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    every = [case for case in cases(ready(options.seed).spec.directions()) if options.only in case.id]
    played, calms = shared_out(every[:: options.every], options.seed, options.processes)
    text = page(played, calms.values())
    if options.write:
        options.write.write_text(text)
    else:
        print(text)
    if any(one.outcome == "false" or one.in_call for one in played):
        sys.exit(1)


if __name__ == "__main__":
    main()
