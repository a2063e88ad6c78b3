"""The soak of kills: `make soak SOAK=kills`. 200 SIGKILLs of `run-matrix` and `nightly` at drawn instants; after half
of them what was not fsynced is lost, as by a power loss (`benchmarks.power`).

Half of the instants are drawn over the whole command, half right after an event of the journal, ladder rungs, voids and
results among them. After each no process and no temporary folder is left, what was complete is there, the dataset
verifies, and the same command completes with the bytes of a run that nobody killed. A line of JSON for each kill is
kept in datasets/soak-kills.jsonl, and one that has a line is not made again. Anything wrong ends the soak with exit 1.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.lines import add, read
from benchmarks.pools import pool
from benchmarks.power import HOOK, NOTES, lose
from correlate.dataset import Dataset
from correlate.errors import CorrelateError

ROOT = Path(__file__).resolve().parent.parent
OUT = Path("datasets/soak-kills.jsonl")
KILLS = 200
ENDS_S, COMMAND_S = 20.0, 300.0
"""How soon all that a killed command has started must have ended, and how long a command may take."""
EVENTS = {
    "run-matrix": ("attempt", "ladder", "void", "completed", "resolved", "finished"),
    "nightly": ("attempt", "completed", "resolved", "finished"),
}
TRIES = 10
"""How often a command may have ended before its kill came, each time with an earlier instant."""
MATRIX = """\
name: tiny
apps: [whatsapp]
services: [voice]
scenarios: [caller_cancels]
repetitions: 1
"""
FAULTS = """\
name: kills
faults:
  - {what: adb_reset, on: pixel6pro, at: {step: opened}}
  - {what: adb_away, on: pixel6, at: {trial: 2, step: ringing}, for_minutes: 8}
"""
"""The ladder's rungs and its pauses come in each run that is killed."""


