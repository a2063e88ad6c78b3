"""Documents on the disk: what fits comes back as it was, what does not is one line with its place."""

import json
from ipaddress import ip_address

import pytest

from correlate.dataset import Dataset, documents
from correlate.dataset.anchors import Kept
from correlate.dataset.record import DOCUMENTS, Analysis, DatasetRecord, JournalLine, TrialRecord, VoidRecord
from correlate.errors import BadDataset, NewerVersion
from tests import records

LABEL = f"trials/{records.TRIAL}/trial.json"


def read(tmp_path, value, model=TrialRecord):
    path = tmp_path / "document.json"
    path.write_bytes(value if isinstance(value, bytes) else json.dumps(value).encode())
    return documents.read(path, LABEL, model)


def mistake(tmp_path, value, model=TrialRecord):
    with pytest.raises(BadDataset) as raised:
        read(tmp_path, value, model)
    return str(raised.value).removeprefix(f"{LABEL}: ")


def without(value, *place):
    inner = value
    for key in place[:-1]:
        inner = inner[key]
    del inner[place[-1]]
    return value


def with_(value, new, *place):
    inner = value
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = new
    return value


@pytest.mark.parametrize(
    ("value", "model"), [(records.trial(), TrialRecord), (records.dataset(), DatasetRecord)], ids=["trial", "dataset"]
)
def test_what_is_read_is_written_as_it_was(tmp_path, value, model):
    documents.write(tmp_path / "written.json", read(tmp_path, value, model))
    assert (tmp_path / "written.json").read_text() == json.dumps(value, indent=2) + "\n"


def test_values_have_their_types(tmp_path):
    record = read(tmp_path, records.trial())
    assert record.sides["callee"].addresses.interface == [ip_address("192.168.137.20"), ip_address("fe80::1")]
    assert (record.sides["callee"].lease.mac, record.clocks["laptop"].before.offset_ns) == ("0a:55:97:fd:70:87", 3)
    assert record.captures == {"caller": "a" * 64, "callee": "a" * 64}
    assert (record.asked.ring_s, record.sides["caller"].lease) == (4.522, None)


@pytest.mark.parametrize(
    ("new", "place", "what"),
    [
        (3, ("sides", "caller", "phone"), "must be text, is 3"),
        ("Alpha", ("sides", "caller", "phone"), 'must look like ^[a-z0-9][a-z0-9_]{0,63}$, is "Alpha"'),
        ("bravo", ("sides", "caller", "phone"), "both sides are bravo"),
        ("9", ("sides", "caller", "bytes"), 'must be a whole number, is "9"'),
        (9.0, ("sides", "caller", "bytes"), "must be a whole number, is 9.0"),
        (True, ("sides", "caller", "bytes"), "must be a whole number, is true"),
        (-1, ("sides", "caller", "bytes"), "must be at least 0, is -1"),
        (1 << 63, ("sides", "caller", "bytes"), "must be less than 9223372036854775808, is 9223372036854775808"),
        ("A" * 64, ("sides", "caller", "sha256"), f'must look like ^[0-9a-f]{{64}}$, is "{"A" * 58}…'),
        ("callee.pcap", ("sides", "caller", "capture"), "'callee.pcap' is no capture name of the caller"),
        ("callee_capture", ("sides", "caller", "clock"), "'callee_capture' is none of this trial's clocks"),
        ("10.0.0.256", ("sides", "caller", "addresses", "interface", 0), 'must be an IP address, is "10.0.0.256"'),
        (167772160, ("sides", "caller", "addresses", "interface", 0), "must be an IP address, is 167772160"),
        ("lan", ("sides", "caller", "vantage"), "must be one of 'interface', 'hotspot' or 'vpn', is \"lan\""),
        ({}, ("sides", "caller", "coalescing"), "must be a list, is {}"),
        ("\x1b[31m\u202e", ("sides", "caller", "bytes"), 'must be a whole number, is "\\u001b[31m\\u202e"'),
        (False, ("asked", "ring_s"), "must be a number, is false"),
        ("3", ("schema",), 'must be one of 2, is "3"'),
        (1.5, ("noise_bytes_per_s",), "must be an object, is 1.5"),
        ({"caller": 1.5}, ("noise_bytes_per_s",), "must have at least 2 of them"),
    ],
)
def test_a_value_that_does_not_fit_is_one_line_with_its_place(tmp_path, new, place, what):
    role = "callee" if what.startswith("both sides") else None
    where = ".".join(map(str, place)) if role is None else f"sides.{role}.phone"
    assert mistake(tmp_path, with_(records.trial(), new, *place)) == f"{where}: {what}"


