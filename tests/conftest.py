"""How tests are shared out among processes, and which of them are quick."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

HERE = Path(__file__).parent
LONGEST = ("end_to_end/test_matrix.py", "test_docs.py")
"""Each of these runs whole matrices, about a minute long."""

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


@pytest.hookimpl(tryfirst=True)  # Before `-m` looks at the marks.
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if not place(item).startswith(NOT_QUICK) and item.get_closest_marker("full") is None:
            item.add_marker(pytest.mark.quick)
    if hasattr(config, "workerinput"):  # One of several processes: at the end there are only short files left to share.
        items.sort(key=lambda item: place(item) not in LONGEST)
