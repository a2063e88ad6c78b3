"""How tests are shared out among processes, and which of them are quick."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

HERE = Path(__file__).parent
LONGEST = ("end_to_end/test_matrix.py", "test_docs.py")
"""Each of these runs whole matrices, about a minute long."""

# How long one example takes tells how busy the machine is.
settings.register_profile("lab", deadline=None)
settings.load_profile("lab")


def place(item: pytest.Item) -> str:
    """The file of a test, from this folder."""
    return item.path.relative_to(HERE).as_posix()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):  # One of several processes: at the end there are only short files left to share.
        items.sort(key=lambda item: place(item) not in LONGEST)
