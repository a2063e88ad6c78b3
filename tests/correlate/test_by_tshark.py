"""Tables 3 to 8 of a few trials a second time by tshark, which shares nothing with this project."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from correlate import report
from correlate.dataset import Dataset
from tests.end_to_end.runs import run_trials
from tests.records import record_anew

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "tshark_tables.py"
TRIALS = [
    "messenger-voice-fixed_to_lte-caller_hangs_up-1",
    "messenger-voice-lte_to_fixed-caller_hangs_up-1",
    "messenger-voice-lte_to_fixed-caller_hangs_up-2",
    "messenger-voice-lte_to_fixed-caller_cancels-1",
]

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(shutil.which("tshark") is None, reason="needs tshark, which is not installed"),
]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Four trials of the virtual bench, with the names that their servers have there."""
    folder = tmp_path_factory.mktemp("tshark") / "virtual"
    run_trials(folder, TRIALS)
    truths = [json.loads(path.read_text()) for path in (folder / "truth").iterdir()]
    servers = [server for truth in truths for side in ("caller", "callee") for server in truth["servers"][side]]
    names = {each["address"]: {"name": each["name"], "how": "PTR", "when_ns": 0} for each in servers}
    (folder / "names.json").write_text(json.dumps(names))
    record_anew(folder)
    report.build(Dataset(folder))
    return folder


def compared(dataset):
    done = subprocess.run([sys.executable, SCRIPT, dataset, "messenger"], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines()


def test_each_cell_of_tables_3_to_8_is_what_tshark_gives(dataset):
    code, said = compared(dataset)
    assert said[:-1] == []
    assert code == 0
    cells, agree = (int(part.split()[0]) for part in said[-1].removeprefix("messenger: ").split(", ")[:2])
    assert cells == agree > 400


def test_a_cell_that_is_not_so_is_named(dataset, tmp_path):
    copy = tmp_path / "changed"
    shutil.copytree(dataset, copy)
    path = copy / "tables" / "table3.csv"
    first = "caller_hangs_up,messenger,lte_to_fixed,p2p,"
    row = next(line for line in path.read_text().splitlines() if line.startswith(first))
    n, rest = row.removeprefix(first).split(",", 1)
    path.write_text(path.read_text().replace(row, f"{first}{int(n) + 1},{rest}"))
    code, said = compared(copy)
    assert (code, said[0]) == (1, f"table3 caller_hangs_up lte_to_fixed p2p n: {int(n) + 1}, tshark {n}: DIFFERS")
