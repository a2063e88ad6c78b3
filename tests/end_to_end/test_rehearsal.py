"""Nights that are rehearsed: faults of a file, through a real adb server, adbutils and uiautomator2."""

from collections import Counter
from pathlib import Path

import pytest

from benchmarks.expected import PHONES, TABLE
from benchmarks.faults import LEAST_CASES, TRUE_CASES, every_job
from benchmarks.generated import cases, comes_to
from correlate.dataset import Dataset
from lab.definitions.faults import BENCH, LAPTOP, STATES, STRIKES
from lab.errors import TrialsFailed
from lab.run.causes import CERTAIN_REASONS
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
def test_an_app_that_is_logged_out_from_a_trial_on_is_parked_at_once_and_no_other_app_is(tmp_path):
    ids = [
        f"{app}-voice-lte_to_fixed-{scenario}-1"
        for scenario in ("caller_cancels", "callee_rejects")
        for app in ("whatsapp", "messenger", "snapchat")
    ]
    out = faults(tmp_path, "what: logged_out, on: pixel6, app: messenger, at: {trial: 4}, for_ever: true")
    with pytest.raises(TrialsFailed, match="1 of 6 trials are left out, their app is parked"):
        run_trials(tmp_path / "dataset", ids, matrix="paper", faults=out)
    dataset = Dataset(tmp_path / "dataset")
    assert sorted(dataset.trial_ids()) == sorted(set(ids) - {ids[4]})
    assert voids(dataset) == [(ids[4], "logged_out", None)]


@pytest.mark.full
@pytest.mark.parametrize(
    ("reason", "app", "on", "calls"),
    [
        ("logged_out", "whatsapp", "pixel6", None),
        ("banned", "whatsapp", "pixel6", None),
        ("blocked", "whatsapp", "pixel6", None),
        ("rate_limited", "whatsapp", "pixel6", 1),
        ("message_request", "messenger", "pixel6", None),
        ("logged_out", "whatsapp", "pixel6pro", 1),
        ("update_required", "whatsapp", "pixel6pro", 1),
    ],
)
def test_what_an_app_says_on_either_phone_parks_it_after_one_attempt_and_at_most_one_call(
    tmp_path, reason, app, on, calls
):
    ids = [f"{app}-voice-lte_to_fixed-{scenario}-1" for scenario in ("caller_cancels", "callee_rejects")]
    out = faults(tmp_path, f"what: {reason}, on: {on}, app: {app}, for_ever: true")
    with pytest.raises(TrialsFailed, match="2 of 2 trials are left out, their app is parked"):
        run_trials(tmp_path / "dataset", ids, matrix="paper", faults=out)
    dataset = Dataset(tmp_path / "dataset")
    (void,) = [line for line in dataset.journal.read() if line.event == "void"]
    assert (void.reason, void.calls) == (reason, calls)
    assert f"{app} on {on} shows " in void.text
    assert dataset.verify() == []


@pytest.mark.full
def test_a_copy_that_is_cut_is_made_again_and_costs_no_call(tmp_path):
    plain = run_trials(tmp_path / "plain", [CANCEL], matrix="smoke").dataset
    cut = faults(tmp_path, "what: pull_cut, on: pixel6", "what: pull_cut, on: laptop")
    dataset = run_trials(tmp_path / "dataset", [CANCEL], matrix="smoke", faults=cut).dataset
    assert voids(dataset) == []
    assert captures(dataset.path, CANCEL) == captures(plain.path, CANCEL)
    events = (dataset.path / "trials" / CANCEL / "events.jsonl").read_text()
    assert events.count('"fetch_again"') == 2


