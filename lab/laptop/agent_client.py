"""A laptop that is driven by the agent on it (`lab.laptop.agent`) where there is no bash: Windows above all."""

import base64
import binascii
import hashlib
import io
import json
import os
import zipfile
from collections.abc import Sequence
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import lab.laptop.agent
from lab.clocks import deadlines
from lab.clocks.capture_clocks import STAMPS, Burst
from lab.clocks.deadlines import Wait
from lab.clocks.real_time import Deadline
from lab.errors import AttemptVoid, LaptopTrouble, NeedsPerson
from lab.laptop import answers
from lab.laptop.answers import (
    LINE_BYTES,
    Fingerprint,
    Hello,
    Interface,
    Neighbour,
    Prepared,
    Refusal,
    Started,
    Stopped,
    Unreadable,
    Version,
    decoded,
)
from lab.laptop.lease import checked_mac
from lab.laptop.login import why
from lab.laptop.protocol import Ended, Hotspot
from lab.programs import copies
from lab.programs.processes import Program
from lab.programs.shell import ShellOutput

MAIN = "from lab.laptop.agent.session import main\n\nmain()\n"


def packed() -> bytes:
    """The agent as one file that Python runs; the same bytes each time."""
    folder = Path(lab.laptop.agent.__file__).parent
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in (
            ("__main__.py", MAIN.encode()),
            ("lab/__init__.py", b""),
            ("lab/laptop/__init__.py", b""),
            *((f"lab/laptop/agent/{path.name}", path.read_bytes()) for path in sorted(folder.glob("*.py"))),
        ):
            archive.writestr(zipfile.ZipInfo(name), text)
    return content.getvalue()


def token_file(bench: str) -> Path:
    """Where the controller keeps the token of a bench's agent; `invoke install-agent` writes it."""
    home = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(home) / "im-call-lab" / f"{bench}.token"


def read_token(bench: str) -> str:
    """The token of a bench's agent. Raises `NeedsPerson` where none was made yet."""
    try:
        return token_file(bench).read_text().strip()
    except FileNotFoundError:
        raise NeedsPerson(f"bench {bench} has no agent token; run invoke install-agent --bench {bench}") from None


