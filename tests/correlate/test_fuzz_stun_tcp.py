"""STUN over TCP, in fragments and in every kind of container, with lies in its structure: no crash, no hang, memory
bounded, and the same messages and flows however the file is read.

`structured` says what lies, `fuzzing_structure` what is asserted of each capture.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

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


def test_lies_in_the_structure_change_nothing_but_what_they_stand_for():
    hold(*fuzz(seed=1, count=400), 400)


@pytest.mark.full
def test_20_000_captures_with_lies_are_read_within_bounds():
    with ThreadPoolExecutor(2) as pool:
        runs = list(pool.map(fuzz, [2, 3], [10_000, 10_000]))
    hold(max(held for held, _ in runs), sum((seen for _, seen in runs), Counter()), 20_000)
