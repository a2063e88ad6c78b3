"""Wrong values at each leaf of trial.json and dataset.json: one line with its place, never a traceback or exit 1."""

import json
import random
import re

import pytest
from invoke.context import Context
from invoke.exceptions import Exit

import tasks
from correlate import report
from correlate.dataset import Dataset, documents
from correlate.errors import BadDataset
from tests.correlate.conftest import new_call, write_dataset
from tests.records import observed, open_claim, record_anew

WRONG = (None, "\x1b[31m\n", -(10**30), [[]], {"": {}}, float("nan"))
A, B, RELAY = ("100.64.0.7", 5000), ("192.168.137.20", 6000), ("192.0.2.50", 3478)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Four trials of which the first has every value, none null, in documents of today's schema; computed."""
    calls = [new_call(repetition=number) for number in (1, 2, 3, 4)]
    for call in calls:
        for side, local in ((call.caller, A), (call.callee, B)):
            side.relay(local, RELAY, 0.0)
            side.talk(local, RELAY, 1.0, 11.0, 120, 110)
    root = tmp_path_factory.mktemp("fuzz")
    role = {"port": 3478, "sessions": 3, "caller_at_least": 10}
    analysis = {"relay_ports": [3478], "twins": "(a)", "user_ids": {"lengths": [4]}, "role": role}
    write_dataset(root, calls, analysis={**analysis, "unanswered_service": "identical_sessions"})
    dataset = Dataset(root)
    documents.write(dataset.info_path, dataset.info())
    for call in calls:
        path = dataset.trial_dir(call.trial) / "trial.json"
        documents.write(path, dataset.record(call.trial))
    path = dataset.trial_dir(calls[0].trial) / "trial.json"
    record = json.loads(path.read_text())
    record |= {"revision": 0, "started_ns": 1, "ended_ns": 2, "noise_bytes_per_s": {"caller": 0.5, "callee": 1.5}}
    record["asked"] |= {"ring_s": 1.5, "talk_s": 2.5}
    record["observed"] = observed(ended_by=open_claim("two ends lie too near", value="caller"))
    limits = {"follow_s": 1.5, "late_s": 5.0, "apart_s": 5.0, "unanswered_s": 45.5, "source": "calibrated"}
    record["limits"] = {"caller": limits, "callee": limits}
    for side in record["sides"].values():
        side |= {
            "way_out": {"interface": "wlan0", "kind": "wifi"}, "coalescing": ["uro"], "timestamps": "host",
            "lease": {"address": "192.0.2.9", "mac": "0a:55:97:fd:70:87"}, "live_ns": 3, "app_bytes": 4,
            "identifiers": {"found": [], "cut_frames": 0},
            "counters": {"captured": 1, "received": 1, "dropped": 0},
        }  # fmt: skip
    for clock in record["clocks"].values():
        clock["drift_ppm"] = 1.5
    path.write_text(json.dumps(record))
    record_anew(root)
    report.build(dataset)
    return dataset, calls[0].trial


def leaves(value, place=()):
    if isinstance(value, dict | list) and value:
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(inner, (*place, key))
    else:
        yield place


def changed(text, place, wrong):
    document = json.loads(text)
    inner = document
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = wrong
    return json.dumps(document)


def ended(work):
    """Exit code and message of a task; what it raises else is a traceback."""
    try:
        work()
    except Exit as raised:
        return raised.code, raised.message
    return 0, ""


def one_line(text):
    return text.isprintable() and len(text) < 500


def is_at(mistake, file, place):
    """Whether it says of this place, or of what stands in it, that it does not fit."""
    return re.match(rf"{re.escape(f'{file}: ' + '.'.join(map(str, place)))}(\.\S*)?: ", mistake) is not None


def unfit(read):
    try:
        read()
    except BadDataset as error:
        return str(error)
    return ""


def journal_anew(dataset):
    """As if everything had been recorded as it is: what differs from the journal would not even be read."""
    record_anew(dataset.path, captures=False)


