"""Sixty cases of faults, each kind at least once, drawn by a fixed seed; shared out among three files, since a file is
what one of several processes takes. Calls are short here: faults strike at steps, not at minutes. Kinds that wait for
deadlines come beside the sixty, in `make full`."""

from __future__ import annotations

import atexit
import re
import shutil
import tempfile
from functools import cache
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from benchmarks.faults import Job, sample
from tests.end_to_end.runs import ROOT

CASES, SEED = 60, 1
WAITS = (
    pytest.mark.full,
    # What is scaled is short: another test beside it would take that long as well.
    pytest.mark.alone,
    # A connection on which a phone fell silent is left to the garbage collector, which closes it.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
)
TALK, IDLE = "talk_s: {low_s: 4, high_s: 6}", "idle_s: 1"


@cache
def shorter() -> Path:
    """The scenarios with short calls."""
    folder = Path(tempfile.mkdtemp(prefix="im-call-lab-sixty-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    shutil.copytree(ROOT / "scenarios", folder / "scenarios", ignore=shutil.ignore_patterns("*.local.yaml"))
    for path in (folder / "scenarios").glob("*/*.yaml"):
        text = re.sub(r"^talk_s: .*$", TALK, path.read_text(), flags=re.MULTILINE)
        path.write_text(re.sub(r"^idle_s: .*$", IDLE, text, flags=re.MULTILINE))
    return folder / "scenarios"


def third(number: int) -> list[ParameterSet]:
    """Every third run of the sample, from this one on."""
    return [
        pytest.param(job, marks=WAITS if job.waits else (), id=_name(job)) for job in sample(CASES, SEED, shorter())
    ][number::3]


def _name(job: Job) -> str:
    return job.name if len(job.struck) > 1 else "-".join(case.name for case in job.struck.values())
