"""What is opened: regular files, at once, and none of a dataset through a link."""

import errno
import os
import socket
from pathlib import Path

import pytest

from correlate import files


def bound(path):
    """A socket with a name, which goes with its folder."""
    with socket.socket(socket.AF_UNIX) as there:
        there.bind(str(path))


@pytest.mark.parametrize(
    ("make", "number", "text"),
    [
        (os.mkfifo, errno.EINVAL, "Is a FIFO; only regular files are read"),
        (lambda path: path.symlink_to("/dev/zero"), errno.EINVAL, "Is a device; only regular files are read"),
        (bound, errno.EINVAL, "Is a socket; only regular files are read"),
        (os.mkdir, errno.EISDIR, "Is a directory"),
        (lambda path: None, errno.ENOENT, "No such file or directory"),
    ],
    ids=["FIFO", "device", "socket", "directory", "nothing"],
)
def test_what_is_no_regular_file_is_refused_at_once_and_named(tmp_path, make, number, text):
    path = tmp_path / "given"
    make(path)
    for reading in (files.opened, files.read, files.text):
        with pytest.raises(OSError, match=text) as raised:
            reading(path)
        assert (raised.value.errno, raised.value.strerror, raised.value.filename) == (number, text, str(path))


def test_a_fifo_that_comes_after_the_look_is_refused_as_well(tmp_path, monkeypatch):
    path, regular = tmp_path / "given", tmp_path / "regular"
    regular.touch()
    os.mkfifo(path)
    looked = regular.stat()
    monkeypatch.setattr(os, "stat", lambda path: looked)
    before = os.listdir("/proc/self/fd")
    with pytest.raises(OSError, match="Is a FIFO; only regular files are read"):
        files.opened(path)
    assert os.listdir("/proc/self/fd") == before


def test_a_file_is_read_up_to_a_size_and_its_text_keeps_its_line_ends(tmp_path):
    (tmp_path / "given").write_bytes("ä\r\nb\n".encode())
    assert files.read(tmp_path / "given", 3) == b"\xc3\xa4\r"
    assert files.read(tmp_path / "given") == b"\xc3\xa4\r\nb\n"
    with files.text(tmp_path / "given") as file:
        assert file.read() == "ä\r\nb\n"


def test_a_link_is_followed_but_within_a_dataset(tmp_path):
    root, elsewhere = tmp_path / "dataset", tmp_path / "elsewhere"
    (root / "trials").mkdir(parents=True)
    elsewhere.mkdir()
    for folder in (root, root / "trials", elsewhere):
        (folder / "there").write_text("x")
    (root / "link").symlink_to("there")
    (root / "folder").symlink_to(elsewhere)
    assert files.read(root / "link") == files.read(root / "folder/there") == b"x"
    assert files.read(root / "there", within=root) == files.read(root / "trials/there", within=root) == b"x"
    for path, text in (("link", "is a symbolic link"), ("folder/there", "folder is a symbolic link")):
        with pytest.raises(OSError, match="symbolic link") as raised:
            files.read(root / path, within=root)
        assert raised.value.strerror == f"{text}, a dataset has none; put there what it leads to"
    (tmp_path / "other name").symlink_to(root)
    assert files.read(tmp_path / "other name/there", within=tmp_path / "other name") == b"x"


def test_the_first_link_on_the_way_is_named_and_the_root_may_be_one(tmp_path):
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "root").symlink_to("a")
    (tmp_path / "a/b/c").symlink_to("/")
    root = tmp_path / "root"
    assert files.first_link(root, root / "b/c/d/e") == root / "b/c"
    assert files.first_link(root, root / "b/c") == root / "b/c"
    assert files.first_link(root, root / "b/nothing") is None
    assert files.first_link(tmp_path, root / "b/c") == root


def test_what_is_odd_is_named(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("nowhere")
    (tmp_path / "file").touch()
    names = ("fifo", "link", "file", ".")
    assert [files.odd(tmp_path / name) for name in names] == ["a FIFO", "a symbolic link", "", ""]
    assert files.odd(Path("/dev/zero")) == "a device"
