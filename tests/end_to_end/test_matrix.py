"""The main job: the paper's matrix on the virtual bench, and its findings against what really happened there."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from correlate import report
from correlate.dataset import Dataset
from tests.end_to_end.conftest import THIRTY
from tests.end_to_end.runs import captures, cpu_hog, invoke, run_trials
from tests.records import record_anew

Fields = dict[str, Any]


def flat(value: object, name: str = "") -> Iterator[tuple[str, object]]:
    """The fields of nested objects by dotted name; lists are values."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from flat(inner, f"{name}.{key}" if name else key)
    else:
        yield name, value


def truth_of(dataset: Dataset, trial_id: str) -> Fields:
    return dict(flat(json.loads((dataset.truth_dir / f"{trial_id}.json").read_text())))


# What the lab records or measures otherwise than by findings; compared with trial.json below.
NOT_FINDINGS = ("trial", "attempt", "observed_scenario", "caller", "capture_restarts", "clocks.")
NOT_FINDINGS += ("calls", "sim_calls", "other_calls", "interruptions", "marked.", "faults")


def differences(dataset: Dataset) -> list[str]:
    """Every field of every trial in which findings and truth differ, by name; fields that only one has, too."""
    found = report.read_findings(dataset)
    different = []
    for trial_id in dataset.trial_ids():
        truth = {
            name: value for name, value in truth_of(dataset, trial_id).items() if not name.startswith(NOT_FINDINGS)
        }
        ours = dict(flat(found[trial_id]))
        for name in sorted(truth.keys() | ours.keys()):
            if truth.get(name, "missing") != ours.get(name, "missing"):
                different.append(f"{trial_id}: {name}: {ours.get(name, 'missing')}, is {truth.get(name, 'missing')}")
    return different


def wrong_nulls(dataset: Dataset, apps_with_roles: set[str]) -> list[str]:
    """Fields that are null where the contract forbids it, or not null where it demands it."""
    found = report.read_findings(dataset)
    wrong = []
    for entry in (entry for entry in dataset.plan() if entry.id in found):
        fields = dict(flat(found[entry.id]))
        never = [name for name in fields if name.startswith(("exposed.", "servers.", "user_ids", "media."))]
        conversation = entry.scenario in ("caller_hangs_up", "callee_hangs_up")
        never += ["role"] if entry.app in apps_with_roles else []
        never += ["routing", "service"] if conversation else []
        wrong += [f"{entry.id}: {name} is null" for name in never if fields[name] is None]
        if not conversation and fields["routing"] is not None:
            wrong.append(f"{entry.id}: routing is {fields['routing']} in an unanswered call")
        if fields["established"] is not conversation:
            wrong.append(f"{entry.id}: established is {fields['established']}")
    return wrong


def analysis_files(dataset: Dataset) -> dict[str, bytes]:
    """Findings and tables, by name."""
    folders = (dataset.findings_dir, dataset.tables_dir)
    return {f"{folder.name}/{file.name}": file.read_bytes() for folder in folders for file in sorted(folder.iterdir())}


def test_thirty_trials_of_the_papers_180_are_complete_and_verify(thirty: Dataset) -> None:
    assert (len(thirty.trial_ids()), len(thirty.plan())) == (30, 180)
    assert thirty.verify() == []


@pytest.mark.full
def test_all_180_trials_are_complete_and_verify(paper: Dataset) -> None:
    assert len(paper.trial_ids()) == 180
    assert paper.verify() == []
    checked = subprocess.run(["sha256sum", "--quiet", "-c", "manifest-sha256.txt"], cwd=paper.path, check=False)
    assert checked.returncode == 0


@pytest.mark.full
def test_the_dataset_stays_below_600_mb(paper: Dataset) -> None:
    assert sum(path.stat().st_size for path in paper.path.rglob("*") if path.is_file()) < 600_000_000


def test_findings_equal_the_truth_in_every_field_of_every_trial(matrix: Dataset) -> None:
    assert differences(matrix) == []


def test_nothing_is_null_but_where_nothing_on_the_wire_tells(matrix: Dataset) -> None:
    assert wrong_nulls(matrix, {"whatsapp"}) == []


def test_what_was_asked_is_what_happened(matrix: Dataset) -> None:
    for entry in (entry for entry in matrix.plan() if entry.id in matrix.trial_ids()):
        truth, record = truth_of(matrix, entry.id), matrix.record(entry.id)
        assert (truth["observed_scenario"], truth["caller"]) == (entry.scenario, entry.caller)
        assert (record.observed_scenario, record.attempt) == (entry.scenario, truth["attempt"])
        assert truth["capture_restarts"] == record.capture_restarts
        assert truth["service"] in (entry.service, None)


@pytest.mark.full
def test_some_pre_rolls_were_loud_and_were_captured_again(paper: Dataset) -> None:
    restarts = [paper.record(trial_id).capture_restarts for trial_id in paper.trial_ids()]
    assert set(restarts) == {0, 1}
    assert 2 <= sum(restarts) <= 20


