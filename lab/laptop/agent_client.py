"""A laptop that is driven by the agent on it (`lab.laptop.agent`) where there is no bash: Windows above all."""

import base64
import binascii
import hashlib
import io
import json
import os
import tempfile
import zipfile
from collections.abc import Sequence
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import lab.laptop.agent
from lab.clocks import deadlines
from lab.clocks.capture_clocks import STAMPS, Burst
from lab.clocks.deadlines import Wait
from lab.errors import AttemptVoid, LaptopTrouble
from lab.laptop.lease import checked_mac
from lab.laptop.protocol import Ended, Hotspot
from lab.programs import copies
from lab.programs.processes import Program, last_line
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
    """The token of a bench's agent. Raises `LaptopTrouble` where none was made yet."""
    try:
        return token_file(bench).read_text().strip()
    except FileNotFoundError:
        raise LaptopTrouble(f"bench {bench} has no agent token; run invoke install-agent --bench {bench}") from None


class AgentLaptop:
    """A `Laptop` behind the agent of a bench. A lost agent is started again by the next question."""

    def __init__(self, argv: list[str], directory: str, bench: str) -> None:
        self._argv, self.directory, self._bench = list(argv), directory, bench
        self._program: Program | None = None
        self._last_words = tempfile.TemporaryFile()  # noqa: SIM115 closed with the laptop
        self.greeting: dict[str, str] = {}

    def ask(self, op: str, within: Wait = deadlines.AGENT_ANSWER, **values: Any) -> Any:
        """One operation of the agent's. Raises `LaptopTrouble` when it refuses or does not answer in time."""
        if self._program is None:
            self._open()
        return self._asked(op, within, **values)

    def _open(self) -> None:
        token = read_token(self._bench)
        try:
            self._program = Program(self._argv, other=self._last_words.fileno())
        except OSError as error:
            raise LaptopTrouble(f"{self._argv[0]} cannot be started: {error.strerror}; install it") from error
        try:
            self.greeting = self._asked("hello", deadlines.AGENT_ANSWER, token=token, directory=self.directory)
            if self.greeting["sha256"] != hashlib.sha256(packed()).hexdigest():
                text = "the laptop's agent is of another version"
                raise LaptopTrouble(f"{text}; run invoke install-agent --bench {self._bench}")
        except LaptopTrouble:
            self._end()
            raise

    def _asked(self, op: str, within: Wait, **values: Any) -> Any:
        assert self._program is not None
        try:
            self._program.send(json.dumps({"op": op, **values}).encode() + b"\n")
            answer = json.loads(self._program.read_line(within.s))
        except (TimeoutError, EOFError, OSError, ValueError) as error:
            self._end()
            said = last_line(self._last_words) or str(error)
            raise LaptopTrouble(f"the laptop's agent gives no answer to {op}: {said}; see invoke doctor") from error
        if "error" in answer:
            raise LaptopTrouble(f"the laptop's agent, {op}: {answer['error']}")
        return answer["ok"]

    def _end(self) -> None:
        if self._program is not None:
            self._program.end(grace_s=deadlines.AGENT_CLOSE.s)
            self._program = None

    def tool(self) -> str:
        if self._program is None:
            self._open()
        return self.greeting["tool"]

    def version(self) -> ShellOutput:
        answer = self.ask("version")
        return ShellOutput(str(answer["text"]), int(answer["code"]))

    def check_health(self) -> None:
        self.read_clock_ns()

    def prepare(self) -> dict[str, Any]:
        """Have leftovers swept, sleep inhibited and the hotspot on: at the start, and again before each attempt."""
        answer: dict[str, Any] = self.ask("prepare", deadlines.AGENT_PREPARE)
        if not answer["awake"]:
            raise LaptopTrouble("the laptop's sleep cannot be inhibited; install systemd-inhibit there")
        return answer

    def hotspot(self, address: IPv4Address) -> Hotspot:
        for interface in self.ask("interfaces"):
            if str(address) in interface["addresses"]:
                return Hotspot(str(interface["name"]), address)
        raise LaptopTrouble(f"no interface of the laptop holds {address}; start the hotspot")

    def neighbours(self, hotspot: Hotspot) -> dict[IPv4Address, str]:
        # A row's `on` is its interface in the words of the laptop's own program: on Windows the address that it holds.
        rows = [row for row in self.ask("neighbours") if row["on"] in (hotspot.interface, str(hotspot.address))]
        return {IPv4Address(row["address"]): checked_mac(str(row["mac"])) for row in rows}

    def ask_for(self, address: IPv4Address) -> None:
        self.ask("neighbours", ask_for=str(address))

    def coalescing(self, interface: str) -> list[str] | None:
        found = self.ask("coalescing", deadlines.AGENT_PREPARE, interface=interface)
        return None if found is None else [str(name) for name in found]

    def stamp(self, source: IPv4Address, address: IPv4Address, text: str) -> Burst:
        burst = self.ask("stamp", source=str(source), address=str(address), text=text, count=STAMPS)
        sent = {int(number): (int(before), int(after)) for number, before, after in burst["sent"]}
        return Burst(str(address), sent, str(burst["failed"]))

    def read_clock_ns(self) -> int:
        return int(self.ask("clock", deadlines.AGENT_CLOCK))

    def start(self, name: str, argv: Sequence[str]) -> None:
        started = self.ask("start", name=name, argv=list(argv))
        if not started["live"]:
            raise AttemptVoid("capture_not_ready", f"{argv[0]} is not live: {started['said'][:300]}")

    def size_bytes(self, name: str) -> int:
        return int(self.ask("size", name=name))

    def holds(self, name: str, text: str) -> bool:
        return bool(self.ask("holds", name=name, text=text))

    def stop(self, name: str) -> Ended:
        ended = self.ask("stop", name=name)
        return Ended(bool(ended["ran_on"]), bool(ended["caught_up"]), int(ended["code"]), str(ended["said"]))

    def remove(self, name: str) -> None:
        self.ask("remove", name=name)

    def fetch(self, name: str, target: Path) -> str:
        answer = self.ask("fingerprint", deadlines.AGENT_HASH, name=name)
        origin = copies.Fingerprint(int(answer["size_bytes"]), str(answer["sha256"]))
        try:
            with target.open("wb") as stream:
                while stream.tell() < origin.size_bytes:
                    data = base64.b64decode(self.ask("read", name=name, offset=stream.tell()), validate=True)
                    if not data:
                        break
                    stream.write(data)
            copies.prove(target, origin)
        except (OSError, binascii.Error, copies.CopyFailed) as error:
            if copies.is_ours(error):
                raise
            raise LaptopTrouble(f"{name} on the laptop: {error}") from error
        return origin.sha256

    def close(self) -> None:
        """End the session: the agent stops what runs and puts back what it changed."""
        self._end()
        self._last_words.close()
