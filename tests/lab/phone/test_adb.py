"""Deadlines of the adb client against small servers that misbehave at one stage each, over real sockets."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from adbutils import AdbError

from lab.clocks import deadlines
from lab.errors import PhoneTrouble
from lab.phone.adb import Adb, LabClient
from lab.phone.root import SuRefuses
from lab.phone.root import refuses as is_no


def read_command(sock: socket.socket) -> bytes:
    size = int(sock.recv(4, socket.MSG_WAITALL), 16)
    return sock.recv(size, socket.MSG_WAITALL)


@contextmanager
def server(behave: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server that lets `behave` talk to each client."""
    listener = socket.create_server(("127.0.0.1", 0))
    clients: list[socket.socket] = []

    def talk(client: socket.socket) -> None:
        # The client may go at any moment; what is being read then is no command.
        with contextlib.suppress(OSError, ValueError):
            behave(client)

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            clients.append(client)
            threading.Thread(target=talk, args=(client,), daemon=True).start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)
        for client in clients:
            client.close()


@pytest.fixture(autouse=True)
def short_handshake() -> Iterator[None]:
    with deadlines.scaled(0.2 / deadlines.ADB_HANDSHAKE.seconds):
        yield


def silent(sock: socket.socket) -> None:
    read_command(sock)


def silent_after_transport(sock: socket.socket) -> None:
    assert read_command(sock) == b"host:tport:serial:PHONE"
    sock.sendall(b"OKAY" + bytes(8))
    read_command(sock)


def refuses(sock: socket.socket) -> None:
    read_command(sock)
    sock.sendall(b"FAIL" + b"0016" + b"device 'PHONE' offline")


def cut_in_the_refusal(sock: socket.socket) -> None:
    read_command(sock)
    sock.sendall(b"FAIL" + b"0016" + b"device")
    sock.shutdown(socket.SHUT_WR)


def opens_then(rest: Callable[[socket.socket], None]) -> Callable[[socket.socket], None]:
    def behave(sock: socket.socket) -> None:
        read_command(sock)
        sock.sendall(b"OKAY" + bytes(8))
        read_command(sock)
        sock.sendall(b"OKAY")
        rest(sock)

    return behave


@pytest.mark.parametrize(
    ("behave", "said"),
    [
        (silent, "adb read timeout"),
        (silent_after_transport, "adb read timeout"),
        (refuses, "device 'PHONE' offline"),
        (cut_in_the_refusal, "Expected 22 bytes, got 6"),
    ],
)
def test_a_server_that_fails_at_any_stage_is_phone_trouble_within_the_deadline(
    behave: Callable[[socket.socket], None], said: str
) -> None:
    with server(behave) as port, pytest.raises(PhoneTrouble, match=said):
        Adb(LabClient("127.0.0.1", port), "PHONE").run("id")


def test_a_shell_that_says_nothing_is_phone_trouble_at_the_commands_deadline() -> None:
    with server(opens_then(lambda _sock: None)) as port:
        adb = Adb(LabClient("127.0.0.1", port), "PHONE")
        with pytest.raises(PhoneTrouble, match="no whole answer to `id`"):
            adb.run("id", timeout_s=0.2)


def test_a_cut_answer_is_phone_trouble_and_the_next_call_opens_a_new_shell() -> None:
    answers = iter([b"uid=2", b"uid=2000\nlab-end:0\n"])

    def answer(sock: socket.socket) -> None:
        sock.recv(100)
        sock.sendall(next(answers))
        sock.shutdown(socket.SHUT_WR)

    with server(opens_then(answer)) as port:
        adb = Adb(LabClient("127.0.0.1", port), "PHONE")
        with pytest.raises(PhoneTrouble, match="the shell ended"):
            adb.run("id")
        assert adb.run("id").text == "uid=2000\n"
        adb.close()


