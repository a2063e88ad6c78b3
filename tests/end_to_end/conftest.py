"""Runs of the virtual bench that several tests look at."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from correlate.dataset import Dataset
from tests.conftest import PAPER_DIR
from tests.end_to_end.runs import Started

THIRTY = "repetition=2,direction=lte_to_fixed"

PLAYING = pytest.StashKey[Started]()


def pytest_collection_finish(session: pytest.Session) -> None:
    """In one process the paper's matrix begins at once where a test looks at it, and runs beside the tests before that
    one. Of several processes the one that comes first to such a test plays it, and the others wait for it then."""
    alone = not hasattr(session.config, "workerinput")
    if alone and not session.config.option.collectonly and any(map(looks_at_paper, session.items)):
        with only_one():
            if not played().exists():
                begin_paper(session.config)


def looks_at_paper(item: pytest.Item) -> bool:
    """Whether a test is one of these here and takes the fixture."""
    if not isinstance(item, pytest.Function) or not item.path.is_relative_to(Path(__file__).parent):
        return False
    callspec = getattr(item, "callspec", None)
    return "paper" in item.fixturenames or (callspec is not None and "paper" in callspec.params.values())


def played() -> Path:
    """The file that is there when the paper's matrix is complete."""
    return Path(os.environ[PAPER_DIR], "played")


@contextmanager
def only_one() -> Iterator[None]:
    """One process at a time."""
    folder = Path(os.environ[PAPER_DIR])
    folder.mkdir(mode=0o700, exist_ok=True)
    with (folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def begin_paper(config: pytest.Config) -> Started:
    dataset = played().with_name("dataset")
    shutil.rmtree(dataset, ignore_errors=True)
    started = config.stash[PLAYING] = Started("paper", dataset)
    config.add_cleanup(started.end)
    return started


@pytest.fixture(scope="session")
def paper(pytestconfig: pytest.Config) -> Dataset:
    """The paper's 180 trials, run once; nobody changes it."""
    with only_one():
        if not played().exists():
            (pytestconfig.stash.get(PLAYING, None) or begin_paper(pytestconfig)).finished()
            played().touch()
    return Dataset(played().with_name("dataset"))


@pytest.fixture(scope="session")
def thirty(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """A sixth of the paper's trials: each app, service and scenario once. What `make test` looks at for the whole."""
    started = Started("paper", tmp_path_factory.mktemp("thirty") / "dataset", only=THIRTY)
    try:
        return started.finished()
    finally:
        started.end()


@pytest.fixture(params=["thirty", pytest.param("paper", marks=pytest.mark.full)])
def matrix(request: pytest.FixtureRequest) -> Dataset:
    """Thirty of the paper's trials, and in the long tests all of them; nobody changes it."""
    dataset: Dataset = request.getfixturevalue(request.param)
    return dataset


@pytest.fixture(scope="session")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[tuple[str, int], Dataset]]:
    """Whole matrices by name and seed, all at a time, so that each is the load under which the others run. More seeds
    are played by `make soak SOAK=virtual`, and one with faults by `test_one_night.py`."""
    folder = tmp_path_factory.mktemp("crowd")
    runs = [("paper", 1), ("paper", 2), ("invented", 1)]
    started = {(matrix, seed): Started(matrix, folder / f"{matrix}-{seed}", seed) for matrix, seed in runs}
    try:
        found = {run: each.finished() for run, each in started.items()}
    finally:
        for each in started.values():
            each.end()
    yield found
    shutil.rmtree(folder)


@pytest.fixture
def linked(tmp_path: Path) -> Callable[[Dataset], Dataset]:
    """A copy of a dataset that may be changed: files are links but for the journal, and are only ever replaced."""

    def copy(dataset: Dataset) -> Dataset:
        target = tmp_path / "linked"
        subprocess.run(["cp", "-al", str(dataset.path), str(target)], check=True)
        Dataset(target).lock_path.unlink(missing_ok=True)
        journal = Dataset(target).journal.path
        data = journal.read_bytes()
        journal.unlink()
        journal.write_bytes(data)
        return Dataset(target)

    return copy
