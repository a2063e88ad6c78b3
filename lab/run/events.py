"""events.jsonl: what was done in an attempt and seen, step by step."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab.clocks.bench_time import BenchClock


class EventLog:
    """events.jsonl: what was done and seen, with bench time."""

    def __init__(self, path: Path, clock: BenchClock, show: Callable[[str], None]) -> None:
        self._file = path.open("w", encoding="utf-8")
        self._clock, self._show = clock, show

    def note(self, event: str, **fields: Any) -> None:
        """Write one event and show its name as the step that runs now."""
        self._show(event)
        self._file.write(json.dumps({"at_ns": self._clock.now_ns(), "event": event, **fields}) + "\n")
        self._file.flush()

    def close(self) -> None:
        os.fsync(self._file.fileno())
        self._file.close()
