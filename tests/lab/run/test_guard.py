"""What nobody foresaw voids its attempt; what this machine lacks burns none; three bugs in a row end a run."""

from __future__ import annotations

import errno
import io
import json
from pathlib import Path

import pytest
from rich.console import Console

import lab.run.matrix
from correlate.dataset import Dataset
from correlate.errors import CorrelateError
from lab.bench.bench import Bench
from lab.clocks.stop import Stop
from lab.errors import AttemptVoid, Bug, ControllerTrouble, Interrupted, LabError, PhoneTrouble
from lab.run.description import create
from lab.run.guard import Bugs, guarded
from lab.run.matrix import run_one
from lab.run.options import Options
from lab.run.plan import prepare
from lab.run.progress import Progress

SCENARIOS = str(Path(__file__).parents[3] / "scenarios")
CANCEL = "whatsapp-voice-lte_to_fixed-caller_cancels-1"


@pytest.mark.parametrize(
    "error", [TypeError("odd \ud800"), RecursionError(), KeyError("x"), TimeoutError("late"), StopIteration()]
)
def test_an_error_that_nobody_foresaw_voids_the_attempt_and_its_traceback_is_kept(tmp_path, error):
    with pytest.raises(AttemptVoid) as raised, guarded(tmp_path):
        raise error
    assert raised.value.reason == "bug"
    assert str(raised.value).startswith(type(error).__name__)
    kept = (tmp_path / "traceback.txt").read_text()
    assert kept.startswith("Traceback (most recent call last):\n")
    assert "test_guard.py" in kept


@pytest.mark.parametrize(
    "error",
    [AttemptVoid("noisy", "loud"), PhoneTrouble("gone"), Interrupted("stop"), CorrelateError("no"), LabError("no")],
)
def test_an_error_that_was_foreseen_stays_what_it_is(tmp_path, error):
    with pytest.raises(type(error)) as raised, guarded(tmp_path):
        raise error
    assert raised.value is error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("cause", "said"),
    [
        (OSError(errno.EMFILE, "Too many open files"), "this process has no file handles left (ulimit -n): EMFILE"),
        (OSError(errno.ENOSPC, "No space left"), "no space is left on a disk of this machine: ENOSPC"),
        (MemoryError(), "this machine has no memory left: ENOMEM"),
    ],
)
@pytest.mark.parametrize("found", [PhoneTrouble("no adb server"), AttemptVoid("capture_not_ready", "no")])
def test_trouble_that_came_of_this_machine_is_told_by_its_name_and_is_no_attempts_fault(tmp_path, cause, said, found):
    between = ConnectionError("no connection")
    between.__context__ = cause
    with pytest.raises(ControllerTrouble) as raised, guarded(tmp_path):
        raise found from between
    assert str(raised.value) == f"{said}; what is recorded is kept; mend this and run again"
    assert raised.value.exit_code == 4


@pytest.mark.parametrize("error", [OSError(errno.EMFILE, "Too many"), FileNotFoundError(errno.ENOENT, "no", "/a")])
def test_an_error_with_a_file_of_this_machine_ends_the_run_as_it_is(tmp_path, error):
    with pytest.raises(OSError, match=r"Too many|/a") as raised, guarded(tmp_path):
        raise error
    assert raised.value is error


def test_bugs_count_only_in_a_row(tmp_path):
    bugs = Bugs()
    for reason in ("bug", "bug", "noisy", "bug", "bug", None, "bug", "bug"):
        bugs.ended(reason, tmp_path)
    with pytest.raises(Bug) as raised:
        bugs.ended("bug", tmp_path / "attempts" / "a.1")
    assert str(raised.value) == (
        f"3 attempts in a row ended by a bug of the lab: {tmp_path}/attempts/a.1/traceback.txt; "
        "what is recorded is kept; report it with this file"
    )
    assert raised.value.exit_code == 1


def test_a_bug_in_a_step_voids_its_attempt_and_the_trial_completes_and_three_end_the_run(tmp_path, monkeypatch):
    run = prepare(Options(matrix="smoke", dataset=str(tmp_path), scenarios=SCENARIOS))
    create(run)
    real, left = lab.run.attempt.Attempt._call, [1]

    def call(self, captures):
        if left[0]:
            left[0] -= 1
            raise IndexError("list index out of range")
        return real(self, captures)

    monkeypatch.setattr(lab.run.attempt.Attempt, "_call", call)
    progress = Progress(Console(file=io.StringIO()))
    with Bench(run.lab, run.spec, Stop()) as bench:
        assert run_one(run, bench, run.one(CANCEL), progress)
        void = json.loads((tmp_path / "attempts" / f"{CANCEL}.0" / "void.json").read_text())
        assert (void["reason"], void["text"]) == (
            "bug",
            "IndexError: list index out of range; see traceback.txt and report it",
        )
        left[0] = 9
        other = next(item for item in run.planned if item.trial.id != CANCEL)
        with pytest.raises(Bug, match=rf"{other.trial.id}\.2/traceback\.txt"):
            run_one(run, bench, other, progress)
        assert bench.kind.left_in_call == []
    assert Dataset(tmp_path).verify() == []
    kept = sorted(path.name for path in (tmp_path / "attempts").iterdir())
    assert kept == sorted([f"{CANCEL}.0", *(f"{other.trial.id}.{number}" for number in range(3))])
