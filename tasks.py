"""The commands of the lab: parse, a call or two, print.

`invoke --list` names them, `invoke TASK --help` explains them. Imports stand inside the tasks so that both are quick.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from lab.clocks.stop import end_at_once_until_begun

# Before all other imports, which take most of the first second.
if Path(sys.argv[0]).stem in ("invoke", "inv"):
    end_at_once_until_begun()

from invoke.context import Context
from invoke.tasks import task

from lab.commands import task_help as texts
from lab.commands.exits import exits, require_none

# Read when numpy is imported: each core has a process of ours, and threads in these would only be in each other's way.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


@task(help=texts.RUN_HELP | texts.MATRIX_HELP | texts.OBSERVE_HELP)
def run_matrix(
    _context: Context,
    bench: str = "virtual",
    matrix: str = "paper",
    dataset: str = "",
    seed: str = "1",
    scenarios: str = "scenarios",
    only: str = "",
    dry_run: bool = False,
    local: str = "",
    benches: str = "1",
    observe_only: bool = False,
    faults: str = "",
) -> None:
    """Run the trials that are missing, then findings, names, tables and report."""
    with exits():
        from lab.commands import show
        from lab.night.whole_run import run_and_report
        from lab.run.description import check_fits
        from lab.run.options import Options
        from lab.run.plan import prepare

        run = prepare(Options(bench, matrix, dataset, seed, scenarios, only, local, benches, observe_only, faults))
        check_fits(run)
        show.plan(run) if dry_run else run_and_report(run)


@task(help=texts.RUN_HELP | texts.OBSERVE_HELP | {"trial": "a trial's id, as show-trial and --dry-run print it"})
def run_trial(
    _context: Context,
    trial: str,
    bench: str = "virtual",
    matrix: str = "paper",
    dataset: str = "",
    seed: str = "1",
    scenarios: str = "scenarios",
    observe_only: bool = False,
) -> None:
    """Run one trial of a matrix, if it is missing."""
    with exits():
        from lab.night.whole_run import run_and_report
        from lab.run.options import Options
        from lab.run.plan import prepare

        run = prepare(Options(bench, matrix, dataset, seed, scenarios, observe_only=observe_only))
        run_and_report(run.only(run.one(trial)))


@task(help=texts.RUN_HELP | {"trial": "a trial's id"})
def show_trial(
    _context: Context,
    trial: str,
    bench: str = "virtual",
    matrix: str = "paper",
    dataset: str = "",
    seed: str = "1",
    scenarios: str = "scenarios",
) -> None:
    """Show what a trial would do, step by step; of one that was measured, what happened and what was found."""
    with exits():
        from correlate.report.trial import told_of
        from lab.commands import show
        from lab.run.options import Options, dataset_at
        from lab.run.plan import prepare

        if told := told_of(dataset_at(dataset or f"datasets/{bench}-{matrix}"), trial):
            return show.lines(told)
        run = prepare(Options(bench, matrix, dataset, seed, scenarios))
        show.trial(run, run.one(trial))


@task(help=texts.OPEN_HELP)
def open_trial(
    _context: Context, trial: str, frame: str = "", dataset: str = "datasets/virtual-paper", out: str = ""
) -> None:
    """Open both captures of a trial on one time line in Wireshark; without it, say how tshark shows the frame."""
    with exits():
        from correlate.report.merged import merge
        from lab.commands import open_trial
        from lab.run.options import dataset_at

        merged = merge(dataset_at(dataset), trial, open_trial.place(dataset, trial, out))
        open_trial.look(merged.path, merged.number(frame))


@task(help=texts.RUN_HELP | texts.DOCTOR_HELP)
def doctor(
    _context: Context,
    bench: str = "virtual",
    matrix: str = "paper",
    dataset: str = "",
    seed: str = "1",
    scenarios: str = "scenarios",
    json: bool = False,
    notify: bool = False,
) -> None:
    """Check the bench without changing anything on it."""
    with exits():
        from lab.clocks.stop import Stop
        from lab.commands import doctor, show
        from lab.night.notifications import try_channels
        from lab.run.options import Options
        from lab.run.plan import prepare

        run = prepare(Options(bench, matrix, dataset, seed, scenarios))
        show.checks([*doctor.examine(run, Stop()), *(try_channels(run.spec) if notify else ())], as_json=json)


@task(help=texts.BENCH_HELP | {"bench": "the bench whose laptop gets it"})
def install_agent(_context: Context, bench: str, scenarios: str = "scenarios") -> None:
    """Put the agent on a bench's laptop, prove that it is there and that it answers; done again, nothing changes."""
    with exits():
        from lab.definitions import Lab
        from lab.laptop import install

        print(*install.install(Lab.load(Path(scenarios)).bench(bench)), sep="\n")


