"""How a command ends: errors that people are meant to read become their text and exit code."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper

from invoke.exceptions import Exit

from correlate.errors import CorrelateError
from lab.clocks.stop import terminable
from lab.errors import BenchUnhealthy, LabError, one_line


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
        with terminable():
            yield
    except (LabError, CorrelateError) as error:
        raise Exit(str(error), error.exit_code) from error
    except KeyboardInterrupt:
        raise Exit("interrupted; what is recorded is kept", 130) from None
    except BrokenPipeError:
        # Whoever read the output has enough; what is still in the buffer has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        text = f"{where}{error.strerror or error}; what is recorded is kept; mend this and run again"
        raise Exit(one_line(text), BenchUnhealthy.exit_code) from error


def require_none(failed: list[str]) -> None:
    """Exit 3 with these lines, where there are any: what stays void, or cannot be read."""
    if failed:
        raise Exit("\n".join(failed), 3)
