"""A laptop that is driven by the agent on it (`lab.laptop.bash.agent`) where there is no bash: Windows above all."""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import json
import os
import tempfile
import zipfile
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import lab.laptop.agent
from lab.clocks.capture_clocks import STAMPS, Burst
from lab.errors import LaptopTrouble
from lab.laptop.lease import Hotspot, checked_mac
from lab.programs import copies
from lab.programs.processes import Program
from lab.programs.shell import ShellOutput

ANSWER_S = 30.0


MAIN = "from lab.laptop.agent.session import main\n\nmain()\n"


PREPARE_S = 180.0


CLOSE_S = 20.0
"""How long the agent may take to stop what runs and to put back what it changed."""


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
    """The laptop behind the agent of a bench. A lost agent is started again by the next question."""

    def __init__(self, argv: list[str], directory: str, bench: str) -> None:
        self._argv, self.directory, self._bench = list(argv), directory, bench
        self._program: Program | None = None
        self._last_words = tempfile.TemporaryFile()  # noqa: SIM115 closed with the laptop
        self.greeting: dict[str, str] = {}

    def ask(self, op: str, timeout_s: float = ANSWER_S, **values: Any) -> Any:
        """One operation of the agent's. Raises `LaptopTrouble` when it refuses or does not answer in time."""
        if self._program is None:
            self._open()
        return self._asked(op, timeout_s, **values)

    def _open(self) -> None:
        token = read_token(self._bench)
        try:
            self._program = Program(self._argv, other=self._last_words.fileno())
        except OSError as error:
            raise LaptopTrouble(f"{self._argv[0]} cannot be started: {error.strerror}; install it") from error
        try:
            self.greeting = self._asked("hello", ANSWER_S, token=token, directory=self.directory)
            if self.greeting["sha256"] != hashlib.sha256(packed()).hexdigest():
                text = "the laptop's agent is of another version"
                raise LaptopTrouble(f"{text}; run invoke install-agent --bench {self._bench}")
        except LaptopTrouble:
            self._end()
            raise

    def _asked(self, op: str, timeout_s: float, **values: Any) -> Any:
        assert self._program is not None
        try:
            self._program.send(json.dumps({"op": op, **values}).encode() + b"\n")
            answer = json.loads(self._program.read_line(timeout_s))
        except (TimeoutError, EOFError, OSError, ValueError) as error:
            self._end()
            said = self._said() or str(error)
            raise LaptopTrouble(f"the laptop's agent gives no answer to {op}: {said}; see invoke doctor") from error
        if "error" in answer:
            raise LaptopTrouble(f"the laptop's agent, {op}: {answer['error']}")
        return answer["ok"]

    def _said(self) -> str:
        self._last_words.seek(0)
        lines = self._last_words.read().decode("utf-8", "replace").strip().splitlines()
        return lines[-1][:300] if lines else ""

    def _end(self) -> None:
        if self._program is not None:
            self._program.end(grace_s=CLOSE_S)
            self._program = None

    def tool(self) -> str:
        """What captures there: `dumpcap`, or `tcpdump` where there is none."""
        if self._program is None:
            self._open()
        return self.greeting["tool"]

    def run(self, command: str, timeout_s: float = 10.0) -> ShellOutput:
        """The two lines that a bench's health is asked by; the agent runs no others. Raises `LaptopTrouble`."""
        if command == "true":
            self.ask("clock", timeout_s)
            return ShellOutput("", 0)
        if command == "dumpcap --version":
            answer = self.ask("version", timeout_s)
            return ShellOutput(str(answer["text"]), int(answer["code"]))
        raise LaptopTrouble(f"the laptop's agent runs no shell lines: `{command[:80]}`")

    def prepare(self) -> dict[str, Any]:
        """Have leftovers swept, sleep inhibited and the hotspot on: at the start, and again before each attempt."""
        answer: dict[str, Any] = self.ask("prepare", PREPARE_S)
        if not answer["awake"]:
            raise LaptopTrouble("the laptop's sleep cannot be inhibited; install systemd-inhibit there")
        return answer

    def hotspot(self, address: IPv4Address) -> Hotspot:
        """The hotspot that holds this address. Raises `LaptopTrouble` where no interface does."""
        for interface in self.ask("interfaces"):
            if str(address) in interface["addresses"]:
                return Hotspot(str(interface["name"]), address)
        raise LaptopTrouble(f"no interface of the laptop holds {address}; start the hotspot")

    def neighbours(self, hotspot: Hotspot) -> dict[IPv4Address, str]:
        """The MAC of each address that others hold on the hotspot. Raises `LaptopTrouble`.

        A row's `on` is its interface in the words of the laptop's own program: on Windows the address that it holds.
        """
        rows = [row for row in self.ask("neighbours") if row["on"] in (hotspot.interface, str(hotspot.address))]
        return {IPv4Address(row["address"]): checked_mac(str(row["mac"])) for row in rows}

    def ask_for(self, address: IPv4Address) -> None:
        """Have it ask its networks who holds an address; what it learns is in `neighbours`. Raises `LaptopTrouble`."""
        self.ask("neighbours", ask_for=str(address))

    def coalescing(self, interface: str) -> list[str] | None:
        """What joins packets on an interface before a capture sees them; None where nobody there can tell."""
        found = self.ask("coalescing", PREPARE_S, interface=interface)
        return None if found is None else [str(name) for name in found]

    def stamp(self, source: IPv4Address, address: IPv4Address, text: str) -> Burst:
        """Have the laptop send datagrams from its address `source` to a phone of its hotspot, for a capture to stamp.
        Raises `LaptopTrouble` where it no longer holds `source`."""
        told = self.ask("stamp", source=str(source), address=str(address), text=text, count=STAMPS)
        sent = {int(number): (int(before), int(after)) for number, before, after in told["sent"]}
        return Burst(str(address), sent, str(told["failed"]))

    def read_clock_ns(self) -> int:
        """The laptop's system clock. Raises `LaptopTrouble`."""
        return int(self.ask("clock", 5.0))

    def fetch_checked(self, name: str, target: Path) -> str:
        """Copy one capture and prove the copy; returns its SHA-256 in hex. Raises `LaptopTrouble`."""
        told = self.ask("fingerprint", 120.0, name=name)
        origin = copies.Fingerprint(int(told["size_bytes"]), str(told["sha256"]))
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
