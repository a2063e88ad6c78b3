"""Whatever an adb server or a phone's shell answers is a whole answer or trouble with the phone, within its deadline.

Through the real adbutils, over real sockets.
"""

from __future__ import annotations

import hashlib
import random
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.clocks import deadlines
from lab.errors import PhoneTrouble
from lab.phone.adb import Adb, LabClient
from lab.programs.shell import ShellOutput
from tests.lab.phone.odd_answers import adb_server, flood, read_command

ODD, DEADLINE_S = 200, 0.3
FILE = b"capture"
TOLD = f"{len(FILE)} {hashlib.sha256(FILE).hexdigest()}  /data/x\nlab-end:0\n".encode()
STAGES = ("transport", "service", "line", "clock", "copy", "push")


def sync(word: bytes, data: bytes = b"", length: int | None = None) -> bytes:
    return word + (len(data) if length is None else length).to_bytes(4, "little") + data


class Phone:
    """A phone that says what it was given at one stage, once; what is right otherwise."""

    def __init__(self) -> None:
        self.stage, self.odd = "", b""
        self.gone = threading.Event()

    def say(self, sock: socket.socket, stage: str, right: bytes) -> None:
        if stage != self.stage:
            sock.sendall(right)
            return
        self.stage = ""
        sock.sendall(self.odd)
        sock.shutdown(socket.SHUT_WR)
        raise ConnectionError

    def talk(self, sock: socket.socket) -> None:
        read_command(sock)
        self.say(sock, "transport", b"OKAY" + bytes(8))
        service = read_command(sock)
        self.say(sock, "service", b"OKAY")
        if service == b"sync:":
            head = sock.recv(8, socket.MSG_WAITALL)
            sock.recv(int.from_bytes(head[4:], "little"), socket.MSG_WAITALL)
            if head[:4] == b"RECV":
                self.say(sock, "copy", sync(b"DATA", FILE) + sync(b"DONE"))
            else:
                self.say(sock, "push", b"STAT" + bytes(12) if head[:4] == b"STAT" else b"")
                while sock.recv(65536)[-8:-4] != b"DONE":
                    pass
                sock.sendall(sync(b"OKAY"))
            return
        while line := sock.recv(65536):
            if line == b"\n":
                self.say(sock, "clock", b"1767571200.000123\n")
            else:
                self.say(sock, "line", TOLD if b"sha256sum" in line else b"whole\nlab-end:0\n")


def odd_pieces(chance: random.Random) -> list[bytes]:
    fixed = [
        b"", b"FAIL", b"FAILzzzz", b"FAIL-001", b"FAIL0x1f", b"FAILffff" + b"x" * 10, b"FAIL0005" + b"\xff" * 5,
        b"FAIL001bdevice 'SERIAL' not found\n", b"WHAT", b"OKAYOKAY", b"\0" * 40, b"lab-end:", b"lab-end:9999\n",
        b"1767571200", b"lab-end:0\n", b"-1\n", b"\n", b"1e9\n", b"9" * 200 + b"\n", sync(b"DATA", b"x", 2**32 - 1),
        sync(b"DATA", b"other!!"), sync(b"DATA", b"x" * 100), sync(b"DATA"), sync(b"DONE"), sync(b"FAIL", b"no", 2**31),
        sync(b"FAIL", b"no such file"), sync(b"STAT"), b"STAT" + b"\xff" * 12, b"STAT\1", sync(b"DATA", FILE[:3]),
        sync(b"DATA", FILE) + b"DO", b"STAT" + bytes(3),
    ]  # fmt: skip
    while len(fixed) < ODD:
        piece = bytearray(chance.choice([b"OKAY" + bytes(8), b"whole\nlab-end:0\n", sync(b"DATA", FILE), TOLD]))
        for _ in range(chance.randrange(4)):
            piece[chance.randrange(len(piece))] = chance.randrange(256)
        fixed.append(bytes(piece[: chance.randrange(len(piece) + 1)]))
    return fixed[:ODD]


def ask(adb: Adb, folder: Path, stage: str) -> object:
    if stage == "clock":
        return adb.read_clock_ns()
    if stage == "copy":
        return adb.pull_checked("/data/x", folder / "x", root=False)
    if stage == "push":
        (folder / "y").write_bytes(FILE)
        return adb.push_checked(folder / "y", "/data/x")
    return adb.run("id")


def fits(value: object, stage: str) -> bool:
    """Whether a value is of the type that was asked for; a copy is whole."""
    if stage in ("clock", "copy", "push"):
        return value == hashlib.sha256(FILE).hexdigest() if stage == "copy" else isinstance(value, int | None)
    return isinstance(value, ShellOutput)


