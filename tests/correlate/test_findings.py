"""Measuring once: what names change, what a copy changes, and what becomes of a trial that cannot be read."""

import json
import shutil
from pathlib import Path

import pytest

from correlate import findings, pairs, report, workers
from correlate.dataset import Dataset
from correlate.dimensions import DIMENSIONS
from correlate.errors import BadDataset
from correlate.tables import tables
from correlate.tables.study import Study

A, B, RELAY, OTHER = ("100.64.0.7", 5000), ("192.168.137.20", 6000), ("192.0.2.50", 3478), ("192.0.2.51", 3478)
NAMES = {
    "192.0.2.50": {"name": "relay6-tpe.example.org", "how": "PTR", "when_ns": 1},
    "192.0.2.51": {"name": "relay-tpe.example.org", "how": "PTR", "when_ns": 1},
}
ANALYSIS = {"relay_ports": [3478], "twins": r"(relay)6?-([a-z]{3})\.example\.org"}


def twins(build, **keys):
    """A call whose sides use different addresses of one cluster."""
    call = build.call(**keys)
    for side, local, relay in ((call.caller, A, RELAY), (call.callee, B, OTHER)):
        side.relay(local, relay, 0.0)
        side.talk(local, relay, 1.0, 11.0, 120, 110)
        side.put(2.0, *local, *relay, build.stun(build.BINDING, (build.USERNAME, b"abcd:efgh")))
    return call


def contents(root):
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in Path(root).rglob("*")
        if path.is_file() and "trials" not in path.parts
    }


def cut_capture(dataset, trial, side="caller"):
    path = dataset.capture(trial, side)
    path.write_bytes(path.read_bytes()[:-7])


def test_names_learned_after_measuring_are_put_in_and_a_second_measurement_says_the_same(tmp_path, build):
    build.dataset(tmp_path, [twins(build)], analysis=ANALYSIS)
    dataset = Dataset(tmp_path)
    measured = report.findings(dataset)
    (found,) = report.read_findings(dataset).values()
    assert found["servers"]["shared"] == []
    dataset.names_path.write_text(json.dumps(NAMES))
    report.build(dataset, measured)
    (found,) = report.read_findings(dataset).values()
    assert found["servers"]["shared"] == [{"address": "192.0.2.50", "port": 3478, "name": "relay6-tpe.example.org"}]
    once = contents(tmp_path)
    report.build(dataset)
    assert contents(tmp_path) == once


def test_one_process_and_several_measure_and_link_the_same(tmp_path, build, monkeypatch):
    calls = [twins(build, app=app, repetition=n) for app in ("maple", "birch") for n in range(1, 11)]
    build.dataset(tmp_path, calls, analysis=ANALYSIS)
    cut_capture(Dataset(tmp_path), calls[3].trial)
    made = []
    for count in (1, 3):
        monkeypatch.setattr(workers, "cores", lambda count=count: count)
        report.build(Dataset(tmp_path))
        made.append(contents(tmp_path))
    assert len(made[0]["findings/link.csv"].splitlines()) > 1
    assert made[0] == made[1]


def test_names_change_only_the_dimensions_that_say_so(tmp_path, build):
    call = twins(build)
    build.dataset(tmp_path, [call], analysis=ANALYSIS)
    apps = Dataset(tmp_path).info().apps
    without, named = (
        pairs.load(Dataset(tmp_path), call.trial, apps, names)
        for names in ({}, {address: entry["name"] for address, entry in NAMES.items()})
    )
    changed = [name for name, dimension in DIMENSIONS if dimension(without) != dimension(named)]
    assert changed == list(findings.NAMED)


def test_what_is_kept_of_a_trial_holds_no_packets(tmp_path, build):
    build.dataset(tmp_path, [twins(build)])
    (kept,) = findings.measure_all(Dataset(tmp_path))
    for vantage in (kept.pair.a, kept.pair.b):
        trace = vantage.trace
        assert (len(trace.udp), len(trace.data), len(trace.raw)) == (0, 0, 0)
        assert [message.username for message in vantage.messages] == ["abcd:efgh"]
        assert trace.udp.head.base is None
        assert len(vantage.conversations) == 1


def test_a_pair_does_not_know_where_its_captures_lie(tmp_path, build):
    """The path would tell scenario, direction, service and role."""
    call = twins(build)
    build.dataset(tmp_path, [call])
    pair = pairs.load(Dataset(tmp_path), call.trial, Dataset(tmp_path).info().apps, {})
    assert (pair.a.trace.path, pair.b.trace.path) == (Path(), Path())


