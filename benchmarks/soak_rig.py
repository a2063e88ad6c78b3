"""The rig's soak: matrix `smoke` on two rigs side by side, matrix `rig` (the paper's, of five apps) on four.

Each dataset is verified, compared with its truth (`benchmarks.rehearsal`) and with tshark (`benchmarks.third_opinion`).
Then it is removed; one in which anything differs stays, and the first difference ends the soak.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from benchmarks import rehearsal, third_opinion
from correlate.dataset import Dataset
from correlate.findings.cases import cases

INVOKE = Path(sys.executable).parent / "invoke"
RUNS = (("smoke", 2), ("rig", 4))
SMOKE_WITHIN_S = 600
SOME_FAILED = 3
CLOCKS_RIGHT = 0.95
LOOK_EVERY_S = 5.0


def family(root: int) -> dict[int, list[str]]:
    """A process and all that it started: process id -> the fields of its stat from the third on (proc_pid_stat(5))."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        # A process that ends meanwhile has none.
        with suppress(OSError):
            found[int(stat.parent.name)] = stat.read_text().rpartition(")")[2].split()
    parents = {pid: int(words[1]) for pid, words in found.items()}

    def belongs(pid: int) -> bool:
        while pid not in (0, root):
            pid = parents.get(pid, 0)
        return pid == root

    return {pid: words for pid, words in found.items() if belongs(pid)}


def proportional_set_kib(pid: int) -> int:
    """The memory of a process; of what it shares with others its part (proc_pid_smaps(5), Pss)."""
    with suppress(OSError):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
    return 0


class Costs:
    """Of a program and all that it started, as seen every 5 s: wall time, CPU time, and the most memory at once. What
    ends between two looks is missed."""

    def __init__(self) -> None:
        self.code, self.wall_s, self.memory_kib = 0, 0.0, 0
        self._ticks: dict[tuple[int, str], int] = {}

    def run(self, *command: str | Path) -> None:
        over, began_s = threading.Event(), time.monotonic()
        program = subprocess.Popen(command)
        watching = threading.Thread(target=self._watch, args=(program.pid, over))
        watching.start()
        try:
            self.code = program.wait()
        finally:
            over.set()
            watching.join()
        self.wall_s = time.monotonic() - began_s

    def _watch(self, pid: int, over: threading.Event) -> None:
        while not over.wait(LOOK_EVERY_S):
            seen = family(pid)
            self.memory_kib = max(self.memory_kib, sum(map(proportional_set_kib, seen)))
            # Fields 14 and 15: user and system time; 22: when it started, since ids are used again.
            self._ticks |= {(each, words[19]): int(words[11]) + int(words[12]) for each, words in seen.items()}

    @property
    def cpu_s(self) -> float:
        return sum(self._ticks.values()) / os.sysconf("SC_CLK_TCK")

    def say(self, trials: int, rigs: int) -> str:
        each = f"{self.wall_s * rigs / max(1, trials):.0f} s and {self.cpu_s / max(1, trials):.0f} CPU s a trial"
        return f"{self.wall_s:.0f} s on {rigs} rigs, {each}, at most {self.memory_kib // 1024} MiB"


def seconds_by_scenario(dataset: Dataset) -> Iterator[str]:
    """How long trials take."""
    found: dict[str, list[float]] = defaultdict(list)
    for trial in dataset.trial_ids():
        record = dataset.record(trial)
        if record.started_ns is not None and record.ended_ns is not None:
            found[str(record.asked.scenario)].append((record.ended_ns - record.started_ns) / 1e9)
    for scenario, each in sorted(found.items()):
        mean_s = sum(each) / len(each)
        yield f"{scenario}: {len(each)} trials, {min(each):.0f} to {max(each):.0f} s, mean {mean_s:.1f} s"


def by_nat(dataset: Dataset) -> Iterator[str]:
    """A table in Markdown: of the conversations through each kind of NAT, how many were P2P / relayed."""
    apps = [app for app in dict.fromkeys(case.app for case in cases(dataset).read)]
    counts: dict[tuple[str, str], Counter[tuple[str, str | None]]] = defaultdict(Counter)
    for case in cases(dataset).read:
        truth = json.loads((dataset.truth_dir / f"{case.trial}.json").read_text())
        if truth["established"]:
            nat = truth["rig"]["nat"]
            counts[nat["carrier"], nat["home"]][case.app, case.call.routing] += 1
    yield f"| carrier's NAT | home NAT | {' | '.join(apps)} |"
    yield f"|---|---|{'---|' * len(apps)}"
    for (carrier, home), found in sorted(counts.items()):
        cells = [
            f"{found[app, 'p2p']} / {found[app, 'relay']}" if any(app in key for key in found) else "" for app in apps
        ]
        yield f"| {carrier} | {home} | {' | '.join(cells)} |"


def voids(dataset: Dataset) -> Iterator[str]:
    """Why attempts did not count."""
    for line in dataset.journal.path.read_text().splitlines():
        event = json.loads(line)
        if event["event"] in ("void", "interrupted"):
            why = ": ".join(event[name] for name in ("reason", "text") if name in event)
            yield f"{event['event']}: {event['trial']}, attempt {event['attempt']}: {why}"


def judged(dataset: Dataset, rigs: int, costs: Costs) -> list[str]:
    """Prints what came of a run; the differences."""
    compared, opinion = rehearsal.compare(dataset), third_opinion.of_dataset(dataset.path)
    print(*seconds_by_scenario(dataset), *voids(dataset), *compared.say(), *compared.wrong_clocks, sep="\n")
    print(opinion.say(), costs.say(compared.trials, rigs), "", *by_nat(dataset), "", sep="\n", flush=True)
    differences = [*compared.differences, *opinion.differences]
    if len(compared.wrong_clocks) > (1 - CLOCKS_RIGHT) * compared.trials:
        differences.append(f"clocks are beyond their bounds in {len(compared.wrong_clocks)} trials")
    planned = len(dataset.plan())
    if costs.code == SOME_FAILED:
        differences.append(f"{planned - compared.trials} of {planned} trials have no attempt that counts")
    return differences


def run(seed: int) -> None:
    """Both matrices. Ends the process where anything differs."""
    for matrix, rigs in RUNS:
        print(f"matrix {matrix} on {rigs} rigs", flush=True)
        folder = Path(tempfile.mkdtemp(prefix="im-call-lab-soak-"))
        dataset, costs = Dataset(folder / f"rig-{matrix}"), Costs()
        asked = ["--bench", "rig", "--matrix", matrix, "--benches", str(rigs), "--seed", str(seed)]
        costs.run(INVOKE, "run-matrix", *asked, "--dataset", str(dataset.path))
        if costs.code not in (0, SOME_FAILED):
            sys.exit(f"matrix {matrix}: run-matrix ended with {costs.code}; {dataset.path} stays")
        subprocess.run([INVOKE, "verify", "--dataset", str(dataset.path)], check=True)
        differences = judged(dataset, rigs, costs)
        if matrix == "smoke" and costs.wall_s > SMOKE_WITHIN_S:
            differences.append(f"smoke took {costs.wall_s:.0f} s, at most {SMOKE_WITHIN_S} s are wanted")
        if differences:
            print(*differences, sep="\n")
            sys.exit(
                f"matrix {matrix}: {len(differences)} differences, the first {differences[0]}; {dataset.path} stays"
            )
        shutil.rmtree(folder)
