"""Processes that make the runs of a soak side by side."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager


@contextmanager
def pool(processes: int) -> Iterator[ProcessPoolExecutor]:
    """So many, begun anew, which share nothing; where the block ends by an error, what waits for one is not made.

    They end with the process that began them, however that ends: each would wait for work for ever.
    """
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, spawn, initializer=_end_with_parent) as made:
        try:
            yield made
        except BaseException:
            made.shutdown(wait=False, cancel_futures=True)
            raise


def _end_with_parent() -> None:
    """A bench ends itself once whoever began it is gone, so nothing is left to be put in order here."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, name="parent", daemon=True).start()
