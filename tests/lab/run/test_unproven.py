from __future__ import annotations

from typing import Any

from correlate.dataset.record import TrialRecord
from lab.run.unproven import CLAIMS, lines
from tests import records

PROVEN = {"value": None, "verdict": "proven", "witnesses": ["A: said so", "S: said so"], "reason": None}


def trial(caller: str = "alpha", callee: str = "bravo", app: str = "maple", **reasons: str) -> TrialRecord:
    """A trial of which all is proven but the claims that are named, with why they are not."""
    record: dict[str, Any] = records.trial()
    record["asked"] |= {"caller": caller, "callee": callee, "app": app}
    record["observed"] = {name: PROVEN for name in CLAIMS} | {
        name: {**PROVEN, "verdict": "undecided", "reason": reason} for name, reason in reasons.items()
    }
    return TrialRecord.model_validate(record)


def test_a_claim_that_no_trial_proved_is_told_with_its_commonest_reasons():
    late = [trial(ended_by="late_effect", service="D of callee missing: no events log") for _ in range(3)]
    ran_over = [trial(ended_by="A of caller missing: ring ran over") for _ in range(2)]
    assert lines([*ran_over, *late, trial(ended_by="B of callee missing: stream broke")]) == [
        "maple from alpha to bravo: ended_by is never proven in 6 trials: late_effect (3); "
        "A of caller missing: ring ran over (2)"
    ]


def test_one_trial_that_proved_it_is_enough_for_its_way_and_app_alone():
    assert lines([trial(ended_by="late_effect"), trial()]) == []
    found = lines([trial(ended_by="late_effect"), trial("bravo", "alpha"), trial(app="oak", rang="no ring")])
    assert found == [
        "maple from alpha to bravo: ended_by is never proven in 1 trial: late_effect (1)",
        "oak from alpha to bravo: rang is never proven in 1 trial: no ring (1)",
    ]


def test_what_is_proven_neither_way_is_one_line():
    both = [trial(service="no D"), trial("bravo", "alpha", service="no D"), trial("alpha", "carol", service="no C")]
    assert lines(both) == [
        "maple between alpha and bravo: service is never proven in 2 trials: no D (2)",
        "maple from alpha to carol: service is never proven in 1 trial: no C (1)",
    ]


def test_a_trial_whose_witnesses_nobody_asked_says_nothing():
    assert lines([TrialRecord.model_validate(records.trial())]) == []
