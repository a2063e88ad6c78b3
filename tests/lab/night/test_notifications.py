"""A night tells people by real servers on this machine: that answer, refuse, fail, or say nothing."""

from __future__ import annotations

import email
import http.server
import json
import socket
import socketserver
import sys
import threading
from collections.abc import Iterator
from email import policy
from pathlib import Path
from typing import ClassVar

import pytest

from lab.clocks import deadlines
from lab.definitions import Lab
from lab.definitions.bench import BenchSpec
from lab.definitions.notify import Notify
from lab.night import notifications
from lab.night.notifications import message, ping, tell, tell_late, try_channels

ROOT = Path(__file__).parents[3]
HOSTILE = "whatsapp\r\nBcc: everybody@example.org\x1b[31m \x00 15555550101 +49 1555 5550102 lab_pixel6 0123456789"


@pytest.fixture(scope="module")
def virtual() -> BenchSpec:
    return Lab.load(ROOT / "scenarios").bench("virtual")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(notifications, "PAUSE_S", 0.01)
    with deadlines.scaled(0.03):
        yield


def bench(virtual: BenchSpec, *channels: dict) -> BenchSpec:
    return virtual.model_copy(update={"notify": [Notify(**each) for each in channels]})


def told(spec: BenchSpec, title: str = "im-call-lab: nothing changed", *lines: str) -> notifications.Message:
    return message(spec, "smoke", "2026-11-28", 0, title, lines)


@pytest.fixture
def server() -> Iterator[type[Answers]]:
    """An HTTP server that answers with the statuses of `Answers.statuses` in turn, the last one for ever."""
    Answers.statuses, Answers.asked = [200], []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as serving:
        Answers.url = f"http://127.0.0.1:{serving.server_port}"
        thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield Answers
        serving.shutdown()
        thread.join()


class Answers(http.server.BaseHTTPRequestHandler):
    statuses: ClassVar[list[int]] = [200]
    asked: ClassVar[list[tuple[str, bytes]]] = []
    url = ""

    def do_POST(self) -> None:
        self.asked.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        self.send_response(status)
        self.send_header("Location", f"{self.url}/elsewhere")
        self.end_headers()

    def do_GET(self) -> None:
        self.asked.append((self.path, b""))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class Mailbox(socketserver.StreamRequestHandler):
    """As much of SMTP as takes one mail."""

    mails: ClassVar[list[bytes]] = []

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        while line := self.rfile.readline():
            word = line[:4].upper()
            if word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                data = b""
                while (part := self.rfile.readline()) != b".\r\n":
                    data += part
                self.mails.append(data)
            self.wfile.write(b"221 bye\r\n" if word == b"QUIT" else b"250 fine\r\n")


def mail(port: int) -> dict:
    address = {"server": "127.0.0.1", "port": port, "security": "none"}
    return {"name": "post", "kind": "mail", "sender": "lab@example.org", "to": ["team@example.org"], **address}


def test_a_webhook_gets_the_message_as_json(virtual, server, tmp_path) -> None:
    spec = bench(virtual, {"name": "hook", "kind": "webhook", "url": f"{server.url}/x"})
    assert [(each.channel, each.why) for each in tell(spec, told(spec, "one", "two"), tmp_path)] == [("hook", "")]
    ((path, body),) = server.asked
    assert (path, list(tmp_path.iterdir())) == ("/x", [])
    about = {"bench": "virtual", "matrix": "smoke", "date": "2026-11-28", "verdict": 0}
    assert json.loads(body) == {"title": "one", "lines": ["two"], "text": "one\ntwo\n", **about}


def test_a_mail_has_one_subject_and_no_header_that_a_text_brings(virtual, tmp_path) -> None:
    Mailbox.mails = []
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mailbox) as post:
        threading.Thread(target=post.serve_forever, kwargs={"poll_interval": 0.01}).start()
        spec = bench(virtual, mail(post.server_address[1]))
        assert [each.why for each in tell(spec, told(spec, HOSTILE, HOSTILE), tmp_path)] == [""]
        post.shutdown()
    (data,) = Mailbox.mails
    got = email.message_from_bytes(data, policy=policy.default)
    assert (got["To"], got["Bcc"]) == ("team@example.org", None)
    assert got["Subject"].startswith("whatsapp Bcc: everybody@example.org")
    assert got.get_content().splitlines()[0] == got["Subject"]


def test_no_number_contact_or_control_character_is_in_a_message(virtual) -> None:
    text = told(virtual, HOSTILE, HOSTILE).text
    assert [each for each in ("5555", "lab_pixel6", "0123456789", "\x1b", "\x00", "\r") if each in text] == []
    assert "version 526.0.0.52.108 of 2026-11-28" in told(virtual, "version 526.0.0.52.108 of 2026-11-28").text


def test_a_short_contact_is_in_no_message(virtual) -> None:
    phone = virtual.phones[0]
    contact = phone.contacts[0].model_copy(update={"address": "lab6"})
    spec = virtual.model_copy(update={"phones": [phone.model_copy(update={"contacts": [contact]}), virtual.phones[1]]})
    assert told(spec, "lab6 called lab62").title == "<left out> called lab62"


