"""The end of a run that was asked for: Ctrl-C, SIGTERM and SIGHUP, told politely."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator

from lab.errors import Interrupted

EARLY = b"interrupted; nothing was begun\n"


def _endings() -> list[signal.Signals]:
    """The signals that end a run as Ctrl-C does; not SIGHUP where `nohup` has it ignored."""
    hangs_up = [signal.SIGHUP] if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN else []
    return [signal.SIGTERM, *hangs_up]


def end_at_once_until_begun() -> None:
    """Have Ctrl-C end this process with one line and exit code 130 until `terminable` begins (main thread only).

    An interrupt that is raised inside somebody's imports comes out of them as any error, or not at all.
    """

    def end(*_signal: object) -> None:
        with contextlib.suppress(OSError):
            os.write(2, EARLY)
        os._exit(Interrupted.exit_code)

    signal.signal(signal.SIGINT, end)


class _Held(threading.local):
    """How often this thread holds a stop back."""

    count = 0


class Stop:
    """Ctrl-C, SIGTERM and SIGHUP, told politely: the run ends at the next wait, with everything put back in order.

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
        """Catch SIGINT, SIGTERM and SIGHUP for as long as the block runs (main thread only)."""
        before = {number: signal.signal(number, self.request) for number in (signal.SIGINT, *_endings())}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM and SIGHUP raise `KeyboardInterrupt`, as SIGINT does; after the first one none disturbs any more."""
    endings = [signal.SIGINT, *_endings()]
    before = {number: signal.signal(number, signal.default_int_handler) for number in endings}
    try:
        yield
    except (KeyboardInterrupt, Interrupted):
        for number in endings:
            signal.signal(number, signal.SIG_IGN)
        raise
    else:
        for number, handler in before.items():
            signal.signal(number, handler)
