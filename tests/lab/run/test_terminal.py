"""A terminal that goes away, or a pipe that nobody reads, ends nothing."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys

import pytest
from rich.console import Console

from lab.run.progress import Progress
from lab.run.terminal import Steady, lost

PROGRAM = """
import os, sys
from lab.run import terminal
from lab.run.progress import Progress
from rich.console import Console
with terminal.steady():
    progress = Progress(Console())
    for number in range(3):
        progress.say(f"line {number}")
    print("to standard error", file=sys.stderr)
    os.write(3, progress.lost_output.encode())
sys.exit(3)
"""


def run(stdout: int, stderr: int) -> tuple[int, bytes]:
    """The exit code of a program that prints there, and what it says of its output."""
    reader, writer = os.pipe()
    program = f"import os; os.dup2({writer}, 3)\n{PROGRAM}"
    ended = subprocess.run(
        [sys.executable, "-c", program], stdout=stdout, stderr=stderr, pass_fds=[writer], check=False
    )
    os.close(writer)
    said = os.read(reader, 1000)
    os.close(reader)
    return ended.returncode, said


def test_a_pipe_that_nobody_reads_leaves_the_exit_code_that_of_the_run():
    reader, writer = os.pipe()
    os.close(reader)
    assert run(writer, writer) == (3, b"standard output: EPIPE")
    os.close(writer)


def test_a_terminal_that_was_closed_leaves_the_exit_code_that_of_the_run():
    controller, terminal = os.openpty()
    os.close(controller)
    assert run(terminal, terminal) == (3, b"standard output: EIO")
    os.close(terminal)


class Full(io.StringIO):
    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def write(self, text: str) -> int:
        raise OSError(self.number, os.strerror(self.number))


def test_what_became_of_an_output_is_told_once_it_is_gone_and_a_full_disk_is_an_error():
    steady = Steady(Full(errno.EPIPE), "standard output")
    progress = Progress(Console(file=steady))  # type: ignore[arg-type]
    assert (progress.lost_output, lost(sys.stdout)) == ("", "")
    progress.say("a line")
    assert (progress.lost_output, lost(steady)) == ("standard output: EPIPE",) * 2
    with pytest.raises(OSError, match="No space left"):
        Steady(Full(errno.ENOSPC), "standard output").write("a line")
