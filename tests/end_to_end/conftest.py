"""Runs of the virtual bench that several tests look at."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from correlate.dataset import Dataset
from tests.end_to_end.runs import analysed, analysed_together


@pytest.fixture(scope="session")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The paper's 180 trials, run once; nobody changes it."""
    return analysed("paper", tmp_path_factory.mktemp("paper") / "dataset")


@pytest.fixture(scope="session")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[tuple[str, int], Dataset]]:
    """Whole matrices by name and seed, three at a time, so that each is the load under which the others run."""
    folder, found = tmp_path_factory.mktemp("crowd"), {}
    for runs in ([("paper", 1), ("paper", 2), ("paper", 3)], [("paper", 4), ("paper", 5), ("invented", 1)]):
        datasets = analysed_together(*((matrix, folder / f"{matrix}-{seed}", seed) for matrix, seed in runs))
        found |= dict(zip(runs, datasets, strict=True))
    yield found
    shutil.rmtree(folder)


@pytest.fixture
def linked(tmp_path: Path) -> Callable[[Dataset], Dataset]:
    """A copy of a dataset that may be changed: files are links, and are only ever replaced, never written into."""

    def copy(dataset: Dataset) -> Dataset:
        target = tmp_path / "linked"
        subprocess.run(["cp", "-al", str(dataset.path), str(target)], check=True)
        return Dataset(target)

    return copy
