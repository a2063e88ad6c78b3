"""What a night's line counts of a dataset."""

from __future__ import annotations

import pytest

from correlate import report
from correlate.dataset import Dataset
from lab.night.counting import cells, covariates, with_fresh
from lab.night.history import Counts, Tally
from tests.correlate.conftest import Build, new_call, write_dataset, xored

A, B, RELAY = ("100.64.0.7", 5000), ("192.168.137.20", 6000), ("192.0.2.50", 3478)
APP = "maple"


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Three cancelled calls, in the second of which the caller's private address stands in the callee's trace."""
    root, calls = tmp_path_factory.mktemp("counted"), []
    for repetition in (1, 2, 3):
        call = new_call(scenario="caller_cancels", repetition=repetition, ring_s=5.0)
        call.caller.version = "1.0" if repetition < 3 else "1.1"
        for side, local in ((call.caller, A), (call.callee, B)):
            side.relay(local, RELAY, 0.0)
            side.talk(local, RELAY, 1.0, 5.0, 10, 10)
        if repetition == 2:
            call.callee.put(1.5, *RELAY, *B, Build.stun(Build.BINDING, xored(0x12, A[0])))
        calls.append(call)
    write_dataset(root, calls, analysis={"relay_ports": [3478]})
    report.build(Dataset(root))
    return Dataset(root)


def test_what_was_seen_is_counted_by_app_and_scenario_with_its_frame(dataset: Dataset) -> None:
    found = cells(dataset)
    seen = found[f"seen/caller_private/{APP}/caller_cancels"]
    assert (seen.yes, seen.of, seen.undecided) == (1, 3, 0)
    (frame,) = seen.frames
    assert (frame.trial.endswith("caller_cancels-2"), frame.side) == (True, "callee")
    assert frame.frame > 1
    none = found[f"seen/callee_private/{APP}/caller_cancels"]
    assert (none.yes, none.of, none.frames) == (0, 3, [])


def test_claims_are_counted_by_scenario(dataset: Dataset) -> None:
    found = cells(dataset)
    concealed = found[f"claim/no_disclosure_before_answer/{APP}/caller_cancels"]
    assert (concealed.yes, concealed.of, concealed.undecided) == (2, 3, 0)
    assert {key.split("/")[0] for key in found} == {"seen", "claim"}


def test_what_else_may_have_moved_is_what_the_records_say_and_else_unknown(dataset: Dataset) -> None:
    found = covariates(dataset, "192.0.2.53", 23)
    caller, callee = (found.phones[device.name] for device in dataset.info().devices)
    assert caller.apps == {APP: "1.0, 1.1"}
    assert (caller.patch, caller.egress, callee.radio) == (None, None, None)
    assert (found.resolver, found.hour) == ("192.0.2.53", 23)


def test_fresh_trials_stand_apart_and_only_where_there_are_any() -> None:
    counted = {"a": Counts(yes=1, of=4, undecided=0), "b": Counts(yes=0, of=4, undecided=1)}
    fresh = {"a": Counts(yes=5, of=8, undecided=1), "b": Counts(yes=0, of=0, undecided=0)}
    found = with_fresh(counted, fresh)
    assert found["a"].again == Tally(yes=5, of=8, undecided=1)
    assert found["b"] == counted["b"]
