"""Answers that nobody foresaw, and an adb server that gives them: by seed, always the same ones."""

from __future__ import annotations

import hashlib
import json
import random
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import uiautomator2

Talk = Callable[[socket.socket], None]
JAR = Path(uiautomator2.__file__).parent / "assets" / "u2.jar"
VALUES = [None, True, False, 0, -1, 2**80, 1.5, "", "text", "1", [], [None], {}, {"left": 1}, [[]], {"bounds": None}]


def read_command(sock: socket.socket) -> bytes:
    size = int(sock.recv(4, socket.MSG_WAITALL) or b"0", 16)
    return sock.recv(size, socket.MSG_WAITALL)


@contextmanager
def adb_server(talk: Talk) -> Iterator[int]:
    """A server on a port that lets `talk` have each client."""
    listener, clients, threads = socket.create_server(("127.0.0.1", 0)), [], []

    def with_client(client: socket.socket) -> None:
        with suppress(OSError, ValueError):  # a client may go in the middle of anything
            talk(client)

    def serve() -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                clients.append(client)
                threads.append(threading.Thread(target=with_client, args=(client,), daemon=True))
                threads[-1].start()

    serving = threading.Thread(target=serve, daemon=True)
    serving.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        serving.join(5)
        for client in clients:
            with suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(5)
        for client in clients:
            client.close()


def flood(sock: socket.socket, piece: bytes, pause: threading.Event, every_s: float = 0.01) -> None:
    """Send pieces until the client has gone."""
    while not pause.wait(every_s):
        sock.sendall(piece)


def http(body: bytes, status: str = "200 OK", length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return f"HTTP/1.1 {status}\r\nContent-Length: {size}\r\n\r\n".encode() + body


def rpc(result: object, identifier: object = 1) -> bytes:
    return http(json.dumps({"jsonrpc": "2.0", "id": identifier, "result": result}).encode())


def odd_bodies(chance: random.Random, count: int) -> list[bytes]:
    """What an agent may say that is no answer, as whole HTTP answers."""
    info = {"bounds": {"left": 0, "top": 0, "right": 10, "bottom": 10}}
    fixed = [
        http(b""), http(b"null"), http(b"[]"), http(b"NaN"), http(b"{"), http(b"[" * 200_000), http(b"\xff\xfe{}"),
        http(b'{"a":' * 50_000), http(b"<html>502 Bad Gateway</html>"), http(b"{}"), http(b'{"result": 1e999}'),
        http(b'{"id": 1, "result": NaN}'), http(b'{"id": 1, "result": -Infinity}'), http(b"1" * 6000),
        http(b'{"id": 1, "error": null}'), http(b'{"id": 1, "error": "no"}'), http(b'{"id": 1, "error": {}}'),
        http(b'{"id": 1, "error": {"code": "x", "message": null}}'), http(b'{"id": 1, "error": {"code": 1}}'),
        http(b'{"id": 1, "error": {"code": 1, "message": "java.lang.StackOverflowError"}}'),
        http(b'{"id": 1, "error": {"code": 1, "message": [], "data": 7}}'), http(b'{"id": 1}'),
        rpc(True, 2), rpc(True, "1"), rpc(True, None), rpc(True, True), rpc(True, 1.0),
        rpc({"bounds": {"left": "a", "top": 0, "right": 1, "bottom": 1}}), rpc(info | {"visibleBounds": []}),
        rpc({"bounds": {"left": -90, "top": -90, "right": -50, "bottom": -50}}), rpc({"displayHeight": "2400"}),
        rpc({"displayHeight": 0}), rpc({"displayHeight": 10**30}), rpc("\ud800"), rpc("not base64 \u00e9"),
        http(b"half", length=400), b"HTTP/1.1 200 OK\r\n", b"", b"\0" * 100, b"SSH-2.0-OpenSSH_9.9\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n{}", http(b"{}", "200 OK", 10**12),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 200,
        b"HTTP/1.1 200 " + b"x" * 70_000, b"HTTP/1.1 100 Continue\r\n\r\n",
    ]  # fmt: skip
    whole = rpc({"bounds": {"left": 0, "top": 0, "right": 10, "bottom": 10}, "text": "x" * 40})
    while len(fixed) < count:
        way = chance.randrange(3)
        if way == 0:
            fixed.append(rpc(chance.choice(VALUES)))
        elif way == 1:  # cut anywhere
            fixed.append(whole[: chance.randrange(len(whole))])
        else:  # bytes changed anywhere
            changed = bytearray(whole)
            for _ in range(chance.randrange(1, 8)):
                changed[chance.randrange(len(changed))] = chance.randrange(256)
            fixed.append(bytes(changed))
    return fixed[:count]


def shell_answers(command: bytes) -> bytes | None:
    """What uiautomator2 asks the phone's shell before it asks its agent; None for what it is not."""
    if b"md5sum" in command:
        return hashlib.md5(JAR.read_bytes()).hexdigest().encode() + b"  /data/local/tmp/u2.jar\n"
    return None
