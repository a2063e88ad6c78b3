"""This machine and this process, in words that another controller can be told: whoever holds a phone says who it is."""

import os
import pwd
import re
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
"""What Linux draws at each boot (random(4))."""

WORD_CHARACTERS = 48
_BOOT = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True)
class Controller:
    """Who drives a bench. `boot` is empty on a system that tells no boot from another, as all but Linux: nothing is
    taken for this machine's own then. `token` is drawn anew each time, so no two are taken for one another."""

    user: str
    host: str
    pid: int
    boot: str
    token: str

    @property
    def name(self) -> str:
        """USER@HOST."""
        return f"{self.user}@{self.host}"

    def is_this_machine(self, host: str, boot: str) -> bool:
        """Whether that machine is this one, not started again since. Clones share a name, and no boot."""
        return self.boot != "" and (host, boot) == (self.host, self.boot)


def word(text: str) -> str:
    """A text as one word of letters, digits and `._-`, bounded and never empty."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", text)[:WORD_CHARACTERS] or "-"


def this_controller(boot_id: Path = BOOT_ID) -> Controller:
    """This process on this machine, now."""
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container may run as a number that has no name
        user = str(os.getuid())
    try:
        boot = boot_id.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        boot = ""
    known = boot if _BOOT.fullmatch(boot) else ""
    return Controller(word(user), word(socket.gethostname()), os.getpid(), known, secrets.token_hex(8))


def runs_here(pid: int) -> bool:
    """Whether another process of this machine than this one has that number now."""
    if pid == os.getpid():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's
        return True
    return True