@pytest.mark.full
def test_a_phone_without_a_network_is_waited_for_and_costs_no_attempt_of_the_trial(tmp_path):
    lost = faults(tmp_path, "what: network_lost, on: pixel6, at: {step: stopped}, for_minutes: 2.5")
    dataset = run_trials(tmp_path / "dataset", [CANCEL, HANG_UP], matrix="smoke", faults=lost).dataset
    found = voids(dataset)
    assert {reason for _, reason, _ in found} == {"wrong_network"}
    assert [spoilt for *_, spoilt in found] == list(range(1, len(found) + 1))
    # Pauses of 1 and 2 min bring it back.
    assert 2 <= len(found) <= 3
    assert {dataset.record(trial).attempt for trial in dataset.trial_ids()} == {0}


@pytest.mark.full
def test_a_prompt_that_is_known_is_sent_away_and_one_that_is_not_voids_with_a_picture_of_it(tmp_path):
    over = faults(
        tmp_path,
        "what: prompt, dialog: permission, on: pixel6, at: {step: opened}",
        "what: prompt, dialog: rating, on: pixel6, at: {trial: 2, step: opened}",
        "what: anr, on: pixel6, at: {trial: 3, step: answered, after_s: 1}",
    )
    ids = [CANCEL, "whatsapp-video-lte_to_fixed-caller_cancels-1", HANG_UP]
    dataset = run_trials(tmp_path / "dataset", ids, matrix="smoke", faults=over).dataset
    assert voids(dataset)[0] == (ids[1], "dialog", None)
    (folder,) = (dataset.path / "attempts").glob(f"{ids[1]}.*")
    assert (folder / "caller-screen.jpg").read_bytes()[:2] == b"\xff\xd8"
    assert b"InAppReview" in (folder / "void.json").read_bytes()
    assert sorted(dataset.trial_ids()) == sorted(ids)


@pytest.mark.full
def test_a_rehearsal_that_is_taken_up_again_goes_on_with_its_night(tmp_path):
    ids = [CANCEL, HANG_UP, "whatsapp-video-lte_to_fixed-caller_hangs_up-1"]
    plan = faults(
        tmp_path,
        "what: adb_reset, on: pixel6, at: {trial: 1, step: opened}",
        "what: adb_reset, on: pixel6, at: {trial: 3, step: opened}",
    )
    run_trials(tmp_path / "dataset", ids[:2], matrix="smoke", faults=plan)
    dataset = run_trials(tmp_path / "dataset", ids, matrix="smoke", faults=plan).dataset
    # By themselves each run's first trial would have both.
    assert voids(dataset) == [(ids[0], "bench_trouble", 1), (ids[2], "bench_trouble", 1)]


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
    assert voids(dataset) == [(HANG_UP, "wrong_network", 1)]
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


def test_each_fault_has_a_row_that_says_what_is_right_where_it_strikes():
    assert {*STRIKES, *STATES} <= set(TABLE)
    for what, row in TABLE.items():
        assert set(row.on) <= {*PHONES, LAPTOP, BENCH}, what
        assert not CERTAIN_REASONS & set(row.voids) or row.end == "parked", what
        assert not {"bug", "unknown_command"} & set(row.voids), what


def test_all_faults_are_generated_at_all_steps_each_once_a_seed_and_some_with_true_deadlines():
    jobs = every_job(1)
    trials = prepare(Options(matrix="smoke", scenarios=str(ROOT / "scenarios"))).chosen
    once = [case for job in jobs if job.name.startswith("1-") and job.seed == 1 for case in job.struck.values()]
    true = [job for job in jobs if "-true-" in job.name]
    pool = Counter(once) - Counter(case for job in true for case in job.struck.values())
    assert pool == Counter(cases())
    assert {case.what for case in pool} == {*STRIKES, *STATES}
    assert (len(true), {job.scale for job in true}) == (TRUE_CASES, {1.0})
    assert sum(len(job.struck) for job in jobs) >= LEAST_CASES
    assert all(comes_to(case.step, trials[number - 1]) for job in jobs if job.seed == 1 and not job.of_its_own
               for number, case in job.struck.items())  # fmt: skip
