"""STUN over TCP, in fragments and in every kind of container, with lies in its structure: no crash, no hang, memory
bounded, and the same messages and flows however the file is read.

`structured` says what lies, `fuzzing_structure` what is asserted of each capture.
"""

import json
import os
import signal
import subprocess
import sys
import tracemalloc
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from correlate import flows, stun
from correlate.trace import Trace, blocks
from tests.correlate import growing
from tests.correlate.fuzzing_structure import SAFETY_S, Calls, too_long
from tests.correlate.growing import SHAPES

ROOT = Path(__file__).resolve().parents[2]
MOST_HELD_BYTES = 64 << 20


def fuzz(seed, count):
    """What a process of its own found: the most memory it held, and how often each thing was seen."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.correlate.fuzzing_structure", str(seed), str(count)], cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=1800, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-5000:]
    found = json.loads(done.stdout)
    return found["held_bytes"], Counter(found["seen"])


def hold(held_bytes, seen, count):
    assert held_bytes < MOST_HELD_BYTES
    assert seen["read"] + seen["refused"] == count
    assert seen["read"] > 0.9 * count
    assert min(seen[each] for each in ("messages", "flows", "segments", "over_tcp")) > 0.2 * count


@pytest.fixture(autouse=True)
def _ends():
    """A test that hangs is ended: a safety net, it is other things that are asserted."""
    before = signal.signal(signal.SIGPROF, too_long)
    signal.setitimer(signal.ITIMER_PROF, SAFETY_S)
    yield
    signal.setitimer(signal.ITIMER_PROF, 0)
    signal.signal(signal.SIGPROF, before)


def work(path, data):
    """How many functions are called to read a capture in all ways, and the most memory that took, in bytes."""
    path.write_bytes(data)
    tracemalloc.start()
    with Calls() as calls:
        stun.messages(Trace.read(path))
        for _ in stun.read(blocks(path, block_bytes=1 << 16)):
            pass
        flows.read(blocks(path))
    _, most_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return calls.count, most_bytes


QUICK = ("reversed segments", "a connection each", "reversed fragments", "the same fragment", "unpadded attributes")


@pytest.mark.parametrize(
    "shape", [pytest.param(shape, marks=[pytest.mark.full] * (shape not in QUICK)) for shape in SHAPES]
)
def test_what_is_twice_as_long_takes_twice_the_work_and_memory(shape, tmp_path):
    """Measured behind what is done once."""
    work(tmp_path / "capture", growing.capture(SHAPES[shape], 10))
    few, many = (work(tmp_path / "capture", growing.capture(SHAPES[shape], count)) for count in (400, 800))
    assert many[0] <= 2.3 * few[0] + 3_000
    assert many[1] <= 2.5 * few[1] + 300_000


@pytest.mark.full
@pytest.mark.parametrize("shape", ["first one lost", "every second lost", "sequence numbers anywhere"])
def test_what_never_becomes_whole_is_not_held_however_long_the_capture(shape, tmp_path):
    """Of a file of any size messages are read in bounded memory."""
    held = []
    for count in (40_000, 160_000):
        path = tmp_path / "capture"
        path.write_bytes(growing.capture(SHAPES[shape], count))
        tracemalloc.start()
        for _ in stun.read(blocks(path, block_bytes=1 << 18)):
            pass
        held.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert held[1] <= held[0] + (8 << 20)


def test_lies_in_the_structure_change_nothing_but_what_they_stand_for():
    hold(*fuzz(seed=1, count=200), 200)


@pytest.mark.full
def test_10_000_captures_with_lies_are_read_within_bounds():
    with ThreadPoolExecutor(2) as pool:
        runs = list(pool.map(fuzz, [2, 3], [5_000, 5_000]))
    hold(max(held for held, _ in runs), sum((seen for _, seen in runs), Counter()), 10_000)
