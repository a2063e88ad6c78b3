"""What a run shows while it runs."""

import io

from rich.console import Console

from lab.run.progress import Progress


def test_a_line_of_progress_holds_outcome_and_retries_and_no_foreign_control_character():
    out = io.StringIO()
    progress = Progress(Console(file=out, width=40))
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
    for retry in (0, 1, 2):
        progress.attempt("a-b-1", retry)
        progress.completed("a-b-1")
    endings = [line.partition(" s  ")[2] for line in out.getvalue().splitlines()]
    assert endings == ["complete", "complete, 1 retry", "complete, 2 retries"]
