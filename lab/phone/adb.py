"""Phones over ADB: adbutils with a deadline on every stage, no idle sleeps, a root shell and a checked pull.

uiautomator2 takes an `Adb` like any adbutils device. What is changed and why (adbutils 2.12.0, measured):
- a refused port starts no adb server of its own;
- no `host:version` round trip per stream and TCP_NODELAY: an agent call takes 2 ms, not 57;
- `close` does not sleep 10 ms;
- the handshake has a deadline of its own, and so has every read of a stream that asked for none;
- a deadline is that of a whole answer, also while data flow, and no answer is longer than 32 MiB;
- an answer that is cut is an error, never a shorter answer.

Whatever an adb server or a phone answers is a value of the type that is promised, or `PhoneTrouble`. Errors name a
phone as the bench file does, never by its serial.
"""

import contextlib
import enum
import re
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

from adbutils import AdbClient, AdbDevice, AdbError, Network
from adbutils._adb import AdbConnection
from adbutils.errors import AdbConnectionError, AdbTimeout

from lab.clocks import deadlines
from lab.clocks.real_time import Deadline
from lab.errors import PhoneTrouble
from lab.phone.bounded import BoundedSocket
from lab.phone.root import Heard, SuRefuses, one_line, refusal, refuses
from lab.programs import copies
from lab.programs.shell import (
    CLOCK_LOOP,
    OUTPUT_LIMIT_BYTES,
    ClockStream,
    PersistentShell,
    ShellOutput,
    as_root,
)

TROUBLE = (AdbError, OSError, EOFError, AssertionError, ValueError, struct.error)
"""What adbutils raises when a server or phone fails it: its own error, bare socket errors and failed parses."""


class PhoneState(enum.Enum):
    """What an adb server says of a phone (AOSP packages/modules/adb: adb.cpp, transport.cpp)."""

    DEVICE = "device"
    OFFLINE = "offline"
    UNAUTHORIZED = "unauthorized"
    NOT_FOUND = "not found"
    NO_PERMISSIONS = "no permissions"
    NO_SERVER = "no adb server"
    UNKNOWN = "unknown"


_STATE_WORDS = (
    ("not found", PhoneState.NOT_FOUND),
    ("offline", PhoneState.OFFLINE),
    ("authoriz", PhoneState.UNAUTHORIZED),  # unauthorized, and still authorizing
    ("no permissions", PhoneState.NO_PERMISSIONS),  # as `adb devices` has it
    ("insufficient permissions", PhoneState.NO_PERMISSIONS),
)
"""What stands in the FAIL of a phone that is not ready, e.g. `device offline`, `device 'S' not found`."""


SYNC_DATA_BYTES = 64 << 10
"""The longest piece of a file in adb's sync protocol (SYNC.TXT)."""


class LabConnection(AdbConnection):  # type: ignore[misc]  # adbutils carries no types
    """One stream of the adb server with deadlines, a `ByteStream`; see the module."""

    _all: Deadline | None = None

    @contextlib.contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """One deadline for all that is read in the block; the stream's own time-out holds again afterwards."""
        self._all = Deadline(seconds)
        try:
            yield
        finally:
            self._all = None

    def _safe_connect(self) -> socket.socket:
        address = self._AdbConnection__host, self._AdbConnection__port
        try:
            sock = socket.create_connection(address, timeout=deadlines.ADB_HANDSHAKE.s)
        except OSError as error:
            raise AdbConnectionError(f"no adb server at {address[0]}:{address[1]}: {error}") from error
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def close(self) -> None:
        if self.closed:
            return
        with contextlib.suppress(OSError):  # the other end may have gone already
            self.conn.shutdown(socket.SHUT_WR)
        self.conn.close()
        self._AdbConnection__conn = None

    def send(self, data: bytes) -> None:
        usual_s = self.conn.gettimeout()
        self.conn.settimeout(deadlines.ADB_STREAM.s)  # what was left to the answer before is no measure for this
        self.conn.sendall(data)
        self.conn.settimeout(usual_s)

    def receive(self, timeout_s: float) -> bytes:
        self.conn.settimeout(max(timeout_s, 0.001))
        data: bytes = self.conn.recv(65536)
        return data

    def send_command(self, cmd: str) -> None:
        data = cmd.encode()
        self.send(b"%04x" % len(data) + data)

    def check_okay(self) -> None:
        """Read the server's OKAY within the handshake deadline."""
        with self.within(deadlines.ADB_HANDSHAKE.s):
            answer = self.read_exact(4)
            if answer == b"FAIL":
                raise AdbError(self.read_string_block())
            if answer != b"OKAY":
                raise AdbError(f"the adb server answers {answer!r}")

    def _read_fully(self, n: int) -> bytes:
        """At most `n` bytes, fewer where the stream ends, within the stream's time-out for all of them together."""
        if n > OUTPUT_LIMIT_BYTES:
            raise AdbError(f"{n} bytes are announced, which nothing here has")
        usual_s = self.conn.gettimeout() or deadlines.ADB_STREAM.s
        deadline, data = self._all or Deadline(usual_s), bytearray()
        try:
            while len(data) < n and (chunk := self._receive_until(deadline, min(n - len(data), 65536))):
                data += chunk
        finally:
            self.conn.settimeout(usual_s)
        return bytes(data)

    def _receive_until(self, deadline: Deadline, n: int) -> bytes:
        if deadline.passed():
            raise TimeoutError("timed out")
        self.conn.settimeout(max(deadline.left(), 0.001))
        chunk: bytes = self.conn.recv(n)
        return chunk

    def read(self, n: int) -> bytes:
        """All of `n` bytes: adbutils unpacks what it reads, whatever its length."""
        return bytes(self.read_exact(n))

    def read_until_close(self, encoding: str | None = "utf-8") -> str | bytes:
        try:
            data = self._read_fully(OUTPUT_LIMIT_BYTES)
        except TimeoutError as error:
            raise AdbTimeout("adb read timeout") from error
        if len(data) == OUTPUT_LIMIT_BYTES:
            raise AdbError(f"more than {OUTPUT_LIMIT_BYTES} bytes of answer")
        return data.decode(encoding, "replace") if encoding else data

    def request(self, command: str, answer_bytes: int = 0) -> None:
        """Send a command, read its OKAY and what follows that; a stream on which this fails is closed."""
        try:
            self.send_command(command)
            self.check_okay()
            self.read_exact(answer_bytes)
        except BaseException:
            self.close()
            raise

    def read_string_block(self) -> str:
        digits = self.read_exact(4)
        if re.fullmatch(rb"[0-9a-fA-F]{4}", digits) is None:
            raise AdbError(f"the adb server gives a text of {digits!r} bytes")
        return str(self.read_exact(int(digits, 16)).decode("utf-8", "replace"))


