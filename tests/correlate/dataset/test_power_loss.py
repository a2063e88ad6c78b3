"""What a power loss leaves of a dataset, whichever way the file system goes: all that is journalled is there."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.power import HOOK, NOTES, lose
from correlate.dataset import Dataset
from correlate.dataset.durable import sha256

ROOT = Path(__file__).parents[3]
BODY = """
import os, sys
from pathlib import Path
from correlate.dataset import Dataset
from correlate.dataset.durable import write_text
from correlate.errors import CorrelateError
dataset = Dataset(Path(sys.argv[1]))
dataset.make()
dataset.journal.append("begun")
for trial, void in (("a", True), ("a", False), ("b", False)):
    with dataset.attempt(trial) as folder:
        write_text(folder.path / "events.jsonl", trial)
        (folder.path / "caller-screen.jpg").write_bytes(b"a picture")
        folder.truth.parent.mkdir(exist_ok=True)
        with folder.truth.open("w") as truth:
            truth.write("{}")
            truth.flush()
            os.fsync(truth.fileno())
        folder.void("noisy", "loud", by_bench=True) if void else folder.complete()
(dataset.path / "status.html").write_text("never synced")
os._exit(9)
"""


@pytest.mark.parametrize("names_too", [True, False])
def test_a_power_loss_takes_nothing_that_is_journalled(tmp_path: Path, names_too: bool) -> None:
    root, notes = tmp_path / "root", tmp_path / "notes"
    for folder in (root, notes):
        folder.mkdir()
    env = os.environ | {NOTES: str(notes), "PYTHONPATH": os.pathsep.join([str(HOOK), str(ROOT)])}
    done = subprocess.run([sys.executable, "-c", BODY, str(root / "above" / "dataset")], env=env, check=False)
    assert done.returncode == 9
    assert lose(root, notes, random.Random(1), names_too=names_too) >= 1
    dataset = Dataset(root / "above" / "dataset")
    journalled = {name: sha for line in dataset.journal.read() for name, sha in (line.files or {}).items()}
    assert {name.split("/")[0] for name in journalled} == {"attempts", "trials", "truth"}
    assert [name for name, sha in journalled.items() if sha256(dataset.path / name) != sha] == []
    assert sorted(path.name for path in (dataset.path / "trials").iterdir()) == ["a", "b"]
    assert (dataset.path / "status.html").exists() is not names_too
