"""What a fetched capture must be to count."""

from collections.abc import Callable, Collection, Iterator
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import numpy as np

from correlate.trace import Integrity, Trace, duplicates, verify
from correlate.trace.duplicates import Repeats
from lab.capture.counters import Counters
from lab.errors import AttemptVoid

Address = IPv4Address | IPv6Address


def verified(
    path: Path,
    counters: Counters,
    sha256: str,
    snaplen_bytes: int,
    own: Collection[Address] = (),
    note: Callable[..., None] | None = None,
    trace: Trace | None = None,
) -> Integrity:
    """What a fetched capture holds. `own` are the phone's addresses, by which its two directions are told; a few
    datagrams that are there twice, and packets that are not looked into, are noted. `trace` is what stands at `path`
    where it was read already.

    Raises `AttemptVoid` where it is damaged, not what was counted and hashed, cut shorter than was asked for, or where
    it shows 1% of a direction's datagrams or more a second time.
    """
    trace = Trace.read(path) if trace is None else trace
    integrity = verify(trace, expect_packets=counters.captured)
    wrong = [str(damage) for damage in integrity.damage if damage.voids]
    if integrity.sha256 != sha256:
        wrong.append("its hash is not the one that it had where it was captured")
    short = trace.udp.captured_bytes < np.minimum(trace.udp.wire_bytes, snaplen_bytes)
    if short.any():
        wrong.append(f"{short.sum()} UDP frames are cut at less than the {snaplen_bytes} bytes that were asked for")
    if wrong:
        raise AttemptVoid("capture_damaged", f"{path.name}: {'; '.join(wrong)}")
    repeats = duplicates.repeats(trace.udp, duplicates.repeated(trace), duplicates.sent_by(trace.udp, own))
    if repeats.flagged:
        raise AttemptVoid("captured_twice", f"{path.name}: {repeats}: {duplicates.ADVICE}")
    if note is not None:
        for kind, text in _remarks(integrity, repeats):
            note(kind, text=text)
    return integrity


def _remarks(integrity: Integrity, repeats: Repeats) -> Iterator[tuple[str, str]]:
    """What does not void the attempt and nobody should overlook."""
    if repeats.found:
        yield "captured_twice", str(repeats)
    for damage in integrity.damage:
        if damage.kind == "not_followed":
            yield damage.kind, str(damage)