def test_a_long_message_is_cut_and_says_so(virtual) -> None:
    cut = told(virtual, "t" * 300, *map(str, range(500)))
    assert (len(cut.title), len(cut.lines), cut.lines[-1]) == (200, 200, "and 301 more lines, in the report")


def test_a_server_that_fails_twice_is_asked_a_third_time(virtual, server, tmp_path) -> None:
    server.statuses = [500, 503, 204]
    spec = bench(virtual, {"name": "hook", "kind": "webhook", "url": server.url})
    assert [each.why for each in tell(spec, told(spec), tmp_path)] == [""]
    assert len(server.asked) == 3


def test_a_redirection_is_not_followed_since_it_takes_no_message(virtual, server, tmp_path) -> None:
    server.statuses = [302]
    spec = bench(virtual, {"name": "hook", "kind": "webhook", "url": server.url})
    (check,) = try_channels(spec)
    assert (check.found, len(server.asked)) == ("HTTP status 302", 1)


def test_what_cannot_be_sent_goes_out_the_next_night_and_then_no_more(virtual, server, tmp_path) -> None:
    server.statuses = [500]
    spec = bench(virtual, {"name": "hook", "kind": "webhook", "url": server.url})
    assert [each.why for each in tell(spec, told(spec, "the first"), tmp_path)] == ["HTTP status 500"]
    assert len(server.asked) == 3
    assert [each.why for each in tell_late(spec, tmp_path)] == ["HTTP status 500"]
    server.statuses = [200]
    assert [each.why for each in tell_late(spec, tmp_path)] == [""]
    assert json.loads(server.asked[-1][1])["title"] == "(sent late) the first"
    assert (tell_late(spec, tmp_path), list(tmp_path.iterdir())) == ([], [])


def test_the_outbox_keeps_no_address_and_what_is_no_message_stays_there(virtual, tmp_path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/secret-token"
        spec = bench(virtual, {"name": "hook", "kind": "webhook", "url": url})
        assert [each.why for each in tell(spec, told(spec), tmp_path)] == ["Connection refused"]
    (kept,) = tmp_path.iterdir()
    assert "secret-token" not in kept.read_text()
    (tmp_path / "odd.json").write_text("{}")
    assert tell_late(bench(virtual), tmp_path) == []
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("says", [b"", b"HTTP/1.1 200 OK\r\n"], ids=["nothing", "a byte now and then"])
def test_a_server_that_does_not_come_to_an_end_is_given_up(virtual, tmp_path, says) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        over = threading.Event()

        def talk() -> None:
            line, _ = silent.accept()
            with line:
                line.sendall(says)
                while not over.wait(0.05):
                    line.sendall(b"x" if says else b"")

        thread = threading.Thread(target=talk)
        thread.start()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        spec = bench(virtual, {"name": "hook", "kind": "webhook", "url": url})
        (check,) = try_channels(spec)
        assert (check.ok, check.found) == (False, "no answer within 0.3 s")
        over.set()
        thread.join()


def test_a_program_reads_the_message_and_its_failure_is_told(virtual, tmp_path) -> None:
    code = f"import sys; open({str(tmp_path / 'got')!r}, 'w').write(sys.stdin.read()); sys.exit(len(sys.argv) - 1)"
    with deadlines.scaled(1):
        good = bench(virtual, {"name": "own", "kind": "command", "command": [sys.executable, "-Ic", code]})
        assert [each.why for each in tell(good, told(good, "hello"), tmp_path / "out")] == [""]
        assert (tmp_path / "got").read_text() == "hello\n"
        bad = bench(virtual, {"name": "own", "kind": "command", "command": [sys.executable, "-Ic", code, "x"]})
        (check,) = try_channels(bad)
    assert (check.ok, check.found) == (False, f"{Path(sys.executable).name} ended with exit code 1")
    none = bench(virtual, {"name": "own", "kind": "command", "command": ["/no/such/program"]})
    assert [check.found for check in try_channels(none)] == ["No such file or directory"]


def test_a_ping_asks_one_address_at_the_begin_and_another_at_the_end(virtual, server) -> None:
    both = {"url": f"{server.url}/end", "begin_url": f"{server.url}/start"}
    spec = bench(virtual, {"name": "alive", "kind": "ping", **both}, {"name": "b", "kind": "ping", "url": server.url})
    assert [each.why for each in (*ping(spec, begins=True), *ping(spec, begins=False))] == [""] * 4
    assert [path for path, _ in server.asked] == ["/start", "/", "/end", "/"]


def test_the_doctor_says_what_came_of_each_channel(virtual, server) -> None:
    hook = {"name": "hook", "kind": "webhook", "url": server.url}
    checks = try_channels(bench(virtual, hook, {"name": "own", "kind": "command", "command": ["/no/such/program"]}))
    assert [(each.check, each.subject, each.ok) for each in checks] == [
        ("notify", "webhook hook", True),
        ("notify", "command own", False),
    ]
    assert [each.found for each in try_channels(bench(virtual))] == ["no channel"]
