"""The life of a trial's folder: partial, then complete, void, interrupted or lost, and what the journal says of it."""

import hashlib
import json

import pytest

from correlate.dataset import Dataset
from correlate.dataset.anchors import Anchors, Kept
from correlate.dataset.record import VoidRecord

TRIAL = "maple-voice-lte_to_fixed-caller_hangs_up-1"


def digest(data):
    return hashlib.sha256(data).hexdigest()


PACKETS = digest(b"packets")


@pytest.fixture
def dataset(tmp_path):
    return Dataset(tmp_path)


def journalled(dataset):
    return [entry.model_dump(exclude_unset=True, exclude={"seq", "sha256"}) for entry in dataset.journal.read()]


def folders(dataset):
    return sorted(str(path.relative_to(dataset.path)) for path in dataset.path.rglob("*") if path.is_dir())


def test_an_attempt_is_written_beside_its_place_and_complete_once_it_is_renamed(dataset):
    with dataset.attempt(TRIAL) as folder:
        (folder.path / "caller.pcap").write_bytes(b"packets")
        assert folders(dataset) == ["trials", f"trials/{TRIAL}.partial"]
        folder.complete()
    assert folders(dataset) == ["trials", f"trials/{TRIAL}"]
    assert (dataset.trial_dir(TRIAL) / "caller.pcap").read_bytes() == b"packets"
    assert journalled(dataset) == [
        {"event": "attempt", "trial": TRIAL, "attempt": 0},
        {"event": "completed", "trial": TRIAL, "attempt": 0, "files": {f"trials/{TRIAL}/caller.pcap": PACKETS}},
    ]


def test_a_void_attempt_is_kept_with_its_evidence_and_the_next_has_another_number(dataset):
    for number in (0, 1):
        with dataset.attempt(TRIAL) as folder:
            assert folder.number == number
            (folder.path / "callee-screen.jpg").write_bytes(b"screen")
            folder.void("noisy", "x" * 600)
    assert folders(dataset) == ["attempts", f"attempts/{TRIAL}.0", f"attempts/{TRIAL}.1", "trials"]
    kept = dataset.attempts_dir / f"{TRIAL}.1"
    assert sorted(path.name for path in kept.iterdir()) == ["PRIVATE", "callee-screen.jpg", "void.json"]
    about = {"trial": TRIAL, "attempt": 1, "reason": "noisy", "text": "x" * 600}
    assert json.loads((kept / "void.json").read_text()) == {**about, "spoilt": None}
    assert folder.kept == kept
    files = {f"attempts/{TRIAL}.1/{path.name}": digest(path.read_bytes()) for path in kept.iterdir()}
    assert journalled(dataset)[-1] == {"event": "void", **about, "text": "x" * 500, "files": files}


def test_an_attempt_that_the_bench_spoilt_is_kept_beside_the_next_which_has_its_number(dataset):
    for by_bench in (True, True, False, True):
        with dataset.attempt(TRIAL) as folder:
            folder.void("bench_trouble", "gone", by_bench=by_bench)
    names = [f"{TRIAL}.0", f"{TRIAL}.0.bench-1", f"{TRIAL}.0.bench-2", f"{TRIAL}.1.bench-1"]
    assert folders(dataset) == ["attempts", *(f"attempts/{name}" for name in names), "trials"]
    voids = [entry for entry in journalled(dataset) if entry["event"] == "void"]
    assert [(entry["attempt"], entry.get("spoilt")) for entry in voids] == [(0, 1), (0, 2), (0, None), (1, 1)]
    assert dataset.void(Kept(TRIAL, 1, 1)) == VoidRecord(
        trial=TRIAL, attempt=1, spoilt=1, reason="bench_trouble", text="gone"
    )
    assert dataset.attempt(TRIAL).number == 1
    assert list(Anchors(dataset.journal.read()).folders) == [f"attempts/{names[n]}" for n in (1, 2, 0, 3)]


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("a-b-1.0", Kept("a-b-1", 0)),
        ("a-b-1.12.bench-3", Kept("a-b-1", 12, 3)),
        ("a-b-1.bench-3", None),
        ("a-b-1.0.bench-0", None),
        ("a-b-1.00", None),
        ("a-b-1.0.bench-1.0", None),
        ("../a.0", None),
    ],
)
def test_the_name_of_a_kept_attempt_is_read_as_it_is_written_and_any_other_is_none(name, kept):
    assert Kept.of(name) == kept
    assert kept is None or kept.name == name


def test_an_attempt_that_an_error_ends_is_interrupted_and_gives_its_number_back(dataset):
    def failing():
        with dataset.attempt(TRIAL) as folder:
            folder.complete()
            raise ValueError("why")

    with pytest.raises(ValueError, match="why"):
        failing()
    assert folders(dataset) == ["trials"]
    assert journalled(dataset)[-1] == {"event": "interrupted", "trial": TRIAL, "attempt": 0, "reason": "why"}
    assert dataset.attempt(TRIAL).number == 0


def test_an_attempt_of_which_nothing_is_said_was_interrupted(dataset):
    with dataset.attempt(TRIAL):
        pass
    assert folders(dataset) == ["trials"]
    assert journalled(dataset)[-1]["reason"] == "left without an end"


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_what_a_full_disk_or_a_kill_leaves_the_next_run_takes_away(dataset, error):
    with pytest.raises(type(error)), dataset.attempt(TRIAL):
        raise error
    assert folders(dataset) == ["trials", f"trials/{TRIAL}.partial"]
    assert [entry["event"] for entry in journalled(dataset)] == ["attempt"]


def test_a_number_is_never_that_of_an_attempt_that_is_kept(dataset):
    assert dataset.attempt("a-b-1").number == 0
    for number in (0, 1):
        (dataset.attempts_dir / f"a-b-1.{number}").mkdir(parents=True)
    (dataset.attempts_dir / "a-b-10.7").mkdir()
    assert dataset.attempt("a-b-1").number == 2
    (dataset.attempts_dir / "a-b-1.0").rmdir()
    assert dataset.attempt("a-b-1").number == 2
