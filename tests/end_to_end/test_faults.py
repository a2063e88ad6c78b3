"""What goes wrong on a bench, and what a run makes of it: void and tried again, or ended with all records kept."""

import contextlib
import errno
import hashlib
import io
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from invoke.exceptions import Exit
from rich.console import Console

import lab.run.attempt
import lab.run.matrix
import tasks
from correlate import report
from correlate.dataset import Dataset, documents
from lab.bench.bench import Bench
from lab.clocks.stop import Stop
from lab.commands.resolve import look_up
from lab.errors import BadInput, BenchUnhealthy
from lab.night import whole_run
from lab.run.description import create
from lab.run.matrix import run_missing, run_one
from lab.run.options import Options
from lab.run.plan import prepare
from lab.run.progress import Progress

ROOT = Path(__file__).parents[2]
SCENARIOS = ROOT / "scenarios"
INVOKE = str(Path(sys.executable).with_name("invoke"))
CANCEL = "whatsapp-voice-lte_to_fixed-caller_cancels-1"
HANG_UP = "whatsapp-voice-lte_to_fixed-callee_hangs_up-1"
LOUD = "whatsapp-video-fixed_to_lte-callee_rejects-1"
"""Alone in the seed that `loud_seed` finds, its first pre-roll is loud."""
PHONES = ("pixel6", "pixel6pro")


def planned(folder: Path, *trials: str, matrix: str = "smoke", seed: int = 1, scenarios: Path = SCENARIOS):
    """A run of some trials into `folder`."""
    run = prepare(Options(matrix=matrix, dataset=str(folder), seed=seed, scenarios=str(scenarios)))
    return run.only(*(run.one(trial) for trial in trials))


def silent() -> Progress:
    return Progress(Console(file=io.StringIO()))


def journal(dataset: Path) -> list[tuple]:
    entries = [json.loads(line) for line in (dataset / "journal.jsonl").read_text().splitlines()]
    return [(e["event"], *(e[key] for key in ("trial", "attempt", "reason") if key in e)) for e in entries]


