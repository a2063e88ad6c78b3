"""The bench process: `python -m lab.virtual`, driven over standard input and output (see `lab.virtual.control`).

It ends all that it started, removes its root, and ends itself, when standard input ends or on SIGTERM. SIGINT is the
controller's business.
"""

import asyncio
import contextlib
import gc
import json
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lab.definitions import Lab
from lab.errors import LabError
from lab.virtual.bench import EmulatedBench
from lab.virtual.control import Control
from lab.virtual.rig.bench import RigBench

LINE_LIMIT_BYTES = 1 << 20


def write_line(data: bytes) -> None:
    """Write to standard output at once, in one piece."""
    view = memoryview(data)
    while view:
        view = view[os.write(1, view) :]


def configured(config: dict[str, Any], root: Path) -> EmulatedBench | RigBench:
    """The bench that the first line asks for. Raises LabError or KeyError."""
    lab = Lab.load(Path(config["scenarios"]))
    spec = lab.bench(config["bench"])
    if spec.kind == "rig":
        return RigBench(spec, lab.virtual_apps, root, phones=config["phones"])
    return EmulatedBench(spec, lab.virtual_apps, root)


@contextlib.contextmanager
def owning(root: Path) -> Iterator[None]:
    """Make the root, and remove it: whoever asked for this bench may be gone at any time, and nobody else would."""
    root.mkdir(mode=0o700, exist_ok=True)
    try:
        yield
    finally:
        shutil.rmtree(root, ignore_errors=True)


async def serve(requests: asyncio.StreamReader) -> int:
    """Build the bench that is asked for, answer requests until the channel ends, and end it."""
    try:
        config = json.loads(await requests.readline())
        root = Path(config["root"])
    except (ValueError, KeyError) as error:
        return refused(error)
    with owning(root):
        try:
            bench = configured(config, root)
        except (LabError, ValueError, KeyError) as error:
            return refused(error)
        return await answer_all(bench, requests)


def refused(error: Exception) -> int:
    """Say why there is no bench; the exit code."""
    write_line(json.dumps({"error": str(error) or type(error).__name__}).encode() + b"\n")
    return 2


async def answer_all(bench: EmulatedBench | RigBench, requests: asyncio.StreamReader) -> int:
    """Start a bench, answer requests until the channel ends, and end it; the exit code."""
    # Definitions and imports live as long as the process: the collector need not look at them again.
    gc.freeze()
    try:
        write_line(json.dumps(await bench.start()).encode() + b"\n")
        control = Control(bench)
        while line := await requests.readline():
            write_line(await control.answer(line))
    except LabError as error:
        write_line(json.dumps({"error": str(error)}).encode() + b"\n")
        return error.exit_code
    except BrokenPipeError:
        pass  # The controller has gone without closing its side first.
    finally:
        await bench.close()
    return 0


async def main() -> int:
    loop = asyncio.get_running_loop()
    requests = asyncio.StreamReader(limit=LINE_LIMIT_BYTES)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(requests), sys.stdin)
    serving = loop.create_task(serve(requests))
    loop.add_signal_handler(signal.SIGTERM, serving.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        return await serving
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    code = asyncio.run(main())
    # What still hangs on streams of programs that never end is not waited for.
    sys.stdout.flush()
    os._exit(code)
