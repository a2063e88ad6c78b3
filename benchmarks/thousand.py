"""A long run with faults: `make soak SOAK=thousand`, or `python benchmarks/soak.py thousand`.

A thousand trials of the paper's cells on two virtual benches side by side, a tenth of them with a fault each. At least
99.9 % must be complete, and equal to the truth; no phone may be in a call where an attempt has ended, by the emulator's
own state; and from the hundredth trial on memory, descriptors, threads and processes of the harness and of its benches
must stay where they are.

A line of figures for each complete trial is kept in datasets/soak-thousand.jsonl, and the trials in
datasets/soak-thousand, where a soak that was ended goes on. Growth is judged within the time of one process. A bound
that is broken ends it with exit 1.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any, Self
from unittest import mock

from rich.console import Console

from benchmarks.committed import all_differences
from benchmarks.lines import add, read
from lab.bench.bench import Bench
from lab.clocks.real_time import elapsed
from lab.clocks.stop import Stop
from lab.definitions.faults import Fault, Faults
from lab.errors import TrialsFailed
from lab.run.matrix import run_missing
from lab.run.options import Options
from lab.run.plan import Run, prepare
from lab.run.progress import Progress

SCENARIOS = Path(__file__).resolve().parent.parent / "scenarios"
TRIALS, BENCHES, REPETITIONS = 1000, 2, 17
LEAST_COMPLETE = 0.999
WARM, MOST_GROWTH = 100, 1.1
"""Growth is judged from so many trials on: the last tenth beside the first, by their medians."""
OF_A_CALL = {"processes": 2, "threads": 2}
"""So many more one bench has while it is in a call, when the other one ends its trial and is looked at."""
FIGURES = ("rss_kb", "descriptors", "threads", "bench_rss_kb", "bench_descriptors", "processes")

ONE = {"probability": 0.01}
FAULTS: Sequence[Mapping[str, Any]] = (
    {"what": "adb_reset", "on": "pixel6pro", "at": {"step": "opened"}, **ONE},
    {"what": "adb_reset", "on": "pixel6", "at": {"step": "captured"}, **ONE},
    {"what": "adb_reset", "on": "pixel6pro", "at": {"step": "ringing", "after_s": 1}, **ONE},
    {"what": "agent_killed", "on": "pixel6", "at": {"step": "placed"}, **ONE},
    {"what": "agent_fails", "on": "pixel6pro", "at": {"step": "begun"}, **ONE},
    {"what": "shell_fails", "on": "pixel6", "at": {"step": "captured"}, **ONE},
    {"what": "capture_killed", "on": "laptop", "at": {"step": "placed"}, **ONE},
    {"what": "capture_refused", "on": "pixel6", **ONE},
    {"what": "tap_lost", "on": "pixel6", "at": {"step": "captured"}, **ONE},
    {"what": "person_hangs_up", "on": "pixel6pro", "at": {"step": "ringing", "after_s": 1}, **ONE},
    {"what": "app_crash", "on": "pixel6", "at": {"step": "answered", "after_s": 1}, **ONE},
    {"what": "adb_away", "on": "pixel6", "at": {"step": "placed"}, "for_minutes": 1, "probability": 0.003},
    {"what": "hotspot_gone", "on": "laptop", "for_minutes": 0.5, "probability": 0.003},
)


class Watched(Bench):
    """A bench that is remembered: what its emulator saw is asked of it."""

    opened: list[Watched] = []  # noqa: RUF012

    def __enter__(self) -> Self:
        bench = super().__enter__()
        self.opened.append(bench)
        return bench

    @classmethod
    def left_in_call(cls) -> list[str]:
        """The phones that were in a call when an attempt had ended."""
        return [each for bench in cls.opened for each in getattr(bench.kind, "left_in_call", [])]


class Figures(Progress):
    """Appends a line of figures for each trial that completes."""

    def __init__(self, out: Path, before: int) -> None:
        super().__init__(Console(file=io.StringIO()))
        self._out, self._complete, self._began = out, before, elapsed()
        self._writing = threading.Lock()

    def completed(self, trial: str) -> None:
        super().completed(trial)
        self.console.file = io.StringIO()  # What was printed is of no use, and would count as growth.
        self.voided.clear()
        with self._writing:
            self._complete += 1
            seconds = round(elapsed() - self._began, 1)
            now = {"process": os.getpid(), "complete": self._complete, "seconds": seconds, **figures()}
            add(self._out, now | {"left_in_call": Watched.left_in_call()})
            if self._complete % 50 == 0:
                print(f"thousand: {now}", flush=True)


def figures() -> dict[str, int]:
    """What this process and all below it hold now."""
    own, below = os.getpid(), list(children(os.getpid()))
    return {
        "rss_kb": status(own, "VmRSS"),
        "descriptors": descriptors(own),
        "threads": status(own, "Threads"),
        "bench_rss_kb": sum(status(pid, "VmRSS") for pid in below),
        "bench_descriptors": sum(descriptors(pid) for pid in below),
        "processes": len(below),
    }


def children(pid: int) -> Iterator[int]:
    """The processes that one has started, and theirs."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            found += [int(each) for each in task.read_text().split()]
    for child in found:
        yield child
        yield from children(child)


