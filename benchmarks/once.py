"""One attempt at a trial: a run would make what is void anew, and a campaign judges each attempt."""

from __future__ import annotations

import io

from rich.console import Console

from lab.bench.bench import Bench
from lab.definitions import PlannedTrial
from lab.run.guard import Bugs
from lab.run.matrix import Making, make_one
from lab.run.plan import Run
from lab.run.policy import Policy
from lab.run.progress import Progress
from lab.run.queue import Entry
from lab.run.tonight import Tonight


def once(run: Run, bench: Bench, item: PlannedTrial) -> None:
    """Make it on a bench that is open, whatever became of others before; what the bench itself spoilt is made anew."""
    progress = Progress(Console(file=io.StringIO()))
    make_one(Making(Tonight.of(run), progress, Policy(flags=False), Bugs()), bench, Entry(item))