def test_two_hundred_odd_answers_of_adb_are_trouble_or_a_whole_answer_and_the_next_call_is_answered(tmp_path):
    phone, troubles = Phone(), []
    with deadlines.scaled(DEADLINE_S / deadlines.ADB_HANDSHAKE.seconds), adb_server(phone.talk) as port:
        for number, odd in enumerate(odd_pieces(random.Random("adb"))):
            for stage in (STAGES[number % 6], STAGES[(number + 3) % 6]):
                adb = Adb(LabClient("127.0.0.1", port), "SERIAL", "pixel6")
                phone.stage, phone.odd, began_s = stage, odd, time.monotonic()
                try:
                    assert fits(ask(adb, tmp_path, stage), stage), (stage, odd)
                except PhoneTrouble as error:
                    troubles.append(str(error))
                assert time.monotonic() - began_s < 3 * DEADLINE_S + 1, (stage, odd)
                phone.stage = ""
                adb.close()  # what said a whole answer and ended has a shell that is no more
                assert adb.run("id").code == 0
                adb.close()
    assert len(troubles) >= ODD
    assert [text for text in troubles if not text.startswith("pixel6: ") or "SERIAL" in text] == []


def opened_then(rest: Callable[[socket.socket], object]) -> Callable[[socket.socket], None]:
    def talk(sock: socket.socket) -> None:
        read_command(sock)
        sock.sendall(b"OKAY" + bytes(8))
        read_command(sock)
        sock.sendall(b"OKAY")
        sock.recv(65536)
        rest(sock)

    return talk


@pytest.mark.parametrize(
    ("piece", "every_s"),
    [(b"x", 0.01), (b"lab-end:", 0.01), (b"line of a log\n" * 600, 0.0005), (b"\0" * 65536, 0.002)],
)
def test_a_line_whose_output_never_ends_is_given_up_at_its_deadline_while_data_flow(piece, every_s):
    gone = threading.Event()
    with adb_server(opened_then(lambda sock: flood(sock, piece, gone, every_s))) as port:
        adb, began_s = Adb(LabClient("127.0.0.1", port), "SERIAL", "pixel6"), time.monotonic()
        with pytest.raises(PhoneTrouble, match=r"^pixel6: no whole answer to `logcat`: "):
            adb.run("logcat", timeout_s=DEADLINE_S)
        assert time.monotonic() - began_s < DEADLINE_S + 1
        gone.set()


def test_thirty_megabytes_in_small_pieces_are_read_in_the_time_that_they_take():
    """At each piece the whole buffer was searched again: 10 MB took 100 s."""
    data = b"0123456789abcdef" * 1000 + b"\n"

    def pieces(sock: socket.socket) -> None:
        for _ in range(1800):
            sock.sendall(data)
        sock.sendall(b"lab-end:7\n")

    with adb_server(opened_then(pieces)) as port:
        adb, began_s = Adb(LabClient("127.0.0.1", port), "SERIAL", "pixel6"), time.monotonic()
        answer = adb.run("cat", timeout_s=10.0)
        assert (answer.code, len(answer.text)) == (7, 1800 * len(data))
        assert time.monotonic() - began_s < 5
        adb.close()


@pytest.mark.parametrize("piece", [sync(b"DATA"), b"D"])
def test_a_file_that_never_ends_is_given_up_at_its_deadline(tmp_path, monkeypatch, piece):
    phone, gone = Phone(), threading.Event()
    usual = phone.talk

    def talk(sock: socket.socket) -> None:
        if (found := sock.recv(64, socket.MSG_PEEK)) and b"host:tport" in found:
            read_command(sock)
            sock.sendall(b"OKAY" + bytes(8))
            if read_command(sock) == b"sync:":
                sock.sendall(b"OKAY")
                flood(sock, piece, gone, 0.005)
            sock.sendall(b"OKAY")
            while sock.recv(65536):
                sock.sendall(TOLD)
        else:
            usual(sock)

    monkeypatch.setattr(deadlines, "PHONE_COPY", deadlines.Wait(DEADLINE_S, "a short one"))
    with adb_server(talk) as port:
        adb, began_s = Adb(LabClient("127.0.0.1", port), "SERIAL", "pixel6"), time.monotonic()
        with pytest.raises(PhoneTrouble, match=r"^pixel6: /data/x: "):
            adb.pull_checked("/data/x", tmp_path / "x", root=False)
        assert time.monotonic() - began_s < DEADLINE_S + 1
        adb.close()
        gone.set()


def test_a_line_that_holds_a_contact_is_called_by_its_label():
    with adb_server(opened_then(lambda sock: sock.sendall(b"half"))) as port:
        adb = Adb(LabClient("127.0.0.1", port), "SERIAL", "pixel6")
        with pytest.raises(PhoneTrouble) as raised:
            adb.run("am start -d https://example.org/15555550101", label="the chat's intent", timeout_s=0.1)
    assert str(raised.value).startswith("pixel6: no whole answer to `the chat's intent`: ")
    assert "15555550101" not in str(raised.value)