class AgentLaptop:
    """A `Laptop` behind the agent of a bench. A lost agent is started again by the next question."""

    def __init__(self, argv: list[str], directory: str, bench: str) -> None:
        self._argv, self.directory, self._bench = list(argv), directory, bench
        self._program: Program | None = None
        self._hello: Hello | None = None

    def ask(self, op: str, within: Wait = deadlines.AGENT_ANSWER, **values: Any) -> Any:
        """What the agent answers to one operation, as its model in `lab.laptop.answers`.

        Raises `LaptopTrouble` when it refuses, or does not answer whole, in time and as that model says, `NeedsPerson`
        where it is another one than ours.
        """
        if self._program is None:
            self._open()
        return self._asked(op, within, **values)

    @property
    def greeting(self) -> Hello:
        """Who answers. Raises `LaptopTrouble`."""
        if self._program is None or self._hello is None:
            self._open()
        assert self._hello is not None
        return self._hello

    def _open(self) -> None:
        token = read_token(self._bench)
        try:
            self._program = Program(self._argv, kept=True)
        except OSError as error:
            raise LaptopTrouble(f"{self._argv[0]} cannot be started: {error.strerror}; install it") from error
        again = f"run invoke install-agent --bench {self._bench}"
        try:
            hello: Hello = self._asked("hello", deadlines.AGENT_ANSWER, token=token)
            if hello.sha256 != hashlib.sha256(packed()).hexdigest():
                raise NeedsPerson(f"the laptop's agent is of another version; {again}")
            if hello.directory not in (None, self.directory):
                text = f"the laptop's agent serves {hello.directory}, the bench file says {self.directory}"
                raise NeedsPerson(f"{text}; {again}")
            self._hello = hello
        except (LaptopTrouble, NeedsPerson):
            self._end()
            raise

    def _asked(self, op: str, within: Wait, **values: Any) -> Any:
        assert self._program is not None
        try:
            self._program.send(json.dumps({"op": op, **values}).encode() + b"\n")
            return decoded(op, self._answer(op, within))
        except Refusal as refusal:
            raise LaptopTrouble(f"the laptop's agent, {op}: {refusal}") from refusal
        except (TimeoutError, EOFError, OSError, Unreadable) as error:
            cause = str(error) if isinstance(error, Unreadable) else why(error, self._program)
            self._end(unheard=True)
            raise LaptopTrouble(f"the laptop's agent gives no answer to {op}: {cause}; see invoke doctor") from error

    def _answer(self, op: str, within: Wait) -> bytes:
        """A line of the agent's. A login's lines, which are no objects of JSON, may stand before its hello."""
        assert self._program is not None
        deadline, left = Deadline(within.s), LINE_BYTES
        while left > 0:
            line = self._program.read_line(deadline.left(), LINE_BYTES)
            if op != "hello" or line.startswith(b"{"):
                return line
            left -= len(line) + 1
        raise EOFError("its login says more than 4 MiB")

    def _end(self, *, unheard: bool = False) -> None:
        if self._program is not None:
            self._program.end(grace_s=deadlines.AGENT_CLOSE.s, unheard=unheard)
            self._program = self._hello = None

    def tool(self) -> str:
        return self.greeting.tool

    def version(self) -> ShellOutput:
        answer: Version = self.ask("version")
        return ShellOutput(answer.text, answer.code)

    def check_health(self) -> None:
        self.read_clock_ns()

    def prepare(self) -> Prepared:
        """Have leftovers swept, sleep inhibited and the hotspot on: at the start, and again before each attempt."""
        answer: Prepared = self.ask("prepare", deadlines.AGENT_PREPARE)
        if not answer.awake:
            raise LaptopTrouble("the laptop's sleep cannot be inhibited; install systemd-inhibit there")
        return answer

    def room_kib(self) -> int:
        room_bytes: int = self.ask("room")
        return room_bytes // 1024

    def hotspot(self, address: IPv4Address) -> Hotspot:
        found: list[Interface] = self.ask("interfaces")
        for interface in found:
            if str(address) in interface.addresses:
                return Hotspot(interface.name, address)
        raise LaptopTrouble(f"no interface of the laptop holds {address}; start the hotspot")

    def neighbours(self, hotspot: Hotspot) -> dict[IPv4Address, str]:
        rows: list[Neighbour] = self.ask("neighbours")
        ours = [row for row in rows if row.on in (hotspot.interface, str(hotspot.address))]
        return {row.address: checked_mac(row.mac) for row in ours}

    def ask_for(self, address: IPv4Address) -> None:
        self.ask("neighbours", ask_for=str(address))

    def coalescing(self, interface: str) -> list[str] | None:
        found: list[str] | None = self.ask("coalescing", deadlines.AGENT_PREPARE, interface=interface)
        return found

    def stamp(self, source: IPv4Address, address: IPv4Address, text: str) -> Burst:
        burst: answers.Burst = self.ask("stamp", source=str(source), address=str(address), text=text, count=STAMPS)
        sent = {number: (before_ns, after_ns) for number, before_ns, after_ns in burst.sent}
        return Burst(str(address), sent, burst.failed)

    def read_clock_ns(self) -> int:
        read_ns: int = self.ask("clock", deadlines.AGENT_CLOCK)
        return read_ns

    def start(self, name: str, argv: Sequence[str]) -> None:
        started: Started = self.ask("start", name=name, argv=list(argv))
        if not started.live:
            raise AttemptVoid("capture_not_ready", f"{argv[0]} is not live: {started.said[:300]}")

    def size_bytes(self, name: str) -> int:
        size_bytes: int = self.ask("size", name=name)
        return size_bytes

    def holds(self, name: str, text: str) -> bool:
        found: bool = self.ask("holds", name=name, text=text)
        return found

    def stop(self, name: str) -> Ended:
        ended: Stopped = self.ask("stop", name=name)
        return Ended(ended.ran_on, ended.caught_up, ended.code, ended.said)

    def remove(self, name: str) -> None:
        self.ask("remove", name=name)

    def fetch(self, name: str, target: Path) -> str:
        told: Fingerprint = self.ask("fingerprint", deadlines.AGENT_HASH, name=name)
        deadline = Deadline(deadlines.LAPTOP_COPY.s)
        try:
            with target.open("wb") as stream:
                while stream.tell() < told.size_bytes:
                    data = base64.b64decode(self.ask("read", name=name, offset=stream.tell()), validate=True)
                    if not data:
                        break
                    if deadline.passed():
                        raise copies.CopyFailed(f"{stream.tell()} of {told.size_bytes} bytes came in time")
                    stream.write(data)
            copies.prove(target, copies.Fingerprint(told.size_bytes, told.sha256))
        except (OSError, binascii.Error, copies.CopyFailed) as error:
            if copies.is_ours(error):
                raise
            raise LaptopTrouble(f"{name} on the laptop: {error}") from error
        return told.sha256

    def close(self) -> None:
        """End the session: the agent stops what runs and puts back what it changed."""
        self._end()
