"""A run and what follows from it: trials, findings, names, tables, report, and what is said of them at the end."""

from pathlib import Path

from correlate import report
from lab.clocks.stop import Stop
from lab.commands import resolve, show
from lab.commands.exits import require_none
from lab.errors import BenchUnhealthy, Interrupted, TrialsFailed
from lab.run.matrix import run_missing
from lab.run.options import holding, opened
from lab.run.plan import Run
from lab.run.progress import Progress
from lab.run.terminal import steady


@steady()
def run_and_report(run: Run, progress: Progress | None = None) -> None:
    """The trials, then what follows from them: also where some trials stay void, where the bench gave up, and after the
    first signal. Without a `progress` it is shown on standard output.

    Exit 3 with a line for all trials that stay void and for each that cannot be read.
    """
    progress, failed = progress or Progress(show.console()), []
    try:
        changed = run_missing(run, progress, Stop())
    except TrialsFailed as error:
        changed, failed = True, [str(error)]
    except (BenchUnhealthy, Interrupted, OSError):
        # The bench gave up, or somebody ends the run: what is complete is computed before that is told.
        if run.dataset.trial_ids() and not run.dataset.manifest_path.exists():
            analyse(run, progress)
            show.end(run, progress, report.remarks(run.dataset), report.summary(run.dataset))
        raise
    if changed or not run.dataset.manifest_path.exists():
        analyse(run, progress)
    show.end(run, progress, report.remarks(run.dataset), report.summary(run.dataset))
    require_none(failed + report.unread(run.dataset))


def analyse(run: Run, progress: Progress) -> None:
    """Findings, then the names of the servers in them, then tables and report."""
    with holding(run.dataset), progress.computing(run):
        progress.computes("findings")
        measured = report.findings(run.dataset)
        progress.computes("the names of servers")
        resolve.resolve(run, report.server_addresses(run.dataset))
        progress.computes("tables and report")
        report.build(run.dataset, measured)


def computed_again(folder: str) -> None:
    """Measure a dataset that is there again, and say what it says. Exit 3 with a line for each trial that cannot be
    read."""
    with opened(folder) as dataset:
        report.build(dataset)
        show.lines([f"Findings, tables and report are in {folder}.", *report.remarks(dataset)])
        show.verdict(report.summary(dataset))
        require_none(report.unread(dataset))


def named_again(folder: str, bench: str, scenarios: Path) -> None:
    """Ask for the names of a dataset's servers again, then compute everything again. Exit 3 as `computed_again`."""
    with opened(folder) as dataset:
        lab, spec = resolve.bench_of(dataset, bench, scenarios)
        answered, asked = resolve.repeat(dataset, lab, spec, report.server_addresses(dataset))
        report.build(dataset)
        show.lines([f"{answered} of {asked} addresses were answered for; {folder} is computed again."])
        require_none(report.unread(dataset))
