"""What the commands that compute a dataset do with it: what is held, refused, computed again, and told by exit code."""

import io
import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from invoke.context import Context
from invoke.exceptions import Exit

import tasks
from correlate import report
from correlate.dataset import Dataset, documents
from lab.errors import TrialsFailed
from lab.night import whole_run
from lab.run.options import Options, holding
from lab.run.plan import prepare
from tests.records import record_anew

SCENARIOS = str(Path(__file__).parents[2] / "scenarios")


def call_of(build, **keys):
    call = build.call(**keys)
    for side, local in ((call.caller, ("100.64.0.7", 5000)), (call.callee, ("192.168.137.20", 6000))):
        side.talk(local, ("192.0.2.50", 3478), 1.0, 11.0, 120, 110)
    return call


@pytest.fixture
def made(tmp_path, build):
    """A dataset of one trial of two, computed; the other one."""
    call, missing = call_of(build), call_of(build, repetition=2)
    build.dataset(tmp_path, [call], extra_plan=[missing])
    report.build(Dataset(tmp_path))
    return Dataset(tmp_path), call, missing


def cut(dataset, call):
    """Both sides of a damaged trial, as a command tells them."""
    path = dataset.capture(call.trial, "callee")
    path.write_bytes(path.read_bytes()[:-5])
    record_anew(dataset.path)
    return f"{call.trial}: trials/{call.trial}/{path.name}: "


def ended(work) -> tuple[int, str]:
    with pytest.raises(Exit) as raised:
        work()
    return raised.value.code, raised.value.message


def contents(dataset):
    files = (path for path in sorted(dataset.path.rglob("*")) if path.is_file() and path.name != ".lock")
    return {path: path.read_bytes() for path in files}


def run_of(dataset):
    return replace(prepare(Options(matrix="smoke", scenarios=SCENARIOS)), dataset=dataset)


@pytest.mark.parametrize("task", [tasks.correlate, tasks.report, tasks.resolve])
def test_what_somebody_else_holds_is_neither_computed_nor_changed(made, task):
    dataset, *_ = made
    with holding(dataset):
        before = contents(dataset)
        text = f"{dataset.path} is held by process {os.getpid()}; wait until it has ended, or end it"
        assert ended(lambda: task(Context(), str(dataset.path))) == (5, text)
        assert contents(dataset) == before


@pytest.mark.parametrize("task", [tasks.correlate, tasks.report, tasks.resolve])
def test_a_folder_that_is_no_dataset_is_bad_input(tmp_path, task):
    text = f"{tmp_path}/dataset.json: cannot be read: No such file or directory"
    assert ended(lambda: task(Context(), str(tmp_path))) == (2, text)
    assert list(tmp_path.iterdir()) == []


def test_what_ran_is_computed_though_somebody_made_a_manifest_meanwhile(made, build, monkeypatch):
    dataset, call, missing = made

    def run_missing(run, *_):
        build.write_call(dataset.path, missing)
        return True

    monkeypatch.setattr(whole_run, "run_missing", run_missing)
    whole_run.run_and_report(run_of(dataset))
    assert set(report.read_findings(dataset)) == {call.trial, missing.trial}
    assert dataset.verify() == []


def test_a_run_ends_with_exit_code_3_and_a_line_for_a_trial_that_cannot_be_read(made, monkeypatch):
    dataset, call, _ = made
    line = cut(dataset, call)
    monkeypatch.setattr(whole_run, "run_missing", lambda *_: True)
    code, text = ended(lambda: whole_run.run_and_report(run_of(dataset)))
    assert (code, text.startswith(line), text.count("\n")) == (3, True, 0)
    # The next run has nothing to do, and says the same.
    monkeypatch.setattr(whole_run, "run_missing", lambda *_: False)
    assert ended(lambda: whole_run.run_and_report(run_of(dataset))) == (3, text)


def test_void_trials_and_trials_that_cannot_be_read_are_told_together(made, monkeypatch):
    dataset, call, _ = made
    line = cut(dataset, call)

    def run_missing(*_):
        raise TrialsFailed("1 of 2 trials stay void: x")

    monkeypatch.setattr(whole_run, "run_missing", run_missing)
    code, text = ended(lambda: whole_run.run_and_report(run_of(dataset)))
    first, second = text.splitlines()
    assert (code, first, second.startswith(line)) == (3, "1 of 2 trials stay void: x", True)


def test_an_imported_trial_that_cannot_be_read_is_told_with_exit_code_3(made, monkeypatch):
    dataset, call, _ = made
    line = cut(dataset, call)
    monkeypatch.setattr("lab.commands.import_trials.import_trials", lambda *_: 1)
    code, text = ended(lambda: tasks.import_trials(Context(), "list.csv", str(dataset.path)))
    assert (code, text.startswith(line), text.count("\n")) == (3, True, 0)


