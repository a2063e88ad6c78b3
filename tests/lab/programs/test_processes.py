from __future__ import annotations

import io
import os
import sys
import time

import pytest

from lab.clocks.real_time import Deadline
from lab.programs.processes import Program, run


def python(code: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-u", "-c", code]


def test_a_program_is_run_to_its_end() -> None:
    done = run(python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"), timeout_s=20)
    assert (done.stdout, done.stderr, done.code) == (b"out\n", b"err\n", 3)


def test_a_program_that_hangs_is_killed_at_its_deadline() -> None:
    with pytest.raises(TimeoutError, match=r"has not ended in 0\.2 s"):
        run(python("import time; time.sleep(60)"), timeout_s=0.2)


def test_arguments_never_pass_a_shell() -> None:
    assert run(["/bin/echo", "$(id); `id`", "*"], timeout_s=5).stdout == b"$(id); `id` *\n"


def test_lines_of_a_running_program_are_read_one_by_one() -> None:
    with Program(python("print('a'); print('b'); input(); print('c')")) as program:
        assert program.read_line(20) == b"a"
        assert program.read_line(20) == b"b"
        with pytest.raises(TimeoutError, match=r"says nothing for"):
            program.read_line(0.05)
        program.send(b"\n")
        assert program.read_to_end(20) == b"c\n"
        assert program.wait(20) == 0


def test_standard_error_is_read_where_it_is_asked_for() -> None:
    with Program(python("import sys; print('no'); print('yes', file=sys.stderr)"), read_from="stderr") as program:
        assert program.read_line(20) == b"yes"
        with pytest.raises(EOFError):
            program.read_line(20)


def test_a_program_ends_on_every_way_out() -> None:
    program = Program(
        python("import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1); time.sleep(60)")
    )
    program.read_line(20)
    program.end(grace_s=0.2)
    assert not program.running()
    with pytest.raises(ProcessLookupError):
        os.kill(program.pid, 0)
    program.end()


def test_a_program_that_is_closed_as_a_stream_has_ended() -> None:
    program = Program(["cat"])
    program.send(b"a\n")
    assert program.receive(20) == b"a\n"
    program.close()
    assert not program.running()


@pytest.mark.parametrize("code", ["while True: print('x' * 999, end='')", "while True: print('x', end='')"])
def test_a_program_that_talks_on_and_on_is_given_up_at_its_deadline(code: str) -> None:
    started = time.monotonic()
    with Program(python(code)) as program:
        for read in (program.read_line, program.read_to_end):
            with pytest.raises((TimeoutError, EOFError), match=r"talks on and on|does not stop talking|says nothing"):
                read(0.3)
        program.end(0.3, unheard=True)
    assert time.monotonic() - started < 5


def test_a_line_is_given_up_where_it_is_longer_than_it_may_be() -> None:
    code = "print('x' * 5000); print('y' * 40)"
    with Program(python(code)) as program, pytest.raises(EOFError, match="does not stop talking"):
        program.read_line(20, limit_bytes=4000)


def test_a_long_line_costs_what_its_length_is_and_not_the_square_of_it() -> None:
    with Program(python("import sys; sys.stdout.write('x' * 20_000_000 + '\\n')")) as program:
        assert len(program.read_line(20)) == 20_000_000


def test_the_lines_so_far_are_the_whole_ones_and_never_wait_for_a_program_that_talks_on() -> None:
    with Program(python("import time; print('a'); print('b'); print('c', end=''); time.sleep(60)")) as program:
        assert program.read_line(20) == b"a"
        deadline, lines = Deadline(20), list[bytes]()
        while not lines and not deadline.passed():
            lines = program.lines_so_far()
        assert (lines, program.lines_so_far()) == ([b"b"], [])
        program.end(0.1)
    with Program(python("while True: print('x' * 999)")) as program:
        assert all(len(line) == 999 for line in program.lines_so_far())
        program.end(0.1, unheard=True)


@pytest.mark.parametrize(("size_bytes", "written"), [(9, b"abc\ndef"), (7, b"abc\ndef"), (0, b"abc\n")])
def test_a_file_is_taken_behind_a_line_and_no_further_than_it_is_long(size_bytes: int, written: bytes) -> None:
    code = "import os, time; print('mark'); os.write(1, b'abc\\n'); time.sleep(0.5); print('def', end='')"
    with Program(python(code)) as program, io.BytesIO() as file:
        assert program.read_line(20) == b"mark"
        program.copy_to(file, size_bytes, 20)
        assert file.getvalue() == written


def test_a_copy_that_does_not_end_is_given_up() -> None:
    with Program(python("import time; time.sleep(60)")) as program:
        with pytest.raises(TimeoutError, match=r"has not ended in 0\.2 s"):
            program.copy_to(io.BytesIO(), 9, 0.2)
        program.end(0.1)


def test_the_other_stream_is_kept_until_the_end_and_its_last_words_are_read() -> None:
    with Program(python("import sys; print('why', file=sys.stderr); print('out')"), kept=True) as program:
        assert (program.read_to_end(20), program.wait(20)) == (b"out\n", 0)
        assert program.last_words() == "why\n"
    with Program(["true"]) as program:
        assert program.last_words() == ""
