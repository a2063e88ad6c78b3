"""What a run shows while it runs: one line a trial that has ended, and on a terminal a bar with the time that is left,
below it what each trial that runs now is doing. What it is told goes into status.html too."""

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console, RenderableType
from rich.markup import escape
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.text import Text

from lab.clocks.real_time import elapsed
from lab.errors import one_line
from lab.run import terminal
from lab.run.plan import Run
from lab.run.status import Status


@dataclass
class _Running:
    """A trial that runs."""

    started: float
    retry: int = 0
    step: str = ""


class _Bar(Bar):
    """A bar of one line, and below it a line for each trial that runs, folded where the terminal is narrower."""

    below: tuple[str, ...] = ()

    def get_renderables(self) -> Iterable[RenderableType]:
        yield from super().get_renderables()
        yield from (Text(line, overflow="fold") for line in self.below)


class Progress:
    """Prints to `console`. Texts from phones and files are escaped; nothing in them can restyle the terminal.

    Several trials may run at once, each told of by a thread of its own.
    """

    def __init__(self, console: Console) -> None:
        self.console = console
        self.voided: list[str] = []
        self.lost_benches: list[str] = []
        self.remarks: list[str] = []
        self._running: dict[str, _Running] = {}
        self._telling = threading.Lock()
        self._done, self._total = 0, 0
        self._status: Status | None = None
        self._bar = _Bar(
            TextColumn("[bold]{task.completed}[/]/{task.total}"),
            BarColumn(bar_width=16),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("", total=None)

    @property
    def lost_output(self) -> str:
        """What became of where it prints to, where nobody reads that any more; else empty."""
        return terminal.lost(self.console.file)

    def nothing_to_do(self, complete: int, dataset: Path) -> None:
        trials = "1 trial is" if complete == 1 else f"all {complete} trials are"
        self.say(f"Nothing to do: {trials} complete in {dataset}.")

    @contextmanager
    def showing(self, trials: int, status: Status | None = None) -> Iterator[None]:
        """Show the bar while the block runs, and keep `status` up to date."""
        self._total, self._done, self._status = trials, 0, status
        self._bar.reset(self._task, total=trials)
        with status.kept(trials) if status else nullcontext(), self._bar:
            yield

    @contextmanager
    def computing(self, run: Run) -> Iterator[None]:
        """What follows from the trials is computed in the block; `computes` says what."""
        self._status = self._status or Status(run)
        with self._status.computing():
            yield

    def computes(self, what: str) -> None:
        """What is being computed now."""
        self.say(f"computing {what} ...")
        if self._status:
            self._status.computes(what)

    @contextmanager
    def trial(self, trial: str) -> Iterator[None]:
        """A trial runs while the block does; what is told of it is told within."""
        with self._telling:
            self._running[trial] = _Running(elapsed())
        try:
            yield
        finally:
            with self._telling:
                del self._running[trial]
                self._show()
            if self._status:
                self._status.over(trial)

    def attempt(self, trial: str, retry: int) -> None:
        """The trial begins, or begins again."""
        self._running[trial].retry = retry
        self.step(trial, "starting")

    def step(self, trial: str, name: str) -> None:
        """What the trial does now; only a terminal shows it."""
        with self._telling:
            self._running[trial].step = name
            self._show()
        if self._status:
            self._status.step(trial, name, self._running[trial].retry)

    def undecided(self, claims: Sequence[str]) -> None:
        """What the phones' witnesses left undecided of a trial; only status.html shows it."""
        if self._status:
            self._status.undecided(claims)

    def _show(self) -> None:
        self._bar.below = tuple(f"{running.step:<14} {trial}" for trial, running in self._running.items())

    def completed(self, trial: str) -> None:
        retry = self._running[trial].retry
        with self._telling:
            self._done += 1
            self._bar.advance(self._task)
            self._line(trial, f"complete, {_times(retry)}" if retry else "complete", "green")
        if self._status:
            self._status.completed(trial)

    def void(self, trial: str, reason: str, text: str) -> None:
        why, retry = one_line(f"{reason}: {text}"), self._running[trial].retry
        with self._telling:
            self.voided.append(f"{trial}: {why}")
            self._line(trial, f"{f'void, retry {retry}' if retry else 'void'}: {why}", "yellow")
        if self._status:
            self._status.void(trial, reason)

    def lost(self, text: str) -> None:
        """One of several benches is lost."""
        self.lost_benches.append(text)
        self.say("", one_line(text), "yellow")

    def _line(self, trial: str, outcome: str, style: str) -> None:
        count = f"{self._done:>{len(str(self._total))}}/{self._total}"
        seconds = elapsed() - self._running[trial].started
        self.say(f"{count}  {trial:<52} {seconds:5.2f} s  ", outcome, style)

    def say(self, text: str, styled: str = "", style: str = "") -> None:
        """Print one line; nothing for an empty one."""
        line = escape(text) + (f"[{style}]{escape(styled)}[/]" if styled else "")
        if line:
            self.console.print(line, soft_wrap=True, highlight=False)
            if self._status:
                self._status.event(text + styled)


def _times(retries: int) -> str:
    return "1 retry" if retries == 1 else f"{retries} retries"
