"""The only place that starts programs: argv lists, never a shell string; every wait has a real deadline."""

import contextlib
import os
import selectors
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
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


def run(argv: Sequence[str], *, timeout_s: float, stdout: int | None = None, data: bytes | None = None) -> Completed:
    """Run a program to its end.

    `data` is its standard input, empty without. `stdout` may be a file descriptor that takes its output instead. Raises
    `TimeoutError` when it has not ended in `timeout_s` (it is killed then) and `FileNotFoundError` where there is no
    such program.
    """
    try:
        done = subprocess.run(
            list(argv),
            stdin=subprocess.DEVNULL if data is None else None,
            input=data,
            stdout=subprocess.PIPE if stdout is None else stdout,
            stderr=subprocess.PIPE,
            timeout=timeout_s,
            check=False,
            start_new_session=True,  # Ctrl-C on the terminal is the controller's business.
        )
    except subprocess.TimeoutExpired:
        raise TimeoutError(f"{argv[0]} has not ended in {timeout_s:g} s") from None
    return Completed(done.stdout or b"", done.stderr or b"", done.returncode)


def leave_running(argv: Sequence[str], environment: Mapping[str, str]) -> None:
    """Start a program that outlives this one, as a window that somebody looks at; what it says goes nowhere.

    `environment` is added to our own. Raises `FileNotFoundError` where there is no such program.
    """
    left = subprocess.Popen(
        list(argv),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env={**os.environ, **environment},
    )
    left.returncode = 0  # Nobody waits for it; else Python complains that it forgets a program that runs.


def last_line(file: IO[bytes]) -> str:
    """The last line that a program wrote into a file, at most 300 characters of it; nothing where it wrote none."""
    return last_line_of(last_words(file))


def last_line_of(text: str) -> str:
    """The last line of a text that says something, at most 300 characters of it."""
    lines = text.strip().splitlines()
    return lines[-1][:300] if lines else ""


def last_words(file: IO[bytes]) -> str:
    """The last 64 KiB that a program wrote into a file; where it writes next is not moved."""
    size_bytes = os.fstat(file.fileno()).st_size
    data = os.pread(file.fileno(), CHUNK_BYTES, max(0, size_bytes - CHUNK_BYTES))
    return data.decode("utf-8", "replace")


class Program:
    """A running program with a pipe to its standard input and one from an output stream: a `ByteStream`.

    `read_from` names the stream that is read, "stdout" or "stderr"; the other goes to `other` (default: nowhere), or is
    `kept` for `last_words`. With `own_session` Ctrl-C on the terminal does not reach it.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        read_from: str = "stdout",
        own_session: bool = True,
        other: int | None = None,
        kept: bool = False,
        directory: Path | None = None,
    ) -> None:
        self.argv = list(argv)
        self._own_session = own_session
        self._kept = tempfile.TemporaryFile() if kept else None  # noqa: SIM115 closed by `end`
        spare = subprocess.DEVNULL if other is None else other
        if self._kept is not None:
            spare = self._kept.fileno()
        try:
            self._popen = self._opened(spare, read_from, directory)
        except OSError:
            self._close_kept()
            raise
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
        self._buffer = bytearray()
        self._ended = False

    def _opened(self, spare: int, read_from: str, directory: Path | None) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self.argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE if read_from == "stdout" else spare,
            stderr=subprocess.PIPE if read_from == "stderr" else spare,
            start_new_session=self._own_session,
            cwd=directory,
            bufsize=0,
        )

    def _close_kept(self) -> None:
        if self._kept is not None:
            self._kept.close()

    def last_words(self) -> str:
        """The end of the stream that is `kept`, until it is ended; nothing where none is."""
        return "" if self._kept is None else last_words(self._kept)

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

    def _take(self, deadline: Deadline, limit_bytes: int) -> bool:
        """Put some more of its output into the buffer; False at its end.

        A program that talks on and on is given up at the deadline like one that is silent, and where it has filled
        the buffer. Raises `TimeoutError` and `EOFError`.
        """
        if deadline.passed():
            raise TimeoutError(f"{self.argv[0]} talks on and on")
        data = self.receive(deadline.left())
        self._buffer += data
        if len(self._buffer) > limit_bytes:
            raise EOFError(f"{self.argv[0]} does not stop talking")
        return bool(data)

    def read_line(self, timeout_s: float, limit_bytes: int = ANSWER_LIMIT_BYTES) -> bytes:
        """One line of its output without the line end.

        Raises `TimeoutError`, and `EOFError` when it has ended or the line has more than `limit_bytes`.
        """
        deadline, searched = Deadline(timeout_s), 0
        while (end := self._buffer.find(b"\n", searched)) < 0:
            # What was searched is not searched again: a long line would cost the square of its length.
            searched = len(self._buffer)
            if not self._take(deadline, limit_bytes):
                raise EOFError(self._buffer[:300].decode("utf-8", "replace"))
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line

    def lines_so_far(self) -> list[bytes]:
        """The whole lines that wait to be read, of at most some 64 KiB; never blocks."""
        if self._selector.select(0):
            self._buffer += os.read(self._output.fileno(), CHUNK_BYTES)
        *lines, rest = bytes(self._buffer).split(b"\n")
        self._buffer = bytearray(rest[-CHUNK_BYTES:])
        return lines

    def read_to_end(self, timeout_s: float) -> bytes:
        """All that it still says until it closes the stream. Raises `TimeoutError`, and `EOFError` for endless talk."""
        deadline = Deadline(timeout_s)
        while self._take(deadline, ANSWER_LIMIT_BYTES):
            pass
        rest = bytes(self._buffer)
        self._buffer.clear()
        return rest

    def copy_to(self, file: IO[bytes], size_bytes: int, timeout_s: float) -> None:
        """Write what it still says into a file until it closes the stream, or until that is more than `size_bytes`.

        Raises `TimeoutError`, and `OSError` where the file cannot be written.
        """
        deadline, left, more = Deadline(timeout_s), size_bytes, True
        while more and left >= 0:
            try:
                more = bool(self._buffer) or self._take(deadline, ANSWER_LIMIT_BYTES)
            except TimeoutError as error:
                raise TimeoutError(f"{self.argv[0]} has not ended in {timeout_s:g} s") from error
            file.write(self._buffer)
            left -= len(self._buffer)
            self._buffer.clear()

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

    def end(self, grace_s: float | None = None, *, unheard: bool = False) -> None:
        """End it on every way out: close its input, wait, terminate, wait, kill. Safe to call again.

        What it started and left behind in a session of its own is killed. `unheard`: what it still says is not taken
        any longer, so that one that talks on and on cannot wait for it to be read.
        """
        if self._ended:
            return
        self._ended = True
        self.close_input()
        self._selector.close()
        if unheard:
            self._output.close()
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
        self._output.close()
        self._close_kept()
