"""What a run shows while it runs: one line a trial, and on a terminal a bar with the time that is left."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from lab.clock import elapsed


class Progress:
    """Prints to `console`. Texts from phones and files are escaped; nothing in them can restyle the terminal."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.voided: list[str] = []
        self._trial, self._retry, self._started = "", 0, 0.0
        self._done, self._total = 0, 0
        self._bar = Bar(
            TextColumn("[bold]{task.completed}[/]/{task.total}"),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.description}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("", total=None)

    def nothing_to_do(self, complete: int, dataset: Path) -> None:
        self._say(f"Nothing to do: all {complete} trials are complete in {dataset}.")

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
        self._bar.update(self._task, description=escape(f"{self._trial}: {name}"))

    def completed(self, trial: str) -> None:
        self._done += 1
        self._bar.advance(self._task)
        self._line(trial, "complete", "green")

    def void(self, trial: str, reason: str, text: str) -> None:
        self.voided.append(f"{trial}: {reason}: {text}")
        self._line(trial, f"void: {reason}: {text}", "yellow")

    def _line(self, trial: str, outcome: str, style: str) -> None:
        retries = (
            "" if not self._retry else f", retry {self._retry}" if outcome[0] == "v" else f", {self._retry} retries"
        )
        count = f"{self._done:>{len(str(self._total))}}/{self._total}"
        self._say(f"{count}  {trial:<52} {elapsed() - self._started:5.2f} s  ", outcome + retries, style)

    def _say(self, text: str, styled: str = "", style: str = "") -> None:
        line = escape(text) + (f"[{style}]{escape(styled)}[/]" if styled else "")
        self.console.print(line, soft_wrap=True, highlight=False)


def plain_or_terminal() -> Console:
    """A console on standard output: styles and a bar on a terminal, plain lines elsewhere."""
    return Console()
