"""Several benches of one run: each trial is made by the next bench that is free, in the order of the queue."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from lab.bench.bench import Bench
from lab.errors import BenchUnhealthy, ControllerTrouble, Interrupted
from lab.run.queue import Entry, Outcome, Pause, Queue


class Trials:
    """Trials that are still to be made by so many benches, each driven by a thread of its own.

    One whose bench was lost comes again, after all others: should it be what no bench can bear, it costs no other
    trial. It comes no more often than there are benches.
    """

    def __init__(self, queue: Queue, benches: int) -> None:
        self._queue, self._benches, self._running, self._ended = queue, benches, 0, False
        self._changed = threading.Condition()

    def take(self) -> Entry | Pause | None:
        """What a bench is to make next, or how long it is to wait; None once all are made, or nothing more is to be
        begun.

        It waits where the others have all that are left, for one of them may be lost, or give trials back.
        """
        with self._changed:
            while not self._ended:
                found = self._queue.next(others=self._running > 0)
                if isinstance(found, Entry):
                    self._running += 1
                if isinstance(found, Entry) or not self._running:
                    return found
                self._changed.wait()
            return None

    def made(self, entry: Entry, outcome: Outcome) -> None:
        """A bench is done with a trial that it took."""
        with self._changed:
            self._running -= 1
            self._queue.ended(entry, outcome)
            self._changed.notify_all()

    def lose_bench(self, entry: Entry) -> int:
        """A bench was lost that had `entry`, which is to be made again; how many go on."""
        with self._changed:
            self._running -= 1
            self._queue.give_back(entry)
            self._benches -= 1
            self._changed.notify_all()
            return self._benches

    @contextmanager
    def until_an_error(self) -> Iterator[None]:
        """Where the block ends by an error, no bench begins another trial."""
        whole = False
        try:
            yield
            whole = True
        finally:
            with self._changed:
                self._ended = self._ended or not whole
                self._changed.notify_all()


def share(
    queue: Queue,
    benches: Sequence[Bench],
    require: Callable[[], None],
    make: Callable[[Bench, Entry], Outcome],
    tell: Callable[[str], None],
    rest: Callable[[Bench, Pause], None],
) -> None:
    """Have `benches` make the trials of `queue`, each bench by a thread of its own; `require` is called before a trial,
    `rest` where none may be made for a while.

    A bench on which `make` raises `BenchUnhealthy` is lost: `tell` gets a line, and the others make its trial too; but
    for `ControllerTrouble`, which is no bench's. Raised is the error of the last bench that is lost, and any other one,
    once the other benches have ended the trials that they had.
    """
    trials = Trials(queue, len(benches))

    def drive(bench: Bench) -> None:
        with trials.until_an_error():
            while (taken := trials.take()) is not None:
                require()
                if isinstance(taken, Pause):
                    rest(bench, taken)
                    continue
                try:
                    outcome = make(bench, taken)
                except ControllerTrouble:
                    raise
                except BenchUnhealthy as error:
                    bench.stop.check()
                    if not (left := trials.lose_bench(taken)):
                        raise
                    tell(f"a bench is lost, {left} of {len(benches)} left: {error}")
                    return
                trials.made(taken, outcome)

    # Leaving the block waits for all of them; a signal is noted meanwhile, and each notices it by itself.
    with ThreadPoolExecutor(len(benches)) as pool:
        ends = [pool.submit(drive, bench) for bench in benches]
    errors = [error for end in ends if (error := end.exception()) is not None]
    for error in sorted(errors, key=lambda each: isinstance(each, Interrupted)):
        raise error
