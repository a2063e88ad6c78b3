"""The controller's sleep is held off by a stand-in for systemd-inhibit or caffeinate, and let go on every way out."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from lab.bench.real import RealBench
from lab.clocks.real_time import Deadline
from lab.clocks.stop import Stop
from lab.definitions import Lab
from lab.programs.sleep_inhibitor import kept_awake

ROOT = Path(__file__).parents[3]
LINUX = ["--what=idle:sleep", "--mode=block", "--who=im-call-lab", "--why=a run lasts", "cat"]


def stand_in(folder: Path, monkeypatch, name: str, body: str) -> Path:
    """A program of that name, alone on PATH with /bin's; it writes its arguments, then runs `body`."""
    folder.mkdir()
    program = folder / name
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >{folder}/arguments\n{body}\necho $? >{folder}/ended\n')
    program.chmod(0o755)
    for tool in ("cat", "sh"):
        (folder / tool).symlink_to(f"/bin/{tool}")
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.mark.parametrize(
    ("name", "arguments"), [("systemd-inhibit", LINUX), ("caffeinate", ["-i", "-s", "cat"])], ids=["linux", "macos"]
)
def test_the_inhibitor_lasts_as_long_as_the_block(tmp_path, monkeypatch, name, arguments):
    folder = stand_in(tmp_path / "bin", monkeypatch, name, "cat")
    with kept_awake() as said:
        assert said == ""
        assert (folder / "arguments").read_text().splitlines() == arguments
        assert not (folder / "ended").exists()
    assert (folder / "ended").read_text() == "0\n"


def test_an_error_in_the_block_lets_it_go(tmp_path, monkeypatch):
    folder = stand_in(tmp_path / "bin", monkeypatch, "systemd-inhibit", "cat")
    with pytest.raises(KeyboardInterrupt), kept_awake():
        raise KeyboardInterrupt
    assert (folder / "ended").read_text() == "0\n"


def test_a_controller_that_is_killed_lets_it_go(tmp_path, monkeypatch):
    folder = stand_in(tmp_path / "bin", monkeypatch, "systemd-inhibit", "cat")
    code = (
        "import sys\nfrom lab.programs.sleep_inhibitor import kept_awake\n"
        "with kept_awake():\n print('x', flush=True)\n sys.stdin.read()"
    )
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdin=pipe, stdout=pipe) as controller:
        assert controller.stdout is not None
        assert controller.stdout.readline() == b"x\n"
        controller.send_signal(signal.SIGKILL)
    deadline = Deadline(10.0)
    while not (folder / "ended").exists():
        assert deadline.left() > 0, "the inhibitor outlives its controller"
        os.sched_yield()


@pytest.mark.parametrize("body", ["echo Access denied >&2; false", "exec sleep 0"])
def test_an_inhibitor_that_is_refused_is_said(tmp_path, monkeypatch, body):
    stand_in(tmp_path / "bin", monkeypatch, "systemd-inhibit", body)
    with kept_awake() as said:
        assert said == "systemd-inhibit does not keep this machine awake: see to it yourself."


def test_a_machine_without_one_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    none = "There is no systemd-inhibit and no caffeinate: "
    with kept_awake() as said:
        assert said == f"{none}see to it that this machine does not sleep while the run lasts."


def test_a_real_bench_holds_its_controller_awake_until_it_is_closed(tmp_path, monkeypatch):
    folder = stand_in(tmp_path / "bin", monkeypatch, "systemd-inhibit", "cat")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    bench = RealBench(Lab.load(ROOT / "scenarios").bench("pixels"), Stop())
    assert (bench.hint, (folder / "ended").exists()) == ("", False)
    bench.close()
    assert (folder / "ended").exists()
