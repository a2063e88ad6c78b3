"""Every real deadline of the table against a counterpart that never answers: the wait ends and says what it was for."""

from __future__ import annotations

import ast
import itertools
import re
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from hashlib import sha256
from ipaddress import IPv4Address
from pathlib import Path

import dns.message
import dns.rcode
import pytest
import uiautomator2.core
from adbutils import AdbError

from lab.bench import ladder
from lab.bench.virtual import VirtualBench
from lab.clocks import deadlines
from lab.clocks.bench_time import WallClock
from lab.clocks.real_time import Deadline, elapsed
from lab.clocks.stop import Stop
from lab.commands import ladder_checks, resolve
from lab.definitions import Lab
from lab.definitions.notify import Notify
from lab.errors import LabError
from lab.laptop.agent_client import AgentLaptop, packed, token_file
from lab.laptop.bash import BashLaptop
from lab.laptop.install import install
from lab.night import notifications, schedules
from lab.phone import netstats
from lab.phone.adb import Adb, LabClient
from lab.phone.witnesses import events, reading
from lab.programs.processes import Program
from lab.programs.sleep_inhibitor import kept_awake

ROOT = Path(__file__).parents[3]
WAITED_S = 0.08
"""How long a deadline is here where a case says nothing else."""
SLACK_S = 2.0
"""How much longer it may take where the machine is busy."""

SILENT = "exec sleep 60"
ANSWERS_SHELLS = f'case $1 in bash) exec "$@";; esac; {SILENT}'
"""A laptop whose shell answers and whose other programs do not."""

Call = Callable[[], object]
CASES: dict[str, tuple[Callable[[Place], Call], str, float]] = {}
"""By deadline: what is set up without a scale and gives the call, what that says in the end, and the deadline then."""