@task(help=texts.BENCH_HELP | {"file": "a tcpdump that was built for the phones"})
def push_tcpdump(_context: Context, file: str, bench: str = "virtual", scenarios: str = "scenarios") -> None:
    """Install a tcpdump on the phones of a bench that are captured on themselves."""
    with exits():
        from lab.clocks.stop import Stop
        from lab.commands import push
        from lab.definitions import Lab

        push.push_tcpdump(Lab.load(Path(scenarios)), bench, Path(file), Stop(), print)


@task(help=texts.CALIBRATE_HELP)
def calibrate(
    _context: Context, bench: str = "virtual", app: str = "", calls: str = "6", scenarios: str = "scenarios"
) -> None:
    """Make calls to learn how fast a bench's phones are and what each of their witnesses costs, and keep it."""
    with exits():
        from lab.clocks.stop import Stop
        from lab.commands import calibrate
        from lab.definitions import Lab

        spec = (lab := Lab.load(Path(scenarios))).bench(bench)
        calibrate.calibrate(lab, spec, app, calibrate.parse_calls(calls), Stop(), print)


@task(help=texts.BENCH_HELP | {"app": "the app's name", "bench": "the bench on which it is to call"})
def introduce(_context: Context, app: str, bench: str = "virtual", scenarios: str = "scenarios") -> None:
    """Let each phone call the other for the first time in an app, with a person there who sees which phone rings."""
    with exits():
        from lab.clocks.stop import Stop
        from lab.commands import introduce
        from lab.definitions import Lab

        spec = (lab := Lab.load(Path(scenarios))).bench(bench)
        introduce.introduce(lab, spec, app, Stop(), introduce.asked_on_terminal, print)


@task(help=texts.BENCH_HELP | {"app": "the app's name", "dataset": texts.RUN_HELP["dataset"]})
def unpark(
    _context: Context, app: str, bench: str = "virtual", dataset: str = "", scenarios: str = "scenarios"
) -> None:
    """Let an app that was parked call again, once a person has mended what it said."""
    with exits():
        from lab.commands import unpark

        unpark.unpark(scenarios, bench, dataset or f"datasets/{bench}-paper", app, print)


@task(help=texts.CHECK_HELP)
def check(_context: Context, file: str = "", schemas: str = "", scenarios: str = "scenarios") -> None:
    """Check the YAML: every mistake in every file, with its line."""
    with exits():
        from lab.commands import show
        from lab.definitions.lab import check, write_schemas

        show.mistakes(check(Path(scenarios), Path(file) if file else None))
        if schemas:
            write_schemas(Path(schemas))


@task(help={"dataset": texts.RUN_HELP["dataset"]})
def correlate(_context: Context, dataset: str = "datasets/virtual-paper") -> None:
    """Measure a dataset again: findings, names in its traces, linking, tables and report."""
    with exits():
        from lab.night.whole_run import computed_again

        computed_again(dataset)


@task(help={"dataset": texts.RUN_HELP["dataset"]})
def report(_context: Context, dataset: str = "datasets/virtual-paper") -> None:
    """Render tables and report of the findings that a dataset has."""
    with exits():
        from correlate import report
        from lab.commands import show
        from lab.run.options import opened

        with opened(dataset) as data:
            report.render(data)
            show.verdict(report.summary(data))


@task(help={"dataset": texts.RUN_HELP["dataset"], "out": "the folder for NAME.csv and NAME-PANEL.svg"})
def figures(_context: Context, out: str, dataset: str = "datasets/virtual-paper") -> None:
    """Write the report's figures as SVG files, and what each one draws as CSV."""
    with exits():
        from correlate.dataset import Dataset
        from correlate.report.figures import write

        print(f"{len(write(Dataset(Path(dataset)), Path(out)))} files are in {out}.")


