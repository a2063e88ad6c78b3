"""Captures in which an address was missed, and real calls, with their right answers. The files are not part of this
repository."""

import csv
import json
from pathlib import Path

import pytest

from correlate import findings
from correlate.dataset import Dataset
from correlate.findings.cases import cases
from lab.commands import import_trials

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"
LEAKS, CALLS = SHARED / "cases" / "traces" / "leak", SHARED / "calls"
ROLES = [(side, role) for side in ("caller", "callee") for role in ("public", "private")]
EXPOSED = {"chan2", "chan4001", "chan5001", "origin", "unpad", "xorpeer"}
UNDECIDED = {"cut": "cut after 214 of 336 bytes", "frag": "cut after 214 of 336 bytes", "tcp": "were not captured"}


def measured(listed, folder):
    """The trials of a list, imported and measured, by the name of the caller's capture."""
    dataset = Dataset(folder)
    import_trials.import_trials(listed, dataset, ROOT / "scenarios")
    findings.write(dataset, findings.measure_all(dataset))
    with listed.open(newline="") as file:
        names = [row["caller_capture"].split(".")[0] for row in csv.DictReader(file)]
    of_trial = dict(zip([entry.id for entry in dataset.plan()], names, strict=True))
    return {of_trial[case.trial]: case for case in cases(dataset).read}


@pytest.mark.skipif(not LEAKS.is_dir(), reason="needs the captures in ../shared/cases/traces, which are absent")
@pytest.mark.parametrize("name", [*sorted(EXPOSED), *UNDECIDED, "none"])
def test_an_address_in_clear_is_exposed_or_undecided_and_never_denied(tmp_path, name):
    ((_, case),) = measured(LEAKS / f"{name}.csv", tmp_path / "leak").items()
    callee, caller = case.endpoints["callee"], case.endpoints["caller"]
    if name == "none":
        assert [case.endpoints[side].exposed[role] for side, role in ROLES] == [False] * 4
        assert callee.no_disclosure is True
    elif name in EXPOSED:
        assert (callee.exposed_private, callee.exposed_public, callee.no_disclosure) == (True, False, False)
        assert [each.address for each in callee.seen] == ["192.168.7.7"]
        assert (caller.exposed_public, caller.exposed_private) == (False, False)
    else:
        assert (callee.exposed_private, callee.exposed_public, callee.no_disclosure) == (None, None, None)
        assert UNDECIDED[name] in callee.reasons["exposed_private"]
        assert caller.unseen


@pytest.mark.skipif(not CALLS.is_dir(), reason="needs the calls in ../shared/calls, which are absent")
def test_what_real_calls_expose_is_what_another_reader_found(tmp_path):
    truth = json.loads((CALLS / "truth.json").read_text())
    found = measured(CALLS / "LIST.csv", tmp_path / "calls")
    assert found.keys() == truth.keys()
    wrong, undecided = [], []
    for name, case in found.items():
        tshark = truth[name]["exposed_tshark"]
        for side, role in ROLES:
            key, got = f"{side}_{role}", case.endpoints[side].exposed[role]
            expected = tshark[key] or tshark[f"{key}_in_turn_tcp_only"]
            if got is None:
                undecided.append((name, key, case.endpoints[side].reasons[f"exposed_{role}"]))
            elif got != expected:
                wrong.append((name, key, got))
    assert (wrong, undecided) == ([], [])
