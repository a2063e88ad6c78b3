"""All benchmarks in turn: `python benchmarks [--write FILE] [options of readers.py]`.

First the readers of captures, then the paper's matrix on the virtual bench. `--write` puts what is printed into a
Markdown file, with the machine, the versions and the date.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import readers, run_matrix

VERSIONS = {"tshark": ["tshark", "--version"], "tcpdump": ["tcpdump", "--version"]}
MODULES = ("nfstream", "dpkt", "scapy")
BOUNDS = "What bounds our reader, and what was tried: [decisions/0005-reading.md](decisions/0005-reading.md)."


def processor() -> str:
    """The processor's name and how many of it."""
    found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return f"{found[1] if found else platform.machine()}, {os.cpu_count()} processors"


def versions(python: str) -> list[str]:
    """Python, numpy and every peer that is installed."""
    code = "import importlib.metadata as m, sys; print(m.version(sys.argv[1]))"
    found = [f"Python {platform.python_version()}", f"numpy {_first([sys.executable, '-c', code, 'numpy'])}"]
    found += [f"{name} {text}" for name in MODULES if (text := _first([python, "-c", code, name]))]
    for name, command in VERSIONS.items():
        if shutil.which(name) and (number := re.search(r"\d+(\.\d+)+", _first(command))):
            found.append(f"{name} {number[0]}")
    return found


def _first(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    return (done.stdout or done.stderr).splitlines()[0] if done.returncode == 0 else ""


def matrix() -> str:
    """What run_matrix prints."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        run_matrix.main()
    return printed.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", type=Path)
    parser.add_argument("--only", choices=["readers", "matrix"])
    here, rest = parser.parse_known_args()
    options = readers.chosen(rest)
    load = os.getloadavg()[0]
    place = [f"{time.strftime('%Y-%m-%d')}, {processor()}, Linux {platform.release()}, load before {load:.1f}."]
    parts = [
        "# Benchmarks",
        f"By `make bench`{f', {here.only} alone' if here.only else ''}.",
        " ".join(place),
        ", ".join(versions(options.peers)) + ".",
    ]
    if here.only != "matrix":
        parts += ["## Reading captures", readers.main(options), BOUNDS]
    if here.only != "readers":
        parts += ["## The paper's matrix on the virtual bench", matrix()]
    text = "\n\n".join(part.strip() for part in parts) + "\n"
    print(text)
    if here.write:
        here.write.write_text(text)


if __name__ == "__main__":
    main()
