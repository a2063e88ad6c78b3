"""Nothing of a dataset is written through a link, and nothing that hangs or leads out of it is read."""

import json
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import pytest

from correlate import findings, link, report
from correlate.dataset import Dataset, Journal, links
from correlate.dataset.durable import write_text
from correlate.errors import BadDataset, CorrelateError, Damaged
from correlate.findings.cases import cases
from lab.run.options import holding, opened

ROOT = Path(__file__).parents[3]
WRITTEN = "is a symbolic link, and nothing in a dataset is written through one; put there what it leads to"
READ = "is a symbolic link, a dataset has none; put there what it leads to"


@pytest.fixture
def made(tmp_path, build):
    """A dataset of two trials with everything built, and a folder elsewhere."""
    (tmp_path / "dataset").mkdir()
    build.dataset(tmp_path / "dataset", [build.call(), build.call(repetition=2)])
    dataset = Dataset(tmp_path / "dataset")
    dataset.journal.append("run", trials=2, seed=1)
    report.build(dataset)
    (tmp_path / "elsewhere").mkdir()
    return dataset


def led_away(path):
    """Moves what stands at `path` out of the dataset, and puts a link to it in its place; returns where it is."""
    there = path.parents[len(path.parts) - path.parts.index("dataset") - 1] / "elsewhere" / path.name
    if path.exists():
        path.rename(there)
    path.symlink_to(there)
    return there


