"""How well clocks are compared: simulated clocks whose truth is known, and real programs on this machine.

`python benchmarks/clocks.py [--write docs/clocks.md]` measures and prints the tables, or replaces them in the document.
A simulated clock is wrong by an offset, drifts, and steps when told to; ways there and back cost a floor each, and
waiting on top of it. Everything is keyed by a seed; nothing sleeps.
"""

from __future__ import annotations

import asyncio
import random
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from correlate.dataset.clocks import ClockLine, Offset  # noqa: E402
from lab.clocks.offsets import measure_offset  # noqa: E402
from lab.errors import AttemptVoid  # noqa: E402
from lab.phone.adb import Adb, LabClient  # noqa: E402
from lab.programs.processes import Program  # noqa: E402
from lab.programs.shell import CLOCK_LOOP, ClockStream  # noqa: E402
from lab.virtual.adb.daemon import (  # noqa: E402
    AdbStream,
    Device,
    Service,
    listen,
)
from lab.virtual.adb.server import AdbServer  # noqa: E402

MEASUREMENTS = 1000
START_NS = 1_700_000_000_000_000_000
MS = 1_000_000


@dataclass(frozen=True)
class Way:
    """One direction of a path, in ns: what it always costs, and the mean of the waiting that comes on top."""

    floor_ns: float
    waiting_ns: float

    def cost_ns(self, chance: random.Random) -> int:
        return round(self.floor_ns + (chance.expovariate(1 / self.waiting_ns) if self.waiting_ns else 0))


class Simulated:
    """A controller's clock and a remote one behind a path. `step_ns` is added to the remote clock from `step_at_ns`."""

    def __init__(self, seed: str, there: Way, back: Way, *, drift_ppm: int = 100, unit_ns: int = 1000) -> None:
        self.chance = random.Random(seed)
        self._now_ns, self._there, self._back, self._unit_ns = START_NS, there, back, unit_ns
        self._offset_ns = self.chance.randrange(-3_600_000_000_000, 3_600_000_000_000)
        self._drift_ppb = self.chance.randrange(-drift_ppm * 1000, drift_ppm * 1000 + 1)
        self.step_ns, self.step_at_ns = 0, START_NS

    def now_ns(self) -> int:
        return self._now_ns

    def sleep(self, seconds: float) -> None:
        self._now_ns += round(seconds * 1e9)

    def true_offset_ns(self, at_ns: int) -> int:
        stepped_ns = self.step_ns if at_ns >= self.step_at_ns else 0
        return self._offset_ns + (at_ns - START_NS) * self._drift_ppb // 1_000_000_000 + stepped_ns

    def read_ns(self) -> int:
        self._now_ns += self._there.cost_ns(self.chance)
        shown_ns = self._now_ns + self.true_offset_ns(self._now_ns)
        self._now_ns += self._back.cost_ns(self.chance)
        return shown_ns // self._unit_ns * self._unit_ns

    def measure(self) -> Offset:
        return measure_offset(self, self.read_ns)

    def holds(self, offset: Offset) -> bool:
        """Whether a measured offset holds the truth within its bound."""
        return abs(offset.offset_ns - self.true_offset_ns(offset.at_ns)) <= offset.bound_ns


def path(kind: str, round_trip_ms: float) -> tuple[Way, Way]:
    """A path whose mean round trip is as given: which part of it is waiting, and how unlike its ways are."""
    floor, waiting, there = {
        "waiting, even": (0.2, 0.8, 0.5),
        "waiting, 9:1": (0.2, 0.8, 0.9),
        "waiting, 1:9": (0.2, 0.8, 0.1),
        "half waiting, 3:1": (0.5, 0.5, 0.75),
        "constant, even": (1.0, 0.0, 0.5),
        "constant, 9:1": (1.0, 0.0, 0.9),
    }[kind]
    whole_ns = round_trip_ms * MS
    ways = (Way(whole_ns * floor * share, whole_ns * waiting * share) for share in (there, 1 - there))
    return next(ways), next(ways)


