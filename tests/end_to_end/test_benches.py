"""Several benches side by side: one dataset of the same bytes, whatever becomes of a bench."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import subprocess
import tempfile
import time
from collections import Counter
from pathlib import Path

import pytest
from invoke.context import Context
from invoke.exceptions import Exit

import tasks
from correlate import report
from correlate.dataset import Dataset
from lab.clocks.stop import Stop
from lab.errors import BenchUnhealthy, Interrupted
from lab.run.matrix import run_missing
from lab.run.options import Options
from lab.run.plan import Run, prepare
from tests.end_to_end.runs import BIN, ROOT, At, benches_of

TRIALS = [f"whatsapp-voice-lte_to_fixed-{name}-1" for name in ("callee_hangs_up", "caller_cancels", "callee_rejects")]
"""The one that talks comes first: the others still have something to do then."""


def planned(dataset: Path, benches: int) -> Run:
    scenarios = str(ROOT / "scenarios")
    run = prepare(Options(matrix="smoke", dataset=str(dataset), scenarios=scenarios, benches=benches))
    return run.only(*map(run.one, TRIALS))


def recorded(dataset: Path) -> dict[str, str]:
    """SHA-256 of the captures, the truth and the findings of a dataset, by name."""
    report.findings(Dataset(dataset))
    files = [*dataset.glob("trials/*/*.pcap*"), *dataset.glob("truth/*.json"), *dataset.glob("findings/*.csv")]
    return {str(file.relative_to(dataset)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def journalled(dataset: Path) -> Counter[str]:
    """How many events of a kind the journal has."""
    return Counter(entry.event for entry in Dataset(dataset).journal.read())


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What one bench records, trial after trial."""
    dataset = tmp_path_factory.mktemp("alone") / "dataset"
    assert run_missing(planned(dataset, 1), At(), Stop())
    found = recorded(dataset)
    assert sum(".pcap" in name for name in found) == 2 * len(TRIALS)
    return found


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where benches have their folders."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


def test_two_benches_record_the_same_bytes_as_one_and_each_trial_once(tmp_path, temporary, alone):
    benches, progress = [], At("idle", lambda: benches.extend(benches_of(os.getpid())))
    assert run_missing(run := planned(tmp_path / "dataset", 2), progress, Stop())
    assert len(benches) == 2
    assert recorded(run.dataset.path) == alone
    assert journalled(run.dataset.path) == {"begun": 1, "run": 1, "attempt": 3, "completed": 3}
    assert run.dataset.verify() == []
    assert list(temporary.iterdir()) == []
    assert [line.partition("  ")[0] for line in progress.lines()[2:]] == ["1/3", "2/3", "3/3"]
    assert progress.lines()[0] != progress.lines()[1]  # Each tells its own adb server.
    assert not run_missing(run, At(), Stop())


@pytest.mark.full
def test_a_bench_that_is_killed_is_told_and_the_other_one_completes_all_trials(tmp_path, temporary, alone):
    progress = At("talking", lambda: os.kill(benches_of(os.getpid())[0], signal.SIGKILL))
    assert run_missing(run := planned(tmp_path / "dataset", 2), progress, Stop())
    assert recorded(run.dataset.path) == alone
    assert journalled(run.dataset.path) == {"begun": 1, "run": 1, "attempt": 4, "completed": 3, "interrupted": 1}
    lost = "a bench is lost, 1 of 2 left: the virtual bench has ended: it left no message; run again"
    assert (progress.lost_benches, progress.lines().count(lost)) == ([lost], 1)
    assert run.dataset.verify() == []
    assert list(temporary.iterdir()) == []


@pytest.mark.full
def test_where_all_benches_are_killed_the_run_ends_and_the_next_one_completes_it(tmp_path, temporary, alone):
    def kill() -> None:
        for pid in benches_of(os.getpid()):
            os.kill(pid, signal.SIGKILL)

    progress, run = At("talking", kill), planned(tmp_path / "dataset", 2)
    with pytest.raises(BenchUnhealthy, match=r"^the virtual bench has ended: it left no message; run again$"):
        run_missing(run, progress, Stop())
    assert len(progress.lost_benches) == 1
    assert run.dataset.verify() == []
    assert list(temporary.iterdir()) == []
    assert run_missing(planned(run.dataset.path, 2), At(), Stop())
    assert recorded(run.dataset.path) == alone


def is_ended_in_order(dataset: Path, temporary: Path) -> None:
    """What a signal leaves of a run is whole."""
    events = journalled(dataset)
    assert events["interrupted"] >= 1
    assert events["attempt"] == events["interrupted"] + events["completed"]
    assert list(dataset.glob("trials/*.partial")) == []
    assert list(temporary.iterdir()) == []
    assert Dataset(dataset).verify() == []


def test_a_signal_ends_all_benches_in_order_and_the_next_run_gives_the_same_bytes(tmp_path, temporary, alone):
    run = planned(tmp_path / "dataset", 2)
    with pytest.raises(Interrupted):
        run_missing(run, At("talking", lambda: os.kill(os.getpid(), signal.SIGINT)), Stop())
    is_ended_in_order(run.dataset.path, temporary)
    assert benches_of(os.getpid()) == []
    assert run_missing(planned(run.dataset.path, 1), At(), Stop())
    assert recorded(run.dataset.path) == alone


def calling(dataset: Path) -> set[str]:
    """The trials that run and have placed their call."""
    found = set()
    for events in dataset.glob("trials/*.partial/events.jsonl"):
        with contextlib.suppress(OSError):
            if '"event": "place_call"' in events.read_text():
                found.add(events.parent.name)
    return found


@pytest.mark.full
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_command_ends_calls_on_all_benches_with_exit_code_130(tmp_path, temporary, number):
    dataset = tmp_path / "dataset"
    command = [BIN / "invoke", "run-matrix", "--matrix", "smoke", "--dataset", dataset, "--benches", "2"]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    ) as process:
        deadline = time.monotonic() + 30
        while len(calling(dataset)) < 2 and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.001)
        os.killpg(process.pid, number)
        _, error = process.communicate(timeout=30)
    text = "interrupted; what is verified is kept, the trial that ran is run again next time\n"
    assert (process.returncode, error.decode()) == (130, text)
    is_ended_in_order(dataset, temporary)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"benches": "0"}, "--benches 0: write a whole number from 1 to 8"),
        (
            {"benches": "2", "bench": "pixels"},
            "--benches 2: bench pixels has one pair of phones; leave --benches out, or name an emulated bench",
        ),
    ],
)
@pytest.mark.parametrize("dry_run", [True, False])
def test_benches_that_cannot_be_are_refused_with_exit_code_2_and_nothing_is_begun(tmp_path, given, text, dry_run):
    with pytest.raises(Exit) as raised:
        tasks.run_matrix(Context(), matrix="smoke", dataset=str(tmp_path / "d"), dry_run=dry_run, **given)
    assert (raised.value.code, raised.value.message) == (2, text)
    assert list(tmp_path.iterdir()) == []


def test_a_plan_for_several_benches_says_the_time_of_each(tmp_path, capsys):
    tasks.run_matrix(Context(), matrix="smoke", dataset=str(tmp_path / "d"), dry_run=True, benches="2")
    summary = capsys.readouterr().out.splitlines()[-1]
    assert ", which the virtual bench does not wait for, on each of 2 benches, about " in summary
    assert summary.startswith("20 of 20 trials to run: 20 calls, about 9 min of bench time, ")
