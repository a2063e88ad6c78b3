"""Whatever the agent on a phone answers is a value of the promised type or trouble with the phone, within its deadline.

Through the real uiautomator2 and adbutils, over real sockets.
"""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from lab.clocks import deadlines
from lab.errors import PhoneTrouble
from lab.phone import agent as agents
from lab.phone.adb import Adb, LabClient
from lab.phone.screen import Screen
from tests.lab.phone.odd_answers import adb_server, flood, http, odd_bodies, read_command, rpc, shell_answers

AGENT_S, ODD = 0.4, 200
QUERY = {"text": "Call"}
CALLS: dict[str, tuple[Callable[[Screen], object], Callable[[object], bool]]] = {
    "shows": (lambda screen: screen.shows(QUERY), lambda value: isinstance(value, bool)),
    "find": (lambda screen: screen.find(QUERY), lambda value: isinstance(value, tuple) and min(value) >= 0),
    "tap": (lambda screen: screen.tap(QUERY), lambda value: value is True),
    "swipe_up": (lambda screen: screen.swipe_up(QUERY), lambda value: value is True),
    "wait_gone": (lambda screen: screen.wait_gone(QUERY, 0.1), lambda value: value is None),
    "press": (lambda screen: screen.press("home"), lambda value: value is None),
    "open_shade": (lambda screen: screen.open_shade(), lambda value: value is None),
    "wake": (lambda screen: screen.wake(), lambda value: value is None),
    "hierarchy": (lambda screen: screen.hierarchy(), lambda value: isinstance(value, bytes)),
    "screenshot": (lambda screen: screen.screenshot(), lambda value: isinstance(value, bytes)),
}
"""What is asked of an agent, and what its value may be."""


class Phone:
    """A phone whose agent says what it was given for the next call, then what is right."""

    def __init__(self) -> None:
        self.says: bytes | Callable[[socket.socket], None] | None = None
        self.calls = 0
        self.gone = threading.Event()

    def talk(self, sock: socket.socket) -> None:
        read_command(sock)
        sock.sendall(b"OKAY" + bytes(8))
        command = read_command(sock)
        sock.sendall(b"OKAY")
        if command.startswith(b"shell:"):
            sock.sendall(shell_answers(command) or b"")
        elif sock.recv(65536).startswith(b"GET"):
            sock.sendall(http(b"pong"))
        else:
            self.calls += 1
            says, self.says = self.says, None
            sock.sendall(rpc(True) if says is None else says) if not callable(says) else says(sock)
        with suppress(OSError):
            sock.shutdown(socket.SHUT_WR)


@pytest.fixture(scope="module")
def seam() -> Iterator[tuple[Phone, Screen]]:
    phone = Phone()
    with deadlines.scaled(AGENT_S / deadlines.PHONE_AGENT.seconds), adb_server(phone.talk) as port:
        agent = agents.connect(Adb(LabClient("127.0.0.1", port), "SERIAL", "pixel6"))
        yield phone, Screen("pixel6", agent)
        phone.gone.set()


def test_two_hundred_odd_answers_of_an_agent_are_trouble_or_a_value_of_the_type_and_the_next_call_is_answered(seam):
    phone, screen = seam
    troubles, kinds = [], list(CALLS)
    for number, odd in enumerate(odd_bodies(random.Random("agent"), ODD)):
        ask, fits = CALLS[kinds[number % len(kinds)]]
        phone.says, began_s = odd, time.monotonic()
        try:
            assert fits(ask(screen)), odd[:200]
        except PhoneTrouble as error:
            troubles.append(str(error))
        assert time.monotonic() - began_s < 3 * AGENT_S + 1, odd[:200]
        assert screen.shows(QUERY) is True
    assert len(troubles) >= ODD // 2
    assert [text for text in troubles if not text.startswith("pixel6: ") or "SERIAL" in text] == []


@pytest.mark.parametrize("value", [0, 1, [], {}, 1.5])
@pytest.mark.parametrize("call", ["shows", "find", "hierarchy", "screenshot", "wait_gone", "swipe_up"])
def test_a_result_of_another_type_is_never_taken_for_one(seam, call, value):
    phone, screen = seam
    phone.says = rpc(value)
    with pytest.raises(PhoneTrouble, match=r"^pixel6: its agent's answer to \w+ cannot be read: result"):
        CALLS[call][0](screen)


@pytest.mark.parametrize("head", [b"", http(b"", length=10**9), b"HTTP/1.1 200 OK\r\n"])
@pytest.mark.parametrize("piece", [b"", b" ", b"a: b\r\n"])
def test_an_answer_that_never_ends_is_given_up_at_its_deadline_also_while_data_flow(seam, head, piece):
    phone, screen = seam
    phone.says = lambda sock: (sock.sendall(head), flood(sock, piece, phone.gone))[0]
    began_s = time.monotonic()
    with pytest.raises(PhoneTrouble, match=r"^pixel6: its agent fails: "):
        screen.shows(QUERY)
    assert time.monotonic() - began_s < 2 * AGENT_S + 1


def test_an_answer_that_is_too_long_is_given_up_before_its_deadline(seam, monkeypatch):
    phone, screen = seam
    monkeypatch.setattr("lab.phone.adb.OUTPUT_LIMIT_BYTES", 1 << 20)
    phone.says = http(b" " * (2 << 20))
    with pytest.raises(PhoneTrouble, match=r"more bytes come than any answer has$"):
        screen.shows(QUERY)


def test_an_error_says_that_the_phone_lets_nobody_tap_and_where_that_is_switched(seam):
    phone, screen = seam
    said = (
        "java.lang.SecurityException: Injecting input events requires the caller to have the INJECT_EVENTS permission."
    )
    phone.says = http(
        ('{"jsonrpc":"2.0","id":1,"error":{"code":-32001,"message":"' + "x" * 300 + said + '"}}').encode()
    )
    with pytest.raises(PhoneTrouble) as raised:
        screen.press("home")
    assert str(raised.value) == (
        "pixel6: its agent fails: the phone forbids taps by adb (INJECT_EVENTS); switch on `USB debugging (Security "
        "settings)` in its developer options, where it has that (Xiaomi), then connect it again"
    )


def test_what_a_selector_does_not_find_is_no_trouble_and_a_lost_connection_is_asked_once_again(seam):
    phone, screen = seam
    missing = (
        b'{"id":1,"error":{"code":-32002,"message":"androidx.test.uiautomator.UiObjectNotFoundException","data":null}}'
    )
    phone.says = http(missing)
    assert screen.find(QUERY) is None
    phone.says = http(b"not found", "404 Not Found")
    before = phone.calls
    agent = screen.agent
    agent.stop_uiautomator = lambda wait=True: None  # its own waits are not what is asked here
    try:
        assert screen.shows(QUERY) is True
    finally:
        del agent.stop_uiautomator
    assert phone.calls - before == 2
