"""Planning a run: what is chosen, what a dataset must be, and what is put right before a run goes on."""

import io
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from rich.console import Console

from correlate.dataset import Dataset
from lab import hold
from lab.errors import BadInput, BenchBusy
from lab.progress import Progress
from lab.run import Options, check_callees, check_fits, clear_up, create, next_attempt, prepare, scenario_hash

SCENARIOS = str(Path(__file__).parents[2] / "scenarios")


def planned(folder: Path, only: str = "", **options):
    return prepare(Options(matrix="smoke", dataset=str(folder), scenarios=SCENARIOS, only=only, **options))


def events(dataset: Dataset) -> list[tuple]:
    return [(entry.event, entry.trial) for entry in dataset.journal.read()]


@pytest.mark.parametrize(
    ("only", "count"),
    [
        ("", 20),
        ("service=voice", 10),
        ("service=voice,scenario=callee_rejects", 2),
        ("repetition=1", 20),
        ("id=whatsapp-voice-lte_to_fixed-callee_rejects-1", 1),
    ],
)
def test_only_chooses_the_trials_that_are_all_of_it(tmp_path, only, count):
    run = planned(tmp_path, only)
    assert (len(run.chosen), len(run.planned)) == (count, 20)


@pytest.mark.parametrize(
    ("only", "text"),
    [
        ("app", "--only app: write KEY=VALUE with KEY one of app, service, direction, scenario, repetition, id"),
        ("service=vidio", "--only service=vidio: no trial of this matrix; did you mean 'video'?"),
        ("app=signal", "--only app=signal: no trial of this matrix; there is whatsapp"),
        ("service=voice,service=video", "--only service=video: service is given a second time"),
    ],
)
def test_only_that_names_nothing_is_refused(tmp_path, only, text):
    with pytest.raises(BadInput) as raised:
        planned(tmp_path, only)
    assert str(raised.value).startswith(text)


@pytest.mark.parametrize("seed", ["", "-1", "1.5", "0x10", "1" * 19, "١"])
def test_a_seed_is_a_whole_number(tmp_path, seed):
    with pytest.raises(BadInput, match="write a whole number"):
        planned(tmp_path, seed=seed)


def test_planning_and_asking_what_is_missing_touch_nothing(tmp_path):
    run = planned(tmp_path / "d")
    check_fits(run)
    assert len(run.missing()) == 20
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_beginning_left_is_a_dataset_that_may_be_begun(tmp_path):
    run = planned(tmp_path)
    (tmp_path / ".lock").touch()
    (tmp_path / "scenarios").mkdir()
    check_fits(run)
    (tmp_path / "notes.txt").touch()
    with pytest.raises(BadInput, match="not empty and no dataset"):
        check_fits(run)


def test_a_new_dataset_holds_the_yaml_that_it_was_made_with(tmp_path):
    run = planned(tmp_path)
    create(run)
    kept = sorted(str(path.relative_to(tmp_path / "scenarios")) for path in (tmp_path / "scenarios").rglob("*.yaml"))
    scenarios = ["callee_hangs_up", "callee_rejects", "caller_cancels", "caller_hangs_up", "system_timeout"]
    assert kept == [
        "apps/whatsapp.yaml",
        "benches/virtual.yaml",
        *(f"calls/{name}.yaml" for name in scenarios),
        "matrices/smoke.yaml",
        "virtual/whatsapp.yaml",
    ]
    assert Dataset(tmp_path).info().scenario_hash == scenario_hash(run)
    check_fits(run)


def test_before_a_run_goes_on_the_journal_is_made_to_say_what_happened(tmp_path):
    run = planned(tmp_path)
    create(run)
    dataset = run.dataset
    partial, lost, unseen = (item.trial.id for item in run.planned[:3])
    (dataset.trials_dir / f"{partial}.partial").mkdir(parents=True)
    dataset.journal.append("completed", trial=lost, attempt=0, captures={})
    dataset.trial_dir(unseen).mkdir()
    record = {"schema": 1, "trial": unseen, "attempt": 2, "captures": {"caller": "a", "callee": "b"}}
    (dataset.trial_dir(unseen) / "trial.json").write_text(json.dumps(record))
    clear_up(dataset)
    written = [("completed", lost), ("interrupted", partial), ("lost", lost), ("completed", unseen)]
    assert events(dataset) == written
    assert dataset.journal.read()[-1].attempt == 2
    assert [path.name for path in dataset.trials_dir.iterdir()] == [unseen]
    clear_up(dataset)
    assert events(dataset) == written


