"""Taking a run up again where its journal does not hold; and what is refused before anything is touched."""

import io
import json
import shutil
from pathlib import Path

import pytest
from rich.console import Console

from correlate.dataset import Dataset
from lab.clocks.stop import Stop
from lab.errors import BadInput
from lab.run.description import create
from lab.run.matrix import run_missing
from lab.run.options import Options
from lab.run.plan import prepare
from lab.run.progress import Progress
from tests import records

SCENARIOS = Path(__file__).parents[3] / "scenarios"


@pytest.fixture
def begun(tmp_path):
    """A run of two trials, both complete by their folders; one of them has a record that cannot be read."""
    run = prepare(Options(matrix="smoke", dataset=str(tmp_path / "d"), scenarios=str(SCENARIOS)))
    run = run.only(*run.planned[:2])
    create(run)
    ids = sorted(item.trial.id for item in run.chosen)
    for trial_id in ids:
        run.dataset.trial_dir(trial_id).mkdir(parents=True)
        run.dataset.journal.append("completed", trial=trial_id, attempt=0, captures=None)
    (run.dataset.trial_dir(ids[0]) / "trial.json").write_text(json.dumps(records.trial(ids[0], attempt=2)))
    (run.dataset.trial_dir(ids[1]) / "trial.json").write_text("{")
    run.dataset.write_manifest()
    return run, ids


def said_by(run) -> tuple[bool, list[str]]:
    out = io.StringIO()
    changed = run_missing(run, Progress(Console(file=out)), Stop())
    return changed, out.getvalue().splitlines()


def test_a_journal_that_was_changed_is_kept_and_begun_anew_from_the_trials_that_are_complete(begun):
    run, ids = begun
    path = run.dataset.journal.path
    assert said_by(run) == (False, [f"Nothing to do: all 2 trials are complete in {run.dataset.path}."])
    changed = path.read_bytes().replace(b'"attempt": 0', b'"attempt": 1', 1)
    path.write_bytes(changed)
    broken = f"{path}:3: the line before was changed after this one was written"
    kept = "it is kept as journal.jsonl.broken-1, a new one begins with the trials that are complete"
    assert said_by(run) == (True, [f"{broken}; {kept}"])
    assert path.with_name("journal.jsonl.broken-1").read_bytes() == changed
    entries = Dataset(run.dataset.path).journal.read()
    told = [(entry.event, entry.trial) for entry in entries]
    assert told == [("journal_broken", None), ("begun", None), ("found", ids[0]), ("found", ids[1])]
    assert not run.dataset.manifest_path.exists()
    run.dataset.write_manifest()
    assert said_by(run) == (False, [f"Nothing to do: all 2 trials are complete in {run.dataset.path}."])


def test_an_app_that_nobody_emulates_is_refused_on_a_virtual_bench_naming_the_file_to_write(tmp_path):
    scenarios = Path(shutil.copytree(SCENARIOS, tmp_path / "scenarios"))
    (scenarios / "virtual" / "whatsapp.yaml").unlink()
    with pytest.raises(BadInput) as raised:
        prepare(Options(matrix="smoke", scenarios=str(scenarios)))
    assert str(raised.value) == (
        f"{scenarios}/virtual/whatsapp.yaml: missing, bench virtual needs it; "
        "write it (docs/add-an-app.md), or name a real bench with --bench"
    )
    assert len(prepare(Options(bench="pixels", matrix="smoke", scenarios=str(scenarios))).planned) == 20
