"""events.jsonl: what was done in an attempt and seen, step by step."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab.clocks.bench_time import BenchClock

Clean = Callable[[object], object]
"""A value of JSON as it may be written: without the bench's secrets."""


def as_it_is(value: object) -> object:
    """A `Clean` for who has no bench."""
    return value


class EventLog:
    """events.jsonl: what was done and seen, with bench time, as `clean` gives it."""

    def __init__(self, path: Path, clock: BenchClock, show: Callable[[str], None], clean: Clean = as_it_is) -> None:
        self._file = path.open("w", encoding="utf-8")
        self._clock, self._show, self._clean = clock, show, clean

    def note(self, event: str, **fields: Any) -> None:
        """Write one event and show its name as the step that runs now."""
        self._show(event)
        said = self._clean(fields)
        assert isinstance(said, dict)
        self._file.write(json.dumps({"at_ns": self._clock.now_ns(), "event": event, **said}) + "\n")
        self._file.flush()

    def close(self) -> None:
        os.fsync(self._file.fileno())
        self._file.close()