def tree(folder: Path) -> dict[str, tuple[int, str]]:
    """Every file of a dataset: when it was written, and the hash of what is in it."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in files
    }


def reproducible(folder: Path) -> dict[str, str]:
    """Hashes of what a resumed run must reproduce: captures, findings, tables."""
    wanted = ("findings/", "tables/", "names.json")
    return {name: sha for name, (_, sha) in tree(folder).items() if name.startswith(wanted) or ".pcap" in name}


@pytest.fixture(scope="module")
def complete(tmp_path_factory):
    folder = tmp_path_factory.mktemp("complete") / "dataset"
    whole_run.run_and_report(planned(folder, CANCEL, HANG_UP))
    return folder


@pytest.fixture(scope="module")
def bench():
    run = prepare(Options(matrix="paper", scenarios=str(SCENARIOS)))
    with Bench(run.lab, run.spec, Stop()) as bench:
        yield bench


# What is there is left alone; what is missing is made again.


@pytest.mark.full
def test_where_nothing_is_missing_nothing_is_written(complete, capsys):
    before = tree(complete)
    whole_run.run_and_report(planned(complete, CANCEL, HANG_UP))
    assert tree(complete) == before
    said = capsys.readouterr().out.splitlines()
    assert said[0] == f"Nothing to do: all 2 trials are complete in {complete}."
    assert said[1:] == report.summary(Dataset(complete))
    assert said[-1] == f"2 of 20 trials are complete, 0 attempts were void, 0 undecided: {complete}/report.html"


def test_a_deleted_trial_is_run_again_to_the_same_bytes_and_journalled_as_lost(tmp_path, complete, capsys):
    dataset = Path(shutil.copytree(complete, tmp_path / "dataset"))
    before, entries = reproducible(dataset), journal(dataset)
    kept = tree(dataset / "trials" / HANG_UP)
    shutil.rmtree(dataset / "trials" / CANCEL)
    whole_run.run_and_report(planned(dataset, CANCEL, HANG_UP))
    assert reproducible(dataset) == before
    assert tree(dataset / "trials" / HANG_UP) == kept
    assert journal(dataset)[len(entries) :] == [
        ("lost", CANCEL),
        ("reopened",),
        ("run",),
        ("attempt", CANCEL, 0),
        ("completed", CANCEL, 0),
        ("finished",),
    ]
    assert Dataset(dataset).verify() == []
    # Each line: what ran, and the port of the adb server once.
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert first.startswith("The phones are behind an adb server of their own: adb -P ")
    assert second.startswith(f"1/1  {CANCEL} ")
    assert second.endswith(" s  complete")


# Attempts that are void and tried again


@pytest.mark.parametrize(
    ("fault", "reason", "text"),
    [
        (
            {"what": "tcpdump", "on": "pixel6", "text": "rmnet1: SIOCETHTOOL: Permission denied"},
            "capture_not_ready",
            "tcpdump is not live: tcpdump: rmnet1: SIOCETHTOOL: Permission denied",
        ),
        (
            {"what": "dumpcap", "on": "laptop", "text": "dumpcap: wlan1: Permission denied"},
            "capture_not_ready",
            "dumpcap is not live: dumpcap: wlan1: Permission denied",
        ),
    ],
)  # fmt: skip
def test_an_attempt_that_a_fault_spoils_is_kept_with_its_reason_and_tried_again(tmp_path, bench, fault, reason, text):
    run = planned(tmp_path, CANCEL)
    create(run)
    bench.kind.ask(op="fail_next", **fault)
    assert run_one(run, bench, run.chosen[0], silent())
    kept = tmp_path / "attempts" / f"{CANCEL}.0"
    void = json.loads((kept / "void.json").read_text())
    assert (void["trial"], void["attempt"], void["reason"]) == (CANCEL, 0, reason)
    assert void["text"].endswith(text)
    assert (kept / "PRIVATE").exists()
    assert journal(tmp_path) == [
        ("begun",),
        ("attempt", CANCEL, 0),
        ("void", CANCEL, 0, reason),
        ("attempt", CANCEL, 1),
        ("completed", CANCEL, 1),
    ]
    assert Dataset(tmp_path).record(CANCEL).attempt == 1
    assert json.loads((tmp_path / "truth" / f"{CANCEL}.json").read_text())["attempt"] == 1
    assert Dataset(tmp_path).verify() == []


def test_an_attempt_that_the_bench_spoils_is_kept_too_and_leaves_its_number_to_the_next(tmp_path, bench):
    run = planned(tmp_path, CANCEL)
    create(run)
    says = "Can't find service: audio"
    bench.kind.ask(op="fail_next", what="shell", on="pixel6pro", contains="dumpsys audio", text=says)
    assert run_one(run, bench, run.chosen[0], silent())
    void = json.loads((tmp_path / "attempts" / f"{CANCEL}.0.bench-1" / "void.json").read_text())
    assert (void["trial"], void["attempt"], void["spoilt"], void["reason"]) == (CANCEL, 0, 1, "bench_trouble")
    assert void["text"] == f'pixel6pro: dumpsys audio names no mode: "{says}\\n"'
    assert journal(tmp_path) == [
        ("begun",),
        ("attempt", CANCEL, 0),
        ("void", CANCEL, 0, "bench_trouble"),
        ("attempt", CANCEL, 0),
        ("completed", CANCEL, 0),
    ]
    assert Dataset(tmp_path).verify() == []


@pytest.mark.parametrize(("machine", "who"), [("pixel6", "caller"), ("laptop", "laptop")])
def test_a_clock_that_is_set_during_a_trial_voids_the_attempt_and_says_by_how_much(tmp_path, bench, machine, who):
    run = planned(tmp_path, CANCEL)
    create(run)
    bench.kind.ask(op="fail_next", what="clock", on=machine, by_ns=2_000_000_000, after_ns=18_000_000_000)
    assert run_one(run, bench, run.chosen[0], silent())
    void = json.loads((tmp_path / "attempts" / f"{CANCEL}.0" / "void.json").read_text())
    assert void["reason"] == "clock_stepped"
    assert re.match(
        rf"the clock {who} changed by \+(2000|1999)\.\d{{3}} ms in \d\d\.\d s, more than both", void["text"]
    )
    clocks = Dataset(tmp_path).record(CANCEL).clocks
    assert all(abs(clocks[each].drift_ppm) < 50 for each in ("caller", "callee", "laptop"))


def test_a_capture_that_is_not_stamped_by_its_machines_clock_is_told_and_referred_to_its_own(tmp_path, bench):
    run = planned(tmp_path, HANG_UP)
    create(run)
    bench.kind.ask(op="fail_next", what="stamps", on="laptop", times=1, by_ns=7_000_000_000)
    assert run_one(run, bench, run.chosen[0], silent())
    record = Dataset(tmp_path).record(HANG_UP)
    assert record.capture_restarts == 0  # else the fault would have struck the first capture alone
    (hotspot,) = (role for role, side in record.sides.items() if side.tool == "dumpcap")
    assert record.sides[hotspot].clock == f"{hotspot}_capture"
    truth = json.loads((tmp_path / "truth" / f"{HANG_UP}.json").read_text())["clocks"]["laptop"]
    for when in ("before", "after"):
        told = getattr(record.clocks[f"{hotspot}_capture"], when)
        assert abs(told.offset_ns - truth[f"offset_{when}_ns"] - 7_000_000_000) <= told.bound_ns < 700_000_000
    events = [json.loads(line) for line in (tmp_path / "trials" / HANG_UP / "events.jsonl").read_text().splitlines()]
    (said,) = (event for event in events if event["event"] == "capture_clock_differs")
    assert said["role"] == hotspot
    assert 6_300_000_000 < said["by_ns"] < 7_700_000_000


def test_a_wrong_selector_voids_its_trials_names_itself_and_never_passes(tmp_path):
    scenarios = Path(shutil.copytree(SCENARIOS, tmp_path / "scenarios"))
    app = scenarios / "apps" / "whatsapp.yaml"
    app.write_text(app.read_text().replace("description: Voice call", "description: Voice cal"))
    call = scenarios / "calls" / "caller_cancels.yaml"
    call.write_text(call.read_text().replace("by: caller\n", "by: caller\n    within_s: 3\n", 1))
    dataset = tmp_path / "dataset"
    argv = [INVOKE, "run-matrix", "--matrix", "smoke", "--only", f"id={CANCEL}"]
    argv += ["--dataset", str(dataset), "--scenarios", str(scenarios)]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    last = f"1 of 1 trials stay void: {CANCEL}; see {dataset}/attempts\n"
    assert (done.returncode, done.stderr) == (3, last)
    assert sorted(path.name for path in (dataset / "attempts").iterdir()) == [f"{CANCEL}.{n}" for n in range(4)]
    for kept in (dataset / "attempts").iterdir():
        void = json.loads((kept / "void.json").read_text())
        assert void["reason"] == "selector_not_found"
        assert "none of place_call.voice [" in void["text"]
        assert "Voice cal]" in void["text"].replace("'", "").replace("}", "]").replace('"', "")
        # What the phone showed then: the chat with the button that the selector misses.
        assert b'content-desc="Voice call"' in (kept / "caller-hierarchy.xml").read_bytes()
        assert (kept / "caller-screen.jpg").read_bytes()[:2] == b"\xff\xd8"
    assert not (dataset / "trials" / CANCEL).exists()
    assert len(list((dataset / "tables").glob("table*.csv"))) == 8
    assert Dataset(dataset).verify() == []


def test_a_loud_first_pre_roll_restarts_the_captures_once_and_the_truth_says_so(tmp_path, bench):
    seed = loud_seed(LOUD)
    run = planned(tmp_path, LOUD, seed=seed)
    create(run)
    assert run_one(run, bench, run.chosen[0], silent())
    record, truth = Dataset(tmp_path).record(LOUD), json.loads((tmp_path / "truth" / f"{LOUD}.json").read_text())
    assert (record.capture_restarts, truth["capture_restarts"]) == (1, 1)
    events = [json.loads(line) for line in (tmp_path / "trials" / LOUD / "events.jsonl").read_text().splitlines()]
    loud = [event["noise_bytes_per_s"] for event in events if event["event"] == "too_loud"]
    assert [max(noise.values()) > 4000 for noise in loud] == [True]
    assert max(record.noise_bytes_per_s.values()) <= 4000


def loud_seed(trial: str) -> int:
    """The first seed in which a phone begins loud in the trial's first attempt, by the key of its draw."""
    draws = ((s, random.Random(f"{s}/{trial}/0/noise/loud/{phone}")) for s in range(1, 2000) for phone in PHONES)
    return next(seed for seed, draw in draws if draw.randrange(1000) < 25)


