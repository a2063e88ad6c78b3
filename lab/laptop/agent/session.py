"""One client's session with the agent: the protocol's operations on captures, clock, interfaces and hotspot."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from lab.laptop.agent.calls import Calls
from lab.laptop.agent.interfaces import listed
from lab.laptop.agent.neighbours import make_ask, parsed
from lab.laptop.agent.posix import Posix
from lab.laptop.agent.programs import Refused, demanded, ran, unlinked
from lab.laptop.agent.stamps import burst
from lab.laptop.agent.tools import EXIT_S, LIVE, READY_S, command
from lab.laptop.agent.windows import Windows

CHUNK_BYTES = 196_608
LINE_BYTES = 65_536
STARTED = "im-call-lab: the agent runs"
"""What it says first on its standard error: what stands before that are a login's words."""
# What makes tcpdump print its counters while it runs.
INFO = getattr(signal, "SIGINFO", getattr(signal, "SIGUSR1", None))
ASKED, ANSWER_S = 5, 0.4
COUNTERS = re.compile(r"(\d+) packets? captured,?\s+(\d+) packets? received by filter")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,250}\Z")


class Host(Protocol):
    """The programs that differ between Windows and the others: `Windows`, `Posix`."""

    places: tuple[str, ...]

    def idle_timeout(self) -> str | None: ...

    def start_hotspot(self, idle_off: bool) -> str: ...

    def put_back(self, state: dict[str, Any]) -> None: ...

    def setup(self) -> list[str]: ...

    def command_line(self, pid: int) -> str: ...

    def neighbours(self) -> str: ...

    def interfaces(self) -> dict[str, list[str]]: ...

    def coalescing(self, interface: str) -> list[str] | None: ...