def test_an_attempt_never_takes_the_number_of_one_that_is_kept(tmp_path):
    dataset = Dataset(tmp_path)
    assert next_attempt(dataset, "a-b-1") == 0
    for number in (0, 1):
        (dataset.attempts_dir / f"a-b-1.{number}").mkdir(parents=True)
    (dataset.attempts_dir / "a-b-10.7").mkdir()
    assert next_attempt(dataset, "a-b-1") == 2
    (dataset.attempts_dir / "a-b-1.0").rmdir()
    assert next_attempt(dataset, "a-b-1") == 2


def test_contacts_that_are_missing_or_not_allowed_are_all_named(tmp_path):
    run = prepare(Options(bench="pixels", matrix="smoke", dataset=str(tmp_path), scenarios=SCENARIOS))
    with pytest.raises(BadInput) as raised:
        check_callees(run)
    bench = f"{SCENARIOS}/benches/pixels.yaml"
    assert str(raised.value).splitlines() == [
        f"{bench}: {phone} has no contact for whatsapp; add it there or in the *.local.yaml"
        for phone in ("pixel6", "pixel6pro")
    ]


def test_what_is_held_is_refused_to_others_naming_the_holder_until_that_process_is_gone(tmp_path):
    script = (
        "import sys, pathlib; from lab import hold\n"
        "with hold.held(pathlib.Path(sys.argv[1]), 'it'): print('held', flush=True); sys.stdin.read()"
    )
    argv = [sys.executable, "-c", script, str(tmp_path / "lock")]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"
        text = f"it is held by process {holder.pid}; wait until it has ended, or end it"
        with pytest.raises(BenchBusy) as raised, hold.held(tmp_path / "lock", "it"):
            raise AssertionError("held twice")
        assert str(raised.value) == text
        holder.kill()
    with hold.held(tmp_path / "lock", "it"):
        assert (tmp_path / "lock").read_text() == str(os.getpid())


AS_NOBODY = """
import encodings.ascii, os, pathlib, sys  # all of it now: a stranger may not read where Python lies
from lab import hold
from lab.errors import BenchBusy
if os.getuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
try:
    with hold.held(pathlib.Path(sys.argv[1]), "it"):
        print("held")
except BenchBusy as busy:
    print(busy)
"""


def as_nobody(lock):
    """What another user of this machine is told who wants the lock; the same user where the tests are not root."""
    argv = [sys.executable, "-c", AS_NOBODY, str(lock)]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def shared():
    """A folder for everybody, as /tmp is: pytest's own are closed to other users."""
    with tempfile.TemporaryDirectory(prefix="im-call-lab-test-") as name:
        Path(name).chmod(0o1777)
        yield Path(name)


def test_what_one_user_held_another_may_hold_after_and_is_told_the_holder_meanwhile(shared):
    lock = shared / "lock"
    with hold.held(lock, "it"):
        assert as_nobody(lock) == f"it is held by process {os.getpid()}; wait until it has ended, or end it"
    assert as_nobody(lock) == "held"
    with hold.held(lock, "it"):
        assert lock.read_text() == str(os.getpid())


@pytest.mark.skipif(os.getuid() != 0, reason="only root can act for another user")
def test_a_lock_that_may_be_read_is_held_and_one_that_may_not_says_whose_business_it_is(shared):
    lock = shared / "lock"
    lock.write_text("123")
    lock.chmod(0o644)
    assert as_nobody(lock) == "held"
    lock.chmod(0o600)
    assert as_nobody(lock) == f"it cannot be held: {lock}: Permission denied; have its owner remove it"


def test_what_somebody_planted_in_a_locks_place_is_neither_followed_nor_waited_for(tmp_path):
    (tmp_path / "precious").write_text("kept")
    (tmp_path / "link").symlink_to(tmp_path / "precious")
    os.mkfifo(tmp_path / "fifo")
    for name, what in (("link", "a symbolic link; remove it"), ("fifo", "no plain file; have its owner remove it")):
        with pytest.raises(BenchBusy) as raised, hold.held(tmp_path / name, "it"):
            raise AssertionError("held")
        assert str(raised.value) == f"it cannot be held: {tmp_path / name} is {what}"
    assert (tmp_path / "precious").read_text() == "kept"


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
