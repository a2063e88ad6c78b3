"""What a run shows while it runs: one line a trial, and on a terminal a bar with the time that is left."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.table import Column

from lab.clocks.real_time import elapsed
from lab.errors import one_line


class Progress:
    """Prints to `console`. Texts from phones and files are escaped; nothing in them can restyle the terminal."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.voided: list[str] = []
        self._trial, self._retry, self._started = "", 0, 0.0
        self._done, self._total = 0, 0
        self._bar = Bar(
            TextColumn("[bold]{task.completed}[/]/{task.total}"),
            BarColumn(bar_width=16),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.description}", table_column=Column(no_wrap=True, overflow="ellipsis")),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("", total=None)

    def nothing_to_do(self, complete: int, dataset: Path) -> None:
        trials = "1 trial is" if complete == 1 else f"all {complete} trials are"
        self.say(f"Nothing to do: {trials} complete in {dataset}.")

    @contextmanager
    def showing(self, trials: int) -> Iterator[None]:
        """Show the bar while the block runs."""
        self._total, self._done = trials, 0
        self._bar.reset(self._task, total=trials)
        with self._bar:
            yield

    def attempt(self, trial: str, retry: int) -> None:
        """A trial begins, or begins again."""
        if trial != self._trial:
            self._started = elapsed()
        self._trial, self._retry = trial, retry
        self.step("starting")

    def step(self, name: str) -> None:
        """What the trial does now; only a terminal shows it."""
        self._bar.update(self._task, description=escape(f"{name:<14} {self._trial}"))

    def completed(self, trial: str) -> None:
        self._done += 1
        self._bar.advance(self._task)
        self._line(trial, f"complete, {_times(self._retry)}" if self._retry else "complete", "green")

    def void(self, trial: str, reason: str, text: str) -> None:
        why = one_line(f"{reason}: {text}")
        self.voided.append(f"{trial}: {why}")
        attempt = f"void, retry {self._retry}" if self._retry else "void"
        self._line(trial, f"{attempt}: {why}", "yellow")

    def _line(self, trial: str, outcome: str, style: str) -> None:
        count = f"{self._done:>{len(str(self._total))}}/{self._total}"
        self.say(f"{count}  {trial:<52} {elapsed() - self._started:5.2f} s  ", outcome, style)

    def say(self, text: str, styled: str = "", style: str = "") -> None:
        """Print one line; nothing for an empty one."""
        line = escape(text) + (f"[{style}]{escape(styled)}[/]" if styled else "")
        if line:
            self.console.print(line, soft_wrap=True, highlight=False)


def _times(retries: int) -> str:
    return "1 retry" if retries == 1 else f"{retries} retries"