class Place:
    """Where one case is set up; what it opened is closed at the end."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, stack: ExitStack) -> None:
        self.folder, self.monkeypatch, self.stack = folder, monkeypatch, stack

    def program(self, body: str, name: str = "far") -> str:
        """A program that runs lines of sh."""
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
        return str(path)

    def bash_laptop(self, body: str, name: str = "far") -> BashLaptop:
        laptop = BashLaptop([self.program(body, name)], str(self.folder), WallClock(Stop()))
        self.stack.callback(laptop.close)
        return laptop

    def agent_laptop(self, *known: str, at_end: str = "") -> AgentLaptop:
        """An agent that says hello, and nothing to what is not known to it."""
        self.monkeypatch.setenv("XDG_CONFIG_HOME", str(self.folder))
        token_file("bench").parent.mkdir(parents=True)
        token_file("bench").write_text("secret\n")
        hello = f'{{"ok": {{"tool": "dumpcap", "sha256": "{sha256(packed()).hexdigest()}"}}}}'
        ok = "".join(f" *{name}*) echo '{{\"ok\": []}}';;" for name in known)
        loop = f"while read -r l; do case $l in *hello*) echo '{hello}';;{ok} esac; done"
        laptop = AgentLaptop([self.program(f"{loop}; {at_end}")], str(self.folder), "bench")
        self.stack.callback(laptop.close)
        laptop.tool()
        return laptop

    def server(self, *answers: bytes | None) -> LabClient:
        """An adb server that answers requests in turn (None: what a shell says to a line), then nothing any more."""
        listener = self.stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        held: list[socket.socket] = []
        thread = threading.Thread(target=serve, args=(listener, answers, held), daemon=True)
        thread.start()

        def end() -> None:
            listener.shutdown(socket.SHUT_RDWR)
            for connection in held:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            thread.join(5)
            for connection in held:
                connection.close()

        self.stack.callback(end)
        return LabClient("127.0.0.1", listener.getsockname()[1])

    def phone(self, *answers: bytes | None) -> Adb:
        phone = Adb(self.server(*answers), "PHONE")
        self.stack.callback(phone.close)
        return phone

    def bench(self, *starts: str) -> VirtualBench:
        """A bench whose process says lines in turn, then nothing any more."""
        said = "; ".join(f"read -r l; echo '{line}'" for line in starts) or ":"
        self.monkeypatch.setattr(sys, "executable", self.program(f"{said}; {SILENT}"))
        bench = VirtualBench(lab(), lab().benches["virtual"], Stop())
        self.stack.callback(bench.close)
        return bench


def serve(listener: socket.socket, answers: tuple[bytes | None, ...], held: list[socket.socket]) -> None:
    """Connections, held from then on; each request takes the next of the answers."""
    left = list(answers)

    def answer(connection: socket.socket) -> None:
        with suppress(OSError):
            while connection.recv(4096):
                if left:
                    said = left.pop(0)
                    connection.sendall(b"ok\nlab-end:0\n" if said is None else said)

    with suppress(OSError):
        while True:
            connection, _ = listener.accept()
            held.append(connection)
            threading.Thread(target=answer, args=(connection,), daemon=True).start()


@cache
def lab() -> Lab:
    return Lab.load(ROOT / "scenarios")


def case(says: str, waited_s: float = WAITED_S) -> Callable[[Callable[[Place], Call]], Callable[[Place], Call]]:
    def keep(set_up: Callable[[Place], Call]) -> Callable[[Place], Call]:
        CASES[set_up.__name__] = (set_up, says, waited_s)
        return set_up

    return keep


TRANSPORT, OKAY = b"OKAY" + bytes(8), b"OKAY"


@case(r"PhoneTrouble: PHONE: exec:sh cannot be opened: adb read timeout")
def adb_handshake(place: Place) -> Call:
    phone = place.phone()
    return lambda: phone.run("id")


@case(r"AdbTimeout: adb read timeout")
def adb_stream(place: Place) -> Call:
    client = place.server()

    def read() -> bytes:
        with client.make_connection() as connection:
            return connection.read_exact(1)

    return read


@case(r"AdbTimeout: adb read timeout", 0.5)
def adb_connect(place: Place) -> Call:
    client = place.server(OKAY)
    ready = f'{{"adb_port": {client.port}, "phones": [{{"name": "pixel6", "port": 1}}], "resolver_port": 1}}'
    bench = place.bench(ready)
    return lambda: bench.serial(lab().benches["virtual"].phone("pixel6"))


@case(r"TimeoutError: timed out", 0.5)
def phone_agent(place: Place) -> Call:
    phone = place.phone(TRANSPORT, OKAY, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
    return lambda: uiautomator2.core._http_request(phone, 9008, "GET", "/ping")


@case(r"LaptopTrouble: the laptop gives no whole answer to `id`: .*/far says nothing for 0\.\d+ s")
def shell_line(place: Place) -> Call:
    laptop = place.bash_laptop(SILENT)
    return lambda: laptop.run("id")


@case(r"LaptopTrouble: the laptop's clock cannot be read: .*/far says nothing for 0\.\d+ s")
def shell_clock(place: Place) -> Call:
    return place.bash_laptop(SILENT).read_clock_ns


@case(r"PhoneTrouble: PHONE: no whole answer to `stat -c %s /data/x && sha256sum /data/x`: timed out")
def phone_hash(place: Place) -> Call:
    phone = place.phone(TRANSPORT, OKAY, None)
    phone.run("true", root=True)
    return lambda: phone.pull_checked("/data/x", place.folder / "x")


@case(r"PhoneTrouble: PHONE: /data/x: adb read timeout", 0.5)
def phone_copy(place: Place) -> Call:
    told = f"5 {'0' * 64}  /data/x\nlab-end:0\n".encode()
    phone = place.phone(TRANSPORT, OKAY, None, told, TRANSPORT, OKAY, b"DATA" + (5).to_bytes(4, "little") + b"half")
    phone.run("true", root=True)
    return lambda: phone.pull_checked("/data/x", place.folder / "x")


@case(r"PhoneTrouble: PHONE: no whole answer to `dumpsys netstats --poll`: timed out", 0.4)
def netstats_(place: Place) -> Call:
    app = lab().apps["whatsapp"]
    uid = f"package:{app.package} uid:10234\nlab-end:0\n".encode()
    phone = place.phone(TRANSPORT, OKAY, None, uid)
    phone.run("true")
    return lambda: netstats.take(phone, lab().benches["virtual"].phone("pixel6"), app)


@case(r"PhoneTrouble: PHONE: no whole answer to `echo; echo '#im-call-lab .*: timed out")
def records(place: Place) -> Call:
    phone = place.phone(TRANSPORT, OKAY, None)
    phone.run("true")
    return lambda: reading.read(phone)


@case(r"PhoneTrouble: PHONE: no whole answer to `logcat -d -b events .*: timed out")
def events_(place: Place) -> Call:
    phone = place.phone(TRANSPORT, OKAY, None, TRANSPORT, OKAY)
    phone.run("true")
    stream = events.EventsStream(phone, 1)
    place.stack.callback(stream.close)
    return lambda: events.whole(phone, stream, 1)


@case(r"ended by signal 9")
def program_end(place: Place) -> Call:
    program = Program([place.program("trap '' TERM; echo ready; while :; do sleep 60; done")])
    place.stack.callback(program.end, 0.0)
    assert program.read_line(10) == b"ready"

    def end() -> str:
        program.end()
        return f"ended by signal {-program.wait(0)}"

    return end


@case(r"systemd-inhibit does not keep this machine awake: see to it yourself\.")
def inhibitor(place: Place) -> Call:
    place.program(SILENT, "systemd-inhibit")
    place.monkeypatch.setenv("PATH", str(place.folder), prepend=":")
    return lambda: place.stack.enter_context(kept_awake())


@case(r"LaptopTrouble: dumpcap cannot be started on the laptop: .*/ssh says nothing for 0\.\d+ s", 0.4)
def laptop_start(place: Place) -> Call:
    laptop = place.bash_laptop(ANSWERS_SHELLS, "ssh")
    laptop.run("true")
    return lambda: laptop.start("a.pcap", ["dumpcap", "-i", "lo"])


@case(r"LaptopTrouble: .*/a\.pcap on the laptop: .*/far has not ended in 0\.08 s")
def laptop_copy(place: Place) -> Call:
    (place.folder / "a.pcap").write_bytes(b"frames")
    laptop = place.bash_laptop(ANSWERS_SHELLS)
    laptop.run("true")
    return lambda: laptop.fetch("a.pcap", place.folder / "copy")


@case(r"AttemptVoid: dumpcap does not start: .*/far says nothing for 0\.\d+ s", 0.3)
def capture_ready(place: Place) -> Call:
    laptop = place.bash_laptop(ANSWERS_SHELLS)
    laptop.run("true")
    place.stack.callback(laptop.remove, "a.pcap")
    return lambda: laptop.start("a.pcap", ["dumpcap", "-i", "lo"])


@case(r"LaptopTrouble: dumpcap does not end after SIGINT: .*/far says nothing for 0\.\d+ s")
def capture_exit(place: Place) -> Call:
    laptop = place.bash_laptop(f"case $1 in bash) exec \"$@\";; esac; trap '' INT; echo 'File: a.pcap' >&2; {SILENT}")
    laptop.start("a.pcap", ["dumpcap", "-i", "lo"])
    return lambda: laptop.stop("a.pcap")


NO_ANSWER = (
    r"LaptopTrouble: the laptop's agent gives no answer to {}: .*/far says nothing for 0\.\d+ s; see invoke doctor"
)


@case(NO_ANSWER.format("interfaces"))
def agent_answer(place: Place) -> Call:
    laptop = place.agent_laptop()
    return lambda: laptop.hotspot(IPv4Address("10.42.0.1"))


@case(NO_ANSWER.format("prepare"))
def agent_prepare(place: Place) -> Call:
    return place.agent_laptop().prepare


@case(NO_ANSWER.format("clock"))
def agent_clock(place: Place) -> Call:
    return place.agent_laptop().read_clock_ns


@case(NO_ANSWER.format("fingerprint"))
def agent_hash(place: Place) -> Call:
    laptop = place.agent_laptop()
    return lambda: laptop.fetch("a.pcap", place.folder / "copy")


@case(r"closed")
def agent_close(place: Place) -> Call:
    laptop = place.agent_laptop(at_end=SILENT)

    def close() -> str:
        laptop.close()
        return "closed"

    return close


def to_install(place: Place, body: str) -> Call:
    place.monkeypatch.setenv("XDG_CONFIG_HOME", str(place.folder))
    spec = lab().benches["virtual"]
    far = spec.laptop.model_copy(update={"connect": (place.program(body),), "agent": ("python", "/agent.pyz")})
    return lambda: install(spec.model_copy(update={"laptop": far}))


@case(r"LaptopTrouble: .*/far python - does not take the agent: .*/far says nothing for 0\.\d+ s; try it by hand", 0.2)
def agent_install(place: Place) -> Call:
    return to_install(place, f"cat >/dev/null; {SILENT}")


@case(r"LaptopTrouble: .*/far python - does not take the agent: .*/far does not take what is written to it; .*")
def program_takes(place: Place) -> Call:
    return to_install(place, SILENT)


@case(r"ControllerTrouble: .*/far has not ended in 0\.\d+ s: nothing was installed")
def schedule(place: Place) -> Call:
    return lambda: schedules._asked([place.program(SILENT)])


@case(rf"Sent\(.*{notifications.SILENT.format(WAITED_S)}.*\)")
def notification(place: Place) -> Call:
    channel = Notify(name="own", kind="command", command=[place.program(SILENT)])
    told = notifications.Message(title="t", lines=["l"], bench="b", matrix="m", date="2026-01-05", verdict=0)
    return lambda: notifications._tried(channel, told, tries=1)


@case(r"BenchUnhealthy: the virtual bench does not answer in 0\.08 s; run again")
def bench_start(place: Place) -> Call:
    return place.bench


@case(r"BenchUnhealthy: the virtual bench does not answer in 0\.08 s; run again")
def bench_control(place: Place) -> Call:
    return place.bench('{"adb_port": 1, "phones": [], "resolver_port": 1}').check_health


@case(r"pixel6: power_cycle: .*/far has not ended in 0\.\d+ s")
def power_cycle(place: Place) -> Call:
    return lambda: ladder._ran([place.program(SILENT)], deadlines.POWER_CYCLE.s, "pixel6: power_cycle")


@case(r"hotspot_start: .*/far has not ended in 0\.\d+ s")
def hotspot_start(place: Place) -> Call:
    return lambda: ladder._ran([place.program(SILENT)], deadlines.HOTSPOT_START.s, "hotspot_start")


@case(r"\(False, '.*/uhubctl has not ended in 0\.\d+ s'\)")
def hub_answer(place: Place) -> Call:
    return lambda: ladder_checks._answers([place.program(SILENT, "uhubctl"), "-a", "cycle", "-l", "1-1", "-p", "2"])


def resolver(place: Place, *, answers: bool) -> tuple[str, int]:
    server = place.stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    server.bind(("127.0.0.1", 0))

    def answer() -> None:
        with suppress(OSError):
            while answers:
                data, client = server.recvfrom(4096)
                response = dns.message.make_response(dns.message.from_wire(data))
                response.set_rcode(dns.rcode.NXDOMAIN)
                server.sendto(response.to_wire(), client)

    threading.Thread(target=answer, daemon=True).start()
    return server.getsockname()


@case(r"TimeoutError: 127\.0\.0\.1 port \d+ does not answer")
def name_answer(place: Place) -> Call:
    address = resolver(place, answers=False)
    return lambda: resolve.look_up("192.0.2.1", address)


@case(r"\{'192\.0\.2\.1': \{'name': None, 'how': 'PTR: NXDOMAIN', 'when_ns': 17\}\}", 0.6)
def names_again(place: Place) -> Call:
    address = resolver(place, answers=True)
    return lambda: resolve.ask(itertools.repeat("192.0.2.1"), address, lambda: 17)


def said(call: Call) -> str:
    """What a call says: its error by name, or its answer."""
    try:
        return str(call())
    except (LabError, AdbError, TimeoutError) as error:
        return f"{type(error).__name__}: {error}"


@contextmanager
def at(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    with ExitStack() as stack:
        yield Place(folder, monkeypatch, stack)


@pytest.mark.parametrize("name", CASES)
def test_who_waits_for_what_never_answers_is_told_what_it_was_at_the_deadline(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_up, says, waited_s = CASES[name]
    scale = waited_s / deadlines.TABLE[name.rstrip("_")].seconds
    with at(tmp_path, monkeypatch) as place:
        call = set_up(place)
        with deadlines.scaled(scale):
            began_s = elapsed()
            found = said(call)
            took_s = elapsed() - began_s
        with deadlines.scaled(0.01):
            place.stack.close()
    assert re.fullmatch(says, found), found
    assert 0.9 * waited_s <= took_s <= 3 * waited_s + SLACK_S


def test_each_deadline_of_the_table_has_its_case_and_there_are_at_least_20() -> None:
    assert {name.rstrip("_") for name in CASES} == set(deadlines.TABLE)
    assert len(CASES) >= 20


def test_a_scale_holds_in_every_thread_and_ends_with_its_block() -> None:
    seen: list[float] = []
    with deadlines.scaled(0.5):
        thread = threading.Thread(target=lambda: seen.append(deadlines.SHELL_LINE.s))
        thread.start()
        thread.join()
        with deadlines.scaled(0.1):
            seen.append(deadlines.SHELL_LINE.s)
        seen.append(deadlines.SHELL_LINE.s)
    assert [*seen, deadlines.SHELL_LINE.s] == [5.0, 1.0, 5.0, 10.0]


def test_a_scale_makes_none_shorter_than_its_least_and_none_longer_than_it_is() -> None:
    with deadlines.scaled(0.01, least_s=4.0):
        assert (deadlines.NAME_ANSWER.s, deadlines.SHELL_CLOCK.s, deadlines.BENCH_CONTROL.s) == (3.0, 4.0, 4.0)
        with deadlines.scaled(0.1):
            assert deadlines.SHELL_CLOCK.s == 0.5
    assert deadlines.BENCH_CONTROL.s == 120.0


def test_a_deadline_that_has_passed_leaves_nothing() -> None:
    assert Deadline(0.0).left() == 0.0


WAITING = {"timeout", "timeout_s", "grace_s"}
APART = ("lab/clocks/", "lab/virtual/", "lab/laptop/agent/")
"""Where the table is, the bench process, which may import nothing of it, and the agent, a program of its own."""


def test_no_wait_of_the_lab_has_a_real_deadline_of_its_own() -> None:
    found, files = [], [path for path in (ROOT / "lab").rglob("*.py")]
    for path in files:
        name = path.relative_to(ROOT).as_posix()
        for node in ast.walk(ast.parse(path.read_text())) if not name.startswith(APART) else ():
            given = [word.value for word in node.keywords if word.arg in WAITING] if isinstance(node, ast.Call) else []
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Deadline":
                given += node.args
            found += [f"{name}:{value.lineno}" for value in given if is_number(value)]
    assert len(files) > 150
    assert found == []


def is_number(node: ast.expr) -> bool:
    """Whether a value is a number as it stands, or a constant of the module by its name."""
    return isinstance(node, ast.Constant) or (isinstance(node, ast.Name) and node.id.isupper())
