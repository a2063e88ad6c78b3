"""Long campaigns, by name: `python benchmarks/soak.py [PART] [--first SEED] [--seeds N]`, PART one of these;
without a name all of them.

virtual: one seed after the other through the paper's matrix, until it is stopped, a dataset does not verify, or a
finding is not the truth. Each dataset is verified, compared with what the emulator wrote on the wire, and removed. What
is undecided is counted, and so are addresses found as bytes: here both are chance.

rig: see `benchmarks.soak_rig`. validity: see `benchmarks.soak_validity`. alarms: see `benchmarks.alarms`.
faults: see `benchmarks.faults`. breaker: see `benchmarks.breaker`. thousand: see `benchmarks.thousand`.
kills: see `benchmarks.kills`. plain: see `benchmarks.plain`.

fuzz: 100,000 captures and STUN messages that chance has changed, as `tests.correlate.fuzzing` says, and 20,000 captures
whose structure lies, as `tests.correlate.fuzzing_structure` says.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import soak_rig
from correlate import report
from correlate.dataset import SIDES, Dataset
from correlate.findings.cases import cases
from lab.virtual.rig import needs

BIN = Path(sys.executable).parent
PARTS = ("virtual", "fuzz", "alarms", "validity", "faults", "breaker", "thousand", "kills", "plain")
"""All but the rig, which needs programs of its own."""


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


def virtual(first: int, seeds: int) -> None:
    for seed in range(first, first + seeds):
        with tempfile.TemporaryDirectory(prefix="im-call-lab-soak-") as directory:
            dataset = Dataset(Path(directory) / "dataset")
            where = ["--dataset", str(dataset.path)]
            subprocess.run([BIN / "invoke", "run-matrix", "--seed", str(seed), *where], check=True)
            subprocess.run([BIN / "invoke", "verify", *where], check=True)
            if different := wrong(dataset):
                sys.exit(f"seed {seed}: {len(different)} findings are not the truth, the first {different[0]}")
            print(f"seed {seed}: complete, verified, equal to the truth; {undecided(dataset)}", flush=True)


def fuzz(first: int) -> None:
    """Two processes side by side, each with a seed of its own; ends with the error of the first that fails."""
    root = Path(__file__).resolve().parent.parent
    for module, count in (("fuzzing", 50_000), ("fuzzing_structure", 10_000)):
        command = [sys.executable, "-W", "error", "-m", f"tests.correlate.{module}"]
        running = [subprocess.Popen([*command, str(seed), str(count)], cwd=root) for seed in (first, first + 1)]
        if any([each.wait() for each in running]):
            sys.exit("soak fuzz: what is printed above")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="?", choices=(*PARTS, "rig"))
    parser.add_argument("--first", type=int, default=1, metavar="SEED")
    parser.add_argument("--seeds", type=int, default=5, metavar="N")
    options = parser.parse_args()
    parts = (*PARTS, "rig") if options.part is None else (options.part,)
    lacking = [f"{need.what}: {need.fix}" for need in needs.lacking()] if "rig" in parts else []
    if options.part == "rig" and lacking:
        sys.exit(f"soak rig: {'; '.join(lacking)}")
    if "virtual" in parts:
        virtual(options.first, options.seeds)
    if "fuzz" in parts:
        fuzz(options.first)
    if "alarms" in parts:
        from benchmarks import alarms

        alarms.run()
    if "validity" in parts:
        from benchmarks import soak_validity  # what it needs costs a second, and the others need nothing of it

        soak_validity.run(options.first)
    if "faults" in parts:
        from benchmarks import faults

        faults.run(options.first)
    if "breaker" in parts:
        from benchmarks import breaker

        breaker.run(options.first)
    if "thousand" in parts:
        from benchmarks import thousand

        thousand.run(options.first)
    if "kills" in parts:
        from benchmarks import kills

        kills.run()
    if "plain" in parts:
        from benchmarks import plain

        plain.run()
    if options.part is None and lacking:
        print(f"soak rig: left out: {'; '.join(lacking)}")
    elif "rig" in parts:
        soak_rig.run(options.first)


if __name__ == "__main__":
    main()