KINDS = ("waiting, even", "waiting, 9:1", "waiting, 1:9", "half waiting, 3:1", "constant, even", "constant, 9:1")
ROUND_TRIPS_MS = (0.2, 1.0, 5.0, 20.0)
STEPS_MS = (0.0, 1.0, 5.0, 10.0, 30.0, 50.0, 100.0, 1000.0, 60_000.0)


@dataclass(frozen=True)
class Row:
    inside: int
    bounds_ns: list[int]

    def text(self, *heads: str) -> str:
        bounds = sorted(self.bounds_ns)
        low, middle, high = bounds[0], statistics.median(bounds), bounds[-1]
        cells = [*heads, f"{self.inside} of {len(bounds)}", *(f"{value / MS:.3f}" for value in (low, middle, high))]
        return f"| {' | '.join(cells)} |"


def measured(kind: str, round_trip_ms: float, *, unit_ns: int = 1000, count: int = MEASUREMENTS) -> Row:
    """`count` measurements of clocks with random offsets (+-1 h) and drifts (+-100 ppm) over one kind of path."""
    inside, bounds = 0, []
    for number in range(count):
        clock = Simulated(f"{kind}/{round_trip_ms}/{number}", *path(kind, round_trip_ms), unit_ns=unit_ns)
        offset = clock.measure()
        inside += clock.holds(offset)
        bounds.append(offset.bound_ns)
    return Row(inside, bounds)


@dataclass
class Steps:
    """What became of trials in which a clock steps: voided, or kept with the truth inside the bound, or not."""

    voided: int = 0
    held: int = 0
    missed: int = 0


def stepped(size_ms: float, *, trial_s: float = 60.0, count: int = MEASUREMENTS) -> Steps:
    """`count` trials over a path of 5 ms; the clock steps forth or back at a random instant, measurements included."""
    told = Steps()
    for number in range(count):
        clock = Simulated(f"step/{size_ms}/{number}", *path("waiting, even", 5.0))
        clock.step_ns = round(size_ms * MS) * clock.chance.choice((-1, 1))
        clock.step_at_ns = START_NS + clock.chance.randrange(round((trial_s + 0.5) * 1e9))
        try:
            before = clock.measure()
            clock.sleep(trial_s)
            line = ClockLine(before, clock.measure())
        except AttemptVoid:
            told.voided += 1
            continue
        looks = [line.before.at_ns + line.span_ns * part // 100 for part in range(101)]
        inside = all(abs(line.offset_ns(at) - clock.true_offset_ns(at)) <= line.bound_ns for at in looks)
        if line.stepped:
            told.voided += 1
        elif inside:
            told.held += 1
        else:
            told.missed += 1
    return told


class SystemClock:
    """This machine's own clock: against itself, the true offset of a shell's clock is zero."""

    def now_ns(self) -> int:
        return time.time_ns()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def against_itself(read_ns: Callable[[], int], count: int) -> Row:
    """`count` measurements of this machine's clock, read on another way."""
    offsets = [measure_offset(SystemClock(), read_ns) for _ in range(count)]
    return Row(sum(abs(each.offset_ns) <= each.bound_ns for each in offsets), [each.bound_ns for each in offsets])


def through_pipes(shell: str, count: int) -> Row:
    """A shell's clock behind the pipes of a program, as a local laptop's is read."""
    with Program([shell, "-c", CLOCK_LOOP]) as program:
        return against_itself(ClockStream(program).read_ns, count)


class Shelled(Device):
    """A device side of ADB with this machine's shells; each way may wait, an exponential with this mean."""

    def __init__(self, shell: str, waiting_ms: float) -> None:
        self._shell, self._waiting_s, self._chance = shell, waiting_ms / 1000, random.Random("adb")

    def banner(self) -> str:
        return "device::features=shell_v2"

    def service(self, name: str) -> Service | None:
        return self._run if name == f"exec:{CLOCK_LOOP}" else None

    async def _wait(self) -> None:
        if self._waiting_s:
            await asyncio.sleep(self._chance.expovariate(1 / self._waiting_s))

    async def _run(self, stream: AdbStream) -> None:
        argv = [self._shell, "-c", CLOCK_LOOP]
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*argv, stdin=pipe, stdout=pipe)
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            while line := await stream.read_line():
                await self._wait()
                process.stdin.write(line)
                answer = await process.stdout.readline()
                await self._wait()
                await stream.write(answer)
        finally:
            process.kill()
            await process.wait()


