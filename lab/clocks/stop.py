"""The end of a run that was asked for: Ctrl-C and SIGTERM, told politely."""

import contextlib
import signal
import threading
import time
from collections.abc import Iterator

from lab.errors import Interrupted


class _Held(threading.local):
    """How often this thread holds a stop back."""

    count = 0


class Stop:
    """Ctrl-C and SIGTERM, told politely: the run ends at the next wait, with everything put back in order.

    While `held`, a signal is noted but does not interrupt, so that hanging up and stopping captures is never cut short.
    Each thread holds it for itself: that one bench is put in order keeps no other one going.
    """

    def __init__(self) -> None:
        self._event = threading.Event()
        self._held = _Held()

    def request(self, *_signal: object) -> None:
        """A signal handler: ask for the end of the run."""
        self._event.set()

    @property
    def requested(self) -> bool:
        return self._event.is_set()

    def check(self) -> None:
        """Raise `Interrupted` where the end was asked for and nothing holds it back."""
        if self.requested and not self._held.count:
            raise Interrupted("interrupted; what is verified is kept, the trial that ran is run again next time")

    def wait(self, seconds: float) -> None:
        """Sleep in real time; a signal ends the sleep."""
        self._event.wait(seconds) if not self._held.count else time.sleep(seconds)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        self._held.count += 1
        try:
            yield
        finally:
            self._held.count -= 1

    @contextlib.contextmanager
    def on_signals(self) -> Iterator[None]:
        """Catch SIGINT and SIGTERM for as long as the block runs (main thread only)."""
        before = {number: signal.signal(number, self.request) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM raise `KeyboardInterrupt`, as SIGINT does; once one was raised, neither disturbs what follows."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except (KeyboardInterrupt, Interrupted):
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        raise
    else:
        signal.signal(signal.SIGTERM, before)
