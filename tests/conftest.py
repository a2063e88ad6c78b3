"""How tests are shared out among processes, and which of them are quick."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

HERE = Path(__file__).parent
LONGEST = (
    "end_to_end/test_matrix.py",
    "test_docs.py",
    "correlate/dataset/test_record_fuzz.py",
    "end_to_end/test_interruption.py",
    "end_to_end/test_validity.py",
)
"""Of several processes one begins with each of these, the longest first: at the end there are short files to share."""

LAST = ("end_to_end/test_legs.py",)
"""Looks at the paper's matrix, which another process plays from the beginning."""

ALONE = ("end_to_end/test_rig.py", "test_mutants.py")
"""Browsers play in real time, and mutants keep every core busy within deadlines: nothing runs beside these."""

PAPER_DIR = "IM_CALL_LAB_PAPER"
"""The environment's name of the folder in which the paper's matrix is played once for all processes."""

NOT_QUICK = (
    "end_to_end/",
    "integrity/",
    "lab/clocks/test_capture_clocks.py",
    "lab/commands/test_calibrate.py",
    "lab/commands/test_introduce.py",
    "lab/commands/test_resolve_again.py",
    "lab/laptop/test_agent.py",
    "lab/run/test_attempt.py",
    "lab/run/test_examples.py",
    "lab/virtual/test_agent.py",
    "lab/virtual/test_control.py",
    "lab/virtual/test_noise.py",
    "lab/virtual/test_shell_against_mksh.py",
    "lab/virtual/test_traffic.py",
    "correlate/dataset/test_links.py",
    "correlate/dataset/test_record_fuzz.py",
    "correlate/dataset/test_tampering.py",
    "correlate/test_capture_files.py",
    "correlate/test_edits.py",
    "correlate/test_fuzz.py",
    "correlate/test_fuzz_stun_tcp.py",
    "correlate/test_imports.py",
    "correlate/test_link.py",
    "correlate/test_links.py",
    "correlate/test_no_address_is_missed.py",
    "correlate/test_oracles.py",
    "correlate/test_stream.py",
    "test_architecture.py",
    "test_docs.py",
)
"""Whole runs and calls, benches behind adb, network namespaces, what is done hundreds of times, and what is said of all
files."""

# How long one example takes tells how busy the machine is.
settings.register_profile("lab", deadline=None)
settings.load_profile("lab")


def place(item: pytest.Item) -> str:
    """The file of a test, from this folder."""
    return item.path.relative_to(HERE).as_posix()


def pytest_configure(config: pytest.Config) -> None:
    """The first process names the folder of the paper's matrix, and removes it at the end; others inherit the name."""
    if PAPER_DIR not in os.environ:
        folder = os.environ[PAPER_DIR] = f"{tempfile.gettempdir()}/im-call-lab-paper-{secrets.token_hex(8)}"
        config.add_cleanup(lambda: (os.environ.pop(PAPER_DIR), shutil.rmtree(folder, ignore_errors=True)))


def turn(item: pytest.Item) -> int:
    """When a test has its turn where several processes share them."""
    file = place(item)
    if file in LAST:
        return len(LONGEST) + 1
    return LONGEST.index(file) if file in LONGEST else len(LONGEST)


@pytest.hookimpl(tryfirst=True)  # Before `-m` looks at the marks.
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if not place(item).startswith(NOT_QUICK) and item.get_closest_marker("full") is None:
            item.add_marker(pytest.mark.quick)
        if place(item) in ALONE:
            item.add_marker(pytest.mark.alone)
    if hasattr(config, "workerinput"):
        items.sort(key=turn)
