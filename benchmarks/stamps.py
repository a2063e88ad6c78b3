"""How well a capture's clock is found by datagrams that its machine sends: simulated, and on this machine as root.

`python benchmarks/stamps.py [--write docs/clocks.md]` prints the tables, or replaces them in the document.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.clocks import MEASUREMENTS, MS, START_NS, Simulated, main, path  # noqa: E402
from correlate import markers  # noqa: E402
from correlate.dataset.clocks import ClockLine  # noqa: E402
from correlate.dataset.record import Markers  # noqa: E402
from correlate.trace import Trace  # noqa: E402
from lab.clocks.capture_clocks import STAMPS, Burst, Unstamped, stamped_line, stamped_offset  # noqa: E402
from lab.clocks.offsets import Exchange  # noqa: E402

CALL_S, PAUSE_S = 60.0, 0.005
SEND_FLOOR_NS, SEND_WAITING_NS = 20_000, 30_000
Late = Callable[[int, random.Random], float]

LATE: dict[str, Late] = {
    "none: stamped within the call that sends": lambda number, chance: 0,
    "each by 0.9 ms": lambda number, chance: 0.9 * MS,
    "each by a time of its own, 1 ms in the mean": lambda number, chance: chance.expovariate(1 / MS),
    "each by a time of its own, 10 ms in the mean": lambda number, chance: chance.expovariate(0.1 / MS),
    "one in four by 50 ms": lambda number, chance: 50 * MS * (chance.random() < 0.25),
    "the first ten by 100 ms": lambda number, chance: 100 * MS * (number < 10),
    "each by 3 ms": lambda number, chance: 3 * MS,
}
"""How much later than it is sent a datagram is stamped, in ns, by its number in the burst."""


class Capturing(Simulated):
    """A laptop whose capture is stamped by another clock than its system's: wrong by an offset to it, and drifting."""

    def __init__(self, seed: str, late: Late) -> None:
        super().__init__(seed, *path("waiting, even", 5.0))
        self._late = late
        self._ahead_ns = self.chance.randrange(-3_600_000_000_000, 3_600_000_000_000)
        self._ahead_ppb = self.chance.randrange(-100_000, 100_001)

    def true_ahead_ns(self, at_ns: int) -> int:
        """How far the capture's clock is ahead of the system's."""
        return self._ahead_ns + (at_ns - START_NS) * self._ahead_ppb // 1_000_000_000

    def _shown_ns(self) -> int:
        return self.now_ns() + self.true_offset_ns(self.now_ns())

    def burst(self) -> tuple[Burst, dict[int, int]]:
        """What the laptop sent and what the capture stamped."""
        sent, stamps = {}, {}
        for number in range(STAMPS):
            if number and number % 2 == 0:
                self.sleep(PAUSE_S)
            before_ns, started_ns = self._shown_ns(), self.now_ns()
            cost_ns = SEND_FLOOR_NS + self.chance.expovariate(1 / SEND_WAITING_NS)
            self.sleep(cost_ns / 1e9)
            sent[number] = before_ns, self._shown_ns()
            passed_ns = started_ns + round(cost_ns * self.chance.random() + self._late(number, self.chance))
            stamp_ns = passed_ns + self.true_offset_ns(passed_ns) + self.true_ahead_ns(passed_ns)
            stamps[number] = stamp_ns // 1000 * 1000
        return Burst("10.42.0.2", sent), stamps


@dataclass
class Found:
    """Of simulated trials: where the truth was, and the bounds of the capture's clock to its system's."""

    inside: int = 0
    inside_all_along: int = 0
    untold: int = 0
    bounds_ns: Sequence[int] = ()


def exchanges(burst: Burst, stamps: dict[int, int]) -> list[Exchange]:
    return [Exchange(burst.sent[each][0], stamps[each], burst.sent[each][1]) for each in sorted(stamps)]


