"""Holding a dataset for this process alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from correlate.dataset import Dataset
from lab.programs import locks


def holding(dataset: Dataset) -> AbstractContextManager[None]:
    """Hold a dataset for this process alone. Raises `BenchBusy` naming the holder."""
    return locks.held(dataset.lock_path, str(dataset.path))


@contextmanager
def opened(folder: str) -> Iterator[Dataset]:
    """A dataset that is there, held. Raises `BadDataset` where it is none, `BenchBusy` naming the holder."""
    dataset = Dataset(Path(folder))
    dataset.info()
    with holding(dataset):
        yield dataset
