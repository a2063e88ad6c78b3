"""What a soak finds, a line of JSON each, written as it goes: one that was stopped goes on after the last line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def read(out: Path) -> list[dict[str, Any]]:
    """All lines so far; none where no soak has begun."""
    return [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()] if out.exists() else []


def add(out: Path, line: Mapping[str, Any]) -> None:
    """Append a line; the folder is made where there is none."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
