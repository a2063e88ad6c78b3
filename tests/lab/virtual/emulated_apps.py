"""The emulated apps of `scenarios/virtual`, for tests that need one of them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from lab.definitions import VirtualApp
from lab.definitions.yaml import read

SCENARIOS = Path(__file__).parents[3] / "scenarios" / "virtual"


@cache
def emulated(name: str) -> VirtualApp:
    """An emulated app, read once; nobody can change it."""
    return read(SCENARIOS / f"{name}.yaml", VirtualApp)
