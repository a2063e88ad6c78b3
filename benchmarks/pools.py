"""Processes that make the runs of a soak side by side."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager


@contextmanager
def pool(processes: int) -> Iterator[ProcessPoolExecutor]:
    """So many, begun anew, which share nothing; where the block ends by an error, what waits for one is not made."""
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as made:
        try:
            yield made
        except BaseException:
            made.shutdown(wait=False, cancel_futures=True)
            raise
