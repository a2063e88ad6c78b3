"""Time, memory and size of the main job: `invoke run-matrix` of the paper's 180 trials on the virtual bench.

Prints one table. Memory is what invoke and all its children hold together at the worst moment (proportional set size:
pages that several share are counted once). The laptop stand-ins, which live for a trial, are among the children.
"""

from __future__ import annotations

import platform
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

BIN = Path(sys.executable).parent
SAMPLE_S = 0.25


def children(pid: int) -> list[int]:
    """`pid` and all its descendants; those that end meanwhile are left out."""
    found, rest = [], [pid]
    while rest:
        one = rest.pop()
        found.append(one)
        for task in Path(f"/proc/{one}/task").glob("*/children"):
            try:
                rest += [int(child) for child in task.read_text().split()]
            except OSError:
                continue
    return found


def held_bytes(pid: int) -> int:
    """Proportional set size of a process and its descendants."""
    total = 0
    for one in children(pid):
        try:
            lines = Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return total


def measured(argv: list[str]) -> tuple[float, int]:
    """Seconds and peak bytes of a command and its children."""
    started = time.monotonic()
    program = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
    peak, ended = [0], threading.Event()

    def watch() -> None:
        while not ended.wait(SAMPLE_S):
            peak[0] = max(peak[0], held_bytes(program.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    code = program.wait()
    ended.set()
    watcher.join()
    if code:
        raise SystemExit(f"{' '.join(argv)} ended with {code}")
    return time.monotonic() - started, peak[0]


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="im-call-lab-bench-") as directory:
        dataset = Path(directory) / "dataset"
        command = [str(BIN / "invoke"), "run-matrix", "--dataset", str(dataset)]
        first_s, first_bytes = measured(command)
        again_s, _ = measured(command)
        size = sum(path.stat().st_size for path in dataset.rglob("*") if path.is_file())
        trials = len(list((dataset / "trials").iterdir()))
        correlate_s, correlate_bytes = measured([str(BIN / "invoke"), "correlate", "--dataset", str(dataset)])
    rows = [
        ("run-matrix, 180 trials and tables", f"{first_s:.1f} s", "120 s"),
        ("  per trial", f"{first_s / trials:.3f} s", ""),
        ("  memory of invoke and its children", f"{first_bytes / 1e6:.0f} MB", "400 MB"),
        ("  dataset", f"{size / 1e6:.0f} MB", "600 MB"),
        ("run-matrix again, nothing to do", f"{again_s:.1f} s", ""),
        ("correlate", f"{correlate_s:.1f} s", "10 s"),
        ("  memory", f"{correlate_bytes / 1e6:.0f} MB", "400 MB"),
    ]
    print(f"Python {platform.python_version()}, {platform.machine()}, {trials} trials\n")
    print(f"| {'what':<38} | {'measured':>9} | {'at most':>7} |\n|{'-' * 40}|{'-' * 11}|{'-' * 9}|")
    for what, value, limit in rows:
        print(f"| {what:<38} | {value:>9} | {limit:>7} |")


if __name__ == "__main__":
    main()