# Findings follow the wire


def differing(dataset: Path, trial: str, kind) -> tuple[dict, dict]:
    """Truth and findings of a trial, in the fields that both have; servers are named by the bench's resolver."""
    truth = json.loads((dataset / "truth" / f"{trial}.json").read_text())
    report.findings(Dataset(dataset))
    asked = report.server_addresses(Dataset(dataset))
    Dataset(dataset).write_names({address: look_up(address, kind.resolver) for address in asked})
    report.findings(Dataset(dataset))
    found = report.read_findings(Dataset(dataset))[trial]
    return {key: truth[key] for key in found}, found


@pytest.mark.parametrize(
    ("trial", "drops", "field", "undisturbed"),
    [
        (
            "messenger-voice-fixed_to_lte-caller_cancels-1",
            [{"on": "pixel6", "shows": "caller_private"}],
            ("exposed", "caller_private"),
            True,
        ),
        ("whatsapp-voice-fixed_to_lte-caller_cancels-1", [{"on": "pixel6pro", "n": 1}], None, None),
        ("snapchat-voice-lte_to_fixed-callee_hangs_up-1", [{"on": "pixel6", "n": 3}], None, None),
    ],
)
def test_dropping_one_stun_frame_changes_truth_and_findings_alike(tmp_path, bench, trial, drops, field, undisturbed):
    both = {}
    for folder, dropped in (("whole", []), ("dropped", drops)):
        run = planned(tmp_path / folder, trial, matrix="paper")
        create(run)
        for drop in dropped:
            bench.kind.ask(op="fail_next", what="drop_stun", **drop)
        assert run_one(run, bench, run.chosen[0], silent())
        truth, found = differing(tmp_path / folder, trial, bench.kind)
        assert found == truth
        both[folder] = found, Dataset(tmp_path / folder).record(trial).captures
    assert both["whole"][1] != both["dropped"][1]
    if field is not None:
        group, name = field
        assert (both["whole"][0][group][name], both["dropped"][0][group][name]) == (undisturbed, not undisturbed)


