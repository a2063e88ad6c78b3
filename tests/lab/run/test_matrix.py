"""Planning a run: what is chosen, what a dataset must be, and what is put right before a run goes on."""

import hashlib
import io
import shutil
from pathlib import Path

import pytest
from rich.console import Console

from correlate.dataset import Dataset
from lab.bench.bench import Bench
from lab.clocks.stop import Stop
from lab.errors import AttemptVoid, BadInput, Interrupted, LaptopTrouble, PhoneTrouble
from lab.run.description import check_fits, create, scenario_hash
from lab.run.matrix import run_one
from lab.run.options import Options
from lab.run.plan import check_callees, prepare
from lab.run.progress import Progress

SCENARIOS = str(Path(__file__).parents[3] / "scenarios")


def planned(folder: Path, only: str = "", **options):
    return prepare(Options(matrix="smoke", dataset=str(folder), scenarios=SCENARIOS, only=only, **options))


def events(dataset: Dataset) -> list[tuple]:
    return [(entry.event, entry.trial) for entry in dataset.journal.read()]


@pytest.mark.parametrize(
    ("only", "count"),
    [
        ("", 20),
        ("service=voice", 10),
        ("service=voice,scenario=callee_rejects", 2),
        ("repetition=1", 20),
        ("id=whatsapp-voice-lte_to_fixed-callee_rejects-1", 1),
    ],
)
def test_only_chooses_the_trials_that_are_all_of_it(tmp_path, only, count):
    run = planned(tmp_path, only)
    assert (len(run.chosen), len(run.planned)) == (count, 20)


@pytest.mark.parametrize(
    ("only", "text"),
    [
        ("app", "--only app: write KEY=VALUE with KEY one of app, service, direction, scenario, repetition, id"),
        ("service=vidio", "--only service=vidio: no trial of this matrix; did you mean 'video'?"),
        ("app=signal", "--only app=signal: no trial of this matrix; there is whatsapp"),
        ("service=voice,service=video", "--only service=video: service is given a second time"),
    ],
)
def test_only_that_names_nothing_is_refused(tmp_path, only, text):
    with pytest.raises(BadInput) as raised:
        planned(tmp_path, only)
    assert str(raised.value).startswith(text)


@pytest.mark.parametrize("seed", ["", "-1", "1.5", "0x10", "1" * 19, "١"])
def test_a_seed_is_a_whole_number(tmp_path, seed):
    with pytest.raises(BadInput, match="write a whole number"):
        planned(tmp_path, seed=seed)


def test_planning_and_asking_what_is_missing_touch_nothing(tmp_path):
    run = planned(tmp_path / "d")
    check_fits(run)
    assert len(run.missing()) == 20
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_beginning_left_is_a_dataset_that_may_be_begun(tmp_path):
    run = planned(tmp_path)
    (tmp_path / ".lock").touch()
    (tmp_path / "scenarios").mkdir()
    check_fits(run)
    (tmp_path / "notes.txt").touch()
    with pytest.raises(BadInput, match="not empty and no dataset"):
        check_fits(run)


def test_a_new_dataset_holds_the_yaml_that_it_was_made_with(tmp_path):
    run = planned(tmp_path)
    create(run)
    kept = sorted(str(path.relative_to(tmp_path / "scenarios")) for path in (tmp_path / "scenarios").rglob("*.yaml"))
    scenarios = ["callee_hangs_up", "callee_rejects", "caller_cancels", "caller_hangs_up", "system_timeout"]
    assert kept == [
        "apps/whatsapp.yaml",
        "benches/virtual.yaml",
        *(f"calls/{name}.yaml" for name in scenarios),
        "matrices/smoke.yaml",
        "virtual/whatsapp.yaml",
    ]
    assert Dataset(tmp_path).info().scenario_hash == scenario_hash(run)
    check_fits(run)


