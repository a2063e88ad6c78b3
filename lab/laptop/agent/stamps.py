"""Datagrams that the laptop sends itself, timed by its system clock, for its own captures to stamp."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable
from typing import Any

from lab.laptop.agent.programs import Refused

PORT = 9
PAUSE_S = 0.005
MOST, TEXT_BYTES = 100, 200


def burst(now_ns: Callable[[], int], source: str, address: str, text: str, count: int) -> dict[str, Any]:
    """Send `TEXT NUMBER` so many times from one of our addresses to a neighbour's; when each left, and what failed.

    They go in pairs, so that a capture's clock that ticks coarsely stamps both alike. None gets beyond the hotspot's
    network (a TTL of 1). Each has a socket of its own, because Windows may fail a socket whose last datagram was
    answered by "port unreachable".
    """
    if not 0 < count <= MOST or len(text) > TEXT_BYTES:
        raise Refused(f"{count} datagrams of {len(text)} characters: at most {MOST} of {TEXT_BYTES}")
    sent: list[tuple[int, int, int]] = []
    failed = ""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(count)]
        for sender in sockets:
            sender.bind((source, 0))
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 1)
        for number, sender in enumerate(sockets):
            if number and number % 2 == 0:
                time.sleep(PAUSE_S)
            data = f"{text} {number}".encode()
            before_ns = now_ns()
            try:
                sender.sendto(data, (address, PORT))
            except OSError as error:
                failed = str(error)
            else:
                sent.append((number, before_ns, now_ns()))
    return {"sent": sent, "failed": failed}
