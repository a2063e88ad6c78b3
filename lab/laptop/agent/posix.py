"""A laptop that is no Windows."""

from __future__ import annotations

import os
import re
import shutil
from typing import Any

from lab.laptop.agent.coalescing import joining
from lab.laptop.agent.programs import demanded, ran


class Posix:
    """A laptop that is no Windows: its hotspot and its sshd are its operator's."""

    places: tuple[str, ...] = ()

    def idle_timeout(self) -> str | None:
        return None

    def start_hotspot(self, idle_off: bool) -> str:
        return "the operator's"

    def put_back(self, state: dict[str, Any]) -> None:
        """Nothing was changed."""

    def setup(self) -> list[str]:
        return []

    def command_line(self, pid: int) -> str:
        return ran(["ps", "-ww", "-o", "args=", "-p", str(pid)])[1]

    def neighbours(self) -> str:
        return demanded(["ip", "neigh"] if shutil.which("ip") else ["arp", "-an"])

    def coalescing(self, interface: str) -> list[str] | None:
        """What joins packets on an interface; None where nobody can tell: no Linux, or no ethtool."""
        path = shutil.which("ethtool", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
        code, output, _ = ran([path, "-k", interface]) if path else (1, "", "")
        return joining(output) if code == 0 else None

    def interfaces(self) -> dict[str, list[str]]:
        """The addresses of each interface, by `ip` or, on macOS, by `ifconfig`."""
        found: dict[str, list[str]] = {}
        if shutil.which("ip"):
            for words in (line.split() for line in demanded(["ip", "-o", "addr"]).splitlines()):
                found.setdefault(words[1], []).append(words[3].partition("/")[0])
            return found
        current: list[str] = []
        for line in demanded(["ifconfig"]).splitlines():
            if head := re.match(r"([A-Za-z0-9._-]+): ", line):
                current = found.setdefault(head[1], [])
            elif address := re.match(r"\s+inet6? ([0-9a-f.:]+)", line):
                current.append(address[1])
        return found