@dataclass(frozen=True)
class Kill:
    """One kill: of which command, when, and what is lost. `at` is a share of the command's time, or the event after
    which it comes by `late_s`."""

    number: int
    command: str
    at: float | str
    late_s: float
    loss: str

    @classmethod
    def drawn(cls, number: int) -> Kill:
        draw, command = random.Random(f"kills/{number}"), "nightly" if number % 4 == 3 else "run-matrix"
        at: float | str = draw.uniform(0.05, 0.95) if draw.random() < 0.5 else draw.choice(EVENTS[command])
        loss = ("none", "names", "none", "bytes")[number // 4 % 4]
        return cls(number, command, at, draw.uniform(0.0, 0.25), loss)


class Place:
    """The folder of one kill: its scenarios, what the command writes, and what it leaves elsewhere."""

    def __init__(self, folder: Path, command: str) -> None:
        self._folder, self._command = folder, command
        self.written, self.temporary, self.notes = folder / "written", folder / "tmp", folder / "notes"
        for each in (self.temporary, self.notes):
            each.mkdir(parents=True)
        shutil.copytree(ROOT / "scenarios", folder / "scenarios", ignore=shutil.ignore_patterns("*.local.yaml"))
        (folder / "scenarios" / "matrices" / "tiny.yaml").write_text(MATRIX)
        (folder / "faults.yaml").write_text(FAULTS)

    def argv(self, *, faults: bool) -> list[str]:
        common = ["--matrix", "tiny", "--scenarios", str(self._folder / "scenarios")]
        invoke = str(Path(sys.executable).with_name("invoke"))
        if self._command == "nightly":
            return [invoke, "nightly", *common, "--nights", str(self.written)]
        rehearsed = ["--faults", str(self._folder / "faults.yaml")] if faults else []
        return [invoke, "run-matrix", *common, "--dataset", str(self.written), *rehearsed]

    def started(self, *, faults: bool = False, hook: bool = False) -> subprocess.Popen[bytes]:
        path = [str(HOOK)] if hook else []
        env = os.environ | {"TMPDIR": str(self.temporary), "PYTHONPATH": os.pathsep.join([*path, str(ROOT)])}
        env |= {NOTES: str(self.notes)} if hook else {}
        with (self._folder / "said.txt").open("wb") as said:
            argv = self.argv(faults=faults)
            return subprocess.Popen(argv, cwd=ROOT, env=env, stdout=said, stderr=said, start_new_session=True)

    def said(self) -> str:
        return " / ".join((self._folder / "said.txt").read_text(errors="replace").splitlines()[-3:])

    def datasets(self) -> list[Dataset]:
        """Those that have begun."""
        found = [self.written] if self._command == "run-matrix" else sorted(self.written.glob("*/dataset"))
        return [Dataset(path) for path in found if (path / "dataset.json").exists()]

    def left(self) -> list[str]:
        """What still runs of all that was started, and temporary files."""
        found = [str(path) for path in self.temporary.iterdir()]
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if f"TMPDIR={self.temporary}".encode() in (process / "environ").read_bytes().split(b"\0"):
                    found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        return found

    def events(self) -> list[str]:
        """The events of all journals, the last one last."""
        found = []
        for dataset in self.datasets():
            with contextlib.suppress(OSError, CorrelateError):
                found += [line.event for line in dataset.journal.read()]
        return found


def captures(dataset: Dataset) -> dict[str, tuple[str, str]]:
    """The SHA-256 of each capture of the trials that are complete, as the journal has them when they were completed."""
    found = {}
    for line in dataset.journal.read():
        if line.event == "completed" and dataset.trial_dir(str(line.trial)).is_dir():
            files = {name: sha for name, sha in (line.files or {}).items() if ".pcap" in name}
            found[str(line.trial)] = tuple(files[name] for name in sorted(files))
    return found  # type: ignore[return-value]


def killed(kill: Kill, usual_s: float, place: Place) -> bool:
    """Begin the command and kill it; False where it had ended before."""
    process = place.started(faults=True, hook=kill.loss != "none")
    began_s, passed = time.monotonic(), len(place.events())
    while process.poll() is None:
        if isinstance(kill.at, float) and time.monotonic() - began_s >= kill.at * usual_s:
            break
        if isinstance(kill.at, str) and kill.at in place.events()[passed:]:
            time.sleep(kill.late_s)
            break
        time.sleep(0.005)
    if process.poll() is not None:
        return False
    process.kill()
    process.wait()
    return True


def made(kill: Kill, usual_s: float, undisturbed: dict[str, Any]) -> dict[str, Any]:
    """One kill and what came of it."""
    began_s, wrong, lost = time.monotonic(), list[str](), 0
    with tempfile.TemporaryDirectory(prefix="im-call-lab-kills-") as folder:
        for tries in range(TRIES):
            place = Place(Path(folder) / f"{tries}", kill.command)
            if killed(kill, usual_s * 0.8**tries, place):
                break
        else:
            wrong.append(f"never killed: {place.said()}")
        wrong += ended(place)
        events = place.events()
        complete = {dataset.path: captures(dataset) for dataset in place.datasets()}
        if kill.loss != "none" and place.written.exists():
            lost = lose(place.written, place.notes, random.Random(kill.number), names_too=kill.loss == "names")
        wrong += whole(place, complete)
        process = place.started()
        try:
            code: int | str = process.wait(COMMAND_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            code = f"none in {COMMAND_S:g} s"
        if code != 0:
            wrong.append(f"run again: exit code {code}: {place.said()}")
        wrong += [*ended(place), *whole(place, complete)]
        if not any(captures(dataset) == undisturbed for dataset in place.datasets()) and kill.command == "run-matrix":
            wrong.append("other bytes than without the kill")
        if not any(len(captures(dataset)) == len(undisturbed) for dataset in place.datasets()):
            wrong.append("not all trials are complete")
    return {
        "number": kill.number, "command": kill.command, "at": kill.at, "loss": kill.loss, "tries": tries,
        "after": events[-1] if events else "nothing", "lost": lost, "wrong": [f"{text}"[:500] for text in wrong],
        "seconds": round(time.monotonic() - began_s, 1),
    }  # fmt: skip


def ended(place: Place) -> list[str]:
    """What is left though the command has ended."""
    until_s = time.monotonic() + ENDS_S
    while (left := place.left()) and time.monotonic() < until_s:
        time.sleep(0.05)
    return [f"left: {each}" for each in left]


def whole(place: Place, complete: dict[Path, dict[str, tuple[str, str]]]) -> Iterator[str]:
    """What does not verify, and what was complete and is not any more."""
    for dataset in place.datasets():
        yield from (f"does not verify: {each}" for each in dataset.verify())
    for path, trials in complete.items():
        there = captures(Dataset(path)) if (path / "dataset.json").exists() else {}
        yield from (f"was complete and is lost: {trial}" for trial in trials if there.get(trial) != trials[trial])


def usual(command: str) -> tuple[float, dict[str, Any]]:
    """How long a command takes that nobody kills, and the captures that it makes."""
    with tempfile.TemporaryDirectory(prefix="im-call-lab-kills-") as folder:
        place, began_s = Place(Path(folder), command), time.monotonic()
        if place.started(faults=True, hook=True).wait(COMMAND_S):
            sys.exit(f"soak kills: {command} fails before anything is killed: {place.said()}")
        return time.monotonic() - began_s, captures(place.datasets()[0])


def run(first: int = 0, out: Path = OUT, most: int = KILLS) -> None:
    """The soak; figures are appended to `out` as they come. `most` is how many kills are made in all."""
    done = {one["number"] for one in read(out)}
    left = [Kill.drawn(number) for number in range(first, first + most) if number not in done]
    usually = {command: usual(command) for command in sorted({kill.command for kill in left})}
    with pool(os.cpu_count() or 1) as made_by:
        for each in as_completed([made_by.submit(made, kill, *usually[kill.command]) for kill in left]):
            add(out, each.result())
            print(summary(read(out)), flush=True)
    if any(one["wrong"] for one in read(out)):
        sys.exit(1)


def summary(found: Sequence[dict[str, Any]]) -> str:
    """The figures so far, in a line, and each thing that is wrong in one."""
    wrong = [f"  wrong: kill {one['number']}: {text}" for one in found for text in one["wrong"]]
    by = {key: dict(Counter(one[key] for one in found)) for key in ("command", "loss", "after")}
    line = f"kills: {len(found)}, {sum(one['lost'] for one in found)} files lost, {by}, {len(wrong)} wrong"
    return "\n".join([line, *wrong])