def test_a_key_that_is_missing_or_unknown_is_one_line_with_its_place(tmp_path):
    assert mistake(tmp_path, without(records.trial(), "sides", "callee", "lease")) == "sides.callee.lease: is missing"
    assert mistake(tmp_path, without(records.trial(), "schema")) == "schema: is missing"
    stranger = with_(records.trial(), 1, "sides", "callee", "leese")
    assert mistake(tmp_path, stranger) == "sides.callee.leese: is no key of this document"
    third = with_(records.trial(), records.trial()["sides"]["caller"], "sides", "third")
    assert mistake(tmp_path, third) == "sides.third: must be one of 'caller' or 'callee', is \"third\""
    long = with_(records.trial(), 1, "x" * 100 + "\n")
    assert mistake(tmp_path, long) == f"{'x' * 59}…: is no key of this document"


def test_a_doubled_key_and_a_number_that_is_none_are_one_line_with_their_place(tmp_path):
    text = json.dumps(records.trial())
    for old, new, what in [
        ('"bytes": 24', '"bytes": 24, "bytes": 25', "sides.caller.bytes: is given a second time"),
        ('"ring_s": 4.522', '"ring_s": NaN', "asked.ring_s: must be a finite number, is NaN"),
        ('"ring_s": 4.522', '"ring_s": -Infinity', "asked.ring_s: must be a finite number, is -Infinity"),
        ('"ring_s": 4.522', '"ring_s": 1e400', "asked.ring_s: must be a finite number, is 1e400"),
    ]:
        assert mistake(tmp_path, text.replace(old, new, 1).encode()) == what


def test_what_is_no_json_object_is_one_line(tmp_path, monkeypatch):
    assert mistake(tmp_path, b"[]") == "holds no JSON object"
    assert mistake(tmp_path, b"{").startswith("is no JSON: ")
    assert mistake(tmp_path, b"\xff{}").startswith("is no JSON: ")
    assert mistake(tmp_path, b'{"a": "\\ud800"}').startswith("is no JSON: ")
    assert mistake(tmp_path, b"[" * 200_000).startswith("is no JSON: ")
    assert mistake(tmp_path, b'{"a": ' + b"9" * 5000 + b"}").startswith("is no JSON: ")
    with pytest.raises(BadDataset, match="cannot be read: No such file or directory"):
        documents.read(tmp_path / "nowhere", LABEL, TrialRecord)
    monkeypatch.setattr(documents, "MAX_JSON_BYTES", 1 << 20)
    assert mistake(tmp_path, b" " * (2 << 20)) == "is larger than 1 MiB, no record of a dataset is"


def test_a_higher_schema_was_made_by_a_newer_version(tmp_path):
    for value, model in ((records.trial(), TrialRecord), (records.dataset(), DatasetRecord)):
        with pytest.raises(NewerVersion) as raised:
            read(tmp_path, {**value, "schema": 3, "news": 1}, model)
        text = "schema 3 was made by a newer version; this one reads schemas 1 and 2; use that one"
        assert str(raised.value) == f"{LABEL}: {text}"


