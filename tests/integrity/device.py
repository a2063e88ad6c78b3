"""Phones whose shells are real: `python -m tests.integrity.device ROOT NAMESPACE...`, until standard input ends.

Each is an ADB device behind a private adb server, like the virtual phones, but a shell line is run in a network
namespace by the shell and the programs that Android has too, mksh and toybox, and by the real tcpdump.
Prints one JSON line: the server's port, and the serial of each namespace.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from lab.virtual.adb.daemon import AdbStream, Device, Service, StreamClosed, listen
from lab.virtual.adb.server import AdbServer, adb_binary
from lab.virtual.adb.sync import SyncService
from lab.virtual.files import Files

MKSH, TOYBOX = "/usr/bin/mksh", "/usr/bin/toybox"
WORDS = {
    # Magisk's su joins what follows -c with blanks.
    "su": 'shift\nexec sh -c "$*"\n',
    # Debian's tcpdump gives its rights away before it opens the file; Android's does not.
    "tcpdump": 'exec /usr/bin/tcpdump -Z root "$@"\n',
}


class RealShell(Device):
    """A phone in one namespace. Like adbd, it ends no program because a stream was closed."""

    def __init__(self, root: Path, namespace: str) -> None:
        self._namespace = namespace
        # A test puts a word of its own into `ROOT/NAMESPACE/bin`: that is how tools are made to fail.
        self._path = f"{root / namespace / 'bin'}:{root / 'bin'}"
        self._files = Files(Path("/"), (str(root),))
        self._groups: set[int] = set()

    def banner(self) -> str:
        return "device::ro.product.name=bench;ro.product.model=bench;ro.product.device=bench;features=shell_v2,stat_v2"

    def service(self, name: str) -> Service | None:
        kind, _, rest = name.partition(":")
        if name == "sync:":
            return SyncService(self._files)
        return (lambda stream: self._run(rest, stream)) if kind in ("exec", "shell") else None

    async def _run(self, command: str, stream: AdbStream) -> None:
        process = await asyncio.create_subprocess_exec(
            *("ip", "netns", "exec", self._namespace, "env", "-i", f"PATH={self._path}", MKSH, "-c", command),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        self._groups.add(process.pid)
        feeding = asyncio.create_task(self._feed(process, stream))
        assert process.stdout is not None
        try:
            while data := await process.stdout.read(65536):
                await stream.write(data)
        except StreamClosed:
            return
        finally:
            feeding.cancel()
        await process.wait()
        self._groups.discard(process.pid)

    async def _feed(self, process: asyncio.subprocess.Process, stream: AdbStream) -> None:
        assert process.stdin is not None
        with contextlib.suppress(StreamClosed, ConnectionError):
            while data := await stream.read():
                process.stdin.write(data)
                await process.stdin.drain()
        process.stdin.close()

    def close(self) -> None:
        """End all that was started here, and what that started in groups of its own, as toybox' timeout does."""
        for group in self._groups:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)
        left = subprocess.run(["ip", "netns", "pids", self._namespace], capture_output=True, check=False)
        for process in left.stdout.split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(process), signal.SIGKILL)


def write_words(directory: Path) -> None:
    """Only what Android has: mksh, the commands of toybox, and the words above."""
    directory.mkdir()
    (directory / "sh").symlink_to(MKSH)
    commands = subprocess.run([TOYBOX], capture_output=True, check=True).stdout.decode().split()
    for name in {"toybox", *commands} - {"sh", *WORDS}:
        (directory / name).symlink_to(TOYBOX)
    for name, text in WORDS.items():
        (directory / name).write_text(f"#!/bin/sh\n{text}")
        (directory / name).chmod(0o755)


async def main() -> None:
    root, namespaces = Path(sys.argv[1]), sys.argv[2:]
    write_words(root / "bin")
    server = AdbServer(root / "adb")
    devices = [RealShell(root, namespace) for namespace in namespaces]
    try:
        await server.start()
        serials = []
        for device in devices:
            _, port = await listen(device)
            serials.append(f"127.0.0.1:{port}")
            connecting = await asyncio.create_subprocess_exec(
                *(adb_binary(), "-P", str(server.port), "connect", serials[-1]), stdout=asyncio.subprocess.DEVNULL
            )
            await connecting.wait()
        print(json.dumps({"port": server.port, "serials": serials}), flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    finally:
        for device in devices:
            device.close()
        await server.close()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asyncio.run(main())
    # What still hangs on streams of programs that were killed is not waited for.
    os._exit(0)
