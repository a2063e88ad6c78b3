"""The controller stays awake while it holds a bench: a trial that was slept through would look like a quiet one."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from lab.clocks import deadlines
from lab.programs.processes import Program

INHIBITORS = (
    ["systemd-inhibit", "--what=idle:sleep", "--mode=block", "--who=im-call-lab", "--why=a run lasts"],
    ["caffeinate", "-i", "-s"],
)
"""What keeps Linux and macOS awake for as long as the program lasts that it is given."""

_HELD = b"held"


@contextmanager
def kept_awake() -> Iterator[str]:
    """Hold this machine awake, by the first of `INHIBITORS` that is on PATH; gives a line to tell where none does.

    What it runs is `cat` on a pipe of ours: it ends with this process, whatever way that ends.
    """
    argv = next((argv for argv in INHIBITORS if shutil.which(argv[0])), None)
    if argv is None:
        names = " and no ".join(argv[0] for argv in INHIBITORS)
        yield f"There is no {names}: see to it that this machine does not sleep while the run lasts."
        return
    with Program([*argv, "cat"]) as program:
        yield "" if _holds(program) else f"{argv[0]} does not keep this machine awake: see to it yourself."


def _holds(program: Program) -> bool:
    """Whether its `cat` answers, which an inhibitor starts once it holds."""
    try:
        program.send(_HELD + b"\n")
        return program.read_line(deadlines.INHIBITOR.s) == _HELD
    except (OSError, EOFError):  # TimeoutError is an OSError
        return False
