"""What is said of a dataset after each way of ending, of one that an earlier version wrote, and of what was changed."""

import json
import os
from pathlib import Path

import pytest

from correlate import report
from correlate.dataset import Dataset
from correlate.dataset.durable import write_text
from correlate.errors import Damaged
from tests.records import record_anew


@pytest.fixture
def made(tmp_path, build):
    """A dataset of two trials, of which one is complete and has a void attempt; computed."""
    call, missing = build.call(), build.call(repetition=2)
    build.dataset(tmp_path, [call], extra_plan=[missing])
    dataset = Dataset(tmp_path)
    with dataset.attempt(missing.trial) as folder:
        (folder.path / "callee-screen.xml").write_text("<hierarchy/>")
        folder.void("callee_never_rang", "the phone did not ring")
    report.build(dataset)
    return dataset, call.trial, missing.trial


def killed_before(rename, work, monkeypatch):
    """Work that ends where it would give a file or a folder its final name."""

    def kill(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, rename, kill)
        with pytest.raises(KeyboardInterrupt):
            work()


def complete(dataset, trial):
    with dataset.attempt(trial) as folder:
        (folder.path / "trial.json").write_bytes(
            (dataset.trial_dir(dataset.trial_ids()[0]) / "trial.json").read_bytes()
        )
        folder.truth.parent.mkdir(exist_ok=True)
        folder.truth.write_text("{}")
        folder.complete()


def keep(dataset, trial):
    with dataset.attempt(trial) as folder:
        folder.void("noisy", "too loud")


def test_a_trial_that_was_journalled_and_not_renamed_is_finished_by_the_next_command(made, monkeypatch):
    dataset, _, missing = made
    dataset.reopen()
    killed_before("rename", lambda: complete(dataset, missing), monkeypatch)
    assert (dataset.trials_dir / f"{missing}.partial").is_dir()
    assert dataset.verify() == []
    dataset.put_right()
    assert dataset.trial_ids()[-1] == missing
    assert not (dataset.trials_dir / f"{missing}.partial").exists()
    assert (dataset.truth_dir / f"{missing}.json").exists()
    assert dataset.unjournalled() == []


def test_a_trial_of_which_the_disk_lost_something_before_it_was_renamed_is_lost(made, monkeypatch):
    dataset, _, missing = made
    dataset.reopen()
    killed_before("rename", lambda: complete(dataset, missing), monkeypatch)
    (dataset.trials_dir / f"{missing}.partial" / "trial.json").write_bytes(b"")
    dataset.put_right()
    assert [entry.event for entry in dataset.journal.read()[-3:]] == ["completed", "interrupted", "lost"]
    assert missing not in dataset.trial_ids()
    assert list(dataset.truth_dir.iterdir()) == []
    assert dataset.verify() == []


def test_a_void_attempt_that_was_journalled_and_not_renamed_is_finished_by_the_next_command(made, monkeypatch):
    dataset, _, missing = made
    dataset.reopen()
    killed_before("rename", lambda: keep(dataset, missing), monkeypatch)
    assert dataset.verify() == []
    dataset.put_right()
    assert sorted(path.name for path in dataset.attempts_dir.iterdir()) == [f"{missing}.0", f"{missing}.1"]
    assert dataset.unjournalled() == []


@pytest.mark.parametrize("done", [0, 1])
def test_names_and_a_manifest_that_were_journalled_and_not_renamed_are_finished_by_the_next_command(
    made, monkeypatch, done
):
    dataset, *_ = made
    names = {"192.0.2.50": {"name": "relay.example.org", "how": "PTR", "when_ns": 1}}
    dataset.reopen()
    works = [lambda: dataset.write_names(names), dataset.write_manifest]
    for work in works[:done]:
        work()
    killed_before("replace", works[done], monkeypatch)
    assert [dataset.names_path.exists(), dataset.manifest_path.exists()] == [bool(done), False]
    assert dataset.verify() == []
    dataset.require_recorded()
    assert [dataset.names(), dataset.manifest_path.exists()] == [names, bool(done)]
    assert (dataset.unjournalled(), dataset.verify()) == ([], [])


