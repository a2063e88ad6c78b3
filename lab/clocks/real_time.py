"""Real time, for programs, sockets and files: a deadline here is real on every bench."""

import time


def elapsed() -> float:
    """Seconds of real time since an arbitrary start; never goes back."""
    return time.monotonic()


def wall_ns() -> int:
    """The wall clock of this machine, in ns since the epoch: for people to read, nothing is measured by it."""
    return time.time_ns()


class Deadline:
    """A real deadline for a program, a socket or a file."""

    def __init__(self, seconds: float) -> None:
        self._end = elapsed() + seconds

    def left(self) -> float:
        """Seconds left, at least 0."""
        return max(0.0, self._end - elapsed())

    def passed(self) -> bool:
        return self.left() == 0.0
