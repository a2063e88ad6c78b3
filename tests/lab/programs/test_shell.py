from __future__ import annotations

import shutil
import time

import pytest

from lab.programs.processes import Program
from lab.programs.shell import CLOCK_LOOP, ClockStream, PersistentShell, ShellOutput, StreamBroken


class Answers:
    """A stream that gives the pieces it was made with, then its end."""

    def __init__(self, *pieces: bytes) -> None:
        self.sent: list[bytes] = []
        self._pieces = list(pieces)
        self.closed = False

    def send(self, data: bytes) -> None:
        self.sent.append(data)

    def receive(self, timeout_s: float) -> bytes:
        if self._pieces and self._pieces[0] == b"silence":
            raise TimeoutError("silent")
        return self._pieces.pop(0) if self._pieces else b""

    def close(self) -> None:
        self.closed = True


def test_a_command_is_one_line_with_a_mark_behind_it() -> None:
    stream = Answers(b"uid=2000\nlab-end:0\n")
    assert PersistentShell(stream).run("id") == ShellOutput("uid=2000\n", 0)
    assert stream.sent == [b'id; echo "lab-end:$?"\n']


def test_an_answer_may_come_in_any_pieces() -> None:
    stream = Answers(b"a\nlab", b"-en", b"d:1", b"\n", b"b\nlab-end:0\n")
    shell = PersistentShell(stream)
    assert shell.run("false") == ShellOutput("a\n", 1)
    assert shell.run("true") == ShellOutput("b\n", 0)


def test_output_without_a_line_end_keeps_its_last_line() -> None:
    assert PersistentShell(Answers(b"no newlinelab-end:0\n")).run("printf x").text == "no newline"


def test_a_cut_answer_is_an_error_never_a_shorter_answer() -> None:
    with pytest.raises(StreamBroken, match="ended while it ran: dumpsys audio"):
        PersistentShell(Answers(b"- Actual mode = MODE_NOR")).run("dumpsys audio")


def test_a_silent_phone_is_a_timeout() -> None:
    with pytest.raises(TimeoutError):
        PersistentShell(Answers(b"silence")).run("id")


@pytest.mark.parametrize("command", ["id\nreboot", "id\rreboot", "id\0"])
def test_a_command_of_two_lines_is_refused(command: str) -> None:
    with pytest.raises(ValueError, match="one line"):
        PersistentShell(Answers()).run(command)


def test_a_reading_of_the_clock_is_in_nanoseconds() -> None:
    stream = Answers(b"1767571200.", b"000123\n")
    assert ClockStream(stream).read_ns() == 1_767_571_200_000_123_000
    assert stream.sent == [b"\n"]


@pytest.mark.parametrize(
    ("answer", "rest_ns"),
    [
        (b"1767571200.000123456\n", 123_456),
        (b"1767571200,25\r\n", 250_000_000),
        (b"1767571200\n", 0),
        (b"1767571200.\n", 0),
        (b"1767571200.N\n", 0),
        (b"1767571200.%N\n", 0),
    ],
)
def test_a_clock_is_read_with_as_many_digits_as_date_prints(answer: bytes, rest_ns: int) -> None:
    assert ClockStream(Answers(answer)).read_ns() == 1_767_571_200_000_000_000 + rest_ns


@pytest.mark.parametrize("shell", ["bash", "dash"])
def test_the_loop_reads_the_clock_of_a_shell_with_and_without_epochrealtime(shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    with Program([shell, "-c", CLOCK_LOOP]) as program:
        clock = ClockStream(program)
        started_ns = time.time_ns() // 1000 * 1000
        readings = [started_ns, *(clock.read_ns() for _ in range(20)), time.time_ns()]
        assert readings == sorted(readings)
        assert any(reading % 1000 for reading in readings[:-1]) == (shell == "dash")


@pytest.mark.parametrize("answer", [b"\n", b"1767571200.x\n", b"1767571200.0123456789\n", b"now\n"])
def test_another_text_is_no_reading(answer: bytes) -> None:
    with pytest.raises(StreamBroken, match="no reading"):
        ClockStream(Answers(answer)).read_ns()
