"""Who is on the laptop's networks: what `ip neigh` or `arp` says, and how the system is made to look."""

from __future__ import annotations

import contextlib
import re
import socket
import time
from ipaddress import IPv4Address
from typing import Any

from lab.laptop.agent.programs import Refused

ASK_S = 1.0
ADDRESS, MAC = r"(?P<address>\d{1,3}(?:\.\d{1,3}){3})", r"(?P<mac>(?:[0-9a-fA-F]{1,2}[:-]){5}[0-9a-fA-F]{1,2})"
# `ip neigh` of iproute2 and BusyBox; `arp -an` of Linux, macOS and FreeBSD; a row of Windows' `arp -a`.
ROWS = (
    re.compile(rf"{ADDRESS} dev (?P<on>\S+) (?:.* )?lladdr {MAC}(?P<state>(?: .*)?)"),
    re.compile(rf"\S+ \({ADDRESS}\) at {MAC} (?:\[\w+\] )?(?:[A-Z]+ )*on (?P<on>\S+).*"),
    re.compile(rf"\s+{ADDRESS}\s+{MAC}(?:\s.*)?"),
)
# One of whom nobody answered has no MAC in any of them; Windows prints zeros.
UNANSWERED = (
    re.compile(rf"{ADDRESS} dev \S+ (?:(?!lladdr).)*\b(?:[A-Z]{{4,}}|proxy)"),
    re.compile(rf"\S+ \({ADDRESS}\) at [(<][a-z_]+[)>] .*"),
)
NOT_ANSWERED = ("INCOMPLETE", "FAILED")
IPV6 = re.compile(r"[0-9a-fA-F:]*:[0-9a-fA-F:.]* dev ")
# Windows names the interface once above its rows, in its own language, by the address that it holds.
WINDOWS_ON = re.compile(r"\s*\S.*: (\d{1,3}(?:\.\d{1,3}){3}) --- 0x")
ANY_ADDRESS = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")


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
    """Each IPv4 `address` with its `mac`, and `on` which interface where that is told; groups' addresses left out.

    Raises `Refused` for a line with an address that is of none of the known kinds: a neighbour may stand there.
    """
    rows: list[dict[str, Any]] = []
    block = None
    for line in map(str.rstrip, text.splitlines()):
        if head := WINDOWS_ON.match(line):
            block = head[1]
        elif row := next(filter(None, (kind.fullmatch(line) for kind in ROWS)), None):
            found = row.groupdict()
            mac = ":".join(part.zfill(2) for part in re.split("[:-]", found["mac"].lower()))
            answered = int(mac.replace(":", ""), 16) and not set(found.get("state", "").split()) & set(NOT_ANSWERED)
            if answered and not int(mac[:2], 16) & 1:
                rows.append({"address": found["address"], "mac": mac, "on": found.get("on", block)})
        elif ANY_ADDRESS.search(line) and not IPV6.match(line) and not any(one.fullmatch(line) for one in UNANSWERED):
            raise Refused(f"cannot be read: {line.strip()[:100]!r} among the neighbours")
    return rows