class LabClient(AdbClient):  # type: ignore[misc]  # adbutils carries no types
    """An adb server on a known port; it is never started or killed from here."""

    def make_connection(self, timeout: float | None = None) -> LabConnection:
        connection = LabConnection(self.host, self.port)
        connection.conn.settimeout(timeout or deadlines.ADB_STREAM.s)
        return connection


class Adb(AdbDevice):  # type: ignore[misc]  # adbutils carries no types
    """One phone behind an adb server; `name` is what errors call it, which is the bench file's (none: its serial)."""

    def __init__(self, client: LabClient, serial: str, name: str | None = None) -> None:
        super().__init__(client, serial=serial)
        self.name = name or serial
        self._shells: dict[bool, PersistentShell] = {}
        self._su: Heard | None = None
        self._clock: ClockStream | None = None

    def open_transport(self, command: str | None = None, timeout: float | None = None) -> LabConnection:
        connection: LabConnection = self._client.make_connection(timeout=timeout)
        if command:
            connection.request(f"host-serial:{self._serial}:{command}")
        else:
            connection.request(f"host:tport:serial:{self._serial}", 8)  # the transport's id
        return connection

    def create_connection(self, network: Network, address: int | str) -> socket.socket:
        # uiautomator2 never applies its own time-out, and reads an answer for as long as something of it comes.
        sock = super().create_connection(network, address)
        return BoundedSocket.of(sock, deadlines.PHONE_AGENT.s, OUTPUT_LIMIT_BYTES)

    def _trouble(self, text: str, error: BaseException | str) -> PhoneTrouble:
        """An error of ours about this phone; what the adb server says of a phone names its serial."""
        return PhoneTrouble(f"{self.name}: {text}: {error}".replace(self._serial, self.name))

    def state(self) -> PhoneState:
        """What the adb server says of the phone now; it answers without asking the phone."""
        try:
            with self.open_transport("get-state", timeout=deadlines.ADB_HANDSHAKE.s) as answer:
                said = answer.read_string_block()
        except AdbConnectionError:
            return PhoneState.NO_SERVER
        except TROUBLE as error:
            said = str(error)
        if said == "device":
            return PhoneState.DEVICE
        words = said.replace(self._serial, "")
        return next((state for word, state in _STATE_WORDS if word in words), PhoneState.UNKNOWN)

    def reconnect(self) -> None:
        """Have the adb server reset the phone's USB connection. Raises what adbutils does."""
        self.open_transport("reconnect", timeout=deadlines.ADB_HANDSHAKE.s).close()

    def reboot(self) -> None:
        """Have the phone's daemon restart the phone; it is not waited for. Raises `PhoneTrouble`."""
        self.open_service("reboot:").close()

    def open_service(self, service: str) -> LabConnection:
        """Open a service of the phone, e.g. `exec:...`. Raises `PhoneTrouble`."""
        try:
            connection = self.open_transport()
            connection.request(service)
        except TROUBLE as error:
            raise self._trouble(f"{service.split()[0][:60]} cannot be opened", error) from error
        return connection

    def open_root(self, script: str) -> LabConnection:
        """A stream of `script`, run by a shell as root through `su`; it may have many lines. Raises `PhoneTrouble`."""
        return self.open_service(f"exec:{as_root(script)}")

    def run(
        self, command: str, *, root: bool = False, timeout_s: float | None = None, label: str | None = None
    ) -> ShellOutput:
        """Run one line in the phone's shell, as root through `su` where asked.

        `label` is what errors call a line that holds a contact or a key (None: as it is).

        Raises `PhoneTrouble` when the phone does not answer whole and in time (`timeout_s` of real time; None: that of
        any line), `SuRefuses` where su said no instead; the next call opens a new shell.
        """
        try:
            shell = self._shells.get(root)
            if shell is None:
                shell = self._shells[root] = PersistentShell(
                    self._root_stream() if root else self.open_service("exec:sh")
                )
            answer = shell.run(command, timeout_s, label)
        except (AdbError, OSError) as error:
            self._drop_shell(root)
            said = command if label is None else label
            by_su = one_line(self._su.began) if root and self._su is not None else None
            cause = "" if by_su is None else f"; {refusal(by_su)}"
            found = self._trouble(f"no whole answer to `{said[:80]}`", f"{error}{cause}")
            raise (SuRefuses(str(found)) if refuses(by_su or "") else found) from error
        if root:
            self._su = None
        return answer

    def _root_stream(self) -> Heard:
        """A stream of root's shell; what it says before that shell has answered once are the words of `su`."""
        self._su = Heard(self.open_root("sh"))
        return self._su

    def _drop_shell(self, root: bool) -> None:
        shell = self._shells.pop(root, None)
        if shell is not None:
            shell.close()

    def read_clock_ns(self) -> int:
        """The phone's clock, one reading by `CLOCK_LOOP`. Raises `PhoneTrouble`."""
        try:
            if self._clock is None:
                self._clock = ClockStream(self.open_service(f"exec:{CLOCK_LOOP}"))
            return self._clock.read_ns()
        except (AdbError, OSError) as error:
            if self._clock is not None:
                self._clock.close()
                self._clock = None
            raise self._trouble("its clock cannot be read", error) from error

    def pull_checked(self, source: str, target: Path, *, root: bool = True) -> str:
        """Copy one file of the phone and prove the copy; returns its SHA-256 in hex.

        The phone's size and SHA-256 are taken before, as root or not; a copy that differs is an error. Raises
        `PhoneTrouble`.
        """
        try:
            origin = copies.fingerprint(self.run(copies.question(source), root=root, timeout_s=deadlines.PHONE_HASH.s))
            self._fetch(source, target, origin.size_bytes)
            copies.prove(target, origin)
        except TROUBLE as error:
            if copies.is_ours(error):
                raise
            raise self._trouble(source, error) from error
        return origin.sha256

    def _fetch(self, source: str, target: Path, size_bytes: int) -> None:
        """Copy a file of that size from the phone, by the sync protocol's RECV, under one deadline."""
        path = source.encode()
        with self.open_service("sync:") as stream, stream.within(deadlines.PHONE_COPY.s), target.open("wb") as file:
            stream.send(b"RECV" + struct.pack("<I", len(path)) + path)
            while (head := stream.read_exact(8))[:4] == b"DATA":
                length = int.from_bytes(head[4:], "little")
                if length > min(size_bytes - file.tell(), SYNC_DATA_BYTES):
                    raise copies.CopyFailed(f"more comes than the {size_bytes} bytes that it has")
                file.write(stream.read_exact(length))
            if head[:4] == b"FAIL":
                said = stream.read_exact(min(int.from_bytes(head[4:], "little"), 1000))
                raise AdbError(said.decode("utf-8", "replace"))
            if head[:4] != b"DONE":
                raise AdbError(f"the sync service answers {head[:4]!r}")

    def push_checked(self, source: Path, target: str) -> None:
        """Copy one file to the phone, as the shell's user, and prove the copy there. Raises `PhoneTrouble`."""
        try:
            self.sync.push(source, target)
            copies.prove(
                source, copies.fingerprint(self.run(copies.question(target), timeout_s=deadlines.PHONE_HASH.s))
            )
        except TROUBLE as error:
            raise self._trouble(f"{source.name} did not arrive whole at {target}", error) from error

    def close(self) -> None:
        """Close the shells and the clock; the phone stays connected to its server."""
        for root in tuple(self._shells):
            self._drop_shell(root)
        if self._clock is not None:
            self._clock.close()
            self._clock = None
