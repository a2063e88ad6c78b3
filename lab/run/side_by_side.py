"""Several benches of one run: each trial is made by the next bench that is free, in the order of the matrix."""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from lab.bench.bench import Bench
from lab.definitions import PlannedTrial
from lab.errors import BenchUnhealthy, ControllerTrouble, Interrupted


class Trials:
    """Trials that are still to be made by so many benches, each driven by a thread of its own.

    One whose bench was lost comes again, after all others: should it be what no bench can bear, it costs no other
    trial. It comes no more often than there are benches.
    """

    def __init__(self, missing: Sequence[PlannedTrial], benches: int) -> None:
        self._todo, self._benches, self._running, self._ended = deque(missing), benches, 0, False
        self._changed = threading.Condition()

    def take(self) -> PlannedTrial | None:
        """What a bench is to make next; None once all are made, or nothing more is to be begun.

        It waits where the others have all that are left, for one of them may be lost.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._todo or not self._running or self._ended)
            if self._ended or not self._todo:
                return None
            self._running += 1
            return self._todo.popleft()

    def made(self) -> None:
        """A bench is done with a trial that it took."""
        with self._changed:
            self._running -= 1
            self._changed.notify_all()

    def lose_bench(self, item: PlannedTrial) -> int:
        """A bench was lost that had `item`, which is to be made again; how many go on."""
        with self._changed:
            self._todo.append(item)
            self._benches -= 1
            left = self._benches
        self.made()
        return left

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
    missing: Sequence[PlannedTrial],
    benches: Sequence[Bench],
    require: Callable[[], None],
    make: Callable[[Bench, PlannedTrial], None],
    tell: Callable[[str], None],
) -> None:
    """Have `benches` make the `missing` trials, each bench by a thread of its own; `require` is called before a trial.

    A bench on which `make` raises `BenchUnhealthy` is lost: `tell` gets a line, and the others make its trial too; but
    for `ControllerTrouble`, which is no bench's. Raised is the error of the last bench that is lost, and any other one,
    once the other benches have ended the trials that they had.
    """
    trials = Trials(missing, len(benches))

    def drive(bench: Bench) -> None:
        with trials.until_an_error():
            while (item := trials.take()) is not None:
                require()
                try:
                    make(bench, item)
                except ControllerTrouble:
                    raise
                except BenchUnhealthy as error:
                    bench.stop.check()
                    if not (left := trials.lose_bench(item)):
                        raise
                    tell(f"a bench is lost, {left} of {len(benches)} left: {error}")
                    return
                trials.made()

    # Leaving the block waits for all of them; a signal is noted meanwhile, and each notices it by itself.
    with ThreadPoolExecutor(len(benches)) as pool:
        ends = [pool.submit(drive, bench) for bench in benches]
    errors = [error for end in ends if (error := end.exception()) is not None]
    for error in sorted(errors, key=lambda each: isinstance(each, Interrupted)):
        raise error