def test_clock_bounds_hold_the_true_offset_in_every_trial(matrix: Dataset) -> None:
    errors = []
    for trial_id in matrix.trial_ids():
        truth, clocks = truth_of(matrix, trial_id), matrix.record(trial_id).clocks
        for who in ("caller", "callee", "laptop"):
            for when in ("before", "after"):
                measured = getattr(clocks[who], when)
                error = measured.offset_ns - truth[f"clocks.{who}.offset_{when}_ns"]
                assert 0 < measured.bound_ns < 2_000_000, (trial_id, who, when)
                assert abs(error) <= measured.bound_ns, (trial_id, who, when, error)
                errors.append(abs(error))
    assert len(errors) == len(matrix.trial_ids()) * 6
    assert sum(error > 10_000 for error in errors) > len(errors) * 5 / 6


def test_markers_bound_each_captures_clock_around_its_machines(matrix: Dataset) -> None:
    for trial_id in matrix.trial_ids():
        truth, record = truth_of(matrix, trial_id), matrix.record(trial_id)
        for role in ("caller", "callee"):
            side, machine = record.sides[role], "laptop" if record.sides[role].tool == "dumpcap" else role
            assert (side.clock, side.timestamps) == (machine, "host")
            for when in ("before", "after"):
                measured = getattr(record.clocks[f"{role}_capture"], when)
                error = measured.offset_ns - truth[f"clocks.{machine}.offset_{when}_ns"]
                assert abs(error) <= measured.bound_ns < 700_000_000, (trial_id, role, when, error)


def test_the_drift_of_each_clock_is_the_one_it_was_given(matrix: Dataset) -> None:
    for trial_id in matrix.trial_ids():
        truth, record = truth_of(matrix, trial_id), matrix.record(trial_id).clocks
        for who in ("caller", "callee", "laptop"):
            before, after = record[who].before, record[who].after
            bound_ppm = (before.bound_ns + after.bound_ns) * 1e6 / (after.at_ns - before.at_ns)
            assert abs(record[who].drift_ppm - truth[f"clocks.{who}.drift_ppm"]) <= bound_ppm + 0.001


@pytest.mark.full
def test_the_clocks_are_wrong_by_seconds_and_drift(paper: Dataset) -> None:
    offsets = {truth_of(paper, trial_id)["clocks.caller.offset_before_ns"] // 10**9 for trial_id in paper.trial_ids()}
    assert min(offsets) <= -1
    assert max(offsets) >= 2


@pytest.mark.full
def test_table_3_counts_are_those_of_the_paper(paper: Dataset) -> None:
    p2p = {("whatsapp", "lte"): 12, ("messenger", "lte"): 9, ("snapchat", "lte"): 1, ("snapchat", "fixed"): 6}
    found = report.read_findings(paper)
    counted: dict[tuple[str, str], int] = {}
    for entry in paper.plan():
        if found[entry.id]["routing"] == "p2p":
            key = entry.app, entry.direction.split("_to_")[0]
            counted[key] = counted.get(key, 0) + 1
    assert counted == p2p


@pytest.mark.full
def test_deleting_the_truth_changes_nothing(paper: Dataset, linked: Callable[[Dataset], Dataset]) -> None:
    copy = linked(paper)
    shutil.rmtree(copy.truth_dir)
    record_anew(copy.path, captures=False)
    shutil.rmtree(copy.findings_dir)
    shutil.rmtree(copy.tables_dir)
    done = invoke("correlate", "--dataset", str(copy.path))
    assert done.returncode == 0, done.stderr
    assert analysis_files(copy) == analysis_files(paper)


def test_the_report_is_rendered_of_findings_alone(matrix: Dataset, linked: Callable[[Dataset], Dataset]) -> None:
    copy = linked(matrix)
    copy.report_path.unlink()
    done = invoke("report", "--dataset", str(copy.path))
    assert (done.returncode, done.stdout.splitlines(), done.stderr) == (0, report.summary(copy), "")
    assert copy.report_path.read_bytes() == matrix.report_path.read_bytes()
    shutil.rmtree(copy.findings_dir)
    done = invoke("report", "--dataset", str(copy.path))
    text = f"{copy.findings_dir}/endpoints.csv: cannot be read: No such file or directory; correlate first\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", text)


