"""How a command ends: one line and its exit code, whatever it ended by."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from invoke.exceptions import Exit

from lab.commands.exits import exits
from lab.errors import BadInput

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def handlers(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def ended_by(error: BaseException) -> tuple[int, str]:
    with pytest.raises(Exit) as raised, exits():
        raise error
    return raised.value.code, raised.value.message


def within_an_import() -> Exception:
    error = ImportError("numpy cannot be imported")
    error.__cause__ = KeyboardInterrupt()
    return error


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (BadInput("a.yaml:1:1: no"), 2, "a.yaml:1:1: no"),
        (KeyboardInterrupt(), 130, "interrupted; what is recorded is kept"),
        (within_an_import(), 130, "interrupted; what is recorded is kept"),
        (
            OSError(errno.ENOSPC, "No space left on device", "/tmp/x"),
            4,
            "/tmp/x: No space left on device; what is recorded is kept; mend this and run again",
        ),
        (
            MemoryError(),
            4,
            "this machine has no memory left: ENOMEM; what is recorded is kept; mend this and run again",
        ),
        (Exit("as it is", 3), 3, "as it is"),
    ],
)
def test_an_end_is_one_line_and_its_exit_code(error, code, said):
    assert ended_by(error) == (code, said)


def test_an_error_that_nobody_foresaw_is_one_line_that_names_its_traceback(tmp_path):
    code, said = ended_by(TypeError("'NoneType' object is not subscriptable"))
    (kept,) = tmp_path.glob("im-call-lab-bug-*.txt")
    assert (code, said) == (
        1,
        "a bug of the lab: TypeError: 'NoneType' object is not subscriptable; what is recorded is kept; "
        f"report it with {kept}",
    )
    assert kept.read_text().startswith("Traceback (most recent call last):")
    assert kept.stat().st_mode & 0o777 == 0o600


EARLY = "import os, sys, signal; sys.argv = ['invoke']; import tasks; os.kill(os.getpid(), {0}); print('went on')"


def test_ctrl_c_before_a_command_has_begun_is_one_line_and_130():
    program = EARLY.format(int(signal.SIGINT))
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "interrupted; nothing was begun\n")


def test_an_end_whose_text_nobody_reads_has_its_exit_code():
    reader, writer = os.pipe()
    os.close(reader)
    program = [Path(sys.executable).parent / "invoke", "verify", "--dataset", "/nowhere/at/all"]
    ended = subprocess.run(program, cwd=ROOT, stdout=writer, stderr=writer, check=False)
    os.close(writer)
    assert ended.returncode == 2
