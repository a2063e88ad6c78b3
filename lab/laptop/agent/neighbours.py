"""Who is on the laptop's networks: what `ip neigh` or `arp` says, and how the system is made to look."""

from __future__ import annotations

import contextlib
import re
import socket
import time
from ipaddress import IPv4Address
from typing import Any

ASK_S = 1.0
PAIR = re.compile(r"\(?(\d+\.\d+\.\d+\.\d+)\)?\s.*?\b((?:[0-9a-fA-F]{1,2}[:-]){5}[0-9a-fA-F]{1,2})\b")
ON = re.compile(r"\s(?:dev|on) (\S+)")
# Windows names the interface once above its rows, in its own language, by the address that it holds.
WINDOWS_ON = re.compile(r"\S.*: (\d+\.\d+\.\d+\.\d+) --- 0x")
NOT_ANSWERED = ("INCOMPLETE", "FAILED")


def make_ask(text: str) -> None:
    """Have the system ask its networks once who holds an address: it must, to send anything there.

    Raises `ValueError` for what is no IPv4 address.
    """
    address = IPv4Address(text)
    # Where no network leads there, nobody of these networks holds it.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender, contextlib.suppress(OSError):
        sender.sendto(b"", (str(address), 9))
    time.sleep(ASK_S)


def parsed(text: str) -> list[dict[str, Any]]:
    """Each IPv4 `address` with its `mac`, and `on` which interface where that is told; groups' addresses left out."""
    rows: list[dict[str, Any]] = []
    block = None
    for line in text.splitlines():
        if head := WINDOWS_ON.match(line):
            block = head[1]
        elif (pair := PAIR.search(line)) and not any(word in NOT_ANSWERED for word in line.split()):
            mac = ":".join(part.zfill(2) for part in re.split("[:-]", pair[2].lower()))
            on = ON.search(line)
            if not int(mac[:2], 16) & 1:
                rows.append({"address": pair[1], "mac": mac, "on": on[1] if on else block})
    return rows