def test_before_a_run_goes_on_the_journal_is_made_to_say_what_happened(tmp_path):
    run = planned(tmp_path)
    create(run)
    dataset = run.dataset
    partial, lost, unseen = (item.trial.id for item in run.planned[:3])
    (dataset.trials_dir / f"{partial}.partial").mkdir(parents=True)
    dataset.journal.append("completed", trial=lost, attempt=0, captures=None)
    dataset.trial_dir(unseen).mkdir()
    (dataset.trial_dir(unseen) / "trial.json").write_text("{}")
    dataset.truth_dir.mkdir()
    for trial_id in (partial, unseen):
        (dataset.truth_dir / f"{trial_id}.json").write_text("{}")
    dataset.put_right()
    written = [("begun", None), ("completed", lost), ("interrupted", partial), ("lost", lost), ("found", unseen)]
    assert events(dataset) == written
    empty = hashlib.sha256(b"{}").hexdigest()
    found = {f"trials/{unseen}/trial.json": empty, f"truth/{unseen}.json": empty}
    assert dataset.journal.read()[-1].files == found
    assert [path.name for path in dataset.trials_dir.iterdir()] == [unseen]
    assert [path.name for path in dataset.truth_dir.iterdir()] == [f"{unseen}.json"]
    dataset.put_right()
    assert events(dataset) == written


def test_what_was_taken_away_of_what_was_recorded_is_journalled_once_by_the_next_run(tmp_path):
    run = planned(tmp_path)
    create(run)
    dataset = run.dataset
    first, second = (item.trial.id for item in run.planned[:2])
    with dataset.attempt(first) as folder:
        folder.void("noisy", "too loud")
    with dataset.attempt(second) as folder:
        folder.complete()
    dataset.write_names({})
    dataset.write_manifest()
    assert dataset.unjournalled() == []
    shutil.rmtree(dataset.attempts_dir)
    shutil.rmtree(dataset.trial_dir(second))
    dataset.names_path.unlink()
    dataset.manifest_path.unlink()
    lost = [
        ("lost", {"trial": first, "attempt": 0}),
        ("lost", {"trial": second}),
        ("lost", {"file": "names.json"}),
        ("lost", {"file": "manifest-sha256.txt"}),
    ]
    assert dataset.unjournalled() == lost
    assert dataset.verify() != []
    dataset.put_right()
    assert (dataset.unjournalled(), dataset.verify()) == ([], [])


class StoppedKind:
    """A bench on which the signal that ends the run has ended a program of the attempt as well, and first."""

    def __init__(self, stop: Stop, error: Exception) -> None:
        self._stop, self._error = stop, error

    def begin(self, *_planned) -> None:
        self._stop.request()
        raise self._error

    def end(self, truth) -> list[str]:
        assert truth is None
        return []


class StandingClock:
    def now_ns(self) -> int:
        return 1


@pytest.mark.parametrize(
    "error", [AttemptVoid("capture_died", "tcpdump had ended"), PhoneTrouble("gone"), LaptopTrouble("gone")]
)
def test_an_attempt_that_fails_once_a_stop_was_asked_for_is_interrupted_and_keeps_its_number(tmp_path, error):
    run = planned(tmp_path)
    create(run)
    stop = Stop()
    bench = Bench(run.lab, run.spec, stop)
    bench.phones = dict.fromkeys(phone.name for phone in run.spec.phones)
    bench.kind, bench.clock = StoppedKind(stop, error), StandingClock()
    item = run.planned[0]
    with pytest.raises(Interrupted):
        run_one(run, bench, item, Progress(Console(file=io.StringIO())))
    assert events(run.dataset) == [("begun", None), ("attempt", item.trial.id), ("interrupted", item.trial.id)]
    assert run.dataset.journal.read()[-1].reason.startswith("interrupted; ")
    assert run.dataset.attempt(item.trial.id).number == 0
    assert not run.dataset.attempts_dir.exists()
    assert list(run.dataset.trials_dir.iterdir()) == []


def test_contacts_that_are_missing_or_not_allowed_are_all_named(tmp_path):
    run = prepare(Options(bench="pixels", matrix="smoke", dataset=str(tmp_path), scenarios=SCENARIOS))
    with pytest.raises(BadInput) as raised:
        check_callees(run)
    bench = f"{SCENARIOS}/benches/pixels.yaml"
    assert str(raised.value).splitlines() == [
        f"{bench}: {phone} has no contact for whatsapp; add it there or in the *.local.yaml"
        for phone in ("pixel6", "pixel6pro")
    ]
