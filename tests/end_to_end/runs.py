"""Ways to run the virtual bench that several tests share, and a load to run it under."""

from __future__ import annotations

import contextlib
import hashlib
import io
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from correlate.dataset import Dataset
from lab.clocks.stop import Stop
from lab.commands.show import console
from lab.run.matrix import run_missing
from lab.run.options import Options
from lab.run.plan import Run, prepare
from lab.run.progress import Progress

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


def invoke(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A command of the lab, as people type it, in the repository."""
    return subprocess.run([BIN / "invoke", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


def run_trials(dataset: Path, ids: list[str] | None = None, **options: object) -> Run:
    """Run a matrix, or some of its trials one after the other, in this process."""
    run = prepare(Options(dataset=str(dataset), scenarios=str(ROOT / "scenarios"), **options))  # type: ignore[arg-type]
    if ids is not None:
        run = run.only(*(run.one(trial_id) for trial_id in ids))
    run_missing(run, Progress(console()), Stop())
    return run


def captures(dataset: Path, trial_id: str) -> dict[str, str]:
    """SHA-256 of the captures of a trial, by side."""
    files = sorted((dataset / "trials" / trial_id).glob("*.pcap*"))
    return {file.stem: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


@contextmanager
def cpu_hog(processes: int = 2) -> Iterator[None]:
    """Keep as many processes busy as there are cores, so that the bench has to fight for one."""
    hogs = [subprocess.Popen([sys.executable, "-I", "-S", "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()


class Started:
    """A matrix, whole or `only` some of its trials, running, by the command that people type: trials, findings, names,
    tables, report."""

    def __init__(self, matrix: str, dataset: Path, seed: int = 1, only: str = "") -> None:
        self._dataset, self._log = dataset, dataset.with_name(f"{dataset.name}.log")
        command = [BIN / "invoke", "run-matrix", "--matrix", matrix, "--dataset", str(dataset), "--seed", str(seed)]
        command += ["--only", only] if only else []
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)

    def finished(self) -> Dataset:
        """Waits for its end; the dataset."""
        assert self._process.wait() == 0, self._log.read_text()[-2000:]
        return Dataset(self._dataset)

    def end(self) -> None:
        """Ends it where it still runs."""
        self._process.terminate()
        self._process.wait()


class At(Progress):
    """Does something once, when any trial comes to a step; what it says is read from `out`."""

    def __init__(self, step: str = "", act: Callable[[], None] = lambda: None) -> None:
        super().__init__(Console(file=io.StringIO(), width=200))
        self._at, self._act = step, act

    def step(self, trial: str, name: str) -> None:
        super().step(trial, name)
        if name == self._at:
            self._at = ""
            self._act()

    def lines(self) -> list[str]:
        return self.console.file.getvalue().splitlines()  # type: ignore[attr-defined]


def benches_of(pid: int) -> list[int]:
    """The bench processes that a process has started."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == pid and b"lab.virtual\0" in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
    return sorted(found)
