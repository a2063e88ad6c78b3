"""Runs of the virtual bench that several tests look at."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from correlate.dataset import Dataset
from tests.end_to_end.runs import analysed


@pytest.fixture(scope="session")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The paper's 180 trials, run once; nobody changes it."""
    return analysed("paper", tmp_path_factory.mktemp("paper") / "dataset")


@pytest.fixture
def linked(tmp_path: Path) -> Callable[[Dataset], Dataset]:
    """A copy of a dataset that may be changed: files are links, and are only ever replaced, never written into."""

    def copy(dataset: Dataset) -> Dataset:
        target = tmp_path / "linked"
        subprocess.run(["cp", "-al", str(dataset.path), str(target)], check=True)
        return Dataset(target)

    return copy