async def through_adb(shell: str, count: int, waiting_ms: float = 0.0) -> Row:
    """A shell's clock behind a real adb server and the device side of the virtual bench, as a phone's is read."""
    with tempfile.TemporaryDirectory() as home:
        server = AdbServer(Path(home) / "home")
        await server.start()
        try:
            listener, port = await listen(Shelled(shell, waiting_ms))
            client = LabClient("127.0.0.1", server.port)
            serial = f"127.0.0.1:{port}"
            await asyncio.to_thread(client.connect, serial, 5.0)
            phone = Adb(client, serial)
            row = await asyncio.to_thread(against_itself, phone.read_clock_ns, count)
            phone.close()
            listener.close()
        finally:
            await server.close()
    return row


HEAD = "truth inside | bound, least, ms | median, ms | greatest, ms |"


def table(*heads: str) -> Iterator[str]:
    yield f"| {' | '.join(heads)} | {HEAD}"
    yield "|---" * (len(heads) + 4) + "|"


def simulated_table() -> Iterator[str]:
    yield from table("path", "mean round trip, ms")
    for kind in KINDS:
        for round_trip_ms in ROUND_TRIPS_MS:
            yield measured(kind, round_trip_ms).text(kind, f"{round_trip_ms:g}")
    for name, unit_ns in (("`date +%s.%N` that prints seconds alone", 10**9), ("milliseconds printed", 10**6)):
        yield measured("waiting, even", 5.0, unit_ns=unit_ns).text(f"waiting, even; {name}", "5")


def step_table() -> Iterator[str]:
    yield "| step, ms | void | kept, truth inside all along | kept, truth outside at some instant |"
    yield "|---|---|---|---|"
    for size_ms in STEPS_MS:
        told = stepped(size_ms)
        yield f"| {size_ms:g} | {told.voided} | {told.held} | {told.missed} |"


def real_table() -> Iterator[str]:
    yield from table("shell", "way")
    for shell, count in (("bash", MEASUREMENTS), ("dash", 100)):
        what = f"{shell}, {'`$EPOCHREALTIME`' if shell == 'bash' else '`date`, a fork a reading'}"
        yield through_pipes(shell, count).text(what, "pipes")
        yield asyncio.run(through_adb(shell, count)).text(what, "adb server, loopback")
    row = asyncio.run(through_adb("bash", 200, waiting_ms=2.0))
    yield row.text("bash, `$EPOCHREALTIME`", "the same, each way waiting 2 ms in the mean")


def document(text: str, tables: dict[str, Callable[[], Iterator[str]]]) -> str:
    """The document with each table, between `<!-- NAME -->` and the next blank line, measured anew."""
    for name, lines in tables.items():
        block = "\n".join(lines())
        put = block.replace("\\", "\\\\")
        text, found = re.subn(rf"(<!-- {name} -->\n)(?:\|.*\n)*", rf"\g<1>{put}\n", text)
        if found != 1:
            raise SystemExit(f"the document has no single <!-- {name} -->")
    return text


TABLES = {"simulated": simulated_table, "steps": step_table, "real": real_table}


def main(arguments: list[str], tables: dict[str, Callable[[], Iterator[str]]]) -> None:
    """Print tables, or with `--write FILE` put them into a document."""
    if arguments[:1] == ["--write"]:
        target = Path(arguments[1])
        target.write_text(document(target.read_text(), tables))
        return
    for name, lines in tables.items():
        print(f"{name}\n", *lines(), sep="\n")


if __name__ == "__main__":
    main(sys.argv[1:], TABLES)
