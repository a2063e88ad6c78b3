"""What a command line asks for, as typed: a seed, a dataset's folder, a part of a matrix."""

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from correlate.dataset import Dataset, links
from lab.definitions import PlannedTrial
from lab.definitions.secrets import Redactor
from lab.definitions.yaml import did_you_mean
from lab.errors import BadInput
from lab.programs import locks


@dataclass(frozen=True)
class Options:
    """What a task was asked for, as typed."""

    bench: str = "virtual"
    matrix: str = "paper"
    dataset: str = ""
    seed: int | str = 1
    scenarios: str = "scenarios"
    only: str = ""
    local: str = ""
    benches: int | str = 1
    observe_only: bool = False
    faults: str = ""


MOST_BENCHES = 8
"""How many benches one run may drive side by side; a core is well used by one or two."""

FILTERS = ("app", "service", "direction", "scenario", "repetition", "id")


def parse_seed(text: int | str) -> int:
    """The number that `--seed` gives. Raises `BadInput`."""
    if not re.fullmatch(r"\d{1,18}", str(text), re.ASCII):
        raise BadInput(f"--seed {text}: write a whole number of at most 18 digits, without a sign")
    return int(text)


def parse_benches(text: int | str) -> int:
    """The number that `--benches` gives. Raises `BadInput`."""
    if not re.fullmatch(rf"[1-{MOST_BENCHES}]", str(text), re.ASCII):
        raise BadInput(f"--benches {text}: write a whole number from 1 to {MOST_BENCHES}")
    return int(text)


def dataset_at(folder: str, redactor: Redactor | None = None) -> Dataset:
    """The dataset of a folder, which need not exist; nothing that `redactor` finds goes into it.

    Raises `BadInput` for a path that no dataset.json can tell.
    """
    path = Path(folder)
    try:
        f"{path} {path.resolve().name}".encode()
    except UnicodeEncodeError as error:
        raise BadInput(f"--dataset {path}: is no UTF-8 text; name another folder") from error
    return Dataset(path) if redactor is None else Dataset(path, redactor.cleaned_value)


def holding(dataset: Dataset) -> AbstractContextManager[None]:
    """Hold a dataset for this process alone. Raises `BenchBusy` naming the holder, and `Damaged` where something in it
    would be written through a link."""
    links.refuse(dataset.path)
    return locks.held(dataset.lock_path, str(dataset.path))


@contextmanager
def opened(folder: str) -> Iterator[Dataset]:
    """A dataset that is there, held. Raises `BadDataset` where it is none, `BenchBusy` naming the holder."""
    dataset = Dataset(Path(folder))
    dataset.info()
    with holding(dataset):
        yield dataset


def _filter(only: str) -> dict[str, str]:
    wanted: dict[str, str] = {}
    for part in filter(None, only.split(",")):
        key, equals, value = part.partition("=")
        if not equals or key not in FILTERS:
            raise BadInput(
                f"--only {part}: write KEY=VALUE with KEY one of {', '.join(FILTERS)}{did_you_mean(key, FILTERS)}"
            )
        if key in wanted:
            raise BadInput(f"--only {part}: {key} is given a second time")
        wanted[key] = value
    return wanted


def chosen(planned: tuple[PlannedTrial, ...], only: str) -> tuple[PlannedTrial, ...]:
    """The trials that `--only` names. Raises `BadInput` where it names something that is not planned."""
    wanted = _filter(only)
    for key, value in wanted.items():
        there = sorted({str(getattr(item.trial, key)) for item in planned})
        if value not in there:
            known = f"; there is {', '.join(there)}" if len(there) < 10 else ""
            raise BadInput(f"--only {key}={value}: no trial of this matrix{did_you_mean(value, there) or known}")
    found = tuple(
        item for item in planned if all(str(getattr(item.trial, key)) == value for key, value in wanted.items())
    )
    if not found:
        raise BadInput(f"--only {only}: no trial of this matrix is all of that")
    return found
