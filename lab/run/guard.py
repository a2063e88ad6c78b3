"""The guard around an attempt: what must not end a run does not, and what is no attempt's fault burns none."""

import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from correlate.errors import CorrelateError
from lab.errors import AttemptVoid, Bug, ControllerTrouble, LabError, LaptopTrouble, PhoneTrouble, of_controller

BUG = "bug"
"""Why an attempt is void that ended by an error which nobody foresaw."""
TRACEBACK = "traceback.txt"
TRACEBACK_CHARACTERS = 100_000
IN_A_ROW = 3
"""So many attempts in a row that end by bugs end the run: the next would, too."""


@contextmanager
def guarded(folder: Path) -> Iterator[None]:
    """Around an attempt that writes into `folder`.

    An error that nobody foresaw becomes a void `bug`, its traceback kept beside what else is there. Raises
    `ControllerTrouble` where trouble of the bench came of this machine; an error with one of its files stays as it is.
    """
    try:
        yield
    except (AttemptVoid, PhoneTrouble, LaptopTrouble) as error:
        if why := of_controller(error):
            raise ControllerTrouble(f"{why}; what is recorded is kept; mend this and run again") from error
        raise
    except (LabError, CorrelateError):
        raise
    except Exception as error:
        if of_controller(error) or (isinstance(error, OSError) and error.filename is not None):
            raise
        text = "".join(traceback.format_exception(error))[-TRACEBACK_CHARACTERS:]
        (folder / TRACEBACK).write_text(text, encoding="utf-8", errors="backslashreplace")
        raise AttemptVoid(BUG, f"{type(error).__name__}: {error}; see {TRACEBACK} and report it") from error


class Bugs:
    """How many attempts of a run, on all its benches, ended by bugs without another one between them."""

    def __init__(self) -> None:
        self._in_a_row, self._counting = 0, threading.Lock()

    def ended(self, reason: str | None, kept: Path) -> None:
        """An attempt has ended, void for `reason` or complete; `kept` is its folder. Raises `Bug` at the third."""
        with self._counting:
            self._in_a_row = self._in_a_row + 1 if reason == BUG else 0
            if self._in_a_row < IN_A_ROW:
                return
        what = f"{IN_A_ROW} attempts in a row ended by a bug of the lab"
        raise Bug(f"{what}: {kept / TRACEBACK}; what is recorded is kept; report it with this file")
