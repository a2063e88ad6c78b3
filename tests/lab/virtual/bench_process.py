"""The bench as a process, by its control channel and the stock adb."""

import json
import subprocess
import sys
from pathlib import Path

SCENARIOS = Path(__file__).parents[3] / "scenarios"
START_NS = 1_767_571_200_000_000_000
BEGIN = {"op": "begin", "key": "1/t/0", "trial": "t", "attempt": 0, "start_ns": START_NS, "direct": False}


class Process:
    def __init__(self, root: Path, config: dict | None = None) -> None:
        argv = [sys.executable, "-m", "lab.virtual"]
        self.popen = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=SCENARIOS.parent, start_new_session=True
        )
        self.started = self.say(config or {"scenarios": str(SCENARIOS), "bench": "virtual", "root": str(root)})

    def say(self, request) -> dict:
        text = request if isinstance(request, bytes) else json.dumps(request).encode()
        self.popen.stdin.write(text + b"\n")
        self.popen.stdin.flush()
        return json.loads(self.popen.stdout.readline())

    def adb(self, *words: str) -> subprocess.CompletedProcess:
        from lab.virtual.adb.server import adb_binary

        argv = [adb_binary(), "-P", str(self.started["adb_port"]), *words]
        return subprocess.run(argv, capture_output=True, timeout=20, stdin=subprocess.DEVNULL)

    def end(self) -> int:
        self.popen.stdin.close()
        code = self.popen.wait(10)
        self.popen.stdout.close()
        return code