@pytest.mark.parametrize(
    ("own", "asked", "text"),
    [
        ("virtual", "virtul", "no bench 'virtul'; did you mean 'virtual'?"),
        ("imported", "", "{}: its bench 'imported' is not here; name one with --bench: "),
    ],
)
def test_a_bench_that_is_not_there_is_refused_before_anything_is_computed(made, own, asked, text):
    dataset, *_ = made
    dataset.info_path.write_text(json.dumps({**json.loads(dataset.info_path.read_text()), "bench": own}))
    before = contents(dataset)
    code, said = ended(lambda: tasks.resolve(Context(), str(dataset.path), asked, SCENARIOS))
    assert (code, said.startswith(text.format(dataset.path))) == (2, True)
    assert contents(dataset) == before


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda info: info["apps"].update(maple=None), "apps.maple: must be an object, is null"),
        (lambda info: info["apps"]["maple"].update(services=3), "apps.maple.services: must be a list, is 3"),
        (lambda info: info["apps"]["maple"].update(analysis=[]), "apps.maple.analysis: must be an object, is []"),
        (lambda info: info["devices"][0].update(tools=1), "devices.0.tools: must be a list, is 1"),
        (lambda info: info["devices"][0].update(name=1), "devices.0.name: must be text, is 1"),
        (lambda info: info["devices"][1].update(model=[]), "devices.1.model: must be text, is []"),
        (lambda info: info.update(laptop="yes"), 'laptop: must be an object, is "yes"'),
        (lambda info: info["laptop"].update(tools=[1]), "laptop.tools.0: must be text, is 1"),
    ],
)
def test_a_dataset_json_of_wrong_types_is_one_line_and_the_manifest_stays(made, change, what):
    dataset, *_ = made
    info = json.loads(dataset.info_path.read_text())
    change(info)
    dataset.info_path.write_text(json.dumps(info))
    text = f"{dataset.info_path}: {what}; put back the file as it was recorded"
    for task in (tasks.correlate, tasks.report, tasks.resolve):
        assert ended(lambda task=task: task(Context(), str(dataset.path))) == (2, text)
    assert ended(lambda: tasks.verify(Context(), str(dataset.path))) == (3, text)
    assert dataset.manifest_path.exists()


def test_a_dataset_of_a_newer_version_is_refused_and_nothing_is_written(made):
    dataset, *_ = made
    newer = {**json.loads(dataset.info_path.read_text()), "schema": 3, "matrix": "smoke"}
    dataset.info_path.write_text(json.dumps(newer))
    before = contents(dataset)
    text = f"{dataset.info_path}: schema 3 was made by a newer version; this one reads schemas 1 and 2; use that one"
    for task in (tasks.correlate, tasks.report, tasks.resolve, tasks.verify):
        assert ended(lambda task=task: task(Context(), str(dataset.path))) == (2, text)
    given = {"matrix": "smoke", "dataset": str(dataset.path), "scenarios": SCENARIOS}
    assert ended(lambda: tasks.run_matrix(Context(), **given)) == (2, text)
    assert contents(dataset) == before


def test_trials_of_both_schemas_stand_in_one_dataset_and_give_the_same_findings(made, build):
    dataset, call, missing = made
    before = {path.name: path.read_bytes() for path in dataset.findings_dir.iterdir()}
    documents.write(dataset.trial_dir(call.trial) / "trial.json", dataset.record(call.trial))
    record_anew(dataset.path)
    report.build(dataset)
    assert {path.name: path.read_bytes() for path in dataset.findings_dir.iterdir()} == before
    documents.write(dataset.info_path, dataset.info())
    build.write_call(dataset.path, missing)
    record_anew(dataset.path)
    report.build(dataset)
    schemas = [json.loads(path.read_text())["schema"] for path in sorted(dataset.trials_dir.glob("*/trial.json"))]
    assert (schemas, json.loads(dataset.info_path.read_text())["schema"]) == ([2, 1], 2)
    assert (report.unread(dataset), dataset.verify()) == ([], [])


def test_an_analysis_that_does_not_fit_leaves_the_manifest_where_it_is(made):
    dataset, *_ = made
    info = json.loads(dataset.info_path.read_text())
    info["apps"]["maple"]["analysis"] = {"relay_ports": 3478}
    dataset.info_path.write_text(json.dumps(info))
    what = "apps.maple.analysis.relay_ports: must be a list, is 3478"
    text = f"{dataset.info_path}: {what}; put back the file as it was recorded"
    assert ended(lambda: tasks.correlate(Context(), str(dataset.path))) == (2, text)
    assert dataset.manifest_path.exists()


def test_a_names_json_of_wrong_types_leaves_the_manifest_where_it_is(made):
    dataset, *_ = made
    dataset.names_path.write_text('{"192.0.2.50": "relay"}')
    text = f"{dataset.names_path}: the entry of '192.0.2.50' is no object"
    assert ended(lambda: tasks.correlate(Context(), str(dataset.path))) == (2, text)
    assert dataset.manifest_path.exists()


def test_a_path_that_is_no_text_is_refused_and_not_begun(tmp_path):
    folder = os.fsdecode(os.fsencode(tmp_path) + b"/\xff")
    text = rf"--dataset {tmp_path}/\udcff: is no UTF-8 text; name another folder"
    given = {"dataset": folder, "scenarios": SCENARIOS}
    assert ended(lambda: tasks.run_matrix(Context(), matrix="smoke", dry_run=True, **given)) == (2, text)
    assert ended(lambda: tasks.import_trials(Context(), "list.csv", **given)) == (2, text)
    assert list(tmp_path.iterdir()) == []


def test_what_standard_output_cannot_show_is_escaped(monkeypatch):
    out = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")
    monkeypatch.setattr(sys, "stdout", out)
    with tasks.exits():
        print("username=\N{TELEPHONE RECEIVER}\udcff")
    out.flush()
    assert out.buffer.getvalue() == b"username=\\U0001f4de\\udcff\n"


def test_a_dry_run_refuses_what_the_run_would_refuse(made):
    dataset, *_ = made
    given = {"matrix": "smoke", "dataset": str(dataset.path), "scenarios": SCENARIOS, "dry_run": True}
    code, text = ended(lambda: tasks.run_matrix(Context(), **given))
    begun = f"{dataset.info_path}: this dataset was begun with matrix tiny, not smoke; "
    assert (code, text) == (2, f"{begun}name another folder with --dataset")