def check_trial(dataset, trial, place, wrong, wholly=True):
    """`wholly`: compute everything even where the record says by itself what does not fit."""
    path = dataset.trial_dir(trial) / "trial.json"
    text = path.read_text()
    try:
        path.write_text(changed(text, place, wrong))
        mistake = unfit(lambda: dataset.record(trial))
        journal_anew(dataset)
        if mistake:
            assert is_at(mistake, f"trials/{trial}/trial.json", place)
            assert one_line(mistake)
        if mistake and not wholly:
            return
        code, said = ended(lambda: tasks.correlate(Context(), str(dataset.path)))
        if mistake:
            assert (code, said) == (3, f"{trial}: {mistake}")
        assert code in (0, 3)
        assert all(one_line(line) for line in said.splitlines())
        if "nothing is written" in said:
            assert place[-1] in ("sha256", "bytes", "capture")
            return
        assert [line.split(":")[0] for line in report.unread(dataset)] == ([trial] if code else [])
        assert ended(lambda: tasks.verify(Context(), str(dataset.path)))[0] in ((3,) if mistake else (0, 3))
    finally:
        path.write_text(text)
        journal_anew(dataset)


def check_dataset(dataset, place, wrong):
    dataset.write_manifest()
    text, before = dataset.info_path.read_text(), dataset.manifest_path.read_bytes()
    try:
        dataset.info_path.write_text(changed(text, place, wrong))
        mistake = unfit(dataset.info)
        if not mistake:
            journal_anew(dataset)
        code, said = ended(lambda: tasks.correlate(Context(), str(dataset.path)))
        if mistake:
            assert is_at(mistake, dataset.info_path, place)
            assert (code, said, dataset.manifest_path.read_bytes()) == (2, mistake, before)
        assert code in (0, 2, 3)
        assert one_line(said) or code == 3
        assert ended(lambda: tasks.verify(Context(), str(dataset.path)))[0] in ((3,) if mistake else (0,))
    finally:
        dataset.info_path.write_text(text)
        journal_anew(dataset)


def places(dataset, trial):
    record = json.loads((dataset.trial_dir(trial) / "trial.json").read_text())
    return list(leaves(record)), list(leaves(json.loads(dataset.info_path.read_text())))


def test_one_wrong_value_in_every_fourth_field_is_one_line(made):
    """In each of them, each value: below."""
    dataset, trial = made
    of_trial, of_dataset = places(dataset, trial)
    assert (len(of_trial), len(of_dataset)) == (145, 68)
    for number, place in enumerate(of_trial[::4]):
        check_trial(dataset, trial, place, WRONG[number % len(WRONG)], wholly=number % 10 == 0)
    for number, place in enumerate(of_dataset[::4]):
        check_dataset(dataset, place, WRONG[number % len(WRONG)])


@pytest.mark.full
def test_one_wrong_value_in_each_field_is_one_line_wholly(made):
    dataset, trial = made
    of_trial, _ = places(dataset, trial)
    for number, place in enumerate(of_trial[::10]):
        check_trial(dataset, trial, place, WRONG[number % len(WRONG)], wholly=True)


@pytest.mark.full
@pytest.mark.parametrize("wrong", WRONG, ids=["null", "text", "number", "list", "object", "nan"])
def test_each_wrong_value_in_each_field_is_one_line(made, wrong):
    dataset, trial = made
    of_trial, of_dataset = places(dataset, trial)
    for place in of_trial:
        check_trial(dataset, trial, place, wrong)
    for place in of_dataset:
        check_dataset(dataset, place, wrong)


def test_random_bytes_in_a_record_are_one_line(made):
    dataset, trial = made
    path = dataset.trial_dir(trial) / "trial.json"
    whole, chance = path.read_bytes(), random.Random("record")
    try:
        for _ in range(1000):
            data = bytearray(whole)
            for _ in range(chance.randrange(1, 4)):
                data[chance.randrange(len(data))] = chance.randrange(256)
            path.write_bytes(bytes(data))
            mistake = unfit(lambda: dataset.record(trial))
            assert one_line(mistake)
    finally:
        path.write_bytes(whole)
