"""A shell that stays open on a byte stream: one line in, its output and exit code out.

Used for the phones (a stream of adb) and for the laptop (the pipes of a program) alike. Opening a shell for each
command costs a connection and a process each time; a line here costs one round trip.
"""

import re
import shlex
from dataclasses import dataclass
from typing import Protocol

from lab.clocks import deadlines
from lab.clocks.real_time import Deadline

END = "lab-end"
MARK_BYTES = len(f"{END}:255\r\n")
OUTPUT_LIMIT_BYTES = 32 << 20
"""Nothing that the lab asks answers with more; a stream that does is not to be trusted."""


def as_root(script: str) -> str:
    """The line that has a phone's shell run `script`, whatever is in it, as root through `su`.

    Magisk's su joins what follows `-c` with blanks and has `/system/bin/sh -c` run it; unless it is one word, only the
    first command of a script is root's. Raises `ValueError` for a NUL, which no argument can hold.
    """
    if "\0" in script:
        raise ValueError("a script holds no NUL")
    return f"su -c {shlex.quote(script)}"


def search_command(text: str, file: str) -> str:
    """The shell line that ends with 0 where a capture holds `text`.

    Its lines end with NUL: toybox' grep (0.8.9, measured) finds nothing in a line that begins with one, as what follows
    a newline in a capture often does.
    """
    return f"grep -F -q -a -z {shlex.quote(text)} {file}"


class ByteStream(Protocol):
    """A two-way stream of bytes, of adb or of a program. `receive` gives b"" at its end and raises `TimeoutError`."""

    def send(self, data: bytes) -> None: ...

    def receive(self, timeout_s: float) -> bytes: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class ShellOutput:
    """What a command printed (standard output and error as they came) and its exit code."""

    text: str
    code: int


class StreamBroken(OSError):
    """The stream ended in the middle of an answer: nothing of it may be used."""


class PersistentShell:
    """Runs one line after the other. After an error the shell is closed and must not be used again."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._rest = bytearray()
        # The mark is a constant: on the virtual bench a line's cost is keyed by its text.
        self._mark = re.compile(rb"%s:(\d{1,3})\r?\n" % END.encode())

    def run(self, command: str, timeout_s: float | None = None, label: str | None = None) -> ShellOutput:
        """Run one command line; `label` is what errors call it (None: as it is).

        Raises `ValueError` for a text of several lines, `TimeoutError` when no answer is complete in `timeout_s` of
        real time (None: that of any line), also while data still come, and `StreamBroken` when the answer is cut.
        """
        if "\n" in command or "\r" in command or "\0" in command:
            raise ValueError("a shell command is one line")
        label = command if label is None else label
        deadline = Deadline(deadlines.SHELL_LINE.s if timeout_s is None else timeout_s)
        self._stream.send(f'{command}; echo "{END}:$?"\n'.encode())
        answer, searched = self._rest, 0
        while (found := self._mark.search(answer, searched)) is None:
            # Each byte is searched once, but for those in which a mark may have begun.
            searched = max(0, len(answer) - MARK_BYTES)
            if deadline.passed():
                raise TimeoutError("timed out while it still printed" if answer else "timed out")
            data = self._stream.receive(deadline.left())
            if not data:
                raise StreamBroken(f"the shell ended while it ran: {label}")
            answer += data
            if len(answer) > OUTPUT_LIMIT_BYTES:
                raise StreamBroken(f"more than {OUTPUT_LIMIT_BYTES} bytes of answer to: {label}")
        text, code = answer[: found.start()].decode("utf-8", "replace"), int(found.group(1))
        self._rest = answer[found.end() :]
        return ShellOutput(text, code)

    def close(self) -> None:
        self._stream.close()


CLOCK_LOOP = 'while read -r l; do t=$EPOCHREALTIME; test -n "$t" && echo $t || date +%s.%N; done'
"""Prints the clock for each line read. `$EPOCHREALTIME` is a builtin of mksh and bash 5: no program start delays the
reading. A shell without it starts `date`, whose way is longer; where that knows no %N there are whole seconds only."""

_READING = re.compile(rb"(\d{1,12})(?:[.,](?:(\d{1,9})|%?N)?)?\r?\n")


class ClockStream:
    """A clock behind `CLOCK_LOOP`."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream

    def read_ns(self) -> int:
        """One reading, in nanoseconds since the epoch, cut to the digits that are printed: zeros where there are none.

        Raises `TimeoutError`, and `StreamBroken` where the answer is no reading.
        """
        self._stream.send(b"\n")
        deadline, answer = Deadline(deadlines.SHELL_CLOCK.s), b""
        while not answer.endswith(b"\n"):
            data = self._stream.receive(deadline.left())
            if not data or len(answer) > 100 or deadline.passed():
                raise StreamBroken("the clock's shell ended, or prints no clock")
            answer += data
        found = _READING.fullmatch(answer)
        if found is None:
            raise StreamBroken(f"no reading of a clock: {answer[:40]!r}")
        return int(found.group(1)) * 1_000_000_000 + int((found.group(2) or b"").ljust(9, b"0"))

    def close(self) -> None:
        self._stream.close()