def simulated(kind: str, count: int = MEASUREMENTS) -> Found:
    """`count` trials of a minute: the capture's clock is anywhere within an hour of the system's and drifts within
    100 ppm, and so does the system's against the controller's."""
    found, bounds = Found(), []
    for number in range(count):
        laptop = Capturing(f"stamps/{kind}/{number}", LATE[kind])
        before = laptop.measure()
        laptop.sleep(5.0)
        begin_ns, begin = laptop.now_ns(), laptop.burst()
        middle_ns = (begin_ns + laptop.now_ns()) // 2
        laptop.sleep(CALL_S)
        end = laptop.burst()
        laptop.sleep(2.0)
        machine = ClockLine(before, laptop.measure())
        both = {"begin": begin, "end": end}
        stamps, bursts = {kind: both[kind][1] for kind in both}, {kind: both[kind][0] for kind in both}
        try:
            ahead, line = stamped_offset(exchanges(*begin)), stamped_line(stamps, bursts, machine)
        except Unstamped:
            found.untold += 1
            continue
        bounds.append(ahead.bound_ns)
        found.inside += abs(ahead.offset_ns - laptop.true_ahead_ns(middle_ns)) <= ahead.bound_ns
        looks = [line.before.at_ns + line.span_ns * part // 100 for part in range(101)]
        found.inside_all_along += all(
            abs(line.offset_ns(at) - laptop.true_offset_ns(at) - laptop.true_ahead_ns(at)) <= line.bound_ns
            for at in looks
        )
    found.bounds_ns = bounds
    return found


def spread(values: Sequence[int]) -> list[str]:
    return (
        [f"{value / MS:.3f}" for value in (min(values), statistics.median(values), max(values))]
        if values
        else ["-"] * 3
    )


def simulated_table() -> Iterator[str]:
    yield (
        "| stamped later than sent | untold | truth inside, to the system's clock "
        "| on the controller's line, all along | bound to the system's clock, least, ms | median, ms | greatest, ms |"
    )
    yield "|---" * 7 + "|"
    for kind in LATE:
        told = simulated(kind)
        number = len(told.bounds_ns)
        cells = [kind, str(told.untold), f"{told.inside} of {number}", f"{told.inside_all_along} of {number}"]
        yield f"| {' | '.join([*cells, *spread(told.bounds_ns)])} |"


# -- real tools in a network namespace

NAME = f"lab-stamps-{os.getpid()}"
INSIDE = ["ip", "netns", "exec", NAME]
TOOLS = {"dumpcap": ["-q"], "tcpdump": ["-U", "--immediate-mode", "-B", "16384", "-Z", "root"]}
BURSTS = 50
KNOWN_BY = Markers(address=markers.ADDRESS, port=markers.PORT, nonce="n")
SEND = (
    "import json, sys, time\n"
    "from lab.laptop.agent.stamps import burst\n"
    "bursts = []\n"
    "for number in range(int(sys.argv[1])):\n"
    "    bursts.append(burst(time.time_ns, '10.42.0.1', '10.42.0.2', f'{sys.argv[2]}{number}', 20)['sent'])\n"
    "    time.sleep(0.02)\n"
    "print(json.dumps(bursts))\n"
)
FLOOD = (
    "import socket, time\n"
    "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
    "while True:\n"
    "    s.sendto(bytes(1000), ('10.42.0.3', 9)); time.sleep(0.0005)\n"
)
STATES: dict[str, list[list[str]]] = {
    "idle": [],
    "two busy loops a processor": [[sys.executable, "-c", "while True: pass"]] * (2 * (os.cpu_count() or 1)),
    "about 2,000 other datagrams a second": [[*INSIDE, sys.executable, "-c", FLOOD]],
    "the same, through a queue of 1.2 Mbyte/s": [[*INSIDE, sys.executable, "-c", FLOOD]],
}
QUEUE = "tc qdisc add dev hot0 root tbf rate 10mbit burst 3000 limit 100000"


@contextmanager
def space() -> Iterator[None]:
    """A namespace with a hotspot's interface. Raises SystemExit where none can be made."""
    missing = [tool for tool in ("ip", "tc", *TOOLS) if shutil.which(tool) is None]
    if os.geteuid() != 0 or missing:
        raise SystemExit(f"needs root and {', '.join(missing) or 'its tools'}")
    subprocess.run(["ip", "netns", "add", NAME], check=True)
    try:
        for line in (
            "ip link set lo up",
            "ip link add hot0 type veth peer name far0",
            "ip addr add 10.42.0.1/24 dev hot0",
            "ip link set hot0 up",
            "ip link set far0 up",
            "ip neigh add 10.42.0.2 lladdr 02:00:5e:10:00:02 dev hot0",
            "ip neigh add 10.42.0.3 lladdr 02:00:5e:10:00:03 dev hot0",
        ):
            subprocess.run([*INSIDE, *line.split()], check=True)
        yield
    finally:
        subprocess.run(["ip", "netns", "del", NAME], check=True)


def measured(tool: str, state: str) -> list[list[Exchange]]:
    """The exchanges of `BURSTS` bursts that the agent's own code sends in the namespace and a real tool captures."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        file = Path(folder) / "file"
        argv = [*INSIDE, tool, "-i", "hot0", *TOOLS[tool], "-s", "200", "-w", str(file)]
        capture = subprocess.Popen(argv, stderr=subprocess.DEVNULL)
        for load in STATES[state]:
            process = subprocess.Popen(load)
            stack.callback(process.wait)
            stack.callback(process.kill)
        time.sleep(1.0)
        sender = [*INSIDE, "env", f"PYTHONPATH={ROOT}", sys.executable, "-c", SEND, str(BURSTS)]
        sender.append(markers.stamp_text("n", ""))
        bursts = json.loads(subprocess.run(sender, stdout=subprocess.PIPE, check=True).stdout)
        stack.close()
        time.sleep(1.6)
        capture.terminate()
        capture.wait()
        times = markers.stamps_ns(Trace.read(file), KNOWN_BY, IPv4Address("10.42.0.2"))
    return [
        [Exchange(before, times[str(number)][each], after) for each, before, after in sent]
        for number, sent in enumerate(bursts)
    ]


def row(tool: str, state: str) -> str:
    found = measured(tool, state)
    every = [one for each in found for one in each]
    since = sorted(one.reading_ns - one.sent_ns for one in every)
    late = [max(0, one.reading_ns - one.received_ns) for one in every]
    least = max(min(one.reading_ns - one.received_ns for one in each) for each in found)
    offsets = []
    for each in found:
        with suppress(Unstamped):
            offsets.append(stamped_offset(each))
    inside = sum(abs(offset.offset_ns) <= offset.bound_ns for offset in offsets)
    times = [f"{value / 1000:.0f}" for value in (since[0], statistics.median(since), since[-1])]
    behind = [f"{sum(value > 0 for value in late)} of {len(late)}", f"{max(late) / 1000:.0f}", f"{least / 1000:.0f}"]
    told = [str(len(found) - len(offsets)), f"{inside} of {len(offsets)}"]
    bounds = spread([offset.bound_ns for offset in offsets])[1:]
    return f"| {' | '.join([tool, state, *times, *behind, *told, *bounds])} |"


def stamped_table() -> Iterator[str]:
    yield (
        "| tool | laptop | stamp less before, least, µs | median | greatest | later than after | by at most, µs "
        "| quickest of a burst, at most, µs | untold | with the truth inside | bound, median, ms | greatest, ms |"
    )
    yield "|---" * 12 + "|"
    with space():
        for state in STATES:
            if "queue" in state:
                subprocess.run([*INSIDE, *QUEUE.split()], check=True)
            for tool in TOOLS:
                yield row(tool, state)


TABLES = {"stamps": simulated_table, "stamped": stamped_table}


if __name__ == "__main__":
    main(sys.argv[1:], TABLES)
