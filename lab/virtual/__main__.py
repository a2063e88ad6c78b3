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


async def serve(requests: asyncio.StreamReader) -> int:
    """Build the bench and answer requests until the channel ends."""
    try:
        config = json.loads(await requests.readline())
        root = Path(config["root"])
        bench = configured(config, root)
    except (LabError, ValueError, KeyError) as error:
        write_line(json.dumps({"error": str(error) or type(error).__name__}).encode() + b"\n")
        return 2
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
        # Whoever asked for this bench may be gone: nobody else would.
        shutil.rmtree(root, ignore_errors=True)
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
