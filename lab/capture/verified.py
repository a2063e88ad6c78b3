"""What a fetched capture must be to count."""

from pathlib import Path

import numpy as np

from correlate.trace import Integrity, Trace, verify
from lab.capture.counters import Counters
from lab.errors import AttemptVoid


def verified(path: Path, counters: Counters, sha256: str, snaplen_bytes: int) -> Integrity:
    """What a fetched capture holds.

    Raises `AttemptVoid` where it is damaged, not what was counted and hashed, or cut shorter than was asked for.
    """
    trace = Trace.read(path)
    integrity = verify(trace, expect_packets=counters.captured)
    wrong = [str(damage) for damage in integrity.damage if damage.voids]
    if integrity.sha256 != sha256:
        wrong.append("its hash is not the one that it had where it was captured")
    short = trace.udp.captured_bytes < np.minimum(trace.udp.wire_bytes, snaplen_bytes)
    if short.any():
        wrong.append(f"{short.sum()} UDP frames are cut at less than the {snaplen_bytes} bytes that were asked for")
    if wrong:
        raise AttemptVoid("capture_damaged", f"{path.name}: {'; '.join(wrong)}")
    return integrity
