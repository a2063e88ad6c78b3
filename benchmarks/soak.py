"""One seed after the other through the paper's matrix, until it is stopped or a dataset does not verify.

`python benchmarks/soak.py [FIRST_SEED] [SEEDS]`; each dataset is verified and removed.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

BIN = Path(sys.executable).parent


def main(first: int = 1, seeds: int = 10) -> None:
    for seed in range(first, first + seeds):
        with tempfile.TemporaryDirectory(prefix="im-call-lab-soak-") as directory:
            dataset = str(Path(directory) / "dataset")
            subprocess.run([BIN / "invoke", "run-matrix", "--seed", str(seed), "--dataset", dataset], check=True)
            subprocess.run([BIN / "invoke", "verify", "--dataset", dataset], check=True)
        print(f"seed {seed}: complete and verified", flush=True)


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:3]))
