"""What build writes, that it writes the same bytes again, and what the page says."""

import json

import pytest

from correlate import report
from correlate.dataset import Dataset
from correlate.findings import columns, decode, encode

A, B, RELAY = ("100.64.0.7", 5000), ("192.168.137.20", 6000), ("192.0.2.50", 3478)


def one_call(build, **keys):
    call = build.call(**keys)
    for side, local in ((call.caller, A), (call.callee, B)):
        side.relay(local, RELAY, 0.0)
        side.talk(local, RELAY, 1.0, 11.0, 120, 110)
        side.put(2.0, *local, *RELAY, build.stun(build.BINDING, (build.USERNAME, b"abcd:efgh")))
    return call


@pytest.fixture
def built(tmp_path, build):
    build.dataset(tmp_path, [one_call(build)], extra_plan=[build.call(repetition=2)])
    report.build(Dataset(tmp_path))
    return Dataset(tmp_path)


def contents(dataset):
    return {
        path.relative_to(dataset.path).as_posix(): path.read_bytes()
        for path in dataset.path.rglob("*")
        if path.is_file() and "trials" not in path.parts
    }


def test_findings_have_exactly_the_fields_of_truth(built):
    (found,) = report.read_findings(built).values()
    media = {"tx_packets": 120, "rx_packets": 110, "tx_payload_bytes": 12_000, "rx_payload_bytes": 11_000}
    server = {"address": "192.0.2.50", "port": 3478, "name": None}
    assert found == {
        "established": True,
        "routing": "relay",
        "p2p_observed": False,
        "service": "voice",
        "role": None,
        "exposed": {
            "caller_public": False, "caller_private": False, "callee_public": False, "callee_private": False,
        },
        "servers": {"caller": [server], "callee": [server], "shared": [server]},
        "user_ids": ["abcd", "efgh"],
        "media": {"caller": media, "callee": media},
    }  # fmt: skip


def test_the_same_captures_give_the_same_bytes_and_truth_is_not_read(built):
    before = contents(built)
    built.truth_dir.mkdir()
    (built.truth_dir / "lies.json").write_text("{}")
    report.build(built)
    after = contents(built)
    assert {name: data for name, data in after.items() if "truth" not in name and "manifest" not in name} == {
        name: data for name, data in before.items() if "manifest" not in name
    }


def test_build_writes_every_table_every_dimension_and_the_manifest(built):
    made = set(contents(built))
    assert {f"tables/table{number}.{suffix}" for number in range(1, 9) for suffix in ("csv", "md")} <= made
    assert {name for name in made if name.startswith("findings/")} == {
        f"findings/{name}.csv"
        for name in ("endpoints", "servers", "duration", "volume", "service", "signalling", "link")
    }
    assert {"tables/claims.csv", "report.html", "manifest-sha256.txt"} <= made
    assert built.verify() == []


def test_each_finding_has_one_row_a_trial_and_side_and_a_reason_column(built):
    lines = (built.findings_dir / "service.csv").read_text().splitlines()
    assert lines[0].split(",")[:3] == ["trial", "side", "phone"]
    assert lines[0].endswith(",reason")
    assert [line.split(",")[1] for line in lines[1:]] == ["caller", "callee"]


def test_names_change_what_is_shared_and_nothing_else_of_the_findings(built):
    names = {"192.0.2.50": {"name": "relay.example.org", "how": "PTR", "when": "then"}}
    built.names_path.write_text(json.dumps(names))
    report.build(built)
    (found,) = report.read_findings(built).values()
    assert found["servers"]["caller"] == [{"address": "192.0.2.50", "port": 3478, "name": "relay.example.org"}]
    assert report.server_addresses(built) == ["192.0.2.50"]


def test_the_page_says_provenance_first_then_the_verdict_then_the_tables(built):
    page = built.report_path.read_text()
    places = [page.index(text) for text in ("provenance: modelled", 'id="verdict"', 'id="table1"', 'id="claims"')]
    assert places == sorted(places)
    assert "1 of 2 trials complete" in page
    assert "Always given away: shared servers, user ids, voice or video, matching durations." in page
    assert "://" not in page.replace("https://doi.org", "")


def test_strings_of_a_dataset_are_escaped_in_the_page(built):
    info = built.info()
    info["name"] = "<script>alert(1)</script>"
    built.info_path.write_text(json.dumps(info))
    report.build(built)
    page = built.report_path.read_text()
    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_a_dataset_without_trials_still_gives_every_file(tmp_path, build):
    build.dataset(tmp_path, [], extra_plan=[build.call()])
    report.build(Dataset(tmp_path))
    assert Dataset(tmp_path).verify() == []
    assert report.read_findings(Dataset(tmp_path)) == {}
    assert "no trial to tell" in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize(
    "value", [True, False, None, 0, -3, 1.25, "a,b", [], ["x", "y"], [{"address": "a", "port": 1}]]
)
def test_a_cell_comes_back_as_it_was(value):
    kinds = {bool: bool | None, int: int | None, float: float | None, str: str, list: tuple[str, ...]}
    kind = int | None if value is None else kinds[type(value)]
    assert decode(encode(value), kind) == value


def test_columns_come_from_the_dataclass_of_a_side():
    from correlate.dimensions import duration

    assert list(columns(duration.measure))[:3] == ["phone", "longest_relay_duration_ns", "longest_relay_first_ns"]
    assert list(columns(duration.measure))[-1] == "reason"
