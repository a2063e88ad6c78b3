"""Phones and laptops that are not fit for the next attempt, through a real adb server, adbutils and uiautomator2."""

import pytest

from correlate.dataset import Dataset
from lab.commands.unpark import unpark
from lab.errors import NeedsPerson, TrialsFailed
from tests.end_to_end.runs import ROOT, invoke, run_trials
from tests.end_to_end.test_faults import CANCEL, HANG_UP
from tests.end_to_end.test_rehearsal import faults, voids

WHATSAPP, MESSENGER = (
    [f"{app}-voice-lte_to_fixed-{scenario}-1" for scenario in ("caller_cancels", "callee_rejects")]
    for app in ("whatsapp", "messenger")
)


def waited_for(dataset: Dataset) -> list[tuple[str | None, str | None]]:
    return [(line.on, line.reason) for line in dataset.journal.read() if line.event == "waiting"]


def test_airplane_mode_for_three_minutes_costs_no_number_and_the_same_trial_completes(tmp_path):
    flying = faults(tmp_path, "what: airplane_mode, on: pixel6, for_minutes: 3")
    dataset = run_trials(tmp_path / "dataset", [CANCEL], matrix="smoke", faults=flying).dataset
    # It struck once the attempt had begun; while it lasts no other one is begun.
    assert voids(dataset) == [(CANCEL, "airplane_mode", 1)]
    assert set(waited_for(dataset)) == {("pixel6", "airplane_mode")}
    assert dataset.record(CANCEL).attempt == 0
    assert dataset.verify() == []


@pytest.mark.full
def test_a_phone_behind_the_hotspot_in_airplane_mode_is_named_where_it_has_lost_its_network(tmp_path):
    flying = faults(tmp_path, "what: airplane_mode, on: pixel6pro, for_minutes: 2.5")
    dataset = run_trials(tmp_path / "dataset", [CANCEL], matrix="smoke", faults=flying).dataset
    assert voids(dataset) == [(CANCEL, "airplane_mode", 1), (CANCEL, "airplane_mode", 2)]
    assert dataset.record(CANCEL).attempt == 0


@pytest.mark.full
def test_a_battery_that_is_low_for_twenty_minutes_is_waited_for_and_no_attempt_is_lost(tmp_path):
    low = faults(tmp_path, "what: battery, on: pixel6, battery_percent: 5, for_minutes: 20")
    dataset = run_trials(tmp_path / "dataset", [CANCEL, HANG_UP], matrix="smoke", faults=low).dataset
    assert sorted(dataset.trial_ids()) == sorted([CANCEL, HANG_UP])
    assert (voids(dataset), waited_for(dataset)) == ([], [("pixel6", "battery_low")])
    night_s = [line.night_s for line in dataset.journal.read() if line.event == "completed"]
    assert night_s[1] - night_s[0] > 19 * 60


@pytest.mark.full
def test_heat_for_ever_ends_a_run_with_exit_code_4_and_its_tables_and_names_the_phone(tmp_path):
    hot = faults(tmp_path, "what: heat, on: pixel6pro, thermal_status: 4, for_ever: true")
    only = "service=voice,scenario=caller_cancels"
    done = invoke(
        *("run-matrix", "--matrix", "smoke", "--only", only, "--faults", hot, "--dataset", str(tmp_path / "dataset"))
    )
    dataset = Dataset(tmp_path / "dataset")
    assert done.returncode == 4
    text = "pixel6pro: it is hot, thermal status 4 (critical), 60 min later too; cool it and run again"
    assert done.stderr.strip().splitlines()[-1] == text
    assert (len(dataset.trial_ids()), voids(dataset)) == (1, [])
    assert waited_for(dataset) == [("pixel6pro", "too_hot")]
    assert (tmp_path / "dataset" / "tables" / "table1.csv").is_file()
    assert dataset.verify() == []


@pytest.mark.full
@pytest.mark.parametrize(
    ("fault", "text", "reason"),
    [
        ("what: phone_disk_full, on: pixel6, at: {step: opened}", "pixel6: 0 MiB free", "capture_not_ready"),
        ("what: laptop_disk_full, on: laptop, at: {step: placed}", "laptop: 0 MiB free", "marker_not_captured"),
    ],
)
def test_a_disk_that_is_full_ends_a_run_once_it_spoilt_one_attempt(tmp_path, fault, text, reason):
    full = faults(tmp_path, f"{fault}, for_ever: true")
    with pytest.raises(NeedsPerson, match=f"^{text}, the captures of a trial may need 64; make room"):
        run_trials(tmp_path / "dataset", [CANCEL, HANG_UP], matrix="smoke", faults=full)
    dataset = Dataset(tmp_path / "dataset")
    assert voids(dataset) == [(CANCEL, reason, None)]
    assert dataset.verify() == []


@pytest.mark.full
def test_an_update_parks_its_app_before_a_call_and_unparking_goes_on_with_the_new_version(tmp_path):
    place, ids = tmp_path / "dataset", [*WHATSAPP, *MESSENGER]
    moved = "what: updated, on: pixel6, app: whatsapp, version: 9.9"
    with pytest.raises(TrialsFailed, match="1 of 4 trials are left out, their app is parked"):
        run_trials(place, ids, matrix="paper", faults=faults(tmp_path, f"{moved}, at: {{trial: 2}}, for_ever: true"))
    dataset = Dataset(place)
    assert sorted(dataset.trial_ids()) == sorted([WHATSAPP[0], *MESSENGER])
    assert voids(dataset) == [(WHATSAPP[1], "app_version_moved", 1)]
    before = dataset.record(WHATSAPP[0]).sides["caller"].app_version
    parked = [line for line in dataset.journal.read() if line.event == "parked"]
    assert [(line.app, line.reason) for line in parked] == [("whatsapp", "app_version_moved")]
    assert f"on pixel6 {before} -> 9.9" in str(parked[0].text)
    assert all(line.calls is None for line in dataset.journal.read() if line.event == "void")

    updated = faults(tmp_path, f"{moved}, for_ever: true")
    with pytest.raises(TrialsFailed, match="1 of 1 trials are left out, their app is parked"):
        run_trials(place, ids, matrix="paper", faults=updated)
    unpark(str(ROOT / "scenarios"), "virtual", str(place), "whatsapp", lambda text: None)
    run_trials(place, ids, matrix="paper", faults=updated)
    sides = dataset.record(WHATSAPP[1]).sides
    assert [sides[role].app_version for role in ("caller", "callee")] == ["9.9", before]
    assert (dataset.record(WHATSAPP[1]).attempt, dataset.verify()) == (0, [])
