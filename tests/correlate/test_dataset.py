"""What stands on the disk, whether it holds, and what is refused."""

import hashlib
import json
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from correlate import report
from correlate.dataset import BrokenJournal, Dataset, Journal, check_id, check_name, write_json
from correlate.dataset.installed import installed
from correlate.dataset.record import JournalLine
from correlate.errors import BadDataset, NewerVersion


@pytest.fixture
def made(tmp_path, build):
    """A dataset of two trials, of which one never ran, with everything built."""
    call, missing = build.call(), build.call(repetition=2)
    build.dataset(tmp_path, [call], extra_plan=[missing])
    dataset = Dataset(tmp_path)
    report.build(dataset)
    return dataset, call


def test_a_whole_dataset_has_no_problems_and_sha256sum_agrees(made):
    dataset, _ = made
    assert dataset.verify() == []
    done = subprocess.run(["sha256sum", "-c", "--quiet", "manifest-sha256.txt"], cwd=dataset.path, check=False)
    assert done.returncode == 0


def test_the_manifest_lists_all_but_itself_the_journal_and_what_is_unfinished(made):
    dataset, call = made
    (dataset.trials_dir / "x-voice.partial").mkdir()
    (dataset.trials_dir / "x-voice.partial" / "caller.pcap").write_bytes(b"half")
    dataset.write_manifest()
    first, *lines = dataset.manifest_path.read_text().splitlines()
    count = len(dataset.journal.read()) - 1
    assert first == f"# journal.jsonl: {count} lines, SHA-256 of the last: {dataset.journal.read()[count].sha256}"
    listed = [line[66:] for line in lines]
    assert listed == sorted(listed)
    assert f"trials/{call.trial}/caller.pcap" in listed
    assert {"dataset.json", "report.html", "tables/table1.csv", "findings/volume.csv"} <= set(listed)
    assert not any(name.endswith("journal.jsonl") or "partial" in name or "manifest" in name for name in listed)
    assert dataset.verify() == []


def test_only_complete_trials_are_listed_in_plan_order(made):
    dataset, call = made
    assert dataset.trial_ids() == [call.trial]
    assert len(dataset.plan()) == 2


def test_a_changed_capture_is_named(made):
    dataset, call = made
    path = dataset.capture(call.trial, "caller")
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))
    label = f"trials/{call.trial}/caller.pcap"
    assert dataset.verify() == [f"{label}: its SHA-256 differs from the one recorded"]


def test_a_cut_and_a_missing_capture_are_named(made):
    dataset, call = made
    dataset.reopen()
    path = dataset.capture(call.trial, "caller")
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[:-1])
    dataset.capture(call.trial, "callee").unlink()
    assert dataset.verify() == [
        f"trials/{call.trial}/caller.pcap: has {size - 1} bytes, {size} were recorded",
        f"trials/{call.trial}/callee.pcap: is missing",
    ]


def test_a_table_that_was_edited_is_named(made):
    dataset, _ = made
    (dataset.tables_dir / "table3.csv").write_text("better numbers\n")
    assert dataset.verify() == ["tables/table3.csv: differs from the manifest"]


def test_what_came_after_the_manifest_is_named(made, build):
    dataset, _ = made
    call = build.call(repetition=2)
    build.write_call(dataset.path, call)
    (dataset.trials_dir / "x-voice.partial").mkdir()
    (dataset.trials_dir / "x-voice.partial" / "caller.pcap").write_bytes(b"half")
    added = [f"trials/{call.trial}/{name}" for name in ("callee.pcap", "caller.pcap", "trial.json")]
    assert dataset.verify() == [f"{name}: is not in the manifest; correlate again" for name in added]
    report.build(dataset)
    assert dataset.verify() == []


def test_a_run_that_stopped_half_way_is_no_problem(made, build):
    dataset, _ = made
    dataset.reopen()
    build.write_call(dataset.path, build.call(repetition=2))
    (dataset.trials_dir / "maple-voice-lte_to_fixed-caller_hangs_up-3.partial").mkdir()
    with (dataset.path / "journal.jsonl").open("ab") as file:
        file.write(b'{"seq": %d, "sha2' % len(dataset.journal.read()))
    assert dataset.verify() == []


def test_a_trial_that_is_not_planned_is_named(made):
    dataset, _ = made
    (dataset.trials_dir / "stranger").mkdir()
    assert dataset.verify() == ["trials/stranger: is not a trial of this dataset's plan"]


def test_a_partial_trial_becomes_complete_by_its_rename(made, build):
    dataset, _ = made
    call = build.call(repetition=2)
    dataset.reopen()
    partial = dataset.trials_dir / f"{call.trial}.partial"
    partial.mkdir()
    assert dataset.commit_trial(call.trial) == dataset.trials_dir / call.trial
    assert not partial.exists()


