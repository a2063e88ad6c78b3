"""The sync service, byte by byte."""

import asyncio
import struct

import pytest

from lab.virtual.adb.daemon import StreamClosed
from lab.virtual.adb.sync import SyncService
from lab.virtual.files import Files


class Tape:
    """A stream that gives recorded bytes and keeps each write."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.written: list[bytes] = []

    async def read_exactly(self, count: int) -> bytes:
        if len(self.data) < count:
            raise StreamClosed
        piece, self.data = self.data[:count], self.data[count:]
        return piece

    async def write(self, data: bytes) -> None:
        self.written.append(data)


@pytest.fixture
def files(tmp_path):
    made = Files(tmp_path, ("/data/local/tmp", "/sdcard"))
    (tmp_path / "data/local/tmp/hello").write_bytes(b"hello")
    (tmp_path / "data/local/tmp/hello").chmod(0o640 | 0o004)
    return made


def request(kind: bytes, path: bytes) -> bytes:
    return struct.pack("<4sI", kind, len(path)) + path


def play(files: Files, data: bytes) -> list[bytes]:
    tape = Tape(data)
    asyncio.run(SyncService(files)(tape))
    return tape.written


def test_stat_of_version_1_gives_mode_size_and_time(files):
    (answer,) = play(files, request(b"STAT", b"/data/local/tmp/hello"))
    assert answer[:12] == b"STAT" + struct.pack("<II", 0o100644, 5)
    assert play(files, request(b"STAT", b"/data/local/tmp/none")) == [b"STAT" + bytes(12)]


def test_stat_of_version_2_has_68_bytes_and_names_the_error(files):
    (answer,) = play(files, request(b"STA2", b"/data/local/tmp/hello"))
    assert len(answer) == 72
    fields = struct.unpack("<4sIQQIIIIQqqq", answer)
    assert (fields[0], fields[1], fields[4], fields[6], fields[7], fields[8]) == (b"STA2", 0, 0o100644, 2000, 2000, 5)
    assert play(files, request(b"LST2", b"/none")) == [b"LST2" + struct.pack("<I", 2) + bytes(64)]


def test_a_received_file_and_its_end_come_in_one_write(files):
    assert play(files, request(b"RECV", b"/data/local/tmp/hello")) == [b"DATA\5\0\0\0hello" + b"DONE\0\0\0\0"]
    second = request(b"RCV2", b"/data/local/tmp/hello") + b"RCV2\0\0\0\0"
    assert play(files, second) == [b"DATA\5\0\0\0hello" + b"DONE\0\0\0\0"]


def test_a_copy_that_is_cut_ends_in_the_middle_of_the_file(files):
    tape = Tape(request(b"RECV", b"/data/local/tmp/hello"))
    with pytest.raises(StreamClosed):
        asyncio.run(SyncService(files, lambda: True)(tape))
    assert tape.written == [b"DATA\5\0"]


def test_a_file_that_is_not_there_fails_with_its_reason(files):
    text = b"open failed: No such file or directory"
    assert play(files, request(b"RECV", b"/sdcard/none")) == [b"FAIL" + struct.pack("<I", len(text)) + text]


def test_a_sent_file_is_stored_with_mode_and_time(files):
    body = b"DATA\3\0\0\0abcDATA\1\0\0\0dDONE" + struct.pack("<I", 1_700_000_000)
    assert play(files, request(b"SEND", b"/sdcard/new/file,33188") + body) == [b"OKAY\0\0\0\0"]
    found = files.stat("/sdcard/new/file")
    assert (files.read("/sdcard/new/file", 2000), found.st_mode, found.st_mtime) == (b"abcd", 0o100644, 1_700_000_000)
    second = request(b"SND2", b"/sdcard/two") + b"SND2" + struct.pack("<II", 0o100600, 0) + body
    assert play(files, second) == [b"OKAY\0\0\0\0"]
    assert files.stat("/sdcard/two").st_mode == 0o100600


def test_the_shell_user_may_not_send_everywhere(files):
    text = b"couldn't create file: Permission denied"
    answer = b"FAIL" + struct.pack("<I", len(text)) + text
    assert play(files, request(b"SEND", b"/system/x,33188") + b"DONE\0\0\0\0") == [answer]
    assert not files.exists("/system/x")


def test_a_file_that_has_no_room_fails_with_its_reason(files):
    files.full = True
    text = b"write failed: No space left on device"
    body = b"DATA\3\0\0\0abcDONE\0\0\0\0"
    answer = b"FAIL" + struct.pack("<I", len(text)) + text
    assert play(files, request(b"SEND", b"/sdcard/x,33188") + body) == [answer]
    assert files.read("/sdcard/x", 2000) == b""


def test_requests_follow_each_other_until_quit(files):
    data = request(b"STAT", b"/none") * 2 + b"QUIT\0\0\0\0" + request(b"STAT", b"/none")
    assert play(files, data) == [b"STAT" + bytes(12)] * 2


def test_an_unknown_request_fails_and_ends_the_service(files):
    (answer,) = play(files, request(b"XXXX", b"") + request(b"STAT", b"/none"))
    assert answer[8:] == b"unknown command b'XXXX'"
