"""Nights that are rehearsed: faults of a file, through a real adb server, adbutils and uiautomator2."""

from collections import Counter
from pathlib import Path

import pytest

from benchmarks.faults import ENDING, SLOW, cases, comes_to, play, shared_out, wrong
from correlate.dataset import Dataset
from lab.definitions.faults import STATES, STRIKES
from lab.errors import TrialsFailed
from lab.run.options import Options
from lab.run.plan import prepare
from tests.end_to_end.runs import ROOT, captures, run_trials
from tests.end_to_end.test_faults import CANCEL, HANG_UP


def faults(folder: Path, *lines: str) -> str:
    """A file of faults."""
    file = folder / "faults.yaml"
    file.write_text("name: faults\nfaults:\n" + "".join(f"  - {{{line}}}\n" for line in lines))
    return str(file)


def voids(dataset: Dataset) -> list[tuple[str, str, int | None]]:
    """Of each void attempt: its trial, why, and which of those that the bench spoilt it is."""
    lines = dataset.journal.read()
    return [(str(line.trial), str(line.reason), line.spoilt) for line in lines if line.event == "void"]


def rungs(dataset: Dataset) -> Counter[str]:
    return Counter(str(line.rung) for line in dataset.journal.read() if line.event == "ladder")


def test_a_phone_that_is_away_for_eight_minutes_costs_one_attempt_and_comes_back_by_the_pauses(tmp_path):
    away = faults(tmp_path, "what: adb_away, on: pixel6pro, at: {step: ringing}, for_minutes: 8")
    dataset = run_trials(tmp_path / "dataset", [CANCEL], matrix="smoke", faults=away).dataset
    assert dataset.trial_ids() == [CANCEL]
    assert voids(dataset) == [(CANCEL, "bench_trouble", 1)]
    assert {"r1", "r2", "r3", "r8"} == set(rungs(dataset))
    # Pauses of 1, 2 and 4 min are too few, the one of 8 is enough: connecting is tried before them and after each.
    assert rungs(dataset)["r3"] == 5
    assert [line.faults for line in dataset.journal.read() if line.event == "run"] == ["faults"]
    assert dataset.verify() == []


@pytest.mark.full
def test_a_reset_at_each_step_costs_one_attempt_and_leaves_the_bytes(tmp_path):
    plain = run_trials(tmp_path / "plain", [HANG_UP], matrix="smoke").dataset
    # What a reset stops comes to the last step, too: that one has a run of its own.
    for number, steps in enumerate((("begun", "opened", "captured"), ("ringing", "answered"), ("stopped",))):
        resets = [f"what: adb_reset, on: pixel6pro, at: {{step: {step}}}" for step in steps]
        some = faults(tmp_path, *resets)
        dataset = run_trials(tmp_path / f"{number}", [HANG_UP], matrix="smoke", faults=some).dataset
        assert voids(dataset) == [(HANG_UP, "bench_trouble", spoilt) for spoilt in range(1, len(steps) + 1)]
        assert captures(dataset.path, HANG_UP) == captures(plain.path, HANG_UP)
        assert dataset.record(HANG_UP).attempt == 0


@pytest.mark.full
def test_an_app_that_is_logged_out_voids_with_a_reason_from_its_trial_on_and_no_other_app_does(tmp_path):
    ids = [
        f"{app}-voice-lte_to_fixed-{scenario}-1"
        for scenario in ("caller_cancels", "callee_rejects")
        for app in ("whatsapp", "messenger", "snapchat")
    ]
    out = faults(tmp_path, "what: logged_out, on: pixel6, app: messenger, at: {trial: 4}, for_ever: true")
    with pytest.raises(TrialsFailed, match="1 of 6 trials stay void: messenger-voice-lte_to_fixed-callee_rejects-1"):
        run_trials(tmp_path / "dataset", ids, matrix="paper", faults=out)
    dataset = Dataset(tmp_path / "dataset")
    assert sorted(dataset.trial_ids()) == sorted(set(ids) - {ids[4]})
    assert {(trial, reason) for trial, reason, _ in voids(dataset)} == {(ids[4], "selector_not_found")}


@pytest.mark.full
def test_a_key_that_is_accepted_and_a_server_that_was_killed_cost_one_attempt_each(tmp_path):
    asked = faults(
        tmp_path,
        "what: adb_unauthorised, on: pixel6, at: {step: opened}, for_minutes: 0.5",
        "what: adb_server_killed, on: bench, at: {trial: 2, step: captured}",
    )
    dataset = run_trials(tmp_path / "dataset", [CANCEL, HANG_UP], matrix="smoke", faults=asked).dataset
    assert voids(dataset) == [(CANCEL, "bench_trouble", 1), (HANG_UP, "bench_trouble", 1)]
    said = [line.text for line in dataset.journal.read() if line.event == "ladder" and line.rung == "r8"]
    assert said == ["accept this machine's key on pixel6: the prompt is on its screen"]


@pytest.mark.full
def test_a_hotspot_that_goes_off_for_half_a_minute_costs_one_attempt(tmp_path):
    off = faults(tmp_path, "what: hotspot_gone, on: laptop, at: {trial: 2}, for_minutes: 0.5")
    dataset = run_trials(tmp_path / "dataset", [CANCEL, HANG_UP], matrix="smoke", faults=off).dataset
    assert voids(dataset) == [(HANG_UP, "bench_trouble", 1)]
    assert {line.on for line in dataset.journal.read() if line.event == "ladder"} == {"laptop"}


@pytest.mark.full
def test_what_goes_wrong_in_a_call_is_void_by_its_own_reason_and_the_trial_completes(tmp_path):
    wrong = faults(
        tmp_path,
        "what: capture_killed, on: pixel6, at: {step: placed, after_s: 2}",
        "what: capture_refused, on: laptop, at: {trial: 2}",
        "what: person_hangs_up, on: pixel6pro, at: {trial: 3, step: ringing, after_s: 1}",
    )
    ids = [CANCEL, HANG_UP, "whatsapp-video-lte_to_fixed-caller_hangs_up-1"]
    dataset = run_trials(tmp_path / "dataset", ids, matrix="smoke", faults=wrong).dataset
    assert [reason for _, reason, _ in voids(dataset)] == [
        "marker_not_captured",
        "capture_not_ready",
        "call_ended_early",
    ]
    assert sorted(dataset.trial_ids()) == sorted(ids)


@pytest.mark.full
def test_ten_generated_cases_are_complete_as_the_truth_says_or_void_by_a_reason_of_their_own(tmp_path):
    run = prepare(Options(matrix="smoke", seed=4, scenarios=str(ROOT / "scenarios"), dataset=str(tmp_path / "dataset")))
    trials = run.chosen[:10]
    struck = next(shared_out(cases(), trials, seed=4))
    found = play(run.only(*trials), struck, seed=4)
    assert wrong(found) == []
    assert (len(found["cases"]), found["complete"]) == (10, 10)


def test_all_faults_are_generated_at_all_steps_and_each_comes_once():
    trials = prepare(Options(matrix="smoke", scenarios=str(ROOT / "scenarios"))).chosen
    runs = list(shared_out(cases(), trials, seed=1))
    pool = [case for each in runs for case in each.values()]
    assert len(pool) == len(set(pool)) == len(cases())
    assert {case.what for case in pool} == {*STRIKES, *STATES} - {*SLOW, *ENDING}
    assert all(comes_to(case.step, trials[number - 1]) for each in runs for number, case in each.items())
