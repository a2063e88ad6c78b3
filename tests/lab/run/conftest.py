"""A bench of real phones for functions that only read what its file says of it; no phone is there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from lab.definitions import BenchSpec, Lab

SCENARIOS = Path(__file__).resolve().parents[3] / "scenarios"


@dataclass(frozen=True)
class Place:
    """A lab in a folder of its own, with an emulated bench, and the same bench as if its phones were real."""

    lab: Lab
    emulated: BenchSpec
    real: BenchSpec

    @property
    def file(self) -> Path:
        return self.lab.directory / "benches" / "virtual.calibration.json"


@pytest.fixture(scope="session")
def loaded() -> Lab:
    return Lab.load(SCENARIOS)


@pytest.fixture
def at(loaded: Lab, tmp_path: Path) -> Place:
    spec = loaded.bench("virtual")
    (tmp_path / "scenarios" / "benches").mkdir(parents=True)
    lab = replace(loaded, directory=tmp_path / "scenarios")
    return Place(lab, spec, spec.model_copy(update={"kind": "real"}))
