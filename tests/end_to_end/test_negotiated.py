"""Calls whose media go where no list of ports leads, over real adb: TURN over TCP, and a relay at one phone alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from correlate.dataset import Dataset
from correlate.findings.cases import cases
from tests.end_to_end.runs import captures, invoke, run_trials
from tests.end_to_end.test_matrix import differences, truth_of

pytestmark = pytest.mark.full

SCENARIOS = ("caller_hangs_up", "callee_rejects")


@pytest.fixture(scope="module")
def negotiated(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Sixteen trials of the matrix: both apps, services and directions, answered and rejected."""
    path = tmp_path_factory.mktemp("negotiated") / "dataset"
    for scenario in SCENARIOS:
        only = f"repetition=1,scenario={scenario}"
        done = invoke("run-matrix", "--matrix", "negotiated", "--dataset", str(path), "--only", only)
        assert done.returncode == 0, done.stderr
    return Dataset(path)


def test_every_trial_is_complete_and_its_call_goes_through_the_relay(negotiated: Dataset) -> None:
    assert len(negotiated.trial_ids()) == 16
    assert negotiated.verify() == []
    for trial_id in negotiated.trial_ids():
        truth = truth_of(negotiated, trial_id)
        answered = "caller_hangs_up" in trial_id
        assert (truth["established"], truth["routing"]) == ((True, "relay") if answered else (False, None))
        shown = trial_id.startswith("elder") or answered
        assert truth["exposed.caller_public"] is shown
        assert truth["exposed.callee_public"] is (answered and trial_id.startswith("dogwood"))


def test_findings_equal_the_truth_in_every_field_but_where_frames_of_tcp_are_cut_off(negotiated: Dataset) -> None:
    """Of video over TURN/TCP segments are longer than the snaplen: what begins behind the cut nobody can count."""
    cut = re.compile(r"dogwood-video-.*-caller_hangs_up-1: (media\.\w+\.\w+|exposed\.\w+_private): None, is .*")
    found = differences(negotiated)
    assert [each for each in found if not cut.fullmatch(each)] == []
    assert len([each for each in found if ": media." in each]) == 8
    for case in cases(negotiated).read:
        for side in case.volume.values():
            assert (side.media.tx_packets is None) == ("media_tx_packets" in side.reasons)


def test_a_trial_alone_has_the_bytes_of_the_run(negotiated: Dataset, tmp_path: Path) -> None:
    chosen = [next(one for one in negotiated.trial_ids() if one.startswith(app)) for app in ("dogwood", "elder")]
    run_trials(tmp_path / "alone", chosen, matrix="negotiated")
    for trial_id in chosen:
        assert captures(tmp_path / "alone", trial_id) == captures(negotiated.path, trial_id), trial_id
