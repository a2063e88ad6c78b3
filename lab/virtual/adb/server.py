"""The private adb server of a bench: own port and HOME, no mDNS, no USB, no emulator scan; a child of the bench."""

import asyncio
import contextlib
import os
import shutil
import socket
from importlib.util import find_spec
from pathlib import Path

from lab.errors import BenchUnhealthy

START_TRIES = 400
TRY_EVERY_S = 0.02
END_S = 3.0
RESTARTS = 20
"""How often one that was killed is started again."""
SCANNED_PORTS = range(5554, 5586)


def adb_binary() -> str:
    """The adb inside the adbutils wheel, else the system's. Raises BenchUnhealthy where there is none."""
    wheel = find_spec("adbutils")
    if wheel is not None and wheel.origin is not None:
        inside = Path(wheel.origin).parent / "binaries" / "adb"
        if os.access(inside, os.X_OK):
            return str(inside)
    found = shutil.which("adb")
    if found is None:
        raise BenchUnhealthy("no adb: the adbutils wheel of this platform has none and PATH neither; install adb")
    return found


def free_port() -> int:
    """A loopback port that nobody holds and no adb server scans."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port not in SCANNED_PORTS:
            return port


class AdbServer:
    """`adb nodaemon server` while the bench lives.

    One that somebody kills is started again on the same port, as an operator would: it knows no phone then.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self.port = 0

    async def start(self) -> None:
        """Start it and wait until it answers. Raises BenchUnhealthy."""
        self._home.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        await self._start()
        self._keeper = asyncio.get_running_loop().create_task(self._keep())

    async def _keep(self) -> None:
        for _ in range(RESTARTS):
            assert self._process is not None
            await self._process.wait()
            try:
                await self._start()
            except BenchUnhealthy:
                return  # whoever asks it for something is told that nothing answers

    async def _start(self) -> None:
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(self._home),
            "TMPDIR": str(self._home),
            "ANDROID_ADB_SERVER_PORT": str(self.port),
            "ADB_MDNS": "0",
            "ADB_EMU": "0",
            "ADB_USB": "0",
        }
        with (self._home / "adb.log").open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                adb_binary(),
                *("-P", str(self.port), "nodaemon", "server"),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log.fileno(),
                stderr=log.fileno(),
                env=environment,
            )
        await self._until_it_answers()

    async def _until_it_answers(self) -> None:
        assert self._process is not None
        for _ in range(START_TRIES):
            if self._process.returncode is not None:
                break
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                writer.close()
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), TRY_EVERY_S)
        raise BenchUnhealthy(f"the adb server does not start; see {self._home / 'adb.log'}")

    def kill(self) -> None:
        """SIGKILL: all its clients are cut off, and the one that follows knows no phone."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    async def close(self) -> None:
        """End it and wait for that."""
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        if self._process is None or self._process.returncode is not None:
            return
        for end in (self._process.terminate, self._process.kill):
            with contextlib.suppress(ProcessLookupError):
                end()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), END_S)
                return
