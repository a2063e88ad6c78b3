"""Network namespaces for these tests; where none can be made, the tests are skipped with the reason."""

from __future__ import annotations

import pytest

from tests.integrity.rig import Rig, missing


@pytest.fixture(scope="session")
def namespaces():
    if reason := missing():
        pytest.skip(reason)


@pytest.fixture(scope="module")
def rig(namespaces):
    with Rig(4) as rig:
        yield rig
