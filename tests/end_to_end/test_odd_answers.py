"""After an odd answer at each seam of the driving code the same trial completes."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from lab.clocks.stop import Stop
from lab.phone import agent
from lab.phone.adb import LabConnection
from lab.programs.processes import Program
from lab.run.matrix import run_missing
from lab.run.options import Options
from lab.run.plan import prepare
from lab.run.progress import Progress

SCENARIOS = Path(__file__).parents[2] / "scenarios"


class OddOnce(Progress):
    """Has one seam answer oddly once in each attempt: a step's name, what answers, and what it answers."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, odd: list[tuple[str, object, str, object]]) -> None:
        super().__init__(Console(file=io.StringIO(), width=200))
        self._patch, self._odd = monkeypatch, odd

    def step(self, trial: str, name: str) -> None:
        super().step(trial, name)
        if not self._odd or name != self._odd[0][0]:
            return
        _, owner, method, answer = self._odd.pop(0)
        usual = getattr(owner, method)

        def once(*given: Any, **named: Any) -> object:
            if isinstance(given[0], Program) and "lab.virtual" in given[0].argv:
                return usual(*given, **named)  # The bench itself is no seam of the driving code.
            self._patch.setattr(owner, method, usual)
            return answer

        self._patch.setattr(owner, method, once)


def test_after_an_odd_answer_of_agent_shell_and_laptop_the_trial_completes(tmp_path, monkeypatch):
    run = prepare(Options(matrix="smoke", dataset=str(tmp_path / "d"), scenarios=str(SCENARIOS)))
    item = next(item for item in run.planned if item.trial.scenario == "caller_hangs_up")
    odd = [
        ("answer", agent, "_post", b'{"jsonrpc": "2.0", "id": 1, "result": null}'),
        ("open_chat", LabConnection, "receive", b""),
        ("capture_ready", Program, "receive", b""),
    ]
    run_missing(run.only(item), OddOnce(monkeypatch, odd), Stop())
    assert run.dataset.trial_ids() == [item.trial.id]
    kept = [run.dataset.attempts_dir / f"{item.trial.id}.0.bench-{k}" for k in (1, 2, 3)]
    voids = [json.loads((folder / "void.json").read_text()) for folder in kept]
    assert [each["reason"] for each in voids] == ["bench_trouble"] * 3
    assert [(folder / "traceback.txt").exists() for folder in kept] == [False] * 3
    texts = [each["text"] for each in voids]
    assert "its agent's answer to" in texts[0]
    assert "no whole answer to" in texts[1]
    assert texts[2].startswith("the laptop")
