"""What a run shows while it runs."""

import io

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


def test_a_terminal_shows_what_each_trial_does_beside_one_bar_and_no_trial_that_has_ended():
    progress = Progress(Console(file=io.StringIO(), width=90, force_terminal=True))

    def shown() -> list[str]:
        paper = Console(file=io.StringIO(), width=90)
        paper.print(progress._bar.get_renderable())
        return [line.rstrip() for line in paper.file.getvalue().splitlines()]

    with progress.showing(2), progress.trial("a-b-1"):
        progress.step("a-b-1", "talking")
        alone = shown()
        with progress.trial("a-b-2"):
            progress.step("a-b-2", "idle")
            progress.step("a-b-1", "marked_end")
            both = shown()
        assert [len(alone), len(both), len(shown())] == [1, 2, 1]
    assert alone[0].startswith("0/2 ")
    assert alone[0].endswith(" talking        a-b-1")
    assert both[0].startswith("0/2 ")
    assert both[0].endswith(" marked_end     a-b-1")
    assert both[1].strip() == "idle           a-b-2"
    assert both[1].index("idle") == both[0].index("marked_end")
