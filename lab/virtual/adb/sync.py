"""The sync service of ADB, versions 1 and 2: stat, send and receive of files.

Source: AOSP packages/modules/adb, SYNC.TXT and file_sync_protocol.h.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Awaitable, Callable

from lab.virtual.adb.daemon import AdbStream, StreamClosed
from lab.virtual.files import SHELL_UID, Files

CHUNK_BYTES = 64 * 1024
REQUEST = struct.Struct("<4sI")
STAT_V1 = struct.Struct("<4sIII")
STAT_V2 = struct.Struct("<4sIQQIIIIQqqq")
MAX_PATH_BYTES = 1024
ENOENT = 2


class SyncService:
    """One `sync:` stream over the files of a phone, as uid 2000. It ends with QUIT or with the stream.

    `cut` is asked for each file that is fetched: true, and the stream ends in the middle of it.
    """

    def __init__(self, files: Files, cut: Callable[[], bool] = lambda: False) -> None:
        self._files, self._cut = files, cut

    async def __call__(self, stream: AdbStream) -> None:
        while True:
            try:
                header = await stream.read_exactly(REQUEST.size)
            except StreamClosed:
                return
            request, length = REQUEST.unpack(header)
            handler = self._HANDLERS.get(request)
            if handler is None or length > MAX_PATH_BYTES:
                if request != b"QUIT":
                    await stream.write(failure(f"unknown command {request!r}"))
                return
            path = (await stream.read_exactly(length)).decode("utf-8", "surrogateescape")
            await handler(self, stream, request, path)

    async def _stat_v1(self, stream: AdbStream, _request: bytes, path: str) -> None:
        try:
            found = self._files.stat(path)
        except OSError:
            await stream.write(STAT_V1.pack(b"STAT", 0, 0, 0))
            return
        await stream.write(STAT_V1.pack(b"STAT", found.st_mode, found.st_size & 0xFFFFFFFF, int(found.st_mtime)))

    async def _stat_v2(self, stream: AdbStream, request: bytes, path: str) -> None:
        try:
            found = self._files.stat(path)
        except OSError as error:
            await stream.write(STAT_V2.pack(request, error.errno or ENOENT, *([0] * 10)))
            return
        owner = self._files.owner(path)
        file = (found.st_dev, found.st_ino, found.st_mode, found.st_nlink, owner, owner, found.st_size)
        times = (int(found.st_atime), int(found.st_mtime), int(found.st_ctime))
        await stream.write(STAT_V2.pack(request, 0, *file, *times))

    async def _receive(self, stream: AdbStream, request: bytes, path: str) -> None:
        if request == b"RCV2":
            await stream.read_exactly(8)  # its identifier again, and flags: no compression is advertised
        try:
            data = self._files.read(path, SHELL_UID)
        except OSError as error:
            await stream.write(failure(f"open failed: {error.strerror}"))
            return
        answer = bytearray()
        for start in range(0, len(data), CHUNK_BYTES):
            chunk = data[start : start + CHUNK_BYTES]
            answer += REQUEST.pack(b"DATA", len(chunk)) + chunk
        if self._cut():
            await stream.write(bytes(answer[: len(answer) // 2]))
            raise StreamClosed("cut")
        # Data and DONE in one write: a second small write would wait for a delayed acknowledgement.
        await stream.write(bytes(answer) + REQUEST.pack(b"DONE", 0))

    async def _send(self, stream: AdbStream, request: bytes, path: str) -> None:
        if request == b"SND2":
            _, mode, _ = struct.unpack("<4sII", await stream.read_exactly(12))
        else:
            path, _, mode_text = path.rpartition(",")
            mode = int(mode_text) if mode_text.isdigit() else 0o644
        data = bytearray()
        while True:
            kind, number = REQUEST.unpack(await stream.read_exactly(REQUEST.size))
            if kind == b"DONE":
                break
            if kind != b"DATA" or number > CHUNK_BYTES:
                raise StreamClosed("a host that does not speak the sync protocol")
            data += await stream.read_exactly(number)
        await stream.write(self._store(path, bytes(data), mode, number))

    def _store(self, path: str, data: bytes, mode: int, mtime_s: int) -> bytes:
        try:
            self._files.check_write(path, SHELL_UID)
            self._files.on_disk(path).parent.mkdir(parents=True, exist_ok=True)
            descriptor = self._files.open_write(path, SHELL_UID)
        except OSError as error:
            return failure(f"couldn't create file: {error.strerror}")
        try:
            with open(descriptor, "wb") as file:
                file.write(data)
        except OSError as error:
            return failure(f"write failed: {error.strerror}")
        self._files.change_mode(path, mode & 0o777, SHELL_UID)
        os.utime(self._files.on_disk(path), (mtime_s, mtime_s))
        return REQUEST.pack(b"OKAY", 0)

    _HANDLERS: dict[bytes, Callable[[SyncService, AdbStream, bytes, str], Awaitable[None]]] = {  # noqa: RUF012
        b"STAT": _stat_v1,
        b"STA2": _stat_v2,
        b"LST2": _stat_v2,
        b"RECV": _receive,
        b"RCV2": _receive,
        b"SEND": _send,
        b"SND2": _send,
    }


def failure(text: str) -> bytes:
    """A FAIL message; the host shows its text."""
    data = text.encode()
    return REQUEST.pack(b"FAIL", len(data)) + data
