"""The only place that starts programs: argv lists, never a shell string; every wait has a real deadline."""

import contextlib
import os
import selectors
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

from lab.clocks import deadlines
from lab.clocks.real_time import Deadline

CHUNK_BYTES = 65536
ANSWER_LIMIT_BYTES = 64 << 20
"""No program that the lab asks a question answers with more than this."""


@dataclass(frozen=True)
class Completed:
    """What a program that has ended left: its streams and its exit code (negative: the signal that ended it)."""

    stdout: bytes
    stderr: bytes
    code: int


def run(argv: Sequence[str], *, timeout_s: float, stdout: int | None = None) -> Completed:
    """Run a program to its end.

    `stdout` may be a file descriptor that takes its output instead. Raises `TimeoutError` when it has not ended in
    `timeout_s` (it is killed then) and `FileNotFoundError` where there is no such program.
    """
    try:
        done = subprocess.run(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if stdout is None else stdout,
            stderr=subprocess.PIPE,
            timeout=timeout_s,
            check=False,
            start_new_session=True,  # Ctrl-C on the terminal is the controller's business.
        )
    except subprocess.TimeoutExpired:
        raise TimeoutError(f"{argv[0]} has not ended in {timeout_s:g} s") from None
    return Completed(done.stdout or b"", done.stderr or b"", done.returncode)


def last_line(file: IO[bytes]) -> str:
    """The last line that a program wrote into a file, at most 300 characters of it; nothing where it wrote none."""
    file.seek(0)
    lines = file.read().decode("utf-8", "replace").strip().splitlines()
    return lines[-1][:300] if lines else ""


class Program:
    """A running program with a pipe to its standard input and one from an output stream: a `ByteStream`.

    `read_from` names the stream that is read, "stdout" or "stderr"; the other goes to `other` (default: nowhere).
    With `own_session` Ctrl-C on the terminal does not reach it.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        read_from: str = "stdout",
        own_session: bool = True,
        other: int | None = None,
        directory: Path | None = None,
    ) -> None:
        self.argv = list(argv)
        self._own_session = own_session
        spare = subprocess.DEVNULL if other is None else other
        self._popen = subprocess.Popen(
            self.argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE if read_from == "stdout" else spare,
            stderr=subprocess.PIPE if read_from == "stderr" else spare,
            start_new_session=own_session,
            cwd=directory,
            bufsize=0,
        )
        stream = self._popen.stdout if read_from == "stdout" else self._popen.stderr
        assert stream is not None
        assert self._popen.stdin is not None
        self._output = stream
        self._input = self._popen.stdin
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._output, selectors.EVENT_READ)
        os.set_blocking(self._input.fileno(), False)
        self._writable = selectors.PollSelector()
        self._writable.register(self._input, selectors.EVENT_WRITE)
        self._buffer = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.end()

    @property
    def pid(self) -> int:
        return self._popen.pid

    def send(self, data: bytes) -> None:
        """Write all of `data` to its standard input.

        Raises `BrokenPipeError` when it has gone, and `TimeoutError` when it does not take all of it in time: a pipe
        holds 64 KiB that nobody reads.
        """
        view, deadline = memoryview(data), Deadline(deadlines.PROGRAM_TAKES.s)
        while view:
            if not self._writable.select(deadline.left()):
                raise TimeoutError(f"{self.argv[0]} does not take what is written to it")
            view = view[os.write(self._input.fileno(), view) :]

    def receive(self, timeout_s: float) -> bytes:
        """Some bytes of its output; b"" at the end. Raises `TimeoutError`."""
        if not self._selector.select(timeout_s):
            raise TimeoutError(f"{self.argv[0]} says nothing for {timeout_s:g} s")
        return os.read(self._output.fileno(), CHUNK_BYTES)

    def read_line(self, timeout_s: float) -> bytes:
        """One line of its output without the line end. Raises `TimeoutError`, and `EOFError` when it has ended."""
        deadline = Deadline(timeout_s)
        while b"\n" not in self._buffer:
            data = self.receive(deadline.left())
            if not data:
                raise EOFError(self._buffer.decode("utf-8", "replace"))
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    def lines_so_far(self) -> list[bytes]:
        """The whole lines that wait to be read; never blocks."""
        while self._selector.select(0):
            data = os.read(self._output.fileno(), CHUNK_BYTES)
            if not data:
                break
            self._buffer += data
        *lines, self._buffer = self._buffer.split(b"\n")
        return lines

    def read_to_end(self, timeout_s: float) -> bytes:
        """All that it still says until it closes the stream. Raises `TimeoutError`."""
        deadline = Deadline(timeout_s)
        while data := self.receive(deadline.left()):
            self._buffer += data
            if len(self._buffer) > ANSWER_LIMIT_BYTES:
                raise EOFError(f"{self.argv[0]} does not stop talking")
        rest, self._buffer = self._buffer, b""
        return rest

    def interrupt(self) -> None:
        """Send SIGINT; nothing happens when it has ended already."""
        self._popen.send_signal(signal.SIGINT)

    def running(self) -> bool:
        return self._popen.poll() is None

    def wait(self, timeout_s: float) -> int:
        """Its exit code once it has ended. Raises `TimeoutError`."""
        try:
            return self._popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"{self.argv[0]} has not ended in {timeout_s:g} s") from None

    def close_input(self) -> None:
        """Close its standard input: programs that read it to the end then end."""
        if not self._input.closed:
            self._input.close()

    def close(self) -> None:
        """`end` it, as a stream of `lab.programs.shell` is closed."""
        self.end()

    def end(self, grace_s: float | None = None) -> None:
        """End it on every way out: close its input, wait, terminate, wait, kill. Safe to call again.

        What it started and left behind in a session of its own is killed.
        """
        if self._output.closed:
            return
        self.close_input()
        grace_s = deadlines.PROGRAM_END.s if grace_s is None else grace_s
        for force in (None, self._popen.terminate, self._popen.kill):
            if force is not None:
                force()
            try:
                self._popen.wait(grace_s)
                break
            except subprocess.TimeoutExpired:
                continue
        if self._own_session:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._popen.pid, signal.SIGKILL)
        self._selector.close()
        self._output.close()