class Agent:
    """One client's session. Beside the agent's own file lie the token's hash, the name of the one directory that it
    serves, the lock and the state: the first two are written by its installation alone."""

    def __init__(self, host: Host, calls: Calls, own: Path) -> None:
        self._host, self._calls, self._own, self._home = host, calls, own, own.parent
        self._directory: Path | None = None
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._mine: set[str] = set()
        self._lock: BinaryIO | None = None
        self._ops = {
            op.__name__: op
            for op in (
                *(self.hello, self.clock, self.version, self.interfaces, self.neighbours, self.prepare, self.setup),
                *(self.start, self.size, self.holds, self.stop, self.fingerprint, self.read, self.remove, self.stamp),
                *(self.room, host.coalescing),
            )
        }

    def serve(self, source: BinaryIO, sink: BinaryIO) -> None:
        """Answer line for line until the client goes."""
        try:
            while line := source.readline(LINE_BYTES):
                sink.write(json.dumps(self.answer(line)).encode() + b"\n")
                sink.flush()
        finally:
            self.close()

    def answer(self, line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
            op = request.pop("op")
            if op not in self._ops:
                raise Refused(f"no op {op!r}")
            if self._directory is None and op != "hello":
                raise Refused("say hello first")
            return {"ok": self._ops[op](**request)}
        except (Refused, OSError) as error:
            return {"error": str(error)}
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
            return {"error": f"cannot be understood: {type(error).__name__}: {error}"}

    def hello(self, token: str) -> dict[str, str]:
        """Open the session of the bench whose token this is; one at a time."""
        digest = hashlib.sha256(token.encode()).hexdigest()
        if not hmac.compare_digest(digest, (self._home / "token.sha256").read_text().strip()):
            raise Refused("this is another bench's agent: its token is not ours; run invoke install-agent")
        if self._lock is None:
            lock = (self._home / "lock").open("a+b")
            try:
                self._calls.lock(lock.fileno())
            except OSError:
                lock.close()
                raise Refused("another client holds this laptop; end it first") from None
            self._lock = lock
        directory = self._installed_directory()
        self._directory = Path.home() / directory
        own = hashlib.sha256(self._own.read_bytes()).hexdigest()
        told = {"sha256": own, "directory": directory, "tool": self._tool()[0]}
        return {**told, "python": sys.version.split()[0], "platform": sys.platform}

    def _installed_directory(self) -> str:
        try:
            return (self._home / "directory").read_text("utf-8").strip()
        except FileNotFoundError:
            raise Refused("it was installed without a directory to serve; run invoke install-agent") from None

    def clock(self) -> int:
        return self._calls.now_ns()

    def version(self) -> dict[str, Any]:
        code, output, errors = ran([self._tool()[1], "--version"])
        return {"code": code, "text": output + errors}

    def _tool(self) -> tuple[str, str]:
        """dumpcap where it is, tcpdump where it is not: its name and its path."""
        for name in ("dumpcap", "tcpdump"):
            for place in (None, *self._host.places):
                found = shutil.which(name, path=place)
                if found is not None:
                    return name, found
        raise Refused("neither dumpcap nor tcpdump is installed here; install Wireshark with Npcap")

    def interfaces(self) -> list[dict[str, Any]]:
        """What can be captured on and the addresses it holds."""
        name, path = self._tool()
        found = listed(demanded([path, "-D", "-M"])) if name == "dumpcap" else self._host.interfaces()
        return [{"name": name, "addresses": addresses} for name, addresses in found.items()]

    def neighbours(self, ask_for: str | None = None) -> list[dict[str, Any]]:
        """The addresses that others hold on this laptop's networks, and their MACs; with `ask_for` it asks first."""
        if ask_for is not None:
            make_ask(ask_for)
        return parsed(self._host.neighbours())

    def prepare(self) -> dict[str, Any]:
        """Sweep what a killed agent left, inhibit sleep, have the hotspot on. May be asked again at any time."""
        swept = self._sweep(self._mine)
        awake = self._calls.keep_awake()
        state = self._state()
        before = self._host.idle_timeout()
        if before is not None:
            # Noted before it is changed: whatever happens next, it can be put back.
            state.setdefault("idle_timeout", before)
            self._keep(state)
        hotspot = self._host.start_hotspot(idle_off=before is not None)
        return {"swept": swept, "awake": awake, "hotspot": hotspot, "idle_timeout": state.get("idle_timeout")}

    def room(self) -> int:
        """How many bytes are free where captures are written."""
        place = self._file("room").parent
        place.mkdir(parents=True, exist_ok=True)
        return shutil.disk_usage(place).free

    def setup(self) -> list[str]:
        """What `invoke install-agent` has done once; may be done again."""
        return self._host.setup()

    def _state(self) -> dict[str, Any]:
        try:
            state: dict[str, Any] = json.loads((self._home / "state.json").read_text())
        except FileNotFoundError:
            return {}
        return state

    def _keep(self, state: dict[str, Any]) -> None:
        fresh = self._home / "state.json.new"
        with fresh.open("w") as stream:
            stream.write(json.dumps(state))
            stream.flush()
            os.fsync(stream.fileno())
        fresh.replace(self._home / "state.json")

    def _sweep(self, but: set[str]) -> int:
        """End and remove the captures that are noted, by this agent or one before it, but these; nobody else's."""
        state = self._state()
        ours = {name: noted for name, noted in state.get("captures", {}).items() if name not in but}
        for name, noted in ours.items():
            if noted["file"] in self._host.command_line(noted["pid"]):
                with contextlib.suppress(OSError):
                    os.kill(noted["pid"], signal.SIGTERM)
            for kind in ("file", "errors"):
                unlinked(Path(noted[kind]))
            del state["captures"][name]
        if ours:
            self._keep(state)
        return len(ours)

    def _note(self, name: str, capture: dict[str, Any] | None) -> None:
        state = self._state()
        captures = state.setdefault("captures", {})
        if capture is None:
            captures.pop(name, None)
        else:
            captures[name] = capture
        self._keep(state)

    def _file(self, name: str) -> Path:
        if self._directory is None or NAME.match(name) is None:
            raise Refused(f"{name[:100]!r} is no name of a capture")
        return self._directory / name

    def _errors(self, name: str) -> Path:
        return self._file(f"{name}.err")

    def start(self, name: str, argv: list[str]) -> dict[str, Any]:
        """Start a program that captures into the file `name`; whether it is live, and its words."""
        tool, path = self._tool()
        file, errors = self._file(name), self._errors(name)
        words = command(tool, path, str(file), argv)
        if name in self._running:
            raise Refused(f"{name} runs already")
        file.parent.mkdir(parents=True, exist_ok=True)
        with errors.open("wb") as stream:
            process = self._calls.start(words, stream)
        self._running[name] = process
        self._mine.add(name)
        self._note(name, {"pid": process.pid, "file": str(file), "errors": str(errors)})
        end = time.monotonic() + READY_S
        while not (live := LIVE[tool] in self._said(name)) and process.poll() is None and time.monotonic() < end:
            time.sleep(0.01)
        return {"live": live, "said": self._said(name)}

    def _said(self, name: str) -> str:
        return self._errors(name).read_text("utf-8", "replace")

    def size(self, name: str) -> int:
        return self._file(name).stat().st_size

    def holds(self, name: str, text: str) -> bool:
        wanted, tail = text.encode(), b""
        with self._file(name).open("rb") as stream:
            while piece := stream.read(CHUNK_BYTES):
                if wanted in tail + piece:
                    return True
                tail = piece[-len(wanted) :]
        return False

    def stop(self, name: str) -> dict[str, Any]:
        """Stop a capture by Ctrl-C's like and await its end; whether it ran until then, its exit code and its words."""
        process = self._running.get(name)
        if process is None:
            raise Refused(f"no capture {name} runs")
        ran_on = process.poll() is None
        caught_up = ran_on and self._caught_up(name, process)
        if ran_on:
            self._calls.stop(process)
        try:
            code = process.wait(EXIT_S)
        except subprocess.TimeoutExpired:
            raise Refused(f"the capture {name} does not end in {EXIT_S:g} s") from None
        del self._running[name]
        return {"ran_on": ran_on, "caught_up": caught_up, "code": code, "said": self._said(name)}

    def _caught_up(self, name: str, process: subprocess.Popen[bytes]) -> bool:
        """Whether a running tcpdump has written all that it was given: what comes after may be cut by its stop."""
        if self._tool()[0] != "tcpdump" or INFO is None:
            return False
        for asked in range(1, 1 + ASKED):
            process.send_signal(INFO)
            end = time.monotonic() + ANSWER_S
            while len(found := COUNTERS.findall(self._said(name))) < asked:
                if time.monotonic() > end:
                    return False
                time.sleep(0.01)
            if found[-1][0] == found[-1][1]:
                return True
        return False

    def stamp(self, source: str, address: str, text: str, count: int) -> dict[str, Any]:
        """Send datagrams to a phone of the hotspot, for a capture to stamp; when each left by the system clock."""
        return burst(self._calls.now_ns, source, address, text, count)

    def fingerprint(self, name: str) -> dict[str, Any]:
        digest = hashlib.sha256()
        with self._file(name).open("rb") as stream:
            while piece := stream.read(1 << 20):
                digest.update(piece)
        return {"size_bytes": self.size(name), "sha256": digest.hexdigest()}

    def read(self, name: str, offset: int) -> str:
        with self._file(name).open("rb") as stream:
            stream.seek(offset)
            return base64.b64encode(stream.read(CHUNK_BYTES)).decode()

    def remove(self, name: str) -> None:
        """Remove a capture; one that runs is ended first."""
        process = self._running.get(name)
        if process is not None:
            try:
                self.stop(name)
            except Refused:
                process.kill()
                process.wait()
                del self._running[name]
        for path in (self._file(name), self._errors(name)):
            unlinked(path)
        self._note(name, None)
        self._mine.discard(name)

    def close(self) -> None:
        """Stop and remove what is left of this session, put the idle time-out back, let the next client in."""
        if self._lock is None:
            return
        try:
            for name in list(self._running):
                self.remove(name)
            self._sweep(set())
            state = self._state()
            if state:
                self._host.put_back(state)
                self._keep(state)
        finally:
            self._lock.close()
            self._lock = self._directory = None


def leave(*_signal: object) -> None:
    sys.exit(1)


def main() -> None:
    sys.stderr.write(f"{STARTED}\n")
    sys.stderr.flush()
    for name in ("SIGTERM", "SIGHUP", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), leave)
    host: Host = Windows() if sys.platform == "win32" else Posix()
    Agent(host, Calls(), Path(sys.argv[0]).absolute()).serve(sys.stdin.buffer, sys.stdout.buffer)
