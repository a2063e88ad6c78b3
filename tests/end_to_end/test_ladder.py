"""A glitch of the bench costs the attempt that it hit and no trial: through a real adb server, on the virtual bench."""

import contextlib
import os
import signal
from pathlib import Path

import pytest

from correlate.dataset import Dataset
from lab.bench.bench import Bench
from lab.clocks.stop import Stop
from lab.errors import BenchUnhealthy
from lab.phone.agent import start_anew
from lab.run.description import create
from lab.run.matrix import run_one
from tests.end_to_end.test_faults import CANCEL, HANG_UP, At, journal, planned, silent


def adb_server(bench: Bench) -> int:
    """The process that listens on the bench's adb port."""
    port = str(bench.kind.client.port).encode()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            argv = path.read_bytes().split(b"\0")
            if argv[1:5] == [b"-P", port, b"nodaemon", b"server"]:
                return int(path.parent.name)
    raise AssertionError("no adb server")


def unplug(bench: Bench, name: str = "pixel6pro") -> None:
    bench.kind.client.disconnect(bench.phones[name].device.serial)


def kill_server(bench: Bench) -> None:
    os.kill(adb_server(bench), signal.SIGKILL)


@pytest.mark.parametrize(
    ("event", "glitch", "rungs"),
    [
        ("talking", unplug, {("r1", "pixel6pro"), ("r2", "pixel6pro"), ("r3", "pixel6pro")}),
        ("clocks", kill_server, None),
    ],
)
def test_a_glitch_costs_one_attempt_that_is_not_counted_and_the_trial_completes(tmp_path, event, glitch, rungs):
    run = planned(tmp_path / "dataset", HANG_UP)
    create(run)
    with Bench(run.lab, run.spec, Stop()) as bench:
        assert run_one(run, bench, run.chosen[0], At(HANG_UP, event, lambda: glitch(bench)))
        assert bench.kind.left_in_call == []
    kept = [path.name for path in run.dataset.attempts_dir.iterdir()]
    assert kept == [f"{HANG_UP}.0.bench-1"]
    assert run.dataset.record(HANG_UP).attempt == 0
    lines = run.dataset.journal.read()
    climbed = {(entry.rung, entry.on) for entry in lines if entry.event == "ladder"}
    # After its adb server has gone both phones are to be connected again.
    assert climbed == rungs if rungs else {("r3", "pixel6"), ("r3", "pixel6pro")} <= climbed
    assert [(entry.reason, entry.spoilt) for entry in lines if entry.event == "void"] == [("bench_trouble", 1)]
    assert Dataset(run.dataset.path).verify() == []


def test_a_trial_after_a_glitch_has_the_bytes_that_it_has_without(tmp_path):
    hashes = []
    for name, glitch in (("one", unplug), ("two", lambda bench: None)):
        run = planned(tmp_path / name, CANCEL)
        create(run)
        with Bench(run.lab, run.spec, Stop()) as bench:
            assert run_one(run, bench, run.chosen[0], At(CANCEL, "clocks", lambda bench=bench: glitch(bench)))  # noqa: B023
        done = [entry for entry in run.dataset.journal.read() if entry.event == "completed"]
        hashes.append({path: sha for path, sha in done[0].files.items() if ".pcap" in path})
    assert len(hashes[0]) == 2
    assert hashes[0] == hashes[1]


def test_an_agent_is_started_anew_by_itself(tmp_path):
    run = planned(tmp_path / "dataset", CANCEL)
    with Bench(run.lab, run.spec, Stop()) as bench:
        phone = bench.phones["pixel6"]
        start_anew(phone.screen.agent, phone.device)
        phone.check_health()


def test_a_bench_process_that_has_gone_is_not_waited_for(tmp_path):
    run = planned(tmp_path / "dataset", HANG_UP)
    create(run)
    with Bench(run.lab, run.spec, Stop()) as bench:
        bench.kind._program.end()
        with pytest.raises(BenchUnhealthy, match="has ended"):
            bench.recover(lambda *rung: pytest.fail(str(rung)))
    assert journal(run.dataset.path) == [("begun",)]
    assert silent().remarks == []
