"""tshark (Debian 4.0.17) as the independent reader of emulated captures; tests that need it are skipped without it."""

import shutil
import subprocess
from pathlib import Path

import pytest

needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
_CHECKED = ("tcp.check_checksum:TRUE", "udp.check_checksum:TRUE", "ip.check_checksum:TRUE")


def fields(capture: Path, only: str, *names: str, options: tuple[str, ...] = ()) -> list[list[str]]:
    """The fields of all frames that a display filter lets pass; several values of one field are joined by commas."""
    argv = ["tshark", "-r", str(capture), "-Y", only, "-T", "fields"]
    argv += [word for option in (*_CHECKED, *options) for word in ("-o", option)]
    argv += [word for name in names for word in ("-e", name)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    return [line.split("\t") for line in done.stdout.splitlines()]
