"""A laptop that is no Windows."""

from __future__ import annotations

import re
import shutil
from typing import Any

from lab.agent.programs import demanded, ran


class Posix:
    """A laptop that is no Windows: its hotspot and its sshd are its operator's."""

    places: tuple[str, ...] = ()

    def start_hotspot(self, state: dict[str, Any]) -> str:
        return "the operator's"

    def put_back(self, state: dict[str, Any]) -> None:
        """Nothing was changed."""

    def setup(self) -> list[str]:
        return []

    def command_line(self, pid: int) -> str:
        return ran(["ps", "-ww", "-o", "args=", "-p", str(pid)])[1]

    def neighbours(self) -> str:
        return demanded(["ip", "neigh"] if shutil.which("ip") else ["arp", "-an"])

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
