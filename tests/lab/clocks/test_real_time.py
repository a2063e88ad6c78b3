"""Real deadlines: what is left runs down to 0 and stays there."""

from __future__ import annotations

import pytest

from lab.clocks.real_time import Deadline, elapsed


def test_a_deadline_runs_down_to_0_and_has_passed_from_then_on(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    assert elapsed() == 100.0
    deadline = Deadline(2.5)
    for at, left, passed in ((100.0, 2.5, False), (102.0, 0.5, False), (102.5, 0.0, True), (110.0, 0.0, True)):
        now[0] = at
        assert (deadline.left(), deadline.passed()) == (left, passed)
