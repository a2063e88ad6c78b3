"""status.html: what it says of a run, that it is read whole at any time, and that it is no evidence."""

import hashlib
import io
import os
import re
import signal
import stat
import subprocess
import sys
import threading
from base64 import b64encode
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from rich.console import Console

from lab.errors import BenchUnhealthy
from lab.run.description import create
from lab.run.options import Options
from lab.run.plan import prepare
from lab.run.progress import Progress
from lab.run.status import SHARE, Row, Status, page, pause_s

ROOT = Path(__file__).parents[3]
AT_NS = 1_767_225_600_000_000_000  # 2026-01-01 00:00:00 UTC
CALL = "whatsapp-voice-lte_to_fixed-callee_rejects-1"
OTHER = "whatsapp-video-lte_to_fixed-callee_rejects-1"


class Clock:
    """Both clocks of a page; `pass_s` lets time go by."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def pass_s(self, seconds: float) -> None:
        self.seconds += seconds

    def now_ns(self) -> int:
        return AT_NS + round(self.seconds * 1e9)

    def elapsed(self) -> float:
        return 1000.0 + self.seconds


@pytest.fixture
def run(tmp_path):
    run = prepare(Options(matrix="smoke", dataset=str(tmp_path / "d"), scenarios=str(ROOT / "scenarios")))
    create(run)
    return run


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def status(run, clock):
    return Status(run, clock.now_ns, clock.elapsed)


def text_of(html: str) -> str:
    """What a reader sees, blanks as one."""

    seen: list[str] = []

    class Reader(HTMLParser):
        def handle_data(self, data: str) -> None:
            seen.append(data)

    Reader().feed(html.partition("</style>")[2])
    return " ".join(" ".join(seen).split())


def read(status) -> str:
    return text_of(page(status.view()))


def test_a_page_in_the_middle_of_a_run_says_how_far_it_is_what_it_does_and_how_long_it_takes(run, status, clock):
    with status.kept(20):
        clock.pass_s(10)
        status.step(OTHER, "starting", 0)
        status.step(OTHER, "place_call", 0)
        status.void(OTHER, "noisy")
        status.step(OTHER, "place_call", 1)
        status.undecided(["service", "rang"])
        status.completed(OTHER)
        status.over(OTHER)
        status.step(CALL, "place_call", 0)
        status.step(CALL, "wait_ringing", 0)
        status.event("1/20  a line of the run")
        view, seen = status.view(), read(status)
    assert (view.complete, view.planned, view.ended, view.total, view.calls) == (1, 20, 1, 20, 3)
    assert (view.begun, view.written) == ("2026-01-01 00:00:00 UTC", "2026-01-01 00:00:10 UTC")
    assert (view.elapsed, view.left) == ("0:00:10", "0:03:10, until 00:03:20 UTC")
    assert view.running == ((CALL, "wait_ringing", ""),)
    assert view.voids == (("noisy", 1),)
    assert view.undecided == (("service", 1), ("rang", 1))
    assert view.events == (("00:00:10", "1/20 a line of the run"),)
    assert Row("whatsapp", "voice", "lte_to_fixed", (("missing",), ("running",), *[("missing",)] * 3)) in view.rows
    assert Row("whatsapp", "video", "lte_to_fixed", (("missing",), ("complete",), *[("missing",)] * 3)) in view.rows
    assert seen.startswith(
        "d: 1 of 20 trials are complete Bench virtual, matrix smoke. Modelled: an emulated bench makes this traffic: "
        "nothing here is about the real apps. The run goes on. Written at 2026-01-01 00:00:10 UTC."
    )
    for told in (f"Now wait_ringing {CALL} Trials", "void attempts of this run 1 noisy", "service in 1, rang in 1"):
        assert told in seen


def test_a_grid_has_a_mark_for_each_repetition_and_a_row_for_each_app_service_and_direction(tmp_path):
    run = prepare(Options(dataset=str(tmp_path / "d"), scenarios=str(ROOT / "scenarios")))
    view = Status(run).view()
    assert (len(view.rows), len(view.scenarios), view.planned) == (12, 5, 180)
    assert {cell for row in view.rows for cell in row.cells} == {("missing",) * 3}
    assert "○○○</span>0/3" in page(view)
    marked = replace(view, rows=(replace(view.rows[0], cells=(("complete", "void", "running"),)),))
    assert '●<span class="void">×</span>◐</span>1/3' in page(marked)


def test_trials_that_an_earlier_run_made_are_complete_and_none_of_this_run(run, clock):
    run.dataset.trial_dir(CALL).mkdir(parents=True)
    view = Status(run, clock.now_ns, clock.elapsed).view()
    assert (view.complete, view.ended, view.calls) == (1, 0, 0)
    assert view.left == "not known before the first trial has ended"


def test_a_trial_that_an_error_ended_is_missing_and_has_not_ended(status):
    status.step(CALL, "talk", 0)
    status.over(CALL)
    view = status.view()
    assert (view.ended, view.running, "running" in str(view.rows)) == (0, (), False)


def test_a_page_refreshes_itself_while_a_run_goes_and_in_the_end_is_the_link_to_the_report(run, status):
    path = run.dataset.status_path
    with status.kept(1):
        opened = path.read_text()
    with status.computing():
        status.computes("findings")
        computing = path.read_text()
    ended = path.read_text()
    assert ['<meta http-equiv="refresh" content="5">' in each for each in (opened, computing, ended)] == [
        True,
        True,
        False,
    ]
    assert ['href="report.html"' in each for each in (opened, computing, ended)] == [False, False, True]
    assert "The bench is being opened." in text_of(opened)
    assert "The trials of this run are over; being computed: findings." in text_of(computing)
    assert "The run is over. Read the report" in text_of(ended)


def test_a_page_of_a_run_that_an_error_ended_says_which_and_refreshes_no_more(run, status):
    with pytest.raises(BenchUnhealthy), status.kept(1):
        raise BenchUnhealthy("the laptop is gone")
    html = run.dataset.status_path.read_text()
    assert 'http-equiv="refresh"' not in html
    assert "The run ended early (BenchUnhealthy: the laptop is gone); run-matrix takes it up again." in text_of(html)
    with status.computing():
        status.computes("findings")
    reported = run.dataset.status_path.read_text()
    assert "The run ended early (BenchUnhealthy: the laptop is gone)" in text_of(reported)
    assert 'href="report.html"' in reported
    with pytest.raises(OSError, match="full"), (again := Status(run)).computing():
        raise OSError("the disk is full")
    assert (again.view().goes, again.view().reported) == (False, False)


def test_hostile_words_stay_words_and_what_the_bench_keeps_secret_does_not_appear(run):
    spec = run.spec.phones[0].model_copy(update={"serial": "SERIAL00112233"})
    run = replace(run, spec=run.spec.model_copy(update={"phones": [spec, *run.spec.phones[1:]]}))
    status = Status(run)
    status.event("<script>alert(1)</script>\x1b[31m\n SERIAL00112233 \udcff " + "x" * 1000)
    status.step(CALL, "<b>\"'&", 0)
    status.void(CALL, "<img src=x>")
    status.write()
    html = run.dataset.status_path.read_text()
    body = html.partition("</style>")[2]
    assert ("<script" in html, "<img" in html, "<b>" in html, "SERIAL00112233" in html) == (False,) * 4
    assert r"<script>alert(1)</script>\x1b[31m" in text_of(html)
    assert len(status.view().events[0][1]) == 300
    assert re.search(r"\sstyle=|\son\w+=|javascript:|https?:", body) is None


def test_the_policy_of_the_page_allows_its_own_style_and_nothing_else(status):
    html = page(status.view())
    style = html.partition("<style>")[2].partition("</style>")[0]
    digest = b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'" in html
    assert "url(" not in style
    assert "@import" not in style


def test_whoever_reads_the_page_while_it_is_rewritten_has_all_of_it_and_nobody_else_may_read_it(run, status):
    path, torn, over = run.dataset.status_path, [], threading.Event()
    status.write()

    def look() -> None:
        while not over.is_set():
            text = path.read_text()
            if not (text.startswith("<!doctype html>") and text.endswith("</html>")):
                torn.append(text)

    reader = threading.Thread(target=look)
    reader.start()
    for number in range(100):
        status.event("x" * number)
        status.write()
    over.set()
    reader.join()
    assert torn == []
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir() if each.name.startswith(".status")] == []


def test_a_page_that_cannot_be_written_ends_no_run(run, status):
    run.dataset.status_path.mkdir()
    with status.kept(1):
        status.step(CALL, "talk", 0)
    assert list(run.dataset.status_path.iterdir()) == []


def test_writing_takes_one_percent_of_a_run_at_most_and_comes_once_a_second_at_most(status):
    assert (pause_s(0.001), pause_s(0.01), pause_s(0.02), SHARE) == (1.0, 1.0, 2.0, 0.01)
    written = []
    status.write = lambda: written.append(1)
    with status.kept(1):
        for _ in range(1000):
            status.step(CALL, "talk", 0)
    assert 2 <= len(written) <= 4


def test_a_page_is_no_evidence_it_is_in_no_manifest_and_no_change_of_it_is_a_problem(run, status):
    status.write()
    run.dataset.write_manifest()
    assert "status.html" not in run.dataset.manifest_path.read_text()
    assert run.dataset.verify() == []
    status.event("another")
    status.write()
    assert run.dataset.verify() == []
    run.dataset.status_path.unlink()
    assert run.dataset.verify() == []
    # In another folder it is a file as any other, and a link is one wherever it stands.
    (run.dataset.path / "scenarios" / "status.html").touch()
    run.dataset.status_path.symlink_to("dataset.json")
    assert run.dataset.verify() == [
        "status.html: is a symbolic link",
        "scenarios/status.html: is not in the journal",
    ]


def test_what_a_run_says_is_in_its_page_too(run):
    progress = Progress(Console(file=io.StringIO(), width=80))
    status = Status(run)
    with progress.showing(2, status):
        for trial, outcome in (
            (OTHER, progress.completed),
            (CALL, lambda trial: progress.void(trial, "noisy", "loud")),
        ):
            with progress.trial(trial):
                progress.attempt(trial, 0)
                progress.step(trial, "place_call")
                progress.undecided(["rang"])
                outcome(trial)
    view = status.view()
    assert (view.complete, view.ended, view.calls, view.voids) == (1, 2, 2, (("noisy", 1),))
    assert view.undecided == (("rang", 2),)
    assert [re.sub(r"[\d.]+ s", "S", text) for _, text in view.events] == [
        f"1/2 {CALL} S void: noisy: loud",
        f"1/2 {OTHER} S complete",
    ]
    with progress.computing(run):
        progress.computes("findings")
    assert status.view().events[0][1] == "computing findings ..."
    assert status.view().reported


KILLED = """
import sys, time
from lab.run.options import Options
from lab.run.plan import prepare
from lab.run.status import Status
run = prepare(Options(matrix="smoke", dataset=sys.argv[1], scenarios=sys.argv[2]))
status = Status(run)
with status.kept(20):
    status.step(run.planned[0].trial.id, "talk", 0)
    while "talk" not in run.dataset.status_path.read_text():
        time.sleep(0.05)
    print("talks", flush=True)
    time.sleep(60)
"""


def test_a_run_that_is_killed_leaves_a_page_that_says_when_it_was_written_and_a_dataset_that_verifies(run):
    argv = [sys.executable, "-c", KILLED, str(run.dataset.path), str(ROOT / "scenarios")]
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)}) as popen:
        assert popen.stdout.readline() == b"talks\n"
        popen.send_signal(signal.SIGKILL)
    seen = text_of(run.dataset.status_path.read_text())
    assert f"Now talk {run.planned[0].trial.id}" in seen
    assert re.search(r"Written at 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC\. .* the run may have stopped", seen)
    assert run.dataset.verify() == []
