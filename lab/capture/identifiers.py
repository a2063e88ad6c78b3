"""Secrets of the bench that a capture shows: whoever is on the path reads them too."""

import re
from collections.abc import Iterator, Sequence

import numpy as np

from correlate.dataset.record import IdentifierInClear, Searched
from correlate.trace import Trace
from lab.definitions.secrets import Secret

LEAST_BYTES = 8
"""What is shorter stands in some capture by chance."""
MAX_FRAMES = 20


def searched(trace: Trace, secrets: Sequence[Secret]) -> Searched:
    """Which of these secrets stand in which frames of a capture, each whole within one frame, in whatever case, as the
    text that it is; a telephone number also without its sign. What is encrypted, packed or written otherwise is not
    seen. The secrets themselves are not in what is returned."""
    found, data = [], bytes(trace.data).lower()
    for secret in secrets:
        frames = sorted(set(_frames(trace, data, _form(secret.value))))
        if frames:
            found.append(IdentifierInClear(identifier=secret.field, frames=frames[:MAX_FRAMES], count=len(frames)))
    cut = int((trace.records.captured < trace.records.wire).sum())
    return Searched(found=found, cut_frames=cut)


def _form(value: str) -> bytes:
    """The bytes of a secret as they are looked for, in lower case."""
    text = value.removeprefix("+") if re.fullmatch(r"\+\d+", value, re.ASCII) else value
    return text.encode().lower()


def _frames(trace: Trace, data: bytes, form: bytes) -> Iterator[int]:
    """Wireshark's numbers of the frames that hold these bytes."""
    start, captured, at = trace.records.start, trace.records.captured, -1
    while len(form) >= LEAST_BYTES and (at := data.find(form, at + 1)) >= 0:
        row = int(np.searchsorted(start, at, side="right")) - 1
        if row >= 0 and at + len(form) <= int(start[row] + captured[row]):
            yield row + 1
