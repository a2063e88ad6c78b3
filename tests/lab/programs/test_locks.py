"""What one process holds, no other has, whoever it is and however it ends."""

import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from lab.errors import BenchBusy
from lab.programs import locks


def test_what_is_held_is_refused_to_others_naming_the_holder_until_that_process_is_gone(tmp_path):
    script = (
        "import sys, pathlib; from lab.programs import locks\n"
        "with locks.held(pathlib.Path(sys.argv[1]), 'it'): print('held', flush=True); sys.stdin.read()"
    )
    argv = [sys.executable, "-c", script, str(tmp_path / "lock")]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"
        text = f"it is held by process {holder.pid}; wait until it has ended, or end it"
        with pytest.raises(BenchBusy) as raised, locks.held(tmp_path / "lock", "it"):
            raise AssertionError("held twice")
        assert str(raised.value) == text
        holder.kill()
    with locks.held(tmp_path / "lock", "it"):
        assert (tmp_path / "lock").read_text() == str(os.getpid())
        assert stat.S_IMODE((tmp_path / "lock").stat().st_mode) == 0o600
    assert not (tmp_path / "lock").exists()


def test_who_holds_it_is_the_systems_word_and_where_it_has_none_nobody_is_to_be_ended(tmp_path, monkeypatch):
    with locks.held(tmp_path / "lock", "it"):
        (tmp_path / "lock").write_text("1")
        for known, told in ((True, f"process {os.getpid()}; wait until it has ended, or end it"),
                            (False, "another process; wait until it has ended")):  # fmt: skip
            if not known:
                monkeypatch.setattr(locks.os, "major", lambda device: 4095)
            with pytest.raises(BenchBusy) as raised, locks.held(tmp_path / "lock", "it"):
                raise AssertionError("held twice")
            assert str(raised.value) == f"it is held by {told}"


def test_a_lock_that_its_holder_takes_away_while_another_opens_it_is_not_held_by_both(tmp_path, monkeypatch):
    lock, lockf, held = tmp_path / "lock", locks.fcntl.flock, []
    other = locks.held(lock, "the other's")

    def late(file, how):
        monkeypatch.setattr(locks.fcntl, "flock", lockf)
        lock.unlink()  # as the last holder's end does
        other.__enter__()
        lockf(file, how)

    monkeypatch.setattr(locks.fcntl, "flock", late)
    with pytest.raises(BenchBusy), locks.held(lock, "it"):
        held.append("it")
    other.__exit__(None, None, None)
    assert (held, lock.exists()) == ([], False)


AS_NOBODY = """
import encodings.ascii, os, pathlib, sys  # all of it now: a stranger may not read where Python lies
from lab.programs import locks
from lab.errors import BenchBusy
if os.getuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
try:
    with locks.held(pathlib.Path(sys.argv[1]), "it"):
        print("held")
except BenchBusy as busy:
    print(busy)
"""


def as_nobody(lock):
    """What another user of this machine is told who wants the lock; the same user where the tests are not root."""
    argv = [sys.executable, "-c", AS_NOBODY, str(lock)]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def shared():
    """A folder for everybody, as /tmp is: pytest's own are closed to other users."""
    with tempfile.TemporaryDirectory(prefix="im-call-lab-test-") as name:
        Path(name).chmod(0o1777)
        yield Path(name)


def theirs(lock):
    return (
        f"it is held by user 0, or a run of theirs was killed: {lock} is theirs; "
        "have them look, and remove it where nothing runs"
    )


@pytest.mark.skipif(os.getuid() != 0, reason="only root can act for another user")
def test_what_one_user_holds_another_is_refused_naming_the_user_and_may_hold_afterwards(shared):
    lock = shared / "lock"
    with locks.held(lock, "it"):
        assert as_nobody(lock) == theirs(lock)
    assert as_nobody(lock) == "held"
    with locks.held(lock, "it"):
        assert lock.read_text() == str(os.getpid())


@pytest.mark.skipif(os.getuid() != 0, reason="only root can act for another user")
def test_a_lock_that_may_be_read_is_held_and_one_that_may_not_says_whose_it_is(shared):
    lock = shared / "lock"
    lock.write_text("123")
    lock.chmod(0o644)
    assert as_nobody(lock) == "held"
    lock.write_text("123")
    lock.chmod(0o600)
    assert as_nobody(lock) == theirs(lock)


def test_what_somebody_planted_in_a_locks_place_is_neither_followed_nor_waited_for(tmp_path):
    (tmp_path / "precious").write_text("kept")
    (tmp_path / "link").symlink_to(tmp_path / "precious")
    os.mkfifo(tmp_path / "fifo")
    for name, what in (("link", "a symbolic link; remove it"), ("fifo", "no plain file; have its owner remove it")):
        with pytest.raises(BenchBusy) as raised, locks.held(tmp_path / name, "it"):
            raise AssertionError("held")
        assert str(raised.value) == f"it cannot be held: {tmp_path / name} is {what}"
    assert (tmp_path / "precious").read_text() == "kept"
