"""Programs that are run to their end on the laptop, and files that Windows still holds when theirs has ended."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

PROGRAM_S = 20.0


class Refused(Exception):
    """What the client is told instead of an answer."""


def ran(argv: list[str], timeout_s: float = PROGRAM_S) -> tuple[int, str, str]:
    """Run a program to its end; its exit code, output and errors. Raises `Refused` where it does not end."""
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout_s, check=False)
    except subprocess.TimeoutExpired:
        raise Refused(f"{argv[0]} has not ended in {timeout_s:g} s") from None
    return done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")


def demanded(argv: list[str], timeout_s: float = PROGRAM_S) -> str:
    """The output of a program that must succeed. Raises `Refused`."""
    code, output, errors = ran(argv, timeout_s)
    if code != 0:
        raise Refused(f"{' '.join(argv)[:100]} fails ({code}): {(errors or output).strip()[:300]}")
    return output


def unlinked(path: Path) -> None:
    """Remove a file that may have gone; Windows refuses while a program that was just ended still holds it."""
    for left in reversed(range(20)):
        try:
            return path.unlink()
        except FileNotFoundError:
            return None
        except PermissionError:
            if not left:
                raise
            time.sleep(0.1)
    return None
