"""Phones that restart, that adb calls offline, and whose su says no, in a run: through a real adb server."""

import pytest

from correlate.dataset import Dataset
from lab.errors import NeedsPerson
from tests.end_to_end.runs import run_trials
from tests.end_to_end.test_faults import CANCEL, HANG_UP
from tests.end_to_end.test_rehearsal import faults, rungs, voids

DENIED = (
    "su says 'Permission denied': allow su for the shell (uid 2000, com.android.shell) in Magisk, KernelSU or APatch"
)


def restarted(dataset: Dataset) -> list[str]:
    return [str(line.on) for line in dataset.journal.read() if line.event == "restarted"]


def test_a_su_that_says_no_ends_the_run_within_one_attempt_and_names_the_phone_and_what_to_do(tmp_path):
    denied = faults(tmp_path, "what: su_denied, on: pixel6, for_ever: true, at: {trial: 2}")
    with pytest.raises(NeedsPerson) as raised:
        run_trials(tmp_path / "dataset", [CANCEL, HANG_UP], matrix="smoke", faults=denied)
    assert (str(raised.value).startswith("pixel6: "), raised.value.exit_code) == (True, 4)
    assert str(raised.value).endswith(DENIED)
    dataset = Dataset(tmp_path / "dataset")
    assert dataset.trial_ids() == [CANCEL]
    assert voids(dataset) == [(HANG_UP, "bench_trouble", 1)]
    # It is asked once more, in peace, and nothing is tried.
    assert rungs(dataset) == {}
    assert dataset.verify() == []


@pytest.mark.full
@pytest.mark.parametrize("step", ["begun", "captured", "answered", "stopped"])
def test_a_phone_that_restarts_costs_one_attempt_wherever_it_does(tmp_path, step):
    restarts = faults(tmp_path, f"what: reboot, on: pixel6pro, at: {{step: {step}}}, for_minutes: 1.5")
    dataset = run_trials(tmp_path / "dataset", [HANG_UP], matrix="smoke", faults=restarts).dataset
    assert voids(dataset) == [(HANG_UP, "bench_trouble", 1)]
    assert dataset.trial_ids() == [HANG_UP]
    assert restarted(dataset) == ["pixel6pro"]
    assert {"r1", "r2", "r3", "r8"} <= set(rungs(dataset))


@pytest.mark.full
def test_a_phone_that_waits_for_its_pin_ends_the_run_with_what_to_do(tmp_path):
    pin = faults(tmp_path, "what: reboot, on: pixel6, at: {step: placed}, for_ever: true, pin: true")
    with pytest.raises(NeedsPerson) as raised:
        run_trials(tmp_path / "dataset", [CANCEL], matrix="smoke", faults=pin)
    assert str(raised.value) == "pixel6 has restarted and is before first unlock: enter the PIN on pixel6"
    dataset = Dataset(tmp_path / "dataset")
    assert voids(dataset) == [(CANCEL, "bench_trouble", 1)]
    assert restarted(dataset) == ["pixel6"]


@pytest.mark.full
def test_a_phone_that_adb_calls_offline_is_disconnected_and_connected_and_no_pause_is_made(tmp_path):
    off = faults(tmp_path, "what: adb_offline, on: pixel6, at: {step: opened}, for_minutes: 0.2")
    dataset = run_trials(tmp_path / "dataset", [CANCEL], matrix="smoke", faults=off).dataset
    assert voids(dataset) == [(CANCEL, "bench_trouble", 1)]
    assert set(rungs(dataset)) == {"r1", "r2", "r3"}
    said = [line.text for line in dataset.journal.read() if line.event == "ladder"]
    assert "offline" in str(said[0])
