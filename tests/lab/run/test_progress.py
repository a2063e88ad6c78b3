"""What a run shows while it runs."""

import io
import re

import pytest
from rich.console import Console

from lab.run.progress import Progress


def test_a_line_of_progress_holds_outcome_and_retries_and_no_foreign_control_character():
    out = io.StringIO()
    progress = Progress(Console(file=out, width=40))
    with progress.trial("a-b-1"):
        progress.attempt("a-b-1", 0)
        progress.void("a-b-1", "noisy", "\x1b[31m[red]loud[/]")
        progress.attempt("a-b-1", 1)
        progress.completed("a-b-1")
    first, second = out.getvalue().splitlines()
    assert first.startswith("0/0  a-b-1 ")
    assert first.endswith(r" s  void: noisy: \x1b[31m[red]loud[/]")
    assert second.startswith("1/0  a-b-1 ")
    assert second.endswith(" s  complete, 1 retry")


def test_retries_are_counted_and_a_trial_without_any_is_just_complete():
    out = io.StringIO()
    progress = Progress(Console(file=out, width=40))
    with progress.trial("a-b-1"):
        for retry in (0, 1, 2):
            progress.attempt("a-b-1", retry)
            progress.completed("a-b-1")
    endings = [line.partition(" s  ")[2] for line in out.getvalue().splitlines()]
    assert endings == ["complete", "complete, 1 retry", "complete, 2 retries"]


def test_trials_that_run_at_once_have_their_own_retries_times_and_lines(monkeypatch):
    times = iter([100.0, 101.0, 103.5, 104.0])
    monkeypatch.setattr("lab.run.progress.elapsed", lambda: next(times))
    out = io.StringIO()
    progress = Progress(Console(file=out, width=90))
    with progress.showing(2), progress.trial("a-b-1"):
        progress.attempt("a-b-1", 2)
        with progress.trial("a-b-2"):
            progress.attempt("a-b-2", 0)
            progress.completed("a-b-2")
        progress.completed("a-b-1")
    first, second = (line.split() for line in out.getvalue().splitlines())
    assert first == ["1/2", "a-b-2", "2.50", "s", "complete"]
    assert second == ["2/2", "a-b-1", "4.00", "s", "complete,", "2", "retries"]


def shown(progress: Progress, width: int) -> list[str]:
    """The lines of the bar on a terminal that is so wide."""
    paper = Console(file=io.StringIO(), width=width, record=True)
    paper.print(progress._bar.get_renderable())
    return paper.export_text().splitlines()


def test_a_terminal_shows_a_bar_and_below_it_what_each_trial_does_and_no_trial_that_has_ended():
    progress = Progress(Console(file=io.StringIO(), width=90, force_terminal=True))
    with progress.showing(2), progress.trial("a-b-1"):
        progress.step("a-b-1", "talking")
        alone = shown(progress, 90)
        with progress.trial("a-b-2"):
            progress.step("a-b-2", "idle")
            progress.step("a-b-1", "marked_end")
            both = shown(progress, 90)
        after = shown(progress, 90)
    assert (alone[0].startswith("0/2 "), alone[1:]) == (True, ["talking        a-b-1"])
    assert both[1:] == ["marked_end     a-b-1", "idle           a-b-2"]
    assert after[1:] == ["marked_end     a-b-1"]


LONG = "messenger-voice-lte_to_fixed-callee_hangs_up_after_a_while-12"


@pytest.mark.parametrize("width", [80, 100, 200])
def test_the_bar_is_whole_from_80_columns(width):
    progress = Progress(Console(file=io.StringIO(), width=width, force_terminal=True))
    with progress.showing(180), progress.trial(LONG):
        progress.step(LONG, "capture_ready")
        bar, below = shown(progress, width)
    assert re.fullmatch(r"0/180 .{16} 0:00:0\d left -:--:--", bar.rstrip())
    assert below == f"capture_ready  {LONG}"


def test_what_is_longer_than_a_terminal_is_wide_is_folded_not_cut_and_restyles_nothing():
    progress = Progress(Console(file=io.StringIO(), width=80, force_terminal=True))
    trial = "[red]" + "x" * 195
    with progress.showing(1), progress.trial(trial):
        progress.step(trial, "talking")
        _, *below = shown(progress, 80)
    assert max(map(len, below)) == 80
    assert "".join(below) == f"talking        {trial}"
