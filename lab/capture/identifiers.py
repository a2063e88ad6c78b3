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
    found = []
    for secret in secrets:
        frames = sorted({frame for form in _forms(secret.value) for frame in _frames(trace, form)})
        if frames:
            found.append(IdentifierInClear(identifier=secret.field, frames=frames[:MAX_FRAMES], count=len(frames)))
    cut = int((trace.records.captured < trace.records.wire).sum())
    return Searched(found=found, cut_frames=cut)


def _forms(value: str) -> Iterator[bytes]:
    text = value.removeprefix("+") if re.fullmatch(r"\+\d+", value, re.ASCII) else value
    if len(data := text.encode()) >= LEAST_BYTES:
        yield data


def _frames(trace: Trace, form: bytes) -> Iterator[int]:
    """Wireshark's numbers of the frames that hold these bytes."""
    start, captured = trace.records.start, trace.records.captured
    for match in re.finditer(re.escape(form), trace.data, re.IGNORECASE):
        row = int(np.searchsorted(start, match.start(), side="right")) - 1
        if row >= 0 and match.end() <= int(start[row] + captured[row]):
            yield row + 1