def test_a_plan_names_each_trial_once_and_apps_that_there_are(tmp_path):
    value = records.dataset()
    value["plan"] *= 2
    assert mistake(tmp_path, value, DatasetRecord) == f"plan.1.id: plan names a trial twice: {records.TRIAL}"
    value = with_(records.dataset(), "birch", "plan", 0, "app")
    assert mistake(tmp_path, value, DatasetRecord) == "plan.0.app: 'birch' is none of apps"


def of_schema_1(value):
    """As the first version of a run wrote it: later keys are missing, and the hashes stand there twice."""
    old = {**value, "schema": 1, "captures": {role: side["sha256"] for role, side in value["sides"].items()}}
    for side in old["sides"].values():
        for key in ("vantage", "way_out", "lease", "coalescing", "timestamps", "live_ns", "app_bytes"):
            del side[key]
    for clock in old["clocks"].values():
        del clock["drift_ppm"]
    return old


def test_schema_1_is_read_and_what_it_leaves_out_is_null(tmp_path):
    record = read(tmp_path, of_schema_1(records.trial()))
    side = record.sides["caller"]
    assert (side.vantage, side.lease, side.live_ns, record.clocks["caller"].drift_ppm) == (None, None, None, None)
    expected = records.trial()
    for each in expected["sides"].values():
        each.update(dict.fromkeys(("vantage", "way_out", "lease", "coalescing", "timestamps", "live_ns", "app_bytes")))
    for each in expected["clocks"].values():
        each["drift_ppm"] = None
    assert record == read(tmp_path, expected)
    whole = read(tmp_path, records.dataset(), DatasetRecord)
    assert read(tmp_path, {**records.dataset(), "schema": 1}, DatasetRecord) == whole


def test_schema_1_is_read_as_strictly(tmp_path):
    old = of_schema_1(records.trial())
    assert mistake(tmp_path, with_(old, 3, "sides", "caller", "phone")) == "sides.caller.phone: must be text, is 3"
    assert mistake(tmp_path, without(of_schema_1(records.trial()), "sides", "caller", "sha256")) == (
        "sides.caller.sha256: is missing"
    )
    assert mistake(tmp_path, {"schema": 1, "trial": records.TRIAL}) == "attempt: is missing"


def test_a_trial_of_another_folder_is_refused(tmp_path):
    dataset = Dataset(tmp_path)
    other = records.TRIAL.replace("1", "2")
    dataset.trial_dir(other).mkdir(parents=True)
    (dataset.trial_dir(other) / "trial.json").write_text(json.dumps(records.trial()))
    with pytest.raises(BadDataset) as raised:
        dataset.record(other)
    assert str(raised.value) == f"trials/{other}/trial.json: trial: must be {other}, is {records.TRIAL}"


def test_a_void_attempt_is_written_and_read(tmp_path):
    dataset, void = Dataset(tmp_path), VoidRecord(trial=records.TRIAL, attempt=3, reason="noisy", text="too \x1b loud")
    documents.write(dataset.attempts_dir / f"{records.TRIAL}.3" / "void.json", void)
    assert dataset.void(Kept(records.TRIAL, 3)) == void


def test_every_document_has_a_json_schema_with_a_description_for_each_key():
    assert list(DOCUMENTS) == ["dataset", "trial", "void", "journal", "revision"]
    for model in DOCUMENTS.values():
        schema = model.model_json_schema()
        for part in (schema, *schema.get("$defs", {}).values()):
            assert part["additionalProperties"] is False
            assert [key for key, of in part["properties"].items() if not of.get("description")] == []
    assert {"schema", "sides", "clocks"} <= set(TrialRecord.model_json_schema()["required"])
    assert JournalLine.model_json_schema()["required"] == ["seq", "sha256", "event"]


def test_an_analysis_is_the_same_in_yaml_and_in_dataset_json(tmp_path):
    from lab.definitions.app import Analysis as OfYaml

    assert OfYaml is Analysis