@pytest.mark.full
def test_a_run_takes_the_name_of_a_server_from_a_dns_answer_where_no_resolver_has_one(
    paper: Dataset, linked: Callable[[Dataset], Dataset]
) -> None:
    copy = linked(paper)
    server = next(address for address, entry in sorted(paper.names().items()) if entry["name"] is None)
    trial = next(trial for trial, found in sorted(report.read_findings(paper).items()) if server in str(found))
    capture = copy.capture(trial, "caller")
    data = capture.read_bytes()
    for told in dns_answers(capture):  # the phone's other traffic asks for names; here all of them are the server's
        data = data.replace(RDATA_LENGTH + told, RDATA_LENGTH + ip_address(server).packed)
    capture.unlink()
    capture.write_bytes(data)
    copy.names_path.unlink()
    record_anew(copy.path)  # as a run leaves it that was interrupted before it was analysed
    done = invoke("run-matrix", "--dataset", str(copy.path))
    assert (done.returncode, done.stderr) == (0, "")
    entry = copy.names()[server]
    assert (entry["how"], [each["how"] for each in entry["earlier"]]) == ("DNS in trace", ["PTR: NXDOMAIN"])
    assert str(entry["name"]).endswith(".example.org")
    assert (server, entry["name"]) in {
        (each["address"], each["name"]) for each in report.read_findings(copy)[trial]["servers"]["caller"]
    }
    assert {address: each for address, each in copy.names().items() if address != server} == {
        address: each for address, each in paper.names().items() if address != server
    }


RDATA_LENGTH = b"\x00\x04"


def dns_answers(capture: Path) -> list[bytes]:
    """The IPv4 addresses that DNS answers of a capture tell, by scapy."""
    from scapy.layers.dns import DNS, DNSRR
    from scapy.utils import rdpcap

    answers = [packet[DNS].an[0] for packet in rdpcap(str(capture)) if DNS in packet and packet[DNS].ancount]
    return [ip_address(each.rdata).packed for each in answers if isinstance(each, DNSRR) and each.type == 1]


def test_again_there_is_nothing_to_do_and_nothing_is_written(matrix: Dataset) -> None:
    before = {path: path.stat().st_mtime_ns for path in matrix.path.rglob("*")}
    trials = len(matrix.trial_ids())
    done = invoke("run-matrix", "--dataset", str(matrix.path), *(("--only", THIRTY) if trials == 30 else ()))
    assert done.returncode == 0
    assert done.stdout.startswith(f"Nothing to do: all {trials} trials are complete")
    assert {path: path.stat().st_mtime_ns for path in matrix.path.rglob("*")} == before


@pytest.mark.full
def test_trial_97_alone_and_twelve_under_load_have_the_bytes_of_the_run(paper: Dataset, tmp_path: Path) -> None:
    ids = [entry.id for entry in paper.plan()]
    chosen = [ids[96], *random.Random("twelve").sample(ids, 11)]
    run_trials(tmp_path / "alone", chosen[:1])
    with cpu_hog():
        run_trials(tmp_path / "loaded", chosen)
    for trial_id in chosen:
        assert captures(tmp_path / "loaded", trial_id) == captures(paper.path, trial_id), trial_id
    assert captures(tmp_path / "alone", chosen[0]) == captures(paper.path, chosen[0])


@pytest.mark.full
def test_another_seed_gives_other_captures(paper: Dataset, tmp_path: Path) -> None:
    chosen = paper.trial_ids()[:2]
    run_trials(tmp_path / "other", chosen, seed=2)
    for trial_id in chosen:
        ours, theirs = captures(tmp_path / "other", trial_id), captures(paper.path, trial_id)
        assert not set(ours.values()) & set(theirs.values())


Crowd = dict[tuple[str, int], Dataset]


@pytest.mark.full
def test_findings_equal_the_truth_in_every_field_of_every_trial_of_another_seed(crowd: Crowd) -> None:
    dataset = crowd["paper", 2]
    assert (dataset.info().seed, len(dataset.trial_ids())) == (2, 180)
    assert differences(dataset) == []
    assert wrong_nulls(dataset, {"whatsapp"}) == []


@pytest.mark.full
def test_findings_equal_the_truth_for_all_180_trials_of_the_invented_apps(crowd: Crowd) -> None:
    dataset = crowd["invented", 1]
    assert len(dataset.trial_ids()) == 180
    assert differences(dataset) == []
    rules = {name for name, app in dataset.info().apps.items() if app.analysis.role is not None}
    assert rules
    assert "whatsapp" not in rules
    assert wrong_nulls(dataset, rules) == []


@pytest.mark.full
def test_the_whole_matrix_again_beside_two_other_runs_is_the_same(paper: Dataset, crowd: Crowd) -> None:
    again = crowd["paper", 1]
    for trial_id in paper.trial_ids():
        assert captures(again.path, trial_id) == captures(paper.path, trial_id), trial_id
    assert analysis_files(again) == analysis_files(paper)


@pytest.mark.full
def test_another_seed_gives_other_tables_of_amounts(paper: Dataset, crowd: Crowd) -> None:
    for name, ours in analysis_files(paper).items():
        if name.startswith(("tables/table6", "tables/table7", "tables/table8")):
            assert ours != analysis_files(crowd["paper", 2])[name], name
