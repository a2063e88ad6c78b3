from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from correlate.dataset import BadDataset
from lab.commands import open_trial
from lab.programs import processes

TRIAL = "maple-voice-lte_to_fixed-callee_rejects-2"


def test_a_merged_file_goes_into_the_cache_apart_for_each_dataset(tmp_path):
    environment = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    here, there = (open_trial.place(str(tmp_path / name / "night"), TRIAL, "", environment) for name in ("a", "b"))
    assert here.parent.parent == there.parent.parent == tmp_path / "cache" / "im-call-lab"
    assert here.parent.name.startswith("night-")
    assert here.parent != there.parent
    assert here.name == f"{TRIAL}.pcapng"


@pytest.mark.parametrize("named", ["", "cache"])
def test_a_cache_that_is_no_whole_path_does_not_hold(named):
    assert open_trial.cache({"XDG_CACHE_HOME": named}) == Path.home() / ".cache" / "im-call-lab"


def test_a_merged_file_goes_where_it_is_told(tmp_path):
    assert open_trial.place("datasets/x", TRIAL, str(tmp_path / "y.pcapng")) == tmp_path / "y.pcapng"


@pytest.mark.parametrize("trial", ["../x", "a/b", ""])
def test_a_path_is_no_trial(trial):
    with pytest.raises(BadDataset):
        open_trial.place("datasets/x", trial, "")


def test_without_wireshark_it_says_how_tshark_shows_the_frame(tmp_path, capsys):
    environment = {"XDG_CACHE_HOME": str(tmp_path), "PATH": str(tmp_path), "DISPLAY": ":0"}
    open_trial.look(tmp_path / "it's.pcapng", 124, environment)
    config = tmp_path / "im-call-lab" / "wireshark"
    assert capsys.readouterr().out.splitlines() == [
        f"{tmp_path}/it's.pcapng, frame 124",
        "There is no Wireshark here, or no screen for it. In a terminal:",
        f"XDG_CONFIG_HOME={config} tshark -r '{tmp_path}/it'\"'\"'s.pcapng' -C im-call-lab -Y 'frame.number == 124' -V",
    ]
    assert (config / "wireshark/profiles/im-call-lab/preferences").is_file()


@pytest.fixture
def wireshark(tmp_path):
    """A stand-in that notes how it was started."""
    program = tmp_path / "bin" / "wireshark"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$XDG_CONFIG_HOME" "$@" > {tmp_path}/said.tmp\n'
                       f"mv {tmp_path}/said.tmp {tmp_path}/said\n")  # fmt: skip
    program.chmod(0o755)
    return program.parent


def waited(path):
    deadline = time.monotonic() + 20
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    return path.read_text().splitlines()


def test_wireshark_opens_at_the_frame_with_a_configuration_of_ours(tmp_path, wireshark):
    environment = {"XDG_CACHE_HOME": str(tmp_path), "PATH": str(wireshark), "DISPLAY": ":0"}
    open_trial.look(tmp_path / "x.pcapng", 124, environment)
    said = waited(tmp_path / "said")
    assert said == [
        str(tmp_path / "im-call-lab" / "wireshark"), "-r", str(tmp_path / "x.pcapng"), "-C", "im-call-lab", "-g", "124",
    ]  # fmt: skip


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a screen needs no variable")
def test_without_a_screen_wireshark_is_not_started(tmp_path, wireshark, capsys):
    open_trial.look(tmp_path / "x.pcapng", 124, {"XDG_CACHE_HOME": str(tmp_path), "PATH": str(wireshark)})
    assert "tshark" in capsys.readouterr().out
    assert not (tmp_path / "said").exists()


def test_a_program_that_is_left_running_has_a_session_of_its_own(tmp_path):
    note = "import os, sys; print(os.getsid(0), os.environ['ODD'], file=open(sys.argv[1] + '.tmp', 'w'))"
    note += "; os.rename(sys.argv[1] + '.tmp', sys.argv[1])"
    processes.leave_running([sys.executable, "-c", note, str(tmp_path / "said")], {"ODD": "yes"})
    ((session, odd),) = (line.split() for line in waited(tmp_path / "said"))
    assert int(session) != os.getsid(0)
    assert odd == "yes"
    with pytest.raises(FileNotFoundError):
        processes.leave_running([str(tmp_path / "nothing")], {})
