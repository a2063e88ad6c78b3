"""The same work by several processes: results in order, errors as they are, and no process left behind."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from correlate import workers
from correlate.errors import Unreadable
from correlate.workers import each


@pytest.fixture(autouse=True)
def no_process_is_left():
    yield
    assert multiprocessing.active_children() == []


def test_results_are_in_order_and_come_from_other_processes():
    found = each(lambda number: (number * number, os.getpid()), range(40), processes=3)
    assert [square for square, _ in found] == [number * number for number in range(40)]
    assert 1 <= len({pid for _, pid in found}) <= 3
    assert os.getpid() not in {pid for _, pid in found}


def test_one_item_or_one_core_takes_no_process(monkeypatch):
    assert each(lambda _: os.getpid(), ["one"]) == [os.getpid()]
    assert each(lambda _: os.getpid(), [1, 2], processes=1) == [os.getpid()] * 2
    assert each(lambda _: os.getpid(), [], processes=2) == []
    monkeypatch.delattr(os, "sched_getaffinity")
    assert workers.cores() == 1


def test_where_other_threads_run_nothing_is_forked():
    event = threading.Event()
    thread = threading.Thread(target=event.wait)
    thread.start()
    try:
        assert workers.cores() == 1
    finally:
        event.set()
        thread.join()
    assert workers.cores() == len(os.sched_getaffinity(0))


def test_what_the_work_raises_is_raised_here_and_nothing_is_said_elsewhere(capfd):
    def work(number):
        if number == 5:
            raise Unreadable("five.pcap", "is a picture")
        return number

    with pytest.raises(Unreadable, match=r"^five\.pcap: is a picture$") as caught:
        each(work, range(9), processes=2)
    assert caught.value.what == "is a picture"
    assert capfd.readouterr() == ("", "")


def test_a_process_that_fails_where_this_one_does_not_costs_nothing_but_time():
    here = os.getpid()

    def work(number):
        if os.getpid() != here and number % 2:
            raise MemoryError
        return number

    assert each(work, range(9), processes=2) == list(range(9))


def test_a_killed_process_is_told_by_its_signal():
    def work(number):
        if number == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return number

    with pytest.raises(ChildProcessError, match="a worker process was ended from outside by SIGKILL"):
        each(work, range(9), processes=2)


PROGRAM = """
import os, sys, time
from correlate.workers import each
def work(number):
    os.write(1, b"%d\\n" % os.getpid())
    time.sleep(float(sys.argv[1]))
try:
    each(work, range(4), processes=2)
except KeyboardInterrupt:
    print("interrupted", file=sys.stderr)
"""


def is_there(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().split()[2] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    ("number", "work_s", "said"), [(signal.SIGINT, 60, "interrupted\n"), (signal.SIGKILL, 0.5, "")]
)
def test_however_the_program_ends_its_workers_end_too(number, work_s, said):
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(work_s)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # Whatever this runs under: a job in the background has SIGINT ignored, and hands that on.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    pids = [int(program.stdout.readline()) for _ in range(2)]
    assert all(is_there(pid) for pid in pids)
    # Ctrl-C in a terminal goes to all of them; a program that is killed can tell its workers nothing.
    os.killpg(program.pid, number) if number == signal.SIGINT else program.kill()
    assert program.communicate(timeout=10)[1] == said
    deadline = time.monotonic() + 5
    while any(is_there(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert [pid for pid in pids if is_there(pid)] == []