@pytest.mark.parametrize("name", ["../etc", "", "Upper", "a" * 65, "_x", "a\n", "a.b"])
def test_what_is_no_name_never_becomes_a_path(name):
    with pytest.raises(BadDataset, match="is no name"):
        check_name(name)
    with pytest.raises(BadDataset, match="is no name"):
        check_id(f"whatever-{name}")


def test_an_id_has_at_most_200_characters():
    assert check_id("-".join(["a" * 49] * 4)) == "-".join(["a" * 49] * 4)
    with pytest.raises(BadDataset, match="at most 200 characters"):
        check_id("-".join(["a" * 49] * 4) + "-a")


def test_a_plan_with_a_path_in_it_is_refused(made):
    dataset, _ = made
    info = json.loads(dataset.info_path.read_text())
    info["plan"][0]["id"] = "../../etc"
    write_json(dataset.info_path, info)
    with pytest.raises(BadDataset, match=r"plan\.0\.id: must look like"):
        dataset.trial_ids()
    assert len(dataset.verify()) == 1


def test_a_plan_that_names_a_trial_twice_is_refused(made):
    dataset, _ = made
    info = json.loads(dataset.info_path.read_text())
    write_json(dataset.info_path, {**info, "plan": info["plan"] * 2})
    with pytest.raises(BadDataset, match="plan names a trial twice"):
        dataset.plan()


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("../x.pcap", "must look like"),
        ("callee.pcap", "'callee.pcap' is no capture name of the caller"),
        ("caller.exe", "must look like"),
        (None, "must be text, is null"),
    ],
)
def test_a_capture_name_outside_the_contract_is_refused(made, name, what):
    dataset, call = made
    path = dataset.trial_dir(call.trial) / "trial.json"
    record = json.loads(path.read_text())
    record["sides"]["caller"]["capture"] = name
    path.write_text(json.dumps(record))
    with pytest.raises(BadDataset, match=rf"sides\.caller\.capture: {what}"):
        dataset.capture(call.trial, "caller")


def test_another_schema_and_no_dataset_are_refused(made, tmp_path):
    dataset, _ = made
    written = json.loads(dataset.info_path.read_text())
    write_json(dataset.info_path, {**written, "schema": 3})
    with pytest.raises(NewerVersion, match=r"dataset\.json: schema 3 was made by a newer version"):
        dataset.info()
    write_json(dataset.info_path, {**written, "schema": 0})
    with pytest.raises(BadDataset, match=r"dataset\.json: schema: must be one of 2, is 0"):
        dataset.info()
    with pytest.raises(BadDataset, match="cannot be read: No such file or directory"):
        Dataset(tmp_path / "nowhere").info()


