"""One error tree. Each message says what happened, where, and what to do.

LabError                        exit 1
├── Bug                         exit 1   the lab itself is wrong, time and again; the text names a traceback
├── BadInput                    exit 2   a file, an argument or a dataset that does not fit; nothing touched
├── TrialsFailed                exit 3   the run is over, some trials stay void or a capture is damaged
├── BenchUnhealthy              exit 4   the bench cannot go on; what is recorded is kept
│   ├── PhoneTrouble                     a phone or the path to it does not answer, or answers nonsense
│   ├── LaptopTrouble                    the laptop, or a program on it, does not answer or fails
│   ├── NeedsPerson                      a phone or the laptop answers, and only a person can make it fit to go on
│   └── ControllerTrouble                this machine has no file handles, no space or no memory left
├── BenchBusy                   exit 5   somebody else holds the bench
├── Interrupted                 exit 130 Ctrl-C, SIGTERM or SIGHUP
└── AttemptVoid                          one attempt is void, with a reason; never leaves lab.run.matrix
"""

import errno
from collections.abc import Iterator

TEXT_LIMIT = 1000

CONTROLLERS = {
    errno.EMFILE: "this process has no file handles left (ulimit -n)",
    errno.ENFILE: "this machine has no file handles left",
    errno.ENOMEM: "this machine has no memory left",
    errno.ENOBUFS: "this machine has no memory left for its network",
    errno.ENOSPC: "no space is left on a disk of this machine",
    errno.EDQUOT: "no more may be written to a disk of this machine (quota)",
    errno.EROFS: "a disk of this machine can only be read",
    errno.EIO: "a disk of this machine fails",
}
"""What a machine runs out of, by the error number in which it says so: no phone, laptop or attempt is to blame."""


def one_line(text: str, limit: int = TEXT_LIMIT) -> str:
    """A text that may come from a phone, a file or a program, safe to print: one line, bounded, controls escaped."""
    line = " ".join(text.split())
    safe = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in line)
    return safe if len(safe) <= limit else f"{safe[: limit - 3]}..."


class LabError(Exception):
    """Root of all errors that people are meant to read: one line, no traceback."""

    exit_code = 1

    def __init__(self, text: str) -> None:
        super().__init__(one_line(text))


class BadInput(LabError):
    """Input that does not fit. The text holds one line for each mistake."""

    exit_code = 2

    def __init__(self, text: str) -> None:
        Exception.__init__(self, "\n".join(one_line(line) for line in text.split("\n")))


class TrialsFailed(LabError):
    """The run is over, but some trials stay void, or a capture is damaged."""

    exit_code = 3


class BenchUnhealthy(LabError):
    """The bench cannot go on. Everything recorded so far is kept."""

    exit_code = 4


class PhoneTrouble(BenchUnhealthy):
    """A phone, its agent or the path to it does not answer in time, or answers nonsense."""


class LaptopTrouble(BenchUnhealthy):
    """The laptop or a program on it does not answer in time, or fails."""


class NeedsPerson(BenchUnhealthy):
    """A phone or the laptop answers, and waiting mends nothing: su is refused, a PIN is asked for, a disk is full.

    The text names the machine and what a person has to do. It is no trouble of the way to the machine, so no recovery
    is tried.
    """


class ControllerTrouble(BenchUnhealthy):
    """This machine cannot go on: it is no trouble of the bench, and another attempt mends nothing."""


class Bug(LabError):
    """Something in the lab itself is wrong. The text names the file with the traceback."""


def reasons(error: BaseException) -> Iterator[BaseException]:
    """An error and all that it came of, or while."""
    seen: list[BaseException] = []
    todo: list[BaseException | None] = [error]
    while todo:
        if (each := todo.pop(0)) is not None and each not in seen:
            seen.append(each)
            todo += [each.__cause__, each.__context__]
            yield each


def of_controller(error: BaseException) -> str:
    """What this machine has run out of, where an error came of that, in words and with the error's name; else empty."""
    for each in reasons(error):
        number = errno.ENOMEM if isinstance(each, MemoryError) else getattr(each, "errno", None)
        if isinstance(each, OSError | MemoryError) and number in CONTROLLERS:
            return f"{CONTROLLERS[number]}: {errno.errorcode[number]}"
    return ""


class BenchBusy(LabError):
    """Somebody else holds the bench; the text names the holder."""

    exit_code = 5


class Interrupted(LabError):
    """Ctrl-C, SIGTERM or SIGHUP: phones are hung up, captures stopped, what is verified is kept."""

    exit_code = 130


class AttemptVoid(LabError):
    """This attempt does not count.

    `reason` is a short name (`callee_never_rang`, `noisy`, `selector_not_found`, ...) that goes into the journal and
    into the folder under `attempts/`; the text says what was looked for and where.
    """

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason
