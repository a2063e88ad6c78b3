"""datapackage.json, README.md and CITATION.cff say what a dataset is, by the types that wrote it."""

import csv
import hashlib
import json
import re

import pytest
import yaml

from correlate import report
from correlate.dataset import Dataset
from correlate.errors import Damaged
from correlate.findings import trials
from correlate.findings.cases import cases
from correlate.report.describe import FILES, citation, package, readme
from correlate.tables import kinds, tables
from correlate.tables.claims import claims
from correlate.tables.figures import figures
from correlate.tables.study import Study


@pytest.fixture
def built(tmp_path, build):
    call = build.call(ring_s=4.0, talk_s=20.0)
    for side, local, server in (
        (call.caller, ("100.64.0.7", 5000), ("192.0.2.50", 3478)),
        (call.callee, ("192.168.137.20", 6000), ("192.0.2.50", 3478)),
    ):
        side.relay(local, server, 0.0)
        side.talk(local, server, 1.0, 9.0, 80, 80)
    build.dataset(tmp_path, [call, build.call(scenario="caller_cancels")])
    report.build(Dataset(tmp_path))
    return Dataset(tmp_path)


def described(dataset):
    return json.loads((dataset.path / "datapackage.json").read_text())


def rows_of(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def fields_of(dataset, name):
    (resource,) = (each for each in described(dataset)["resources"] if each["name"] == name)
    return {each["name"]: each for each in resource["schema"]["fields"]}


def test_the_package_lists_every_csv_with_its_columns_bytes_and_hash(built):
    found = {each["path"]: each for each in described(built)["resources"]}
    paths = {path.relative_to(built.path).as_posix(): path for path in built.path.rglob("*.csv")}
    assert found.keys() == paths.keys()
    for name, path in paths.items():
        data = path.read_bytes()
        assert (found[name]["bytes"], found[name]["hash"]) == (len(data), f"sha256:{hashlib.sha256(data).hexdigest()}")
        header = next(csv.reader(data.decode().splitlines()))
        assert [each["name"] for each in found[name]["schema"]["fields"]] == header
        assert len({column.lower() for column in header}) == len(header), name
        assert all(each["description"] for each in found[name]["schema"]["fields"])


def test_types_are_those_of_the_models(built):
    signalling, duration = fields_of(built, "signalling"), fields_of(built, "duration")
    assert [signalling[each]["type"] for each in ("repetition", "calling", "pair_packets", "reasons", "reason")] == [
        "integer", "boolean", "array", "object", "string",
    ]  # fmt: skip
    assert duration["longest_relay_first_ns"]["type"] == "integer"
    assert signalling["calling"]["trueValues"] == ["TRUE"]
    assert signalling["side"]["constraints"] == {"required": True, "enum": ["caller", "callee"]}
    assert {each["type"] for each in (fields_of(built, "claims")[name] for name in ("holds", "discriminates"))} == {
        "boolean"
    }
    assert fields_of(built, "table4")["ports"]["type"] == "array"


def test_rows_are_named_by_their_keys_and_belong_to_a_trial(built):
    schemas = {each["name"]: each["schema"] for each in described(built)["resources"]}
    assert schemas["trials"]["primaryKey"] == ["trial"]
    assert schemas["sessions"]["primaryKey"] == ["trial", "side", "number"]
    to = {"resource": "trials", "fields": ["trial"]}
    assert schemas["volume"]["foreignKeys"] == [{"fields": ["trial"], "reference": to}]
    assert [each["fields"] for each in schemas["wrong_pairs"]["foreignKeys"]] == [["caller_trial"], ["callee_trial"]]
    # Nothing was linked: its one row has no load.
    assert "primaryKey" not in schemas["link"]
    for each in described(built)["resources"]:
        rows = rows_of(built.path / each["path"])
        keyed = [tuple(row[column] for column in each["schema"].get("primaryKey", ())) for row in rows]
        assert len(set(keyed)) == len(keyed) or "primaryKey" not in each["schema"], each["path"]


def test_every_cell_of_a_table_is_of_its_columns_kind(built):
    study = Study.of(built)
    assert [each for of in (*tables(study), *figures(study), claims(study)) for each in kinds.misfits(of)] == []


def test_without_a_licence_none_is_stated_and_with_one_all_three_say_so(built):
    assert "licenses" not in described(built)
    page, cited = ((built.path / name).read_text() for name in FILES[1:])
    assert "- Licence: none is stated\n" in page
    assert "license" not in yaml.safe_load(cited)
    info = built.info().model_copy(update={"licence": "CC-BY-4.0", "contact": 'A "lab": x'})
    found = package.text(info, package.resources(built))
    assert json.loads(found)["licenses"] == [{"name": "CC-BY-4.0"}]
    assert "- Licence: CC-BY-4.0\n" in readme.text(info, [])
    stated = yaml.safe_load(citation.text(info))
    assert (stated["license"], stated["authors"]) == ("CC-BY-4.0", [{"name": 'A "lab": x'}])


def test_the_readme_has_every_column_and_stays_text(built):
    page = (built.path / "README.md").read_text()
    for each in described(built)["resources"]:
        section = page.split(f"### {each['path']}\n")[1].split("\n### ")[0]
        assert set(re.findall(r"^\| `(\w+)` \|", section, re.M)) == {it["name"] for it in each["schema"]["fields"]}
    info = built.info().model_copy(update={"contact": "<script>alert(1)</script>\n# no heading"})
    assert "<script>" not in readme.text(info, [])
    assert "\n# no heading" not in readme.text(info, [])


def test_what_describes_a_dataset_is_in_the_manifest_and_comes_out_the_same_again(built):
    before = {name: (built.path / name).read_bytes() for name in (*FILES, "trials.csv")}
    assert built.verify() == []
    report.render(built)
    assert {name: (built.path / name).read_bytes() for name in before} == before
    report.build(built)
    assert {name: (built.path / name).read_bytes() for name in before} == before
    assert built.verify() == []


def test_instants_are_counted_from_the_trials_start_in_files_and_from_1970_in_memory(built):
    rows = rows_of(built.findings_dir / "duration.csv")
    (case, _) = cases(built).read
    started_ns = trials.read(built)[case.trial].started_ns
    assert started_ns is not None
    assert started_ns % 256 == 0
    row = next(row for row in rows if (row["trial"], row["side"]) == (case.trial, "caller"))
    first_ns = case.duration["caller"].longest_relay.first_ns
    assert int(row["longest_relay_first_ns"]) == first_ns - started_ns
    assert abs(first_ns - started_ns) < 60_000_000_000
    stamps = [each["time_ns"] for each in json.loads(row["evidence"])]
    assert stamps == [each.time_ns - started_ns for each in case.duration["caller"].evidence]
    assert float(started_ns) == started_ns


def test_findings_whose_trials_csv_was_edited_are_not_rendered(built):
    path = built.trials_path
    path.write_text(path.read_text().replace(",modelled,", ",measured,", 1))
    with pytest.raises(Damaged, match=r"trials\.csv: differs from the manifest"):
        report.render(built)