def test_lines_that_several_threads_append_are_all_there_and_bound_in_one_chain(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    with ThreadPoolExecutor(8) as pool:
        written = list(pool.map(lambda number: journal.append("event", attempt=number), range(64)))
    entries = Journal(journal.path).read()
    assert sorted(entry.attempt for entry in entries) == list(range(64))
    assert sorted(entry.seq for entry in written) == [entry.seq for entry in entries] == list(range(64))


def test_the_journal_binds_each_line_to_the_one_before(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append("run_started", seed=1)
    journal.append("trial_completed", trial="a-b")
    entries = Journal(journal.path).read()
    assert [(entry.seq, entry.event) for entry in entries] == [(0, "run_started"), (1, "trial_completed")]
    assert entries[0].sha256 == "0" * 64
    assert entries[1].trial == "a-b"
    assert entries[1].sha256 == hashlib.sha256(journal.path.read_bytes().splitlines()[0]).hexdigest()


def test_a_changed_a_removed_and_a_torn_line_break_the_chain(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    for number in range(3):
        journal.append("event", attempt=number)
    lines = journal.path.read_bytes().splitlines(keepends=True)
    journal.path.write_bytes(lines[0].replace(b'"attempt": 0', b'"attempt": 9') + b"".join(lines[1:]))
    with pytest.raises(BrokenJournal, match=r"journal\.jsonl:2: the line before was changed"):
        journal.read()
    journal.path.write_bytes(lines[0] + lines[2])
    with pytest.raises(BrokenJournal, match="event 2 stands where event 1 belongs"):
        journal.read()
    journal.path.write_bytes(lines[0] + lines[1][:9] + b"\n" + lines[2])
    with pytest.raises(BrokenJournal, match=r"journal\.jsonl:2: this line is no event"):
        journal.read()


def test_a_journal_that_does_not_hold_is_kept_and_bound_by_the_one_that_follows(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    assert journal.problem() == ""
    for number in (1, 2):
        journal.path.write_bytes(b"%d\n" % number)
        assert journal.problem() == f"{journal.path}:1: this line is no event: must be an object, is {number}"
        kept = journal.begin_anew()
        assert (kept, (tmp_path / kept).read_bytes()) == (f"journal.jsonl.broken-{number}", b"%d\n" % number)
        (entry,) = journal.read()
        bound = {"file": kept, "file_sha256": hashlib.sha256(b"%d\n" % number).hexdigest()}
        assert entry == JournalLine(seq=0, sha256="0" * 64, event="journal_broken", **bound)
    journal.append("run")
    assert (journal.problem(), len(Journal(journal.path).read())) == ("", 2)


def test_what_another_command_appended_meanwhile_is_gone_on_from(tmp_path):
    here, there = Journal(tmp_path / "journal.jsonl"), Journal(tmp_path / "journal.jsonl")
    for journal, event in ((here, "first"), (there, "second"), (here, "third")):
        journal.append(event)
    assert [(entry.seq, entry.event) for entry in here.read()] == [(0, "first"), (1, "second"), (2, "third")]


@pytest.mark.parametrize("rest", [b"x", b'{"seq": 2', b'{"seq": 1, "sha256": "' + b"0" * 64, b"\0\0{"])
def test_what_is_no_beginning_of_the_next_line_breaks_the_chain(tmp_path, rest):
    path = tmp_path / "journal.jsonl"
    Journal(path).append("first")
    whole = path.read_bytes()
    path.write_bytes(whole + rest)
    assert Journal(path).problem() == f"{path}:2: is no beginning of a line that was to follow"
    path.write_bytes(whole + b"\0\0\0")
    assert Journal(path).problem() == ""


def test_a_line_that_says_the_same_in_other_bytes_is_not_as_it_was_written(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append("first")
    journal.path.write_bytes(journal.path.read_bytes().replace(b": 0", b":\t0"))
    assert journal.problem() == f"{journal.path}:1: this line is not as it was written"


def test_a_last_line_that_a_power_loss_cut_is_cut_off_and_said(tmp_path):
    path = tmp_path / "journal.jsonl"
    Journal(path).append("first")
    with path.open("ab") as file:
        file.write(b'{"seq": 1')
    journal = Journal(path)
    assert [entry.event for entry in journal.read()] == ["first"]
    journal.append("second")
    entries = Journal(path).read()
    assert [entry.event for entry in entries] == ["first", "journal_cut", "second"]
    assert entries[1].cut_bytes == 9
    assert path.read_bytes().endswith(b"}\n")


def test_versions_stand_in_the_order_of_the_trials_beginnings_and_what_cannot_be_read_has_none(tmp_path, build):
    calls = [build.call(repetition=number) for number in (1, 2, 3, 4)]
    build.dataset(tmp_path, calls)
    told = [(300, "1.1"), (100, "1.0"), (200, "1.0"), (400, 7)]
    for call, (began_ns, version) in zip(calls, told, strict=True):
        path = tmp_path / "trials" / call.trial / "trial.json"
        record = json.loads(path.read_text()) | {"started_ns": began_ns}
        record["sides"]["caller"]["app_version"] = version
        record["sides"]["callee"]["app_version"] = "1.0"
        path.write_text(json.dumps(record))
    assert installed(Dataset(tmp_path)) == {"maple": {"alpha": ("1.0", "1.1"), "bravo": ("1.0",)}}
    for call in calls[1:]:
        (tmp_path / "trials" / call.trial / "trial.json").write_text("{")
    assert installed(Dataset(tmp_path)) == {"maple": {"alpha": ("1.1",), "bravo": ("1.0",)}}


@pytest.mark.parametrize("earlier", [5, [5], {"name": None}, None])
def test_earlier_names_are_a_list_of_objects(made, earlier):
    dataset, _ = made
    entry = {"name": None, "how": "PTR", "when_ns": 1}
    dataset.names_path.write_text(json.dumps({"192.0.2.1": entry | {"earlier": [entry]}}))
    assert dataset.host_names() == {}
    dataset.names_path.write_text(json.dumps({"192.0.2.1": entry | {"earlier": earlier}}))
    with pytest.raises(BadDataset) as raised:
        dataset.host_names()
    what = "the entry of '192.0.2.1' has earlier answers that are no list of objects"
    assert str(raised.value) == f"{dataset.names_path}: {what}"


def test_names_are_empty_before_they_were_asked_for(made):
    dataset, _ = made
    assert dataset.names() == {}