# What ends a run: everything recorded is kept, and the next run goes on


class At(Progress):
    """Does something once, when a trial comes to a step."""

    def __init__(self, trial: str, event: str, act):
        super().__init__(Console(file=io.StringIO()))
        self._where, self._act = (trial, event), act

    def step(self, trial, name):
        super().step(trial, name)
        if (trial, name) == self._where:
            self._where = ("", "")
            self._act()


def children(*, of: int | None = None, naming: bytes = b"") -> list[int]:
    """Processes with that parent, or whose environment names something."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == of or (naming and naming in (folder / "environ").read_bytes()):
                found.append(int(folder.name))
    return found


@pytest.mark.full
@pytest.mark.parametrize("event", ["clocks", "talking"])
def test_a_killed_bench_ends_the_run_and_the_next_run_gives_the_same_bytes(tmp_path, complete, monkeypatch, event):
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setenv("TMPDIR", str(temporary))
    run = planned(tmp_path / "dataset", CANCEL, HANG_UP)
    before = set(children(of=os.getpid()))

    def kill() -> None:
        (pid,) = [
            pid
            for pid in set(children(of=os.getpid())) - before
            if b"lab.virtual\0" in Path(f"/proc/{pid}/cmdline").read_bytes()
        ]
        os.kill(pid, signal.SIGKILL)

    with pytest.raises(BenchUnhealthy) as raised:
        run_missing(run, At(HANG_UP, event, kill), Stop())
    assert str(raised.value) == "the virtual bench has ended: it left no message; run again"
    assert children(naming=str(temporary).encode()) == []
    assert list(temporary.iterdir()) == []
    dataset = tmp_path / "dataset"
    assert [path.name for path in (dataset / "trials").iterdir()] == [CANCEL]
    assert journal(dataset)[-1] == ("interrupted", HANG_UP, 0, str(raised.value))
    assert Dataset(dataset).verify() == []
    run_missing(run, silent(), Stop())
    assert {name: sha for name, sha in reproducible(complete).items() if ".pcap" in name} == reproducible(dataset)


def test_a_full_disk_is_one_line_and_exit_code_4_and_nothing_recorded_is_lost(tmp_path, complete, monkeypatch):
    dataset = tmp_path / "dataset"
    run = planned(dataset, CANCEL, HANG_UP)
    real = documents.write_bytes

    def full(path, data):
        if HANG_UP in str(path):
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        real(path, data)

    monkeypatch.setattr(documents, "write_bytes", full)
    with pytest.raises(Exit) as raised, tasks.exits():
        whole_run.run_and_report(run)
    where = f"{dataset}/trials/{HANG_UP}.partial/trial.json"
    text = f"{where}: No space left on device; what is recorded is kept; mend this and run again"
    assert (raised.value.code, raised.value.message) == (4, text)
    assert Dataset(dataset).trial_ids() == [CANCEL]
    # What is complete is computed all the same.
    assert CANCEL in (dataset / "findings" / "endpoints.csv").read_text()
    assert (dataset / "report.html").exists()
    assert (dataset / "manifest-sha256.txt").exists()
    assert Dataset(dataset).verify() == []
    monkeypatch.undo()
    whole_run.run_and_report(run)
    assert reproducible(complete) == reproducible(dataset)
    assert ("interrupted", HANG_UP, "killed") in journal(dataset)


def test_a_trial_is_not_begun_on_a_disk_that_may_not_hold_it(tmp_path, monkeypatch):
    monkeypatch.setattr(lab.run.matrix, "ROOM_BYTES", 1 << 60)
    with pytest.raises(BenchUnhealthy) as raised:
        run_missing(planned(tmp_path / "dataset", CANCEL), silent(), Stop())
    assert str(raised.value).startswith(f"{tmp_path}/dataset: ")
    assert str(raised.value).endswith(
        f" MiB are free, a trial may need {1 << 40}; what is recorded is kept; make room and run again"
    )
    assert journal(tmp_path / "dataset") == [("begun",), ("run",)]


def test_nobody_is_called_whom_the_bench_file_does_not_allow(tmp_path, bench, monkeypatch):
    run = planned(tmp_path, CANCEL)
    create(run)
    monkeypatch.setattr(bench, "spec", bench.spec.model_copy(update={"allowed_callees": ["15555550101"]}))
    with pytest.raises(BadInput) as raised:
        run_one(run, bench, run.chosen[0], silent())
    assert str(raised.value) == "the contact of pixel6pro is not in allowed_callees; nobody was called"
    assert journal(tmp_path) == [("begun",), ("attempt", CANCEL, 0), ("interrupted", CANCEL, 0, str(raised.value))]
    assert list((tmp_path / "trials").iterdir()) == []
