"""A capture that has ended is fetched, put on the disk for good, and verified."""

import os
from pathlib import Path

from correlate.trace import Trace
from lab.bench.bench import Bench
from lab.capture.counters import Counters
from lab.capture.identifiers import searched
from lab.capture.protocol import Capture
from lab.capture.verified import verified
from lab.clocks import capture_clocks
from lab.definitions import Role
from lab.definitions.secrets import secrets
from lab.errors import LaptopTrouble, PhoneTrouble
from lab.run.recorded import Identified, Stored
from lab.run.steps import Note


def stored(
    bench: Bench,
    role: Role,
    capture: Capture,
    counters: Counters,
    phone: Identified,
    live_ns: int,
    folder: Path,
    note: Note,
) -> Stored:
    """Fetch one capture into `folder`, verify it, and look for the bench's secrets in it; damaged, or with datagrams
    twice, it voids the attempt."""
    path, snaplen_bytes = folder / f"{role}.{capture.suffix}", bench.spec.snaplen_bytes
    sha256 = fetched(capture, path, note)
    with path.open("rb") as file:
        os.fsync(file.fileno())
    trace, by_laptop = Trace.read(path), capture.lease is not None
    return Stored(
        capture=capture,
        file=path.name,
        integrity=verified(path, counters, sha256, snaplen_bytes, phone.interface, note, trace),
        identifiers=searched(trace, secrets(bench.spec)),
        counters=counters,
        snaplen_bytes=snaplen_bytes,
        machine="laptop" if by_laptop else role,
        coalescing=bench.laptop.coalescing(capture.interface) if by_laptop else None,
        timestamps=capture_clocks.timestamps(bench.spec.laptop.os if by_laptop else None),
        live_ns=live_ns,
    )


def fetched(capture: Capture, path: Path, note: Note) -> str:
    """Fetch a capture; once more where its copy is cut: it lies there whole, and the call cost more than a copy."""
    try:
        return capture.fetch(path)
    except (PhoneTrouble, LaptopTrouble) as error:
        note("fetch_again", text=str(error))
        return capture.fetch(path)
