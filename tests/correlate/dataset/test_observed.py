"""What a record may say of its call's claims, and what is said of one that does not fit."""

import json

import pytest

from correlate.dataset import documents
from correlate.dataset.record import TrialRecord
from correlate.errors import BadDataset
from tests import records


def read(tmp_path, value):
    path = tmp_path / "trial.json"
    path.write_text(json.dumps(value))
    return documents.read(path, "trial.json", TrialRecord)


def changed(claim, **keys):
    value = records.trial()
    value["observed"][claim] |= keys
    return value


def test_the_claims_of_a_record_keep_their_types(tmp_path):
    """1 is a count and true no count, though Python holds them equal."""
    claims = read(tmp_path, records.trial()).observed.claims
    assert list(claims) == ["calls", "rang", "answered", "ended_by", "service", "nothing_else", "in_front"]
    values = [claim.value for claim in claims.values()]
    assert [(type(value).__name__, value) for value in values] == [
        ("int", 1), ("bool", True), ("bool", True), ("str", "caller"), ("str", "voice"), ("bool", True), ("bool", True),
    ]  # fmt: skip


def test_a_record_without_claims_and_limits_has_none(tmp_path):
    value = records.trial()
    del value["observed"], value["limits"]
    record = read(tmp_path, value)
    assert (record.observed, record.limits) == (None, None)


@pytest.mark.parametrize(
    ("claim", "keys", "what"),
    [
        ("calls", {"value": True}, "value: must be a count"),
        ("calls", {"value": -1}, "value: must be true, false, a count, a name or null, is -1"),
        ("calls", {"value": 1.5}, "value: must be true, false, a count, a name or null, is 1.5"),
        ("rang", {"value": 1}, "value: must be true or false"),
        ("answered", {"value": "voice"}, "value: must be true or false"),
        ("ended_by", {"value": "alpha"}, "value: must be caller or callee or system"),
        ("service", {"value": "audio"}, "value: must be voice or video"),
        ("service", {"value": "Video!"}, 'value: must be true, false, a count, a name or null, is "Video!"'),
        ("rang", {"value": None}, "value: is null, and it is proven"),
        ("rang", {"verdict": "undecided"}, "reason: is null, and it is undecided"),
        ("rang", {"verdict": "refuted"}, "reason: is null, and it is refuted"),
        ("rang", {"reason": "the log ran over"}, "reason: must be null, as it is proven"),
        ("rang", {"verdict": "sure"}, "verdict: must be one of 'proven', 'undecided' or 'refuted', is \"sure\""),
        ("rang", {"witnesses": ["line"] * 101}, "witnesses: must have at most 100 of them"),
    ],
)
def test_a_claim_that_does_not_fit_is_one_line_with_its_place(tmp_path, claim, keys, what):
    with pytest.raises(BadDataset) as raised:
        read(tmp_path, changed(claim, **keys))
    assert str(raised.value) == f"trial.json: observed.{claim}.{what}"


def test_a_limit_is_no_negative_number_of_seconds(tmp_path):
    value = records.trial()
    value["limits"]["callee"]["late_s"] = -0.5
    with pytest.raises(BadDataset) as raised:
        read(tmp_path, value)
    assert str(raised.value) == "trial.json: limits.callee.late_s: must be at least 0.0, is -0.5"


@pytest.mark.parametrize("verdict", ["undecided", "refuted"])
def test_an_open_claim_may_have_a_value_or_none(tmp_path, verdict):
    for value in ("video", None):
        claim = records.open_claim("the camera says otherwise", verdict, value)
        assert read(tmp_path, changed("service", **claim)).observed.service.value == value
