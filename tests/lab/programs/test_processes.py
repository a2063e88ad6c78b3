from __future__ import annotations

import os
import sys

import pytest

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
