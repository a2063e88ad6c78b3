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
# dumpcap's -f behind its -i: a filter is that of the interface before it.
ARGV = {
    "dumpcap": "dumpcap -q -i {interface} -f {filter} -s {snaplen_bytes} -a duration:{seconds}",
    "tcpdump": "tcpdump -i {interface} -U --immediate-mode -B 16384 -s {snaplen_bytes} -G {seconds} -W 1 {filter}",
}
"""How each is started, less its path and the file that it writes: those are the laptop's to say."""
GIVEN = {
    "interface": r"(?:\\Device\\NPF_)?[A-Za-z0-9{][A-Za-z0-9._{}-]{0,99}",
    "filter": r"ether host (?:[0-9a-f]{2}:){5}[0-9a-f]{2}",
    "snaplen_bytes": r"[1-9][0-9]{0,8}",
    "seconds": r"[1-9][0-9]{0,8}",
}
"""What a client may put into the words: nothing by which a program reads, runs or writes anything else."""


def argv(tool: str, **given: object) -> list[str]:
    """The argv of a capture by `tool`, with what is `given` for the names in braces."""
    return [word.format(**given) for word in ARGV[tool].split()]


def command(tool: str, path: str, file: str, words: list[str]) -> list[str]:
    """`words`, the argv of a capture by `tool`, with its path and its file put in. Raises `Refused` for any other."""
    allowed = argv(tool, **GIVEN)
    if len(words) != len(allowed):
        raise Refused(f"a capture by {tool} has {len(allowed)} words, not {len(words)}")
    for index, word in enumerate(words):
        if re.fullmatch(allowed[index], word) is None:
            raise Refused(f"{word[:100]!r} is no word of a capture by {tool}")
    # Else tcpdump as root takes another user's rights, who may not write there.
    rights = ["-Z", "root"] if tool == "tcpdump" and sys.platform == "linux" and os.geteuid() == 0 else []
    return [path, *rights, "-w", file, *words[1:]]
