from __future__ import annotations

from typing import Any

from correlate.dataset.record import TrialRecord
from lab.phone.witnesses.facts import Missing, Since
from lab.run.unproven import CLAIMS, lines, missing, never
from tests import records

PROVEN = {"value": None, "verdict": "proven", "witnesses": ["A: said so", "S: said so"], "reason": None}

VALUES = dict.fromkeys(CLAIMS, True) | {"calls": 1, "ended_by": "caller", "service": "voice"}


def trial(caller: str = "alpha", callee: str = "bravo", app: str = "maple", **reasons: str) -> TrialRecord:
    """A trial of which all is proven but the claims that are named, with why they are not."""
    record: dict[str, Any] = records.trial()
    record["asked"] |= {"caller": caller, "callee": callee, "app": app}
    record["observed"] = {name: {**PROVEN, "value": value} for name, value in VALUES.items()} | {
        name: {**PROVEN, "verdict": "undecided", "reason": reason} for name, reason in reasons.items()
    }
    return TrialRecord.model_validate(record)


def test_a_claim_that_no_trial_proved_is_told_with_its_commonest_reasons():
    late = [trial(ended_by="late_effect", service="callee camera: no events log") for _ in range(3)]
    ran_over = [trial(ended_by="caller audio: the log ran over") for _ in range(2)]
    assert lines([*ran_over, *late, trial(ended_by="callee events: its stream broke")]) == [
        "maple from alpha to bravo: ended_by is never proven in 6 trials: late_effect (3); "
        "alpha audio: the log ran over (2)"
    ]


def test_one_trial_that_proved_it_is_enough_for_its_way_and_app_alone():
    assert lines([trial(ended_by="late_effect"), trial()]) == []
    found = lines([trial(ended_by="late_effect"), trial("bravo", "alpha"), trial(app="oak", rang="no ring")])
    assert found == [
        "maple from alpha to bravo: ended_by is never proven in 1 trial: late_effect (1)",
        "oak from alpha to bravo: rang is never proven in 1 trial: no ring (1)",
    ]


def test_what_is_proven_neither_way_is_one_line():
    both = [
        trial(service="callee camera: none"),
        trial("bravo", "alpha", service="caller camera: none"),
        trial("alpha", "carol", service="no C"),
    ]
    assert lines(both) == [
        "maple between alpha and bravo: service is never proven in 2 trials: bravo camera: none (2)",
        "maple from alpha to carol: service is never proven in 1 trial: no C (1)",
    ]


def test_a_trial_whose_witnesses_nobody_asked_says_nothing():
    assert lines([TrialRecord.model_validate(records.trial())]) == []


def since(**lacking: str) -> Since:
    """The records of a phone that has all but those that are named."""
    names = ("modes", "recorders", "cameras", "calls", "sims", "events")
    return Since(10_234, cameras_open=(), **{name: Missing(lacking[name]) if name in lacking else () for name in names})


def test_a_witness_is_missing_where_a_part_of_it_is_and_the_first_part_says_why():
    assert missing(since()) == {}
    assert missing(since(recorders="ran over", sims="no registry")) == {"audio": "ran over", "telephony": "no registry"}
    assert missing(since(modes="no heading", recorders="ran over")) == {"audio": "no heading"}


def test_what_cannot_be_proven_on_a_phone_follows_from_what_is_missing_there():
    assert never([]) == {}
    assert never(["camera"]) == {"service": "which needs camera"}
    assert never(["audio"]) == {}
    # Two of audio, telecom and events see other calls; audio or telecom tell one call from two.
    assert never(["audio", "events"]) == {"nothing_else": "which needs audio or events"}
    assert set(never(["audio", "telecom"])) == {"calls", "ended_by", "nothing_else"}
    assert never(["telephony"]) == {}
