"""Which version of an app a dataset has on each phone, and what it does where one moves."""

from types import SimpleNamespace

import pytest

from correlate.dataset.record import JournalLine
from correlate.errors import BadDataset
from lab.definitions import Trial
from lab.errors import AttemptVoid
from lab.run.versions import Versions

ONE, TWO, OTHER = "one", "two", "other"
TRIALS = {
    **{name: Trial("whatsapp", "voice", "lte_to_fixed", name, 1) for name in (ONE, TWO)},
    OTHER: Trial("messenger", "voice", "lte_to_fixed", OTHER, 1),
}
IDS = {name: trial.id for name, trial in TRIALS.items()}
BY_ID = {trial.id: trial for trial in TRIALS.values()}


def record(app, a, b):
    sides = {"caller": SimpleNamespace(phone="a", app_version=a), "callee": SimpleNamespace(phone="b", app_version=b)}
    return SimpleNamespace(asked=SimpleNamespace(app=app), sides=sides)


class Dataset:
    """Records by trial; one that is None cannot be read."""

    def __init__(self, **records):
        self.records = {IDS[name]: found for name, found in records.items()}

    def record(self, trial_id):
        if (found := self.records.get(trial_id)) is None:
            raise BadDataset(f"trials/{trial_id}: cannot be read")
        return found


def lines(*events):
    """The lines of a journal: what happened, and to which trial or app."""
    found = []
    for seq, (event, name) in enumerate(events):
        of = {"app": name} if event == "unparked" else {"trial": IDS[name]}
        found.append(JournalLine(seq=seq, sha256="0" * 64, event=event, **of))
    return found


def known(dataset, *events, app="whatsapp"):
    return Versions.of(dataset, lines(*events), BY_ID).known(app)


def test_a_dataset_has_the_versions_of_the_last_complete_trial_of_each_app():
    dataset = Dataset(
        one=record("whatsapp", "1", "2"), two=record("whatsapp", "3", "4"), other=record("messenger", "7", "7")
    )
    events = ("completed", ONE), ("completed", OTHER), ("completed", TWO), ("void", ONE)
    assert known(dataset, *events) == {"a": "3", "b": "4"}
    assert known(dataset, *events, app="messenger") == {"a": "7", "b": "7"}
    assert known(dataset, ("void", ONE), ("attempt", TWO)) == {}


def test_a_trial_that_was_found_counts_and_one_that_is_gone_does_not():
    dataset = Dataset(one=record("whatsapp", "1", "2"), two=None)
    assert known(dataset, ("found", ONE), ("completed", TWO), ("lost", TWO)) == {"a": "1", "b": "2"}


def test_unparking_forgets_the_app_and_no_other_one():
    dataset = Dataset(
        one=record("whatsapp", "1", "1"), two=record("whatsapp", "2", "2"), other=record("messenger", "7", "7")
    )
    before = ("completed", ONE), ("completed", OTHER), ("unparked", "whatsapp")
    assert (known(dataset, *before), known(dataset, *before, app="messenger")) == ({}, {"a": "7", "b": "7"})
    assert known(dataset, *before, ("completed", TWO)) == {"a": "2", "b": "2"}


def test_a_version_that_moves_voids_and_names_the_phone_and_both_versions():
    versions = Versions()
    versions.require("whatsapp", {"a": "1", "b": "2"})
    versions.made(record("whatsapp", "1", "2"))
    versions.require("whatsapp", {"b": "2", "a": "1"})
    versions.require("messenger", {"a": "9", "b": "9"})
    with pytest.raises(AttemptVoid) as raised:
        versions.require("whatsapp", {"a": "1", "b": "3"})
    assert raised.value.reason == "app_version_moved"
    assert str(raised.value) == "whatsapp: its version moved on b 2 -> 3; unpark it to go on with that one"


def test_a_phone_that_no_trial_was_made_on_takes_any_version():
    versions = Versions()
    versions.made(record("whatsapp", "1", None))
    versions.require("whatsapp", {"a": "1", "b": "5", "c": "6"})
    assert versions.known("whatsapp") == {"a": "1"}