def test_a_refused_port_starts_no_adb_server() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(PhoneTrouble, match="no adb server at"):
        Adb(LabClient("127.0.0.1", port), "PHONE").run("id")


def test_root_goes_through_su_in_a_shell_of_its_own() -> None:
    opened: list[bytes] = []

    def behave(sock: socket.socket) -> None:
        read_command(sock)
        sock.sendall(b"OKAY" + bytes(8))
        opened.append(read_command(sock))
        sock.sendall(b"OKAY")
        sock.recv(100)
        sock.sendall(b"lab-end:0\n")

    with server(behave) as port:
        adb = Adb(LabClient("127.0.0.1", port), "PHONE")
        adb.run("id")
        adb.run("id", root=True)
        adb.close()
    assert opened == [b"exec:sh", b"exec:su -c sh"]


@pytest.mark.parametrize("command", [None, "get-state"])
def test_a_stream_that_the_server_refuses_is_closed(command: str | None) -> None:
    ended = threading.Event()

    def behave(sock: socket.socket) -> None:
        refuses(sock)
        assert sock.recv(1) == b""
        ended.set()

    with server(behave) as port:
        adb = Adb(LabClient("127.0.0.1", port), "PHONE")
        with pytest.raises(AdbError, match="device 'PHONE' offline") as kept:  # its traceback keeps the stream
            adb.open_transport(command)
        assert ended.wait(5), kept


def test_what_su_says_instead_of_running_a_shell_is_told_with_what_to_do() -> None:
    said = iter([b"Permission denied\n", b"su: invalid uid/gid '-c'\n", b""])

    def answer(sock: socket.socket) -> None:
        sock.sendall(next(said))
        sock.recv(100)
        sock.shutdown(socket.SHUT_WR)

    with server(opens_then(answer)) as port:
        adb = Adb(LabClient("127.0.0.1", port), "PHONE")
        for words, kind in (
            ("su says 'Permission denied': allow su", SuRefuses),
            ("su says \"su: invalid uid/gid '-c'\": this su", SuRefuses),
            ("su says nothing", PhoneTrouble),
        ):
            with pytest.raises(PhoneTrouble) as raised:
                adb.run("id", root=True)
            assert type(raised.value) is kind
            assert f"the shell ended while it ran: id; {words}" in str(raised.value)


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ("insufficient permissions for device: missing udev rules? user is in the plugdev group", "no permissions"),
        ("device 'PHONE' not found", "not found"),
        ("device still authorizing", "unauthorized"),
        ("device offline", "offline"),
        ("something else", "unknown"),
    ],
)
def test_the_state_of_a_phone_is_known_by_the_words_of_its_refusal(said: str, state: str) -> None:
    def refuse(sock: socket.socket) -> None:
        assert read_command(sock) == b"host-serial:PHONE:get-state"
        sock.sendall(b"FAIL" + b"%04x" % len(said) + said.encode())

    with server(refuse) as port:
        assert Adb(LabClient("127.0.0.1", port), "PHONE").state().value == state


def test_only_words_that_are_known_for_a_no_are_one() -> None:
    for said in ("Permission denied", "su: uid 2000 not allowed to su", "sh: su: inaccessible or not found"):
        assert is_no(said)
    for said in ("", "Segmentation fault", "WARNING: linker: something", "uid=0(root)"):
        assert not is_no(said)


def test_what_ends_a_root_shell_that_had_answered_is_not_laid_on_su() -> None:
    def answer(sock: socket.socket) -> None:
        sock.recv(100)
        sock.sendall(b"uid=0\nlab-end:0\n")
        sock.recv(100)
        sock.shutdown(socket.SHUT_WR)

    with server(opens_then(answer)) as port:
        adb = Adb(LabClient("127.0.0.1", port), "PHONE")
        assert adb.run("id", root=True).text == "uid=0\n"
        with pytest.raises(PhoneTrouble) as raised:
            adb.run("id", root=True)
        assert str(raised.value).endswith("the shell ended while it ran: id")
