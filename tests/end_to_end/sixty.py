"""Sixty cases of faults, each kind at least once, drawn by a fixed seed; shared out among three files, since a file is
what one of several processes takes. Calls are short here: faults strike at steps, not at minutes."""

from __future__ import annotations

import atexit
import re
import shutil
import tempfile
from functools import cache
from pathlib import Path

from benchmarks.faults import Job, sample
from tests.end_to_end.runs import ROOT

CASES, SEED = 60, 1
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


def third(number: int) -> list[Job]:
    """Every third run of the sample, from this one on."""
    return sample(CASES, SEED, shorter())[number::3]


def names(job: Job) -> str:
    """How a run is called in what pytest says."""
    return job.name if len(job.struck) > 1 else "-".join(case.name for case in job.struck.values())