def test_what_waits_to_be_renamed_counts_only_while_its_line_is_the_last(made, monkeypatch):
    dataset, *_ = made
    dataset.reopen()
    killed_before("replace", lambda: dataset.write_names({}), monkeypatch)
    assert dataset.verify() == []
    dataset.journal.append("run", trials=0, seed=1)
    assert dataset.verify() == ["names.json: is in the journal, line 7, but not in the dataset"]


def test_a_command_that_was_killed_once_it_had_said_that_it_begins_is_no_problem(made, monkeypatch):
    dataset, *_ = made
    killed_before("unlink", dataset.reopen, monkeypatch)
    assert dataset.manifest_path.exists()
    assert dataset.verify() == []
    report.build(dataset)
    assert dataset.verify() == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda data, done, void: data.journal.path.unlink(), "journal.jsonl: is missing"),
        (lambda data, done, void: data.journal.path.write_bytes(b""), "journal.jsonl: holds no line"),
        (
            lambda data, done, void: cut(data, 4),
            "journal.jsonl: its line 5, which says that the manifest was finished, is gone",
        ),
        (lambda data, done, void: cut(data, 2), "journal.jsonl: has 2 lines; it had 4 when the manifest was written"),
        (
            lambda data, done, void: data.manifest_path.unlink(),
            "manifest-sha256.txt: is missing; the journal, line 5, says that it was finished",
        ),
        (
            lambda data, done, void: change(data.manifest_path),
            "manifest-sha256.txt: differs from the journal, line 5",
        ),
        (
            lambda data, done, void: change(data.trial_dir(done) / "trial.json"),
            "trials/{done}/trial.json: differs from the journal, line 2",
        ),
        (
            lambda data, done, void: change(data.attempts_dir / f"{void}.0" / "callee-screen.xml"),
            "attempts/{void}.0/callee-screen.xml: differs from the journal, line 4",
        ),
        (
            lambda data, done, void: write_text(data.attempts_dir / f"{void}.0" / "more.txt", "more"),
            "attempts/{void}.0/more.txt: is not in the journal",
        ),
        (
            lambda data, done, void: write_text(data.truth_dir / f"{done}.json", "{}"),
            "truth/{done}.json: is not in the journal",
        ),
        (lambda data, done, void: write_text(data.names_path, "{}"), "names.json: is not in the journal"),
        (
            lambda data, done, void: data.trial_dir(done).rename(data.path / ".hidden"),
            "trials/{done}: is in the journal, line 2, but not in the dataset",
        ),
        (lambda data, done, void: os.mkfifo(data.trial_dir(done) / "pipe"), "trials/{done}/pipe: is no regular file"),
    ],
)  # fmt: skip
def test_what_was_recorded_and_is_not_as_it_was_is_named_and_nothing_is_written(made, change, expected):
    dataset, done, void = made
    change(dataset, done, void)
    before = sorted(path.stat().st_mtime_ns for path in dataset.path.rglob("*"))
    assert dataset.examine().recorded[0] == expected.format(done=done, void=void)
    for work in (report.build, report.render, report.findings):
        with pytest.raises(Damaged) as raised:
            work(dataset)
        assert str(raised.value).splitlines()[-1].startswith(f"{dataset.path}: nothing is written; ")
    assert sorted(path.stat().st_mtime_ns for path in dataset.path.rglob("*")) == before


def change(path):
    path.write_bytes(path.read_bytes() + b"\n")


def cut(dataset, lines):
    dataset.journal.path.write_bytes(b"".join(dataset.journal.path.read_bytes().splitlines(keepends=True)[:lines]))


