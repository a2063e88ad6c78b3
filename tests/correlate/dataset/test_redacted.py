"""What must not be known goes into no document of a dataset, and the journal says that it stood there."""

from __future__ import annotations

import json

import pytest

from correlate.dataset import Dataset, Journal, documents
from correlate.dataset.anchors import Kept
from correlate.dataset.record import VoidRecord
from correlate.dataset.record.observed import Claim

TRIAL = "whatsapp-voice-lte_to_fixed-caller_cancels-1"


def clean(value: object) -> tuple[object, tuple[str, ...]]:
    """Finds `1A2B3C4D`, and `undecided` where it is all of a text."""
    text = json.dumps(value)
    cleaned = text.replace("1A2B3C4D", "<serial of one>").replace('"undecided"', '"<title of one>"')
    return json.loads(cleaned), ("serial of one",) if "1A2B3C4D" in text else ()


def test_words_of_an_event_are_cleaned_and_the_hit_is_an_event_of_its_own(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl", clean)
    journal.append("interrupted", trial=TRIAL, attempt=0, reason="1A2B3C4D is gone")
    journal.append("interrupted", trial=TRIAL, attempt=0, reason="somebody came")
    assert [(entry.event, entry.reason, entry.field) for entry in Journal(journal.path).read()] == [
        ("interrupted", "<serial of one> is gone", None),
        ("redacted", None, "serial of one"),
        ("interrupted", "somebody came", None),
    ]


def test_what_a_void_attempt_says_is_cleaned_in_both_places(tmp_path):
    dataset = Dataset(tmp_path, clean)
    with dataset.attempt(TRIAL) as folder:
        folder.void("bench_trouble", "1A2B3C4D does not answer")
    assert dataset.void(Kept(TRIAL, 0)).text == "<serial of one> does not answer"
    assert [(entry.event, entry.text, entry.field) for entry in dataset.journal.read()] == [
        ("attempt", None, None),
        ("redacted", None, "serial of one"),
        ("void", "<serial of one> does not answer", None),
    ]


def test_a_trial_with_a_hit_is_kept(tmp_path):
    dataset = Dataset(tmp_path, clean)
    with dataset.attempt(TRIAL) as folder:
        said = folder.clean({"text": "1A2B3C4D", "n": 1})
        folder.complete()
    assert said == {"text": "<serial of one>", "n": 1}
    assert [entry.event for entry in dataset.journal.read()] == ["attempt", "redacted", "completed"]
    assert (tmp_path / "trials" / TRIAL).is_dir()


def test_a_document_is_cleaned_but_for_a_value_that_a_rule_holds_for():
    claim = Claim(value="undecided", verdict="undecided", witnesses=["audio: 1A2B3C4D"], reason="undecided")
    assert documents.cleaned(claim, lambda value: clean(value)[0]) == Claim(
        value="undecided", verdict="undecided", witnesses=["audio: <serial of one>"], reason="<title of one>"
    )


def test_a_text_that_grows_longer_than_it_may_is_cut_and_does_not_come_back():
    claim = Claim(value=None, verdict="undecided", witnesses=["1A2B3C4D" + " " * 992], reason="1A2B3C4D")
    cleaned = documents.cleaned(claim, lambda value: clean(value)[0])
    assert (cleaned.witnesses, cleaned.reason) == (["<serial of one>" + " " * 985], "<serial of one>")


@pytest.mark.parametrize("broken", [{}, [], None, {"trial": 7}, "text"])
def test_a_document_that_cannot_be_cleaned_stays_whole(broken):
    void = VoidRecord(trial=TRIAL, attempt=0, reason="noisy", text="loud")
    assert documents.cleaned(void, lambda _value: broken) == void
