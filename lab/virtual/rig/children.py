"""Real programs that the rig runs: each has a deadline, and none outlives the bench process."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lab.errors import BenchUnhealthy

RUN_S, END_S = 20.0, 5.0
LAST_WORDS = 300
SYSTEM_PATH = "/usr/sbin:/sbin:/usr/bin:/bin"
WITH_PARENT = ("setpriv", "--pdeathsig", "KILL")
"""What runs behind these words is killed when the bench process ends, however it ends (prctl(2), PDEATHSIG)."""


def environment() -> dict[str, str]:
    """This process' environment, with the places of system programs on PATH."""
    return dict(os.environ) | {"PATH": f"{os.environ.get('PATH', '')}:{SYSTEM_PATH}"}


async def run(argv: Sequence[str], data: bytes = b"", within_s: float = RUN_S) -> bytes:
    """What a program says until it ends. Raises `BenchUnhealthy` where it fails, or has not ended in time."""
    try:
        program = await asyncio.create_subprocess_exec(
            *(*WITH_PARENT, *argv),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment(),
        )
    except OSError as error:
        raise BenchUnhealthy(f"{WITH_PARENT[0]} cannot be started: {error.strerror}; see doctor --bench rig") from error
    try:
        said, complaint = await asyncio.wait_for(program.communicate(data), within_s)
    except TimeoutError as error:
        raise BenchUnhealthy(f"{' '.join(argv)[:100]} has not ended in {within_s:g} s") from error
    finally:
        if program.returncode is None:
            program.kill()
    if program.returncode != 0:
        last = complaint.decode("utf-8", "replace").strip()[-LAST_WORDS:] or f"exit {program.returncode}"
        raise BenchUnhealthy(f"{' '.join(argv)[:100]}: {' / '.join(last.splitlines())}")
    return said


class Child:
    """A program that runs as long as the rig does; what it says goes to a log file."""

    def __init__(self, argv: Sequence[str], log: Path) -> None:
        self._argv, self.log = list(argv), log
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, *, inputs: int = asyncio.subprocess.DEVNULL, descriptors: Sequence[int] = ()) -> None:
        """Start it; its standard input is a pipe where `inputs` says so, and it is given `descriptors`."""
        with self.log.open("wb") as log:
            options: dict[str, Any] = {"env": environment(), "pass_fds": tuple(descriptors), "start_new_session": True}
            self._process = await asyncio.create_subprocess_exec(
                *(*WITH_PARENT, *self._argv), stdin=inputs, stdout=log.fileno(), stderr=log.fileno(), **options
            )

    @property
    def pid(self) -> int:
        """Its process id: the words before the program replace themselves by it."""
        return 0 if self._process is None else self._process.pid

    @property
    def input(self) -> asyncio.StreamWriter:
        """Its standard input, where it has one."""
        assert self._process is not None
        assert self._process.stdin is not None
        return self._process.stdin

    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    def last_words(self) -> str:
        """The end of its log, in one line."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return " / ".join(text.strip()[-LAST_WORDS:].splitlines())

    async def ended(self, within_s: float) -> bool:
        """Whether it has ended by itself in that time."""
        if self._process is None:
            return True
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), within_s)
        return not self.running()

    async def end(self) -> None:
        """End it and what it started, and wait for that."""
        if self._process is None:
            return
        for how in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, how)
            if await self.ended(END_S):
                break
        # Its group may hold others, that ignored the first signal.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
