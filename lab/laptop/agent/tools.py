"""The command lines of the tools that capture."""

from __future__ import annotations

import os
import re
import sys

from lab.laptop.agent.programs import Refused

LIVE = {"dumpcap": "File:", "tcpdump": "listening on"}
"""What each of them says once it captures."""
MAC = re.compile(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\Z")


def command(
    tool: str, path: str, interface: str, file: str, snaplen_bytes: int, duration_s: int, mac: str | None
) -> list[str]:
    """A capture of what one MAC exchanges on an interface, or of all. Raises `Refused` for what is no MAC."""
    if mac is not None and MAC.match(mac) is None:
        raise Refused(f"{mac[:100]!r} is no MAC")
    filtered = [f"ether host {mac}"] if mac is not None else []
    argv = [path, "-i", interface, "-s", str(int(snaplen_bytes)), "-w", file]
    if tool == "dumpcap":
        return [*argv, "-q", "-a", f"duration:{int(duration_s)}", *(["-f", *filtered] if filtered else [])]
    argv += ["-U", "--immediate-mode", "-B", "16384", "-G", str(int(duration_s)), "-W", "1"]
    argv += ["-Z", "root"] if sys.platform == "linux" and os.geteuid() == 0 else []
    return argv + filtered
