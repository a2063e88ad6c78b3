"""What must be true of every capture of `structured`, whatever lies in it.

No error but those of `correlate.errors`; the same messages and flows in small blocks as of the whole file; what is told
and the work for it in proportion to the bytes that there are. `python -m tests.correlate.fuzzing_structure SEED COUNT`
runs in a process of its own, so that memory can be held to a bound, and prints one JSON object.
"""

from __future__ import annotations

import json
import random
import resource
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from correlate import flows, stun
from correlate.errors import CorrelateError
from correlate.trace import Trace, blocks, verify
from tests.correlate import structured
from tests.correlate.fuzzing import MORE_BYTES, memory

CALLS, CALLS_PER_BYTE = 60_000, 40
"""How many calls of functions all the readings of one capture may take together. To count them is slow."""
COUNTED = 4
"""Of every so many captures they are counted."""
SAFETY_S = 60.0
"""An input that hangs ends the process: the bound that is asserted is the one on calls."""


def same(read: Callable[[], Any]) -> Any:
    """What is read, or why it cannot be."""
    try:
        return read()
    except CorrelateError as error:
        return str(error)


def told(messages: Any) -> list[stun.Message]:
    return [message._replace(row=0) for message in messages]


def size(message: stun.Message) -> int:
    return sum(4 + len(value) for _, value in message.attributes)


class Calls:
    """Counts calls, of Python's and of others' functions: work, by no clock."""

    def __init__(self, *, counts: bool = True) -> None:
        self.count, self._counts = 0, counts

    def __call__(self, frame: FrameType, event: str, arg: object) -> None:
        self.count += event in ("call", "c_call")

    def __enter__(self) -> Calls:
        sys.setprofile(self if self._counts else None)
        return self

    def __exit__(self, *exc: object) -> None:
        sys.setprofile(None)


def hold(path: Path, data: bytes, small: int) -> Counter[str]:
    """All that is promised of one capture. What is seen of it."""
    path.write_bytes(data)
    whole = same(lambda: Trace.read(path))
    if isinstance(whole, str):
        assert same(lambda: list(stun.read(blocks(path, block_bytes=small)))) == whole
        return Counter(refused=1)
    messages = told(stun.messages(whole))
    # What a stream begins and never ends is told where the file ends.
    assert Counter(told(stun.read(blocks(path, block_bytes=small)))) == Counter(messages)
    table = flows.flows(whole.udp).table
    assert tuple(flows.read(blocks(path))) == table
    assert sum(map(size, messages)) <= (stun.MAX_DEPTH + 1) * len(data)
    verified = verify(whole)
    assert (verified.packets, verified.bytes) == (whole.packets, len(data))
    json.dumps([flows.rows(whole), stun.rows(whole)])
    seen = Counter({one.kind: 1 for one in whole.damage})
    over_tcp = sum(getattr(message, "transport", "udp") == "tcp" for message in messages)
    return seen + Counter(read=1, messages=len(messages), over_tcp=over_tcp, flows=len(table), segments=len(whole.tcp))


def step(seed: int, number: int, path: Path) -> Counter[str]:
    """One capture. What breaks a promise raises, with how to get its bytes."""
    rng = random.Random(f"{seed}/{number}")
    data, small = structured.capture(rng), rng.choice([1, 60, 300, 1_500])
    signal.setitimer(signal.ITIMER_PROF, SAFETY_S)
    try:
        with Calls(counts=number % COUNTED == 0) as calls:
            seen = hold(path, data, small)
        assert calls.count <= CALLS + CALLS_PER_BYTE * len(data), f"{calls.count} calls for {len(data)} bytes"
    except Exception as error:
        error.add_note(f"structured.capture(random.Random('{seed}/{number}')), blocks of {small}")
        raise
    signal.setitimer(signal.ITIMER_PROF, 0)
    return seen


def too_long(_signal: int, _frame: FrameType | None) -> None:
    raise TimeoutError(f"an input took more than {SAFETY_S} s of processor time")


def main(seed: int, count: int) -> None:
    signal.signal(signal.SIGPROF, too_long)
    seen: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "capture"
        for number in range(count):
            if number == min(20, count // 2):  # What is imported and kept once is there.
                most = memory("VmSize") + MORE_BYTES
                resource.setrlimit(resource.RLIMIT_AS, (most, most))
            seen += step(seed, number, path)
    print(json.dumps({"held_bytes": memory("VmHWM"), "seen": dict(seen)}))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
