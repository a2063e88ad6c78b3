"""What a merged file says at its packets: the steps of the call, and what a frame proves."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence

from correlate.report.merged.packets import Packet
from correlate.report.trial.proofs import Proof
from correlate.report.trial.steps import Step

STEP = "step "
"""With what the comment of a step begins: what the profile's colours look for."""


def comments(packets: Sequence[Packet], steps: Iterable[Step], proofs: Iterable[Proof]) -> dict[int, list[str]]:
    """Row of `packets` -> its comments: steps first, each at the next packet with its offset (the last packet has those
    that come after it), then what the frame proves, with its number in the capture."""
    found: dict[int, list[str]] = {}
    times_ns = [each.at_ns for each in packets]
    for step in steps if packets else ():
        row = min(bisect_left(times_ns, step.at_ns), len(packets) - 1)
        off_s = (times_ns[row] - step.at_ns) / 1e9
        where = f"{off_s:.6f} s before this packet" if off_s >= 0 else f"{-off_s:.6f} s after this packet"
        found.setdefault(row, []).append(f"{STEP}{step.word.upper()}, {where}")
    row_of = {(each.side, each.frame): row for row, each in enumerate(packets)}
    for proof in proofs:
        if (place := row_of.get((proof.side, proof.frame))) is not None:
            found.setdefault(place, []).append(f"{proof.what}; frame {proof.frame} of {proof.side}")
    return found