def everything(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize(
    "name",
    ["tables", "findings", "trials", "attempts", "truth", "scenarios", "report.html", "names.json", "journal.jsonl",
     "manifest-sha256.txt", ".lock", ".report.html.partial", "tables/table1.csv", "trials/left.partial"],
)  # fmt: skip
def test_nothing_is_written_through_a_link(made, name):
    there = led_away(made.path / name)
    before = everything(made.path.parent)
    for begin in (made.reopen, lambda: enter(made)):
        with pytest.raises(Damaged) as raised:
            begin()
        assert (str(raised.value), raised.value.exit_code) == (f"{made.path / name}: {WRITTEN}", 3)
    # What is read first may be refused for the same link before anything is written.
    for write in (lambda: report.build(made), lambda: report.render(made)):
        with pytest.raises(CorrelateError, match="is a symbolic link"):
            write()
    assert everything(made.path.parent) == before
    assert there.exists() == (name not in ("attempts", "truth", "scenarios", ".lock", ".report.html.partial",
                                           "names.json", "trials/left.partial"))  # fmt: skip


def enter(dataset):
    with holding(dataset):
        raise AssertionError("held")


def test_dataset_json_that_is_a_link_is_not_read(made):
    led_away(made.info_path)
    with pytest.raises(BadDataset) as raised, opened(str(made.path)):
        pass
    assert str(raised.value) == f"{made.info_path}: cannot be read: {READ}"


def test_a_datasets_own_path_may_be_a_link(made, tmp_path):
    (tmp_path / "link").symlink_to("dataset")
    made.report_path.unlink()
    report.build(Dataset(tmp_path / "link"))
    assert made.report_path.is_file()
    assert (made.verify(), Dataset(tmp_path / "link").verify()) == ([], [])
    links.refuse(tmp_path / "nowhere")


def test_a_temporary_name_that_is_a_link_is_not_followed(tmp_path):
    (tmp_path / "precious").write_text("kept")
    (tmp_path / ".given.partial").symlink_to("precious")
    (tmp_path / "given").symlink_to("precious")
    write_text(tmp_path / "given", "new")
    assert ((tmp_path / "given").read_text(), (tmp_path / "given").is_symlink()) == ("new", False)
    assert [path.read_text() for path in sorted(tmp_path.iterdir())] == ["new", "kept"]


def test_a_journal_is_appended_to_a_regular_file_alone(tmp_path):
    path = tmp_path / "journal.jsonl"
    path.symlink_to("nowhere")
    with pytest.raises(Damaged, match="is a symbolic link, nothing is written there; move it away"):
        Journal(path).append("run", trials=1)
    assert not (tmp_path / "nowhere").exists()
    path.unlink()
    os.mkfifo(path)
    for use in (Journal(path).read, Journal(path).problem, lambda: Journal(path).append("run", trials=1)):
        with pytest.raises(Damaged) as raised:
            use()
        assert str(raised.value) == f"{path}: cannot be read: Is a FIFO; only regular files are read"


def invoke(*words):
    argv = [Path(sys.executable).with_name("invoke"), *words]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stderr.rstrip("\n")


def made_fifo(path):
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def test_a_capture_that_would_hang_is_named_at_once_and_nothing_is_computed(made):
    first, second = made.trial_ids()
    made_fifo(made.trial_dir(first) / "caller.pcap")
    made_fifo(made.trial_dir(second) / "trial.json")
    code, said = invoke("correlate", "--dataset", str(made.path))
    named = [f"trials/{first}/caller.pcap: is no regular file", f"trials/{second}/trial.json: is no regular file"]
    assert (code, said.splitlines()[:-1]) == (3, named)


def test_no_process_hangs_at_a_capture_and_none_is_left(made):
    """As many processes as there are cores; what cannot be read is a trial without findings, the other one has them."""
    first, second = made.trial_ids()
    made_fifo(made.trial_dir(first) / "caller.pcap")
    one, other = findings.measure_all(made)
    assert one.reason == f"trials/{first}/caller.pcap: cannot be read: Is a FIFO; only regular files are read"
    assert (other.trial, other.reason, set(other.found["endpoints"])) == (second, "", {"caller", "callee"})
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("name", ["", "caller.pcap", "trial.json"])
def test_a_trial_that_a_link_leads_to_is_unreadable_in_one_line(made, name):
    trial, _ = made.trial_ids()
    led_away(made.trial_dir(trial) / name)
    one, other = findings.measure_all(made)
    place = f"trials/{trial}"
    said = {
        "": f"{place}/trial.json: cannot be read: {place} {READ}",
        "caller.pcap": f"{place}/caller.pcap: {READ}",
        "trial.json": f"{place}/trial.json: cannot be read: {READ}",
    }
    assert (one.reason, other.reason) == (said[name], "")
    with pytest.raises(Damaged, match=f"{place}.*: is a symbolic link\n"):
        report.build(made)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("dataset.json", "dataset.json: cannot be read: Is a FIFO; only regular files are read"),
        ("names.json", "names.json: cannot be read: Is a FIFO; only regular files are read"),
        (
            "findings/volume.csv",
            "findings/volume.csv: cannot be read: Is a FIFO; only regular files are read; correlate",
        ),
        ("findings/link.csv", "findings/link.csv: cannot be read: Is a FIFO; only regular files are read; correlate"),
    ],
)
def test_what_would_hang_is_refused_in_one_line(made, name, message):
    made_fifo(made.path / name)
    with pytest.raises(BadDataset) as raised:
        made.host_names(), made.info(), cases(made), link.read(made)
    assert str(raised.value).startswith(f"{made.path}/{message}")


@pytest.mark.parametrize("number", ["NaN", "1e400", "-Infinity"])
def test_a_number_that_is_not_finite_is_refused_with_its_place(made, number):
    names = {"192.0.2.1": {"name": None, "how": "PTR", "when_ns": 1}}
    made.names_path.write_text(json.dumps(names).replace(": 1}", f": {number}}}"))
    with pytest.raises(BadDataset) as raised:
        made.names()
    assert str(raised.value) == f"{made.names_path}: 192.0.2.1.when_ns: must be a finite number, is {number}"
    made.names_path.unlink()
    path = made.findings_dir / "service.csv"
    head, first, *rest = path.read_text().split("\n")
    cells = first.split(",")
    cells[head.split(",").index("media_bytes_per_s")] = number
    path.write_text("\n".join([head, ",".join(cells), *rest]))
    with pytest.raises(BadDataset) as raised:
        cases(made)
    what = f"media_bytes_per_s: '{number}': Input should be a finite number"
    assert str(raised.value) == f'{path}:2: does not fit: ValueError("{what}"); correlate again'
    journal = made.journal.path
    journal.write_text(journal.read_text().replace('"trials": 2', f'"trials": {number}'))
    assert f"{journal}:4: this line is no event: trials: must be a whole number, is " in Journal(journal).problem()
