"""One seed after the other through the paper's matrix, until it is stopped, a dataset does not verify, or a finding is
not the truth.

`python benchmarks/soak.py [FIRST_SEED] [SEEDS]`; each dataset is verified, compared with what the emulator wrote on
the wire, and removed. What is undecided is counted, and so are addresses found as bytes: here both are chance.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from correlate import report
from correlate.dataset import SIDES, Dataset
from correlate.findings.cases import cases

BIN = Path(sys.executable).parent


def wrong(dataset: Dataset) -> list[str]:
    """Every finding that is decided and is not the truth, by trial and name."""
    found = report.read_findings(dataset)
    different = []
    for trial_id in dataset.trial_ids():
        truth = json.loads((dataset.truth_dir / f"{trial_id}.json").read_text())
        for name, value in found[trial_id].items():
            inner = value if isinstance(value, dict) else {"": value}
            true = truth[name] if isinstance(value, dict) else {"": truth[name]}
            different += [f"{trial_id}: {name}.{key}" for key in inner if inner[key] not in (None, true[key])]
    return different


def undecided(dataset: Dataset) -> str:
    """How many exposures nobody could decide, and how many addresses are found as bytes."""
    endpoints = [case.endpoints[side] for case in cases(dataset).read for side in SIDES]
    nulls = sum(exposed is None for each in endpoints for exposed in each.exposed.values())
    return f"{nulls} exposures undecided, {sum(len(each.unexplained) for each in endpoints)} addresses unexplained"


def main(first: int = 1, seeds: int = 5) -> None:
    for seed in range(first, first + seeds):
        with tempfile.TemporaryDirectory(prefix="im-call-lab-soak-") as directory:
            dataset = Dataset(Path(directory) / "dataset")
            where = ["--dataset", str(dataset.path)]
            subprocess.run([BIN / "invoke", "run-matrix", "--seed", str(seed), *where], check=True)
            subprocess.run([BIN / "invoke", "verify", *where], check=True)
            if different := wrong(dataset):
                sys.exit(f"seed {seed}: {len(different)} findings are not the truth, the first {different[0]}")
            print(f"seed {seed}: complete, verified, equal to the truth; {undecided(dataset)}", flush=True)


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:3]))
