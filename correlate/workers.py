"""The same work on many items, by one process for each core.

A process is a fork of this one: it starts at once and has in common with it all that is loaded. It waits for the number
of an item, sends back what the work gives, and ends with the pipe to this process, however that one ended.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import TypeVar, cast

T = TypeVar("T")
R = TypeVar("R")

SIGNALS = (signal.SIGINT, signal.SIGTERM)
LOOK_S = 1.0
"""A signal that comes right before this process begins to wait wakes nobody: it is noticed after so long."""


def each(work: Callable[[T], R], items: Sequence[T], processes: int | None = None) -> list[R]:
    """[work(item) for item in items], by one process for each core (or by `processes`). Results are pickled.

    Raises what `work` raises, and `ChildProcessError` where a process was killed. No process is left then, nor after a
    signal.
    """
    count = min(cores() if processes is None else processes, len(items))
    if count < 2:
        return [work(item) for item in items]
    results: dict[int, R] = {}
    todo = iter(range(len(items)))
    with _started(work, items, count) as workers:
        busy = {end: _ask(end, number) for end, number in zip(workers, todo, strict=False)}
        while busy:
            for end in cast(list[Connection], wait(list(busy), LOOK_S)):
                number = busy.pop(end)
                try:
                    results[number] = end.recv()
                except (EOFError, OSError):
                    results[number] = _instead(workers[end], work, items[number])
                    continue
                if (following := next(todo, None)) is not None:
                    busy[end] = _ask(end, following)
    results |= {number: work(items[number]) for number in todo}  # only where no process is left
    return [results[number] for number in range(len(items))]


def cores() -> int:
    """How many processes may run at once. One where the system does not tell, and where this process has several
    threads: a fork would hold their locks without them."""
    if threading.active_count() > 1 or not hasattr(os, "sched_getaffinity"):
        return 1
    return len(os.sched_getaffinity(0))


def _ask(end: Connection, number: int) -> int:
    with suppress(BrokenPipeError):  # its end shows when the answer is read
        end.send(number)
    return number


def _instead(process: BaseProcess, work: Callable[[T], R], item: T) -> R:
    """A process ends by itself where `work` raises: then the work is done here, so that it raises here."""
    process.join()
    code = process.exitcode or 0
    if code < 0:
        name = signal.Signals(-code).name
        raise ChildProcessError(f"a worker process was ended from outside by {name}, perhaps because memory was short")
    return work(item)


@contextmanager
def _started(work: Callable[[T], R], items: Sequence[T], count: int) -> Iterator[dict[Connection, BaseProcess]]:
    fork = multiprocessing.get_context("fork")
    workers: dict[Connection, BaseProcess] = {}
    # A signal that comes meanwhile is for this process, once it knows what it has started.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        for _ in range(count):
            here, there = fork.Pipe()
            process: BaseProcess = fork.Process(target=_serve, args=(work, items, there, [*workers, here]))
            process.start()
            there.close()
            workers[here] = process
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        yield workers
    finally:
        for end, process in workers.items():
            end.close()
            process.kill()
            process.join()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(work: Callable[[T], R], items: Sequence[T], end: Connection, others: Iterable[Connection]) -> None:
    """What a worker does. Whatever ends it, it ends without a word: `_instead` finds out."""
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        for other in others:  # else the end of the other process would never show
            other.close()
        while True:
            end.send(work(items[end.recv()]))
    finally:
        os._exit(1)
