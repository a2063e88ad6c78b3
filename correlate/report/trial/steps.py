"""What was done in a trial and when, as its events.jsonl says."""

import json
from dataclasses import dataclass

from correlate import files
from correlate.dataset import Dataset

STEPS = {
    "marked_begin": "begin marker",
    "place_call": "call",
    "ringing": "ring",
    "answer": "answer",
    "reject": "reject",
    "cancel": "cancel",
    "hang_up": "hang up",
    "ended": "ended",
    "marked_end": "end marker",
}
"""The events that a time line marks, and the word of each."""
MARKERS = frozenset({"begin marker", "end marker"})
MOST_BYTES = 1 << 20
MOST_STEPS = 40


@dataclass(frozen=True)
class Step:
    """A step of the call, at the controller's `at_ns`."""

    word: str
    at_ns: int


def steps(dataset: Dataset, trial: str) -> tuple[Step, ...]:
    """The steps in order of time; none where there is no events.jsonl, as of captures that were made by hand."""
    try:
        text = files.read(dataset.trial_dir(trial) / "events.jsonl", MOST_BYTES, dataset.path)
    except OSError:
        return ()
    found = [step for line in text.splitlines() if (step := _step(line))]
    return tuple(sorted(found, key=lambda each: each.at_ns)[:MOST_STEPS])


def _step(line: bytes) -> Step | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    if not isinstance(event, dict):
        return None
    word, at_ns = event.get("event"), event.get("at_ns")
    return Step(STEPS[word], at_ns) if isinstance(word, str) and word in STEPS and type(at_ns) is int else None
