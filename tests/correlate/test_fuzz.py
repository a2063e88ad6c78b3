"""Captures and STUN messages that chance has changed: no crash, no hang, memory bounded, the same answer twice.

`fuzzing` says what is done to an input and asserted of each, `corpus` what the inputs were, `plain` is a second reader,
whose answer ours must equal.
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
# All that chance can do to a file; a file that misses packets is only known where somebody counted them.
KINDS = {
    "empty", "cut_file_header", "cut_gzip", "cut_record_header", "cut_record", "impossible_length", "zero_filled",
    "bad_block", "time_backwards", "impossible_fraction", "impossible_time", "no_statistics", "above_mtu",
}  # fmt: skip


def fuzz(seed, count):
    """What a process of its own found: the most memory it held, and how often each thing was seen."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.correlate.fuzzing", str(seed), str(count)], cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=1800, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-5000:]
    found = json.loads(done.stdout)
    return found["held_bytes"], Counter(found["seen"])


def test_what_chance_changed_gives_the_same_answer_twice_within_bounds():
    held_bytes, seen = fuzz(seed=1, count=1_000)
    assert held_bytes < 64 << 20
    assert seen["read"] + seen["refused"] == 1_000
    assert seen["read"] > 800
    assert min(seen["flows"], seen["messages"]) > 300


@pytest.mark.full
def test_twenty_thousand_changes_give_the_same_answer_twice_within_bounds():
    """`make soak SOAK=fuzz` makes 100,000."""
    with ThreadPoolExecutor(2) as pool:
        runs = list(pool.map(fuzz, [2, 3], [10_000, 10_000]))
    seen = sum((one for _, one in runs), Counter())
    assert max(held_bytes for held_bytes, _ in runs) < 64 << 20
    assert seen["read"] + seen["refused"] == 20_000
    assert seen["read"] > 16_000
    assert seen.keys() >= KINDS
    assert min(seen[kind] for kind in KINDS) > 8