def earlier(dataset):
    """The journal and the manifest as the version before anchors wrote them."""
    old = [entry.model_dump(exclude_unset=True) for entry in dataset.journal.read()]
    dataset.journal.path.unlink()
    dataset.manifest_path.unlink(missing_ok=True)
    for entry in old:
        fields = {key: value for key, value in entry.items() if key not in ("seq", "sha256", "event", "files")}
        if entry["event"] == "completed":
            sides = dataset.record(entry["trial"]).sides
            fields["captures"] = {role: side.sha256 for role, side in sides.items()}
        if entry["event"] in ("run", "attempt", "completed", "void"):
            dataset.journal.append(entry["event"], **fields)


def sign_as_earlier(dataset):
    """A manifest without a line of comment, which the journal does not know."""
    dataset.write_manifest()
    first, *lines = dataset.manifest_path.read_text().splitlines()
    assert first.startswith("# ")
    journal = dataset.journal.path.read_bytes().splitlines(keepends=True)
    dataset.journal.path.write_bytes(b"".join(journal[:-1]))
    dataset.manifest_path.write_text("\n".join(lines) + "\n")


def test_a_dataset_of_an_earlier_version_holds_what_its_lines_hold(made):
    dataset, done, void = made
    earlier(dataset)
    sign_as_earlier(dataset)
    examined = dataset.examine()
    assert examined.problems == ()
    alone = ["PRIVATE", "callee-screen.xml", "void.json"]
    held = [f"attempts/{void}.0/{name}" for name in alone]
    assert list(examined.manifest_only) == [*held, "dataset.json", f"trials/{done}/trial.json"]
    change(dataset.trial_dir(done) / "trial.json")
    assert dataset.verify() == [f"trials/{done}/trial.json: differs from the manifest"]
    with pytest.raises(Damaged, match="differs from the manifest"):
        report.build(dataset)
    dataset.manifest_path.unlink()
    assert dataset.verify() == []


def test_a_capture_of_an_earlier_version_is_held_by_its_line_though_record_and_manifest_agree(made):
    dataset, done, _ = made
    earlier(dataset)
    path = dataset.capture(done, "callee")
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    journal = dataset.journal.path.read_bytes()
    record_anew(dataset.path)
    dataset.journal.path.write_bytes(journal)
    sign_as_earlier(dataset)
    text = "the SHA-256 of the callee's capture differs from the journal"
    assert dataset.verify() == [f"trials/{done}/trial.json: {text}"]


def test_a_dataset_of_an_earlier_version_that_is_computed_again_is_signed_from_then_on(made):
    dataset, *_ = made
    earlier(dataset)
    sign_as_earlier(dataset)
    report.build(dataset)
    assert dataset.verify() == []
    assert [entry.event for entry in dataset.journal.read()][-1] == "finished"
    dataset.manifest_path.unlink()
    assert dataset.verify() == ["manifest-sha256.txt: is missing; the journal, line 4, says that it was finished"]


def test_what_a_journal_has_only_since_it_was_begun_anew_is_told(made):
    dataset, done, void = made
    dataset.journal.path.write_bytes(b"{}\n")
    assert dataset.begin_journal_anew() == "journal.jsonl.broken-1"
    dataset.put_right()
    report.build(dataset)
    examined = dataset.examine()
    assert (examined.problems, examined.found) == ((), (f"attempts/{void}.0", f"trials/{done}"))
    change(dataset.path / "journal.jsonl.broken-1")
    assert dataset.verify() == ["journal.jsonl.broken-1: differs from the journal, line 1"]


def test_a_record_that_cannot_be_read_but_is_as_it_was_written_is_told_and_the_rest_computed(made):
    dataset, done, _ = made
    path = dataset.trial_dir(done) / "trial.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "attempt": -1}))
    record_anew(dataset.path, captures=False)
    text = f"trials/{done}/trial.json: attempt: must be at least 0, is -1"
    assert (dataset.examine().recorded, dataset.verify()) == ((), [text])
    report.build(dataset)
    assert report.unread(dataset) == [f"{done}: {text}"]