def status(pid: int, key: str) -> int:
    """A number that Linux tells of a process; 0 where it has just ended."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(f"{key}:"):
                return int(line.split()[1])
    return 0


def descriptors(pid: int) -> int:
    with suppress(OSError):
        return len(os.listdir(f"/proc/{pid}/fd"))
    return 0


def planned(folder: Path, scenarios: Path, seed: int, most: int) -> Run:
    """The run, its scenarios being a copy with more repetitions."""
    shutil.copytree(SCENARIOS, scenarios)
    matrix = scenarios / "matrices/paper.yaml"
    text = matrix.read_text(encoding="utf-8")
    matrix.write_text(text.replace("repetitions: 3", f"repetitions: {REPETITIONS}"), encoding="utf-8")
    run = prepare(Options(scenarios=str(scenarios), dataset=str(folder), seed=seed))
    faults = Faults(name="thousand", faults=[Fault.model_validate(each) for each in FAULTS])
    # A fault is drawn by its trial alone, so that it does not matter which bench makes that.
    return replace(run, chosen=run.planned[:most], benches=BENCHES, faults=faults)


def run(first: int, folder: Path = Path("datasets/soak-thousand"), most: int = TRIALS) -> None:
    """The soak, or its first trials; exit 1 where a bound is broken. What is whole and good is removed."""
    out = folder.with_name(f"{folder.name}.jsonl")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="im-call-lab-thousand-") as scenarios:
        made = planned(folder, Path(scenarios) / "scenarios", first, most)
        with mock.patch("lab.run.matrix.Bench", Watched), suppress(TrialsFailed):
            run_missing(made, Figures(out, len(made.chosen) - len(made.missing())), Stop())
        lines = made.dataset.journal.read()
        complete, wanted = len(made.chosen) - len(made.missing()), len(made.chosen)
        voids = [line for line in lines if line.event == "void"]
        struck = len({line.trial for line in voids})
        print(f"thousand: {complete} of {wanted} complete, {len(voids)} attempts of {struck} trials void", flush=True)
        false, damaged = all_differences(made.dataset), made.dataset.verify()
    kept = read(out)
    broken = [*false, *(str(each) for each in damaged), *wrong(kept), *in_call(kept)]
    if complete < LEAST_COMPLETE * wanted:
        broken.append(f"{complete} of {wanted} are complete, less than {LEAST_COMPLETE:.1%}")
    for text in grown(kept):
        print(f"thousand: {text}")
    if broken:
        sys.exit("\n".join(f"  wrong: {text}" for text in broken))
    shutil.rmtree(folder)


def in_call(kept: Sequence[Mapping[str, Any]]) -> list[str]:
    """The phones that were left in a call, each once."""
    return sorted({f"left in a call: {each}" for line in kept for each in line["left_in_call"]})


def growth(kept: Sequence[Mapping[str, Any]]) -> Iterator[tuple[int, str, float, float]]:
    """Of each process that made enough trials, by figure medians of the first and the last tenth, once warm."""
    for process in dict.fromkeys(line["process"] for line in kept):
        warm = [line for line in kept if line["process"] == process][WARM:]
        tenth = len(warm) // 10
        for name in FIGURES if tenth >= 10 else ():
            first, last = ([line[name] for line in part] for part in (warm[:tenth], warm[-tenth:]))
            yield process, name, median(first), median(last)


def grown(kept: Sequence[Mapping[str, Any]]) -> list[str]:
    """Growth in words."""
    return [f"{name}: {first:g}, in the end {last:g}" for _, name, first, last in growth(kept)]


def wrong(kept: Sequence[Mapping[str, Any]]) -> list[str]:
    """What grew by more than it may."""
    return [
        f"{name} grew from {first:g} to {last:g} in process {process}"
        for process, name, first, last in growth(kept)
        if last > first * MOST_GROWTH and last - first > OF_A_CALL.get(name, 0)
    ]
