"""Programs that are run to their end on the laptop."""

from __future__ import annotations

import subprocess

PROGRAM_S = 20.0


class Refused(Exception):
    """What the client is told instead of an answer."""


def ran(argv: list[str], timeout_s: float = PROGRAM_S) -> tuple[int, str]:
    """Run a program to its end; its exit code and all that it said. Raises `Refused` where it does not end."""
    try:
        quiet, pipe = subprocess.DEVNULL, subprocess.PIPE
        done = subprocess.run(argv, stdin=quiet, stdout=pipe, stderr=subprocess.STDOUT, timeout=timeout_s, check=False)
    except subprocess.TimeoutExpired:
        raise Refused(f"{argv[0]} has not ended in {timeout_s:g} s") from None
    return done.returncode, done.stdout.decode("utf-8", "replace")


def demanded(argv: list[str]) -> str:
    """What a program said that must succeed. Raises `Refused`."""
    code, said = ran(argv)
    if code != 0:
        raise Refused(f"{' '.join(argv)[:100]} fails ({code}): {said.strip()[:300]}")
    return said