def test_a_damaged_capture_gives_nulls_with_the_reason_and_is_counted_nowhere(tmp_path, build):
    calls = [twins(build), twins(build, repetition=2)]
    build.dataset(tmp_path, calls, analysis=ANALYSIS)
    dataset = Dataset(tmp_path)
    cut_capture(dataset, calls[1].trial)
    report.build(dataset)
    (line,) = report.unread(dataset)
    assert line.startswith(f"{calls[1].trial}: trials/{calls[1].trial}/caller.pcap: ")
    study = Study.of(dataset)
    assert ([case.trial for case in study.cases], list(study.unread)) == ([calls[0].trial], [calls[1].trial])
    rows = [row for row in tables(study)[2].rows if row["measure"] == "caller_public" and row["direction"] == "all"]
    assert [(row["n"], row["N"]) for row in rows] == [(0, 1)]
    page = dataset.report_path.read_text()
    assert "Complete, but could not be read, and counted nowhere: 1 of 2 trials" in page
    assert report.read_findings(dataset)[calls[1].trial]["established"] is None


def test_a_cell_of_which_no_trial_could_be_read_is_null_and_says_so(tmp_path, build):
    call = twins(build)
    build.dataset(tmp_path, [call])
    cut_capture(Dataset(tmp_path), call.trial)
    report.build(Dataset(tmp_path))
    rows = tables(Study.of(Dataset(tmp_path)))[2].rows
    assert {(row["n"], row["N"], row["reason"]) for row in rows} == {(None, 0, "no trial that could be read")}


def test_findings_do_not_say_where_the_dataset_lies(tmp_path, build):
    call = twins(build)
    build.dataset(tmp_path / "one", [call])
    cut_capture(Dataset(tmp_path / "one"), call.trial)
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    for name in ("one", "two"):
        report.build(Dataset(tmp_path / name))
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_a_list_longer_than_a_csv_field_usually_is_comes_back(tmp_path, build):
    call = twins(build)
    many = [f"user{number:012d}" for number in range(9000)]
    for side, local, relay in ((call.caller, A, RELAY), (call.callee, B, OTHER)):
        for number, name in enumerate(many):
            username = (build.USERNAME, f"{name}:abcd".encode())
            side.put(3.0 + number / 10_000, *local, *relay, build.stun(build.BINDING, username))
    build.dataset(tmp_path, [call])
    report.findings(Dataset(tmp_path))
    (found,) = report.read_findings(Dataset(tmp_path)).values()
    assert len(found["user_ids"]) == len(many) + 2


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"name": "relay.example.org"}, {"192.0.2.50": "relay.example.org"}),
        ({"name": None}, {}),
        ({"name": '=HYPERLINK("http://192.0.2.9")'}, {}),
        ({"name": "a" * 254}, {}),
        ({"name": 7}, {}),
    ],
)
def test_only_what_can_be_a_host_name_is_one(tmp_path, entry, expected):
    (tmp_path / "names.json").write_text(json.dumps({"192.0.2.50": entry}))
    assert Dataset(tmp_path).host_names() == expected


def test_an_entry_of_names_that_is_no_object_is_refused_by_name(tmp_path):
    (tmp_path / "names.json").write_text('{"192.0.2.50": "relay"}')
    with pytest.raises(BadDataset, match=r"names\.json: the entry of '192\.0\.2\.50' is no object"):
        Dataset(tmp_path).host_names()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda info: info["plan"][0].pop("direction"), r"plan\.0\.direction: is missing"),
        (lambda info: info.pop("bench"), r"bench: is missing"),
        (lambda info: info.update(apps=[]), r"apps: must be an object, is \[\]"),
        (lambda info: info.update(devices=[{}]), r"devices\.0\.model: is missing"),
    ],
)
def test_a_dataset_json_that_lacks_what_tables_need_is_refused_by_name(tmp_path, build, change, message):
    build.dataset(tmp_path, [twins(build)])
    info = json.loads((tmp_path / "dataset.json").read_text())
    change(info)
    (tmp_path / "dataset.json").write_text(json.dumps(info))
    with pytest.raises(BadDataset, match=message):
        report.build(Dataset(tmp_path))
