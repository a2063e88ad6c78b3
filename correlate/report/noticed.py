"""What findings say and nobody should overlook: contradictions between phones and wire, and what captures lack."""

from collections.abc import Iterable, Iterator, Sequence

from correlate.dataset import SIDES
from correlate.dimensions.volume import Volumes
from correlate.findings.cases import Case
from correlate.trace.duplicates import ADVICE


def contradictions(read: Sequence[Case]) -> list[str]:
    """How many trials show something else on the wire than was observed on the phones or stated, then each of them."""
    found = [f"{case.trial}: {case.contradiction} ({case.answered_by})" for case in read if case.contradiction]
    return [f"contradictions: {len(found)} of {len(read)} trials", *found] if found else []


def noticed(read: Iterable[Case]) -> list[str]:
    """Datagrams that are in a capture a second time, and packets that were not looked into, by trial and side."""
    return [f"{case.trial}, {side}: {text}" for case in read for side in SIDES for text in _of(case.volume[side])]


def _of(volume: Volumes) -> Iterator[str]:
    if volume.tx_duplicates or volume.rx_duplicates:
        what = f", so its volumes are unknown: {ADVICE}" if volume.captured_twice else ""
        counts = f"{volume.tx_duplicates} datagrams sent and {volume.rx_duplicates} received"
        yield f"{counts} are there a second time{what}"
    yield from volume.not_followed
