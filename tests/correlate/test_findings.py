"""Measuring once, why columns are null, what names and a copy change, and what becomes of a trial that is not read."""

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from correlate import findings, pairs, report, workers
from correlate.dataset import Dataset
from correlate.dimensions import DIMENSIONS
from correlate.dimensions.servers import Server
from correlate.errors import BadDataset
from correlate.findings.cases import as_truth, cases, unread_as_truth
from correlate.findings.keys import COLUMNS as KEYS
from correlate.tables import tables
from correlate.tables.study import Study
from tests.records import record_anew

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
        if path.is_file() and "trials" not in path.parts and path.name not in ("journal.jsonl", "manifest-sha256.txt")
    }


def cut_capture(dataset, trial, side="caller"):
    path = dataset.capture(trial, side)
    path.write_bytes(path.read_bytes()[:-7])
    record_anew(dataset.path)


def forgetful(tmp_path, build, **unknown):
    """The case of a call, without what nobody wrote down."""
    call = twins(build)
    build.dataset(tmp_path, [call])
    build.forget(tmp_path, call, **unknown)
    report.findings(Dataset(tmp_path))
    (case,) = cases(Dataset(tmp_path)).read
    return case


def test_a_clock_that_was_never_compared_is_the_reason_of_its_columns_and_of_no_others(tmp_path, build):
    case = forgetful(tmp_path, build, clocks=["caller"])
    unknown, missing = (
        "this clock was never compared",
        "no direct conversation with packets both ways on alpha and bravo",
    )
    caller, callee = case.duration["caller"].reasons, case.duration["callee"].reasons
    assert (caller["longest_relay_first_ns"], caller["bound_ns"]) == (unknown, unknown)
    assert (caller["p2p_duration_ns"], caller["p2p_first_ns"]) == (missing, f"{unknown}; {missing}")
    assert "longest_relay_duration_ns" not in caller
    assert callee["longest_relay_start_within_bound"] == "the other side's clock was never compared"
    assert callee["p2p_last_ns"] == missing
    assert callee.keys() & {"longest_relay_first_ns", "longest_relay_duration_difference_ns", "bound_ns"} == set()
    assert case.servers["callee"].reasons == dict.fromkeys(("shared", "overlap_bound_ns"), "a clock was never compared")
    assert case.volume["caller"].reasons["crosswise_edge_packets"] == "a clock was never compared"


def test_addresses_that_were_not_recorded_are_the_reason_of_that_side_alone(tmp_path, build):
    case = forgetful(tmp_path, build, addresses=["callee"], vantages=["caller"])
    unknown = "addresses of a phone were not recorded, or are not those of its capture"
    nowhere = {"vantage": "where a phone was captured was not recorded"}
    seen = {"exposed_public": unknown, "exposed_private": unknown, "no_disclosure": unknown}
    assert case.endpoints["callee"].reasons == seen
    assert case.endpoints["caller"].reasons == nowhere | {"no_disclosure": unknown}
    assert case.endpoints["caller"].reason == case.endpoints["callee"].reason
    assert case.endpoints["caller"].reason.startswith("vantage: where a phone was captured was not recorded; ")


def test_a_service_and_a_role_without_a_rule_have_reasons_of_their_own(tmp_path, build):
    call = build.call()
    build.dataset(tmp_path, [call])
    report.findings(Dataset(tmp_path))
    (case,) = cases(Dataset(tmp_path)).read
    no_rule = "no conversation, and no rule for calls without one"
    assert case.service_type["callee"].reasons == {
        "service_found": no_rule,
        "rule": no_rule,
        "margin": no_rule,
        "media_bytes_per_s": "no media",
        "sessions_identical": "fewer than two sessions with servers",
    }
    assert set(case.signalling["callee"].reasons.values()) == {"no rule for this app"}
    assert list(case.signalling["callee"].reasons) == ["calling", "role_rule", "pair_packets"]
    assert case.volume["callee"].reasons["transport"] == "no conversation"
    assert case.volume["callee"].reasons["crosswise_edge_packets"] == "no media on either side"
    assert case.endpoints["callee"].reasons == {"routing": "no conversation"}


def test_findings_come_back_as_they_were_measured(tmp_path, build):
    build.dataset(tmp_path, [twins(build)], analysis=ANALYSIS, names=NAMES)
    (measured,) = report.findings(Dataset(tmp_path))
    (case,) = cases(Dataset(tmp_path)).read
    back = {
        "endpoints": case.endpoints,
        "duration": case.duration,
        "volume": case.volume,
        "service": case.service_type,
        "signalling": case.signalling,
    }
    pair = replace(measured.pair, names=Dataset(tmp_path).host_names())
    named = {name: measured.by_side(dict(DIMENSIONS)[name](pair)) for name in ("duration", "volume")}
    assert back == dict(measured.found) | named
    assert case.duration["caller"].best_match.identity == "group"
    assert case.servers["caller"].servers == (Server("192.0.2.50", 3478, "relay6-tpe.example.org"),)
    assert case.servers["caller"].evidence[0].capture == "caller"


def test_a_trial_that_is_not_read_has_the_shape_of_every_truth_with_nothing_in_it(tmp_path, build):
    calls = [twins(build), twins(build, repetition=2)]
    build.dataset(tmp_path, calls)
    cut_capture(Dataset(tmp_path), calls[1].trial)
    report.findings(Dataset(tmp_path))
    found = cases(Dataset(tmp_path))
    assert ([case.trial for case in found.read], list(found.unread)) == ([calls[0].trial], [calls[1].trial])
    assert shape(as_truth(found.read[0])) == shape(unread_as_truth())
    for name, _ in DIMENSIONS:
        with (Dataset(tmp_path).findings_dir / f"{name}.csv").open(newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["trial"] == calls[1].trial]
        reason = found.unread[calls[1].trial]
        filled = [{column: cell for column, cell in row.items() if cell and column not in KEYS} for row in rows]
        assert filled == [{"reason": reason}] * 2
        assert [(row["side"], row["app"], row["phone"]) for row in rows] == [
            ("caller", "maple", "alpha"),
            ("callee", "maple", "bravo"),
        ]


def shape(truth):
    """Its keys, those of objects inside too."""
    return {key: shape(value) if isinstance(value, dict) else None for key, value in truth.items()}


def test_names_learned_after_measuring_are_put_in_and_a_second_measurement_says_the_same(tmp_path, build):
    build.dataset(tmp_path, [twins(build)], analysis=ANALYSIS)
    dataset = Dataset(tmp_path)
    measured = report.findings(dataset)
    (found,) = report.read_findings(dataset).values()
    assert found["servers"]["shared"] == []
    dataset.write_names(NAMES)
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
    rows = [
        row for row in tables(study)[2].rows if row["measure"] == "caller_public" and row["direction"] == "lte_to_fixed"
    ]
    assert [(row["n"], row["total"]) for row in rows] == [(0, 1)]
    page = dataset.report_path.read_text()
    assert "Complete, but could not be read, and counted nowhere: 1 of 2 trials" in page
    assert report.read_findings(dataset)[calls[1].trial]["established"] is None


def test_a_cell_of_which_no_trial_could_be_read_is_null_and_says_so(tmp_path, build):
    call = twins(build)
    build.dataset(tmp_path, [call])
    cut_capture(Dataset(tmp_path), call.trial)
    report.build(Dataset(tmp_path))
    rows = tables(Study.of(Dataset(tmp_path)))[2].rows
    assert {(row["n"], row["total"], row["reason"]) for row in rows} == {(None, 0, "no trial that could be read")}


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
