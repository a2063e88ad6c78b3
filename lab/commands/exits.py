"""How a command ends: errors that people are meant to read become their text and exit code, others a kept traceback."""

import os
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper

from invoke.exceptions import Exit

from correlate.errors import CorrelateError
from lab.clocks.stop import terminable
from lab.errors import BenchUnhealthy, LabError, of_controller, one_line, reasons
from lab.run.terminal import let_go_of_what_is_gone

INTERRUPTED = "interrupted; what is recorded is kept"


@contextmanager
def exits() -> Iterator[None]:
    """Turn errors that people are meant to read into their text and exit code; what stdout cannot show is escaped, and
    no secret of a bench is shown."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    # Here, for `invoke --list` needs no definitions.
    from lab.commands.terminal import screened

    with screened(), _worded():
        yield


@contextmanager
def _worded() -> Iterator[None]:
    try:
        with _ended():
            yield
    except Exit:
        let_go_of_what_is_gone()
        raise


@contextmanager
def _ended() -> Iterator[None]:
    try:
        with terminable():
            yield
    except (LabError, CorrelateError) as error:
        raise Exit(str(error), error.exit_code) from error
    except KeyboardInterrupt:
        raise Exit(INTERRUPTED, 130) from None
    except BrokenPipeError:
        # Whoever read the output has enough; what is still in the buffer has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        text = f"{where}{error.strerror or error}; what is recorded is kept; mend this and run again"
        raise Exit(one_line(text), BenchUnhealthy.exit_code) from error
    except Exit:
        raise
    except Exception as error:
        raise _unforeseen(error) from error


def _unforeseen(error: Exception) -> Exit:
    """The end by an error that nobody foresaw."""
    if any(isinstance(each, KeyboardInterrupt) for each in reasons(error)):
        return Exit(INTERRUPTED, 130)  # raised inside of imports, it comes out of them as another error
    if why := of_controller(error):
        return Exit(f"{why}; what is recorded is kept; mend this and run again", BenchUnhealthy.exit_code)
    text = "".join(traceback.format_exception(error))
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="im-call-lab-bug-", suffix=".txt", errors="backslashreplace", delete=False
        ) as file:
            file.write(text)
    except OSError:
        return Exit(text, 1)
    what = one_line(f"a bug of the lab: {type(error).__name__}: {error}")
    return Exit(f"{what}; what is recorded is kept; report it with {file.name}", 1)


def require_none(failed: list[str]) -> None:
    """Exit 3 with these lines, where there are any: what stays void, or cannot be read."""
    if failed:
        raise Exit("\n".join(failed), 3)