@task(help={"dataset": texts.RUN_HELP["dataset"]})
def verify(_context: Context, dataset: str = "datasets/virtual-paper") -> None:
    """Check that everything in a dataset is what was recorded."""
    with exits():
        from lab.commands import show

        require_none(show.examined(dataset))
        print(f"{dataset}: everything is what was recorded.")


@task(help=texts.COMPARE_HELP)
def compare(_context: Context, a: str, b: str, json: bool = False, junit: str = "") -> None:
    """Tell what changed from dataset A to B: exit 0 nothing, 2 not comparable, 6 a leak opened, 7 something else."""
    with exits():
        from correlate.dataset import Dataset
        from correlate.report import compare as between
        from lab.commands import compare

        found = between.compare(Dataset(Path(a)), Dataset(Path(b)))
        if junit:
            between.write_junit(found, Path(junit))
        print(between.as_json(found)) if json else compare.show(between.lines(found))
        compare.end(found.exit_code)


@task(help={"dataset": texts.RUN_HELP["dataset"], "bench": "whose resolver to ask (default: the dataset's own bench)"})
def resolve(
    _context: Context, dataset: str = "datasets/virtual-paper", bench: str = "", scenarios: str = "scenarios"
) -> None:
    """Ask for the names of the servers again, then compute everything again; old answers are kept."""
    with exits():
        from lab.night.whole_run import named_again

        named_again(dataset, bench, Path(scenarios))


@task(help=texts.IMPORT_HELP)
def import_trials(
    _context: Context, trials: str, dataset: str = "datasets/imported", scenarios: str = "scenarios"
) -> None:
    """Make a dataset of capture pairs that the lab made by hand, with findings, tables and report."""
    from correlate import report
    from lab.commands import import_trials
    from lab.run import options
    from lab.run.options import opened

    with exits():
        count = import_trials.import_trials(Path(trials), options.dataset_at(dataset), Path(scenarios))
        with opened(dataset) as data:
            report.build(data)
            print(f"{count} trials, findings, tables and report are in {dataset}.", *report.remarks(data), sep="\n")
            require_none(report.unread(data))


@task(help=texts.PCAP_HELP)
def flows(_context: Context, pcap: str, json: bool = False) -> None:
    """List the UDP conversations of one capture file."""
    with exits():
        from correlate.flows import read, row
        from correlate.trace import blocks
        from correlate.trace.conversations import TcpConversations
        from lab.commands import listing

        stream = blocks(pcap, look=(tcp := TcpConversations()))
        listing.print_capture(pcap, stream, lambda blocks: map(row, read(blocks)), json, tcp)


@task(help=texts.PCAP_HELP)
def stun(_context: Context, pcap: str, json: bool = False) -> None:
    """List the STUN messages of one capture file, nested ones too."""
    with exits():
        from correlate.stun import read, row
        from correlate.trace import blocks
        from lab.commands import listing

        listing.print_capture(pcap, blocks(pcap), lambda blocks: map(row, read(blocks)), json)


@task(help=texts.NIGHT_HELP)
def nightly(
    _context: Context,
    bench: str = "virtual",
    matrix: str = "paper",
    until: str = "",
    plan: bool = False,
    nights: str = "nights",
    scenarios: str = "scenarios",
) -> None:
    """A night without anyone: trials, report, what changed since the nights before, and who is told."""
    with exits():
        from lab.night import nightly

        nightly.run_night(bench, matrix, scenarios, until, nights, only_plan=plan)


@task(help=texts.INSTALL_HELP)
def nightly_install(
    _context: Context,
    bench: str = "virtual",
    matrix: str = "paper",
    at: str = "21:30",
    until: str = "07:00",
    nights: str = "nights",
    kind: str = "systemd",
    print: bool = False,
    system: bool = False,
) -> None:
    """Have a night begin by itself each day; what it installs is checked first."""
    with exits():
        from lab.night import schedules

        schedules.nightly_install((bench, matrix, at, until, nights), kind, only_print=print, system=system)
