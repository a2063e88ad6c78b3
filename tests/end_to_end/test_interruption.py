"""Ctrl-C, SIGTERM and SIGKILL at any moment: nothing is left behind, and running again gives the same bytes."""

import contextlib
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

from correlate.dataset import Dataset
from lab.bench.bench import Bench
from lab.clocks.stop import Stop
from lab.errors import Interrupted
from lab.phone.call_state import CallState
from lab.run.attempt import Attempt
from lab.run.matrix import run_missing
from lab.run.options import Options
from lab.run.plan import prepare
from lab.run.progress import Progress

ROOT = Path(__file__).parents[2]
INVOKE = Path(sys.executable).with_name("invoke")
ONLY = "service=voice,direction=lte_to_fixed,scenario=callee_hangs_up"
TRIAL = "whatsapp-voice-lte_to_fixed-callee_hangs_up-1"
EVENTS = (
    *("open_chat", "capture_ready", "idle", "place_call", "ringing", "connected", "talking", "marked_end"),
    *(
        pytest.param(event, marks=pytest.mark.full)
        for event in ("identify", "clocks", "marked_live", "marked_begin", "calling", "answer", "hung_up", "ended")
    ),
)


class Running:
    """`invoke run-matrix` in a process group of its own; everything it starts carries the temporary folder's name."""

    def __init__(self, dataset: Path, temporary: Path):
        temporary.mkdir(exist_ok=True)
        self.dataset, self.temporary = dataset, temporary
        argv = [INVOKE, "run-matrix", "--matrix", "smoke", "--only", ONLY, "--dataset", dataset]
        self.popen = subprocess.Popen(
            [str(word) for word in argv],
            cwd=ROOT,
            env=os.environ | {"TMPDIR": str(temporary)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            # Whatever these tests run under: nohup has SIGHUP ignored, which a run is to leave so.
            preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
        )

    def reaches(self, event: str) -> None:
        events = self.dataset / "trials" / f"{TRIAL}.partial" / "events.jsonl"
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and self.popen.poll() is None:
            with contextlib.suppress(OSError):
                if f'"event": "{event}"' in events.read_text():
                    return
            time.sleep(0.002)
        raise AssertionError(f"{event} did not come: {self.popen.communicate(timeout=10)}")

    def end(self) -> tuple[int, str, str]:
        out, err = self.popen.communicate(timeout=30)
        return self.popen.returncode, out, err

    def processes(self) -> list[str]:
        """Command lines of all that was started and still runs."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if str(self.temporary).encode() in (folder / "environ").read_bytes():
                    found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        return found

    def nothing_is_left(self, within_s: float) -> None:
        deadline = time.monotonic() + within_s
        while (self.processes() or any(self.temporary.iterdir())) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert self.processes() == []
        assert list(self.temporary.iterdir()) == []


def journal(dataset: Path) -> list[str]:
    """The events of the journal; an interruption with its trial."""
    entries = [json.loads(line) for line in (dataset / "journal.jsonl").read_text().splitlines()]
    return [f"{e['event']} {e['trial']} {e.get('attempt')}" if "trial" in e else e["event"] for e in entries]


def captures(dataset: Path) -> dict[str, str]:
    files = sorted((dataset / "trials").glob("*/*.pcap*"))
    return {str(file.relative_to(dataset)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    resume(folder)
    return captures(folder)


def resume(dataset: Path) -> None:
    """Run what is missing in this process, without the tables."""
    run = prepare(Options(matrix="smoke", dataset=str(dataset), scenarios=str(ROOT / "scenarios"), only=ONLY))
    run_missing(run, Progress(Console(file=io.StringIO())), Stop())


def send(running: Running, number: int, group: bool) -> None:
    os.killpg(running.popen.pid, number) if group else os.kill(running.popen.pid, number)


def interrupt(running: Running, number: int, group: bool, event: str) -> None:
    """Send a signal twice when a trial reaches an event; everything must end in order."""
    running.reaches(event)
    send(running, number, group)
    time.sleep(0.05)
    # The second one comes while the first is being obeyed, and changes nothing.
    with contextlib.suppress(ProcessLookupError):
        send(running, number, group)
    code, _, error = running.end()
    assert (code, len(error.splitlines())) == (130, 1), error
    assert error.startswith("interrupted; what is verified is kept")
    running.nothing_is_left(0.5)
    assert Dataset(running.dataset).verify() == []


INTERRUPTED = ["run", f"attempt {TRIAL} 0", f"interrupted {TRIAL} 0"]
COMPLETED = ["run", f"attempt {TRIAL} 0", f"completed {TRIAL} 0"]
COMPUTED = ["resolved", "finished"]


@pytest.mark.full
def test_signals_end_a_run_in_order_and_the_next_run_resumes_to_the_same_bytes(tmp_path, undisturbed):
    dataset, temporary = tmp_path / "dataset", tmp_path / "tmp"
    for number, group, event in (
        (signal.SIGINT, False, "clocks"),
        (signal.SIGINT, True, "talking"),
        (signal.SIGTERM, True, "stop_capture"),
        (signal.SIGHUP, True, "idle"),
    ):
        interrupt(Running(dataset, temporary), number, group, event)
        assert list((dataset / "trials").iterdir()) == []
    assert Running(dataset, temporary).end()[0] == 0
    assert journal(dataset) == ["begun", *INTERRUPTED * 4, *COMPLETED, *COMPUTED]
    assert captures(dataset) == undisturbed
    assert Dataset(dataset).verify() == []


@pytest.mark.full
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_at_any_step_ends_a_run_in_order(tmp_path, undisturbed, number):
    dataset, temporary = tmp_path / "dataset", tmp_path / "tmp"
    events = ("identify", "open_chat", "capture_ready", "idle", "ringing", "connected", "ended")
    for times, event in enumerate(events, 1):
        interrupt(Running(dataset, temporary), number, True, event)
        assert journal(dataset) == ["begun", *INTERRUPTED * times], event
    assert Running(dataset, temporary).end()[0] == 0
    assert journal(dataset) == ["begun", *INTERRUPTED * len(events), *COMPLETED, *COMPUTED]
    assert captures(dataset) == undisturbed


@pytest.mark.full
def test_a_trial_that_was_as_good_as_complete_is_kept_and_computed_and_the_next_run_has_nothing_to_do(
    tmp_path, undisturbed
):
    dataset, temporary = tmp_path / "dataset", tmp_path / "tmp"
    interrupt(Running(dataset, temporary), signal.SIGINT, True, "fetch")
    assert captures(dataset) == undisturbed
    assert (dataset / "report.html").exists()
    assert Dataset(dataset).verify() == []
    assert journal(dataset) == ["begun", *COMPLETED, *COMPUTED]
    code, out, _ = Running(dataset, temporary).end()
    assert (code, out.splitlines()[0]) == (0, f"Nothing to do: 1 trial is complete in {dataset}.")
    assert journal(dataset) == ["begun", *COMPLETED, *COMPUTED]


@pytest.mark.full
def test_after_sigkill_the_bench_ends_itself_and_the_next_run_journals_it_and_resumes(tmp_path, undisturbed):
    for event in ("talking", "fetch"):
        running = Running(tmp_path / "dataset", tmp_path / "tmp")
        running.reaches(event)
        running.popen.kill()
        assert running.end()[0] == -signal.SIGKILL
        running.nothing_is_left(5)
        assert [path.name for path in (running.dataset / "trials").iterdir()] == [f"{TRIAL}.partial"]
        assert Dataset(running.dataset).verify() == []
    resume(tmp_path / "dataset")
    killed = ["run", f"attempt {TRIAL} 0", f"interrupted {TRIAL} None"]
    # The interruption is journalled when the next run begins, before that run's own line.
    assert journal(tmp_path / "dataset") == ["begun", *killed * 2, *COMPLETED]
    assert captures(tmp_path / "dataset") == undisturbed
    assert Dataset(tmp_path / "dataset").verify() == []


@pytest.mark.full
def test_a_run_that_is_killed_before_its_dataset_is_whole_is_begun_again(tmp_path, undisturbed):
    (tmp_path / "dataset" / "scenarios").mkdir(parents=True)
    (tmp_path / "dataset" / ".lock").write_text("1")
    assert Running(tmp_path / "dataset", tmp_path / "tmp").end()[0] == 0
    assert captures(tmp_path / "dataset") == undisturbed


class Watched:
    """A bench's kind that looks at the phones when an attempt is over, before the bench is set back."""

    def __init__(self, bench: Bench):
        self._bench, self._kind = bench, bench.kind
        self.seen: list[object] = []

    def __getattr__(self, name):
        return getattr(self._kind, name)

    def end(self, truth):
        app = self._bench.lab.apps["whatsapp"]
        self.seen = [phone.calls.state(app) for phone in self._bench.phones.values()]
        listed = self._bench.phones["pixel6"].device.run("ps -A -o ARGS", root=True).text
        self.seen += [line for line in listed.splitlines() if "tcpdump" in line]
        return self._kind.end(truth)


@pytest.fixture(scope="module")
def watched():
    run = prepare(Options(matrix="smoke", scenarios=str(ROOT / "scenarios")))
    stop = Stop()
    with Bench(run.lab, run.spec, stop) as bench:
        bench.kind = Watched(bench)
        yield run, bench, stop


@pytest.mark.parametrize("event", EVENTS)
def test_whenever_the_end_is_asked_for_no_phone_is_left_in_a_call_and_no_capture_runs(tmp_path, watched, event):
    run, bench, stop = watched
    programs_before = children()

    def at_the_event(step: str) -> None:
        if step == event:
            stop.request()

    attempt = Attempt(bench, run.one(TRIAL), run.seed, 0, tmp_path, at_the_event)
    try:
        with pytest.raises(Interrupted):
            attempt.run(tmp_path / "truth.json")
        # Hanging up and stopping were not cut short by the signal that is still there.
        assert bench.kind.seen == [CallState.IDLE, CallState.IDLE]
        assert [program for program in children() - programs_before if "dumpcap" in program] == []
    finally:
        stop._event.clear()


def children() -> set[str]:
    """Command lines of this process' children."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if int((folder / "stat").read_text().rpartition(")")[2].split()[1]) == os.getpid():
                found.add((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode())
    return found
