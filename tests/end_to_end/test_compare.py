"""The virtual bench beside one whose Messenger hides its caller: what changes is named, and nothing else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from correlate.dataset import Dataset
from tests.end_to_end.runs import ROOT, invoke

EXPOSED = "exposure: {unanswered: caller, conversation: all}"
HIDDEN = "exposure: {unanswered: none, conversation: all}"


@pytest.fixture(scope="module")
def hidden(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve cancelled calls of a Messenger that gives its caller away to nobody who has not answered."""
    folder = tmp_path_factory.mktemp("hidden")
    shutil.copytree(ROOT / "scenarios", folder / "scenarios")
    messenger = folder / "scenarios/virtual/messenger.yaml"
    text = messenger.read_text()
    assert text.count(EXPOSED) == 1
    messenger.write_text(text.replace(EXPOSED, HIDDEN))
    dataset, only = folder / "dataset", "app=messenger,scenario=caller_cancels"
    run = invoke("run-matrix", "--scenarios", str(folder / "scenarios"), "--only", only, "--dataset", str(dataset))
    assert run.returncode == 0, run.stderr
    return dataset


@pytest.mark.full
@pytest.mark.parametrize(("is_first", "code", "leak"), [(True, 6, "opened"), (False, 7, "closed")])
def test_what_a_hidden_caller_changes_is_named_and_nothing_else(
    paper: Dataset, hidden: Path, is_first: bool, code: int, leak: str
) -> None:
    pair = [str(hidden), str(paper.path)] if is_first else [str(paper.path), str(hidden)]
    compared = invoke("compare", *pair, "--json")
    assert compared.returncode == code, compared.stderr
    found = json.loads(compared.stdout)
    changed = [row for row in (*found["claims"], *found["values"]) if row["outcome"] == "changed"]
    assert {(row["app"], row["claim"], row["leak"]) for row in changed} == {
        ("messenger", "no_disclosure_before_answer", leak),
        ("messenger", "caller_exposed_before_answer", leak),
    }
    assert {(row["a"]["hits"], row["b"]["hits"]) for row in changed} == {(12, 0), (0, 12)}
    assert [row["what"] for row in found["moved"]] == ["scenarios/virtual/messenger.yaml"]
    assert sorted(found["left_out"]) == ["snapchat", "whatsapp"]


@pytest.mark.full
def test_the_same_bench_beside_itself_shows_no_change(paper: Dataset) -> None:
    compared = invoke("compare", str(paper.path), str(paper.path))
    assert compared.returncode == 0, compared.stderr
    assert "Nothing changed that can be told." in compared.stdout
