"""The programs that capture: how they are started, what they say once they capture, how long they may take."""

from __future__ import annotations

import os
import re
import sys

from lab.laptop.agent.programs import Refused

READY_S, EXIT_S = 10.0, 10.0
"""How long a program may take until it captures, and until it has ended."""
LIVE = {"dumpcap": "File:", "tcpdump": "listening on"}
"""What each of them says once it captures."""
INTERFACE = r"(?:\\Device\\NPF_)?[A-Za-z0-9{][A-Za-z0-9._{}-]{0,99}"
FILTER = r"ether host (?:[0-9a-f]{2}:){5}[0-9a-f]{2}"
NUMBER = r"[1-9][0-9]{0,8}"
BACKSTOP = ["-G", NUMBER, "-W", "1"]
WORDS = {
    "dumpcap": ["dumpcap", "-q", "-i", INTERFACE, "-f", FILTER, "-s", NUMBER, "-a", f"duration:{NUMBER}"],
    "tcpdump": ["tcpdump", "-i", INTERFACE, "-U", "--immediate-mode", "-B", NUMBER, "-s", NUMBER, *BACKSTOP, FILTER],
}
"""What each may be started with, word by word: nothing by which it reads, runs or writes anything else."""


def command(tool: str, path: str, file: str, argv: list[str]) -> list[str]:
    """`argv` with the path of its program, and the file that it shall write, put in.

    Raises `Refused` unless it is the argv of a capture by `tool`.
    """
    words = WORDS[tool]
    if len(argv) != len(words):
        raise Refused(f"a capture by {tool} has {len(words)} words, not {len(argv)}")
    for index, word in enumerate(argv):
        if re.fullmatch(words[index], word) is None:
            raise Refused(f"{word[:100]!r} is no word of a capture by {tool}")
    # Else tcpdump as root takes another user's rights, who may not write there.
    rights = ["-Z", "root"] if tool == "tcpdump" and sys.platform == "linux" and os.geteuid() == 0 else []
    return [path, *rights, "-w", file, *argv[1:]]
