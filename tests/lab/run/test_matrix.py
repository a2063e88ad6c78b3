"""Planning a run: what is chosen, what a dataset must be, and what is put right before a run goes on."""

import hashlib
import io
import json
import shlex
import shutil
from collections import namedtuple
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from correlate.dataset import Dataset
from lab.bench.bench import Bench
from lab.bench.kinds import side_by_side
from lab.clocks.stop import Stop
from lab.errors import AttemptVoid, BadInput, BenchUnhealthy, Interrupted, LaptopTrouble, PhoneTrouble, TrialsFailed
from lab.run import introductions
from lab.run.description import check_fits, create, describe, scenario_hash
from lab.run.guard import Bugs
from lab.run.matrix import ROOM_BYTES, Making, make_one, run_missing, run_one
from lab.run.options import Options
from lab.run.plan import check_callees, prepare
from lab.run.policy import Policy
from lab.run.progress import Progress
from lab.run.queue import Outcome
from lab.run.tonight import Tonight

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


@pytest.mark.parametrize("benches", ["", "0", "-1", "9", "1.5", "two", "02", "٢"])
def test_benches_are_a_small_whole_number(tmp_path, benches):
    with pytest.raises(BadInput) as raised:
        planned(tmp_path, benches=benches)
    assert str(raised.value) == f"--benches {benches}: write a whole number from 1 to 8"


def test_several_benches_are_for_an_emulated_kind(tmp_path):
    assert (planned(tmp_path).benches, planned(tmp_path, benches="8").benches) == (1, 8)
    assert planned(tmp_path, bench="pixels", benches="1").benches == 1
    with pytest.raises(BadInput) as raised:
        planned(tmp_path, bench="pixels", benches="2")
    assert str(raised.value) == (
        "--benches 2: bench pixels has one pair of phones; leave --benches out, or name an emulated bench"
    )
    spec = planned(tmp_path).spec
    kinds = {kind: side_by_side(spec.model_copy(update={"kind": kind})) for kind in ("virtual", "rig", "real")}
    assert kinds == {"virtual": True, "rig": True, "real": False}


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


def test_a_dataset_that_was_begun_with_another_seed_or_other_scenarios_is_refused_by_both_values(tmp_path):
    run = planned(tmp_path / "d")
    create(run)
    where = f"{tmp_path}/d/dataset.json: this dataset was begun with"
    with pytest.raises(BadInput, match=rf"^{where} seed 1, not 2; name another folder with --dataset$"):
        check_fits(planned(tmp_path / "d", seed=2))
    scenarios = Path(shutil.copytree(SCENARIOS, tmp_path / "scenarios"))
    call = scenarios / "calls" / "caller_cancels.yaml"
    call.write_text(call.read_text().replace("high_s: 8", "high_s: 9"))
    other = prepare(Options(matrix="smoke", dataset=str(tmp_path / "d"), scenarios=str(scenarios)))
    with pytest.raises(BadInput, match=rf"^{where} calls/caller_cancels.yaml: ring_s.high_s 8, not 9; name another "):
        check_fits(other)
    # Without the YAML that it was begun with, nobody can say what differs but the hash.
    shutil.rmtree(tmp_path / "d" / "scenarios")
    with pytest.raises(BadInput, match=rf"^{where} scenario_hash {scenario_hash(run)}, not {scenario_hash(other)}; "):
        check_fits(other)
    check_fits(run)


def refusal(run) -> str:
    with pytest.raises(BadInput) as raised:
        check_fits(run)
    return str(raised.value)


def with_640(scenarios: Path, bench: str) -> None:
    """Scenarios whose bench now keeps 640 bytes of a frame, where a dataset was begun with 256."""
    file = scenarios / "benches" / f"{bench}.yaml"
    file.write_text(file.read_text().replace("snaplen_bytes: 256\n", "snaplen_bytes: 640\n"))


@pytest.fixture
def earlier(tmp_path):
    """Scenarios as they were with 256, in a folder with a blank in its name."""
    scenarios = Path(shutil.copytree(SCENARIOS, tmp_path / "of my lab" / "scenarios"))
    for file in scenarios.glob("benches/*.yaml"):
        file.write_text(
            file.read_text()
            .replace("snaplen_bytes: 640\n", "snaplen_bytes: 256\n")
            .replace("snaplen_bytes: 1600\n", "snaplen_bytes: 256\n")
        )
    return scenarios


def from_command(text: str) -> dict[str, str]:
    """The options of the command that a refusal ends with."""
    words = shlex.split(text.partition(" or finish it with its own scenarios: ")[2])
    assert words[:2] == ["invoke", "run-matrix"]
    return dict(zip(words[2::2], words[3::2], strict=True))


def test_a_dataset_that_was_begun_with_another_bench_file_is_refused_with_the_command_that_finishes_it(
    tmp_path, earlier
):
    asked = Options(matrix="smoke", dataset=str(tmp_path / "my d"), seed=3, scenarios=str(earlier))
    create(begun := prepare(asked))
    with_640(earlier, "virtual")
    text = refusal(prepare(asked))
    assert text.endswith(
        f"; name another folder with --dataset, or finish it with its own scenarios: invoke run-matrix "
        f"--scenarios '{tmp_path}/my d/scenarios' --bench virtual --matrix smoke --dataset '{tmp_path}/my d' --seed 3"
    )
    given = {name.removeprefix("--"): value for name, value in from_command(text).items()}
    finishing = prepare(Options(**given))
    check_fits(finishing)
    assert (finishing.spec.snaplen_bytes, finishing.planned) == (256, begun.planned)
    # Its own scenarios, changed since, are no way out.
    with_640(tmp_path / "my d" / "scenarios", "virtual")
    assert refusal(prepare(Options(**given))).endswith("; name another folder with --dataset")
    assert refusal(prepare(replace(asked, seed=4))).endswith("seed 3, not 4; name another folder with --dataset")


def test_the_command_that_finishes_a_dataset_of_a_real_bench_names_its_local_file(tmp_path, earlier):
    local = earlier / "benches" / "pixels.local.yaml"
    local.write_text(
        "phones:\n"
        "  - {name: pixel6, serial: serial-a, contacts: [{app: whatsapp, address: '15555550101'}]}\n"
        "  - {name: pixel6pro, serial: serial-b, contacts: [{app: whatsapp, address: '15555550102'}]}\n"
        "allowed_callees: ['15555550101', '15555550102']\n"
    )
    asked = Options("pixels", "smoke", str(tmp_path / "d"), scenarios=str(earlier))
    create(prepare(asked))
    assert not list((tmp_path / "d").rglob("*.local.yaml"))
    with_640(earlier, "pixels")
    given = from_command(refusal(prepare(asked)))
    assert given["--local"] == str(local)
    finishing = prepare(Options(**{name.removeprefix("--"): value for name, value in given.items()}))
    check_fits(finishing)
    check_callees(finishing)
    assert [phone.serial for phone in finishing.spec.phones] == ["serial-a", "serial-b"]
    assert (finishing.spec.snaplen_bytes, len(finishing.missing())) == (256, 20)
    local.unlink()
    assert "--local" not in from_command(refusal(prepare(asked)))


def test_a_dataset_keeps_the_bytes_of_its_yaml_whatever_ends_their_lines(tmp_path, earlier):
    file = earlier / "matrices" / "smoke.yaml"
    file.write_bytes(data := file.read_bytes().replace(b"\n", b"\r\n"))
    create(prepare(Options(matrix="smoke", dataset=str(tmp_path / "d"), scenarios=str(earlier))))
    assert (tmp_path / "d/scenarios/matrices/smoke.yaml").read_bytes() == data


KINDS = [("virtual", "modelled"), ("rig", "rehearsed"), ("pixels", "measured")]


@pytest.mark.parametrize(("bench", "provenance"), KINDS)
def test_a_virtual_bench_gives_what_is_modelled_a_rig_what_is_rehearsed_and_phones_what_is_measured(
    tmp_path, bench, provenance
):
    assert describe(planned(tmp_path, bench=bench)).provenance == provenance


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

    def check_health(self) -> None:
        pass


DONE = Outcome(complete=True)


class StandingClock:
    def now_ns(self) -> int:
        return 1


@pytest.mark.parametrize(
    "error", [AttemptVoid("capture_died", "tcpdump had ended"), PhoneTrouble("gone"), LaptopTrouble("gone")]
)
def test_an_attempt_that_fails_once_a_stop_was_asked_for_is_interrupted_and_keeps_its_number(tmp_path, error, ready):
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


class Ready:
    """Readiness where all is fit and nothing is asked."""

    def __init__(self, *asks) -> None: ...

    def require(self, bench) -> None: ...

    def cause(self, bench, error):
        return error


@pytest.fixture
def ready(monkeypatch):
    monkeypatch.setattr("lab.run.matrix.Readiness", Ready)


class FailingKind:
    """A bench on which every attempt fails so as it begins."""

    def __init__(self, error: Exception, asked=lambda: None) -> None:
        self._error, self.asked = error, asked

    def begin(self, *_planned) -> None:
        raise self._error

    def end(self, truth) -> list[str]:
        return []

    def check_health(self) -> None:
        self.asked()


@pytest.mark.parametrize(
    ("error", "reason", "attempts", "asked"),
    [
        (AttemptVoid("noisy", "too loud"), "noisy", ["0", "1", "2", "3"], 0),
        (PhoneTrouble("too loud"), "bench_trouble", [f"0.bench-{k}" for k in range(1, 6)], 5),
        (LaptopTrouble("too loud"), "bench_trouble", [f"0.bench-{k}" for k in range(1, 6)], 5),
    ],
)
def test_a_trial_is_attempted_four_times_and_five_times_where_the_bench_spoils_them_and_each_is_kept(
    tmp_path, error, reason, attempts, asked, ready
):
    run, health = planned(tmp_path), []
    create(run)
    bench = Bench(run.lab, run.spec, Stop())
    device = SimpleNamespace(run=health.append)
    asked_phone = lambda: device.run("true")  # noqa: E731
    bench.phones = {
        each.name: SimpleNamespace(spec=each, device=device, check_health=asked_phone, restarts=lambda: 0)
        for each in run.spec.phones
    }
    asked_for = lambda address: health.append(f"hotspot {address}")  # noqa: E731
    bench.laptop = SimpleNamespace(check_health=lambda: None, hotspot=asked_for)
    bench.kind, bench.clock = FailingKind(error, lambda: health.append("bench")), StandingClock()
    item, out = run.planned[0], io.StringIO()
    assert not run_one(run, bench, item, Progress(Console(file=out, width=200)))
    kept = sorted(run.dataset.attempts_dir.iterdir())
    assert [path.name for path in kept] == [f"{item.trial.id}.{name}" for name in attempts]
    voids = [json.loads((path / "void.json").read_text()) for path in kept]
    assert {(void["reason"], void["text"]) for void in voids} == {(reason, "too loud")}
    tried = [("attempt", item.trial.id), ("void", item.trial.id)] * len(attempts)
    assert events(run.dataset) == [("begun", None), *tried]
    # Where the bench may be to blame it is asked whether it answers, and before the next attempt the phones are too.
    hotspot = f"hotspot {run.spec.laptop.hotspot_address}"
    assert health == ["bench", "bench", "true", "true", "bench", hotspot] * asked
    said = [line.partition(" s  ")[2] for line in out.getvalue().splitlines()]
    told = f": {reason}: too loud"
    retries = ("void", "void, retry 1", "void, retry 2", "void, retry 3") if not asked else ("void",) * asked
    assert said == [f"{void}{told}" for void in retries]


class PassingClock:
    """Bench time that passes as it is slept."""

    def __init__(self) -> None:
        self.slept_s: list[float] = []

    def now_ns(self) -> int:
        return round(sum(self.slept_s) * 1e9)

    def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)


def on_another_network(run) -> tuple[Bench, list[object]]:
    """A bench of which a phone is on another network for ever, and what the ladder was asked for."""
    bench, climbed = Bench(run.lab, run.spec, Stop()), []
    bench.phones = {each.name: SimpleNamespace(spec=each, restarts=lambda: 0) for each in run.spec.phones}
    bench.kind, bench.clock = FailingKind(AttemptVoid("wrong_network", "pixel6 is on wlan0")), PassingClock()
    bench.recover = climbed.append
    return bench, climbed


def test_a_network_that_is_not_the_benchs_is_waited_for_an_hour_and_no_attempt_is_counted(tmp_path, ready):
    run = planned(tmp_path)
    create(run)
    bench, climbed = on_another_network(run)
    item, out = run.planned[0], io.StringIO()
    with pytest.raises(BenchUnhealthy) as raised:
        run_one(run, bench, item, Progress(Console(file=out, width=200)))
    assert str(raised.value) == "pixel6 is on wlan0; waited 1 h for it; mend the network and run again"
    assert bench.clock.slept_s == [60.0, 120.0, 240.0, 480.0, 900.0, 900.0, 900.0]
    # Where it is the laptop's hotspot that is off, the ladder brings it back.
    assert len(climbed) == 8
    kept = sorted(path.name for path in run.dataset.attempts_dir.iterdir())
    assert kept == [f"{item.trial.id}.0.bench-{number}" for number in range(1, 9)]
    assert "pixel6 is on wlan0; the same trial again in 15 min" in out.getvalue()
    voids = [line.night_s for line in run.dataset.journal.read() if line.event == "void"]
    assert voids == [0.0, 60.0, 180.0, 420.0, 900.0, 1800.0, 2700.0, 3600.0]


@pytest.mark.parametrize(
    ("ends_s", "slept_s"),
    [(0.0, []), (200.0, [60.0, 120.0, 240.0]), (500.0, [60.0, 120.0, 240.0, 480.0])],
)
def test_a_trial_is_left_once_its_night_has_ended_while_it_waited(tmp_path, ready, ends_s, slept_s):
    run = planned(tmp_path)
    create(run)
    (bench, _), tonight = on_another_network(run), Tonight.of(run)
    over, progress = (lambda item: bench.clock.now_ns() >= ends_s * 1e9), Progress(Console(file=io.StringIO()))
    making = Making(tonight, progress, Policy(flags=False), Bugs(), over)
    outcome = make_one(making, bench, tonight.queue([run.planned[0]]).next())
    assert (outcome, bench.clock.slept_s) == (Outcome(), slept_s)


@pytest.mark.parametrize(
    ("benches", "short", "told"),
    [
        (1, 0, ""),
        (1, 1, "31 MiB are free, a trial may need 32; "),
        (3, 0, ""),
        (3, 1, "95 MiB are free, 3 trials at once may need 96; "),
        (8, 0, ""),  # There are no more benches than trials: four.
    ],
)
def test_a_trial_begins_where_there_is_just_enough_room_for_it(tmp_path, monkeypatch, benches, short, told):
    usage, free_bytes = namedtuple("usage", "total used free"), min(benches, 4) * ROOM_BYTES - short
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage(1 << 40, 0, free_bytes))
    run, begun = planned(tmp_path / "d", "repetition=1,scenario=caller_cancels", benches=benches), []

    class NoBench:
        def __init__(self, _lab, _spec, stop, **_given):
            self.kind, self.stop = SimpleNamespace(hint=""), stop

        def __enter__(self):
            return self

        def __exit__(self, *error):
            pass

    monkeypatch.setattr("lab.run.matrix.Bench", NoBench)
    monkeypatch.setattr("lab.run.matrix.make_one", lambda making, bench, entry: begun.append(entry.item) or DONE)
    if not told:
        assert run_missing(run, Progress(Console(file=io.StringIO())), Stop())
        assert sorted(item.index for item in begun) == sorted(item.index for item in run.chosen)
        return
    with pytest.raises(BenchUnhealthy, match=f"/d: {told}what is recorded is kept"):
        run_missing(run, Progress(Console(file=io.StringIO())), Stop())
    assert begun == []


def test_a_contact_that_is_not_allowed_is_named_and_an_allowed_one_is_none(tmp_path):
    run = planned(tmp_path, "direction=lte_to_fixed")
    check_callees(run)
    refused = replace(run, spec=run.spec.model_copy(update={"allowed_callees": ["15555550101"]}))
    with pytest.raises(BadInput) as raised:
        check_callees(refused)
    bench = f"{SCENARIOS}/benches/virtual.yaml: pixel6pro"
    assert str(raised.value) == (f"{bench}: its whatsapp contact is not in allowed_callees; nobody was called")


def test_contacts_that_are_missing_or_not_allowed_are_all_named(tmp_path):
    run = prepare(Options(bench="pixels", matrix="smoke", dataset=str(tmp_path), scenarios=SCENARIOS))
    with pytest.raises(BadInput) as raised:
        check_callees(run)
    bench = f"{SCENARIOS}/benches/pixels.yaml"
    assert str(raised.value).splitlines() == [
        f"{bench}: {phone} has no contact for whatsapp; add it there or in the *.local.yaml"
        for phone in ("pixel6", "pixel6pro")
    ]


THERE, BACK = ("whatsapp", "pixel6", "pixel6pro"), ("whatsapp", "pixel6pro", "pixel6")


def as_if_real(folder: Path, **options):
    """The smoke matrix on a bench whose file says that its phones are real; where it is, what is learnt is kept."""
    scenarios = Path(shutil.copytree(SCENARIOS, folder / "scenarios"))
    run = prepare(Options(matrix="smoke", dataset=str(folder / "d"), scenarios=str(scenarios), **options))
    return replace(run, spec=run.spec.model_copy(update={"kind": "real"}))


def introduced(run, *pairs) -> None:
    for pair in pairs:
        introductions.introduce(run.lab, run.spec, pair, 1.5)


def test_real_phones_call_nobody_who_never_rang_with_a_person_there(tmp_path):
    run = as_if_real(tmp_path)
    introduced(run, THERE)
    with pytest.raises(BadInput) as raised:
        run_missing(run, Progress(Console(file=io.StringIO())), Stop())
    assert str(raised.value) == (
        "whatsapp from pixel6pro to pixel6 was never introduced; be there and type: "
        "invoke introduce whatsapp --bench virtual"
    )
    assert not run.dataset.path.exists()


class Opened:
    """A bench that opens and is asked for nothing."""

    def __init__(self, _lab, _spec, stop, **_given):
        self.kind, self.stop = SimpleNamespace(hint=""), stop

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass


def test_trials_of_a_pair_that_is_parked_on_the_way_are_left_out_and_told(tmp_path, monkeypatch):
    run, made = as_if_real(tmp_path), []
    introduced(run, THERE, BACK)

    def make(making, bench, entry):
        if making.leaves(entry.item):
            return Outcome()
        made.append(pair := introductions.pair_of(run.spec, entry.item.trial))
        if pair != BACK:
            return DONE
        introductions.park(run.lab, run.spec, *pair, "did not ring within 6 s")
        return Outcome(reason="parked", again=False)

    monkeypatch.setattr("lab.run.matrix.Bench", Opened)
    monkeypatch.setattr("lab.run.matrix.make_one", make)
    progress = Progress(Console(file=io.StringIO()))
    with pytest.raises(TrialsFailed) as raised:
        run_missing(run, progress, Stop())
    assert (made.count(THERE), made.count(BACK)) == (10, 1)
    assert str(raised.value).startswith("1 of 20 trials stay void: whatsapp-")
    assert str(raised.value).endswith("; 9 of 20 trials are left out, who calls whom is parked")
    line = (
        "trials are left out, whatsapp from pixel6pro to pixel6 is parked: did not ring within 6 s; "
        "look at the contact, then invoke introduce whatsapp --bench virtual"
    )
    assert progress.remarks == [f"9 {line}"]
    # The next run calls nobody of that pair at all, and opens no bench where there is nobody else.
    made.clear()
    only = run.only(*(item for item in run.chosen if introductions.pair_of(run.spec, item.trial) == BACK))
    monkeypatch.setattr("lab.run.matrix.Bench", None)
    again = Progress(Console(file=io.StringIO()))
    with pytest.raises(TrialsFailed, match=r"^10 of 10 trials are left out, who calls whom is parked$"):
        run_missing(only, again, Stop())
    assert (made, again.remarks) == ([], [f"10 {line}"])


@pytest.mark.parametrize(("reason", "attempts"), [("parked", 1), ("callee_never_rang", 4)])
def test_an_attempt_that_parks_its_pair_is_not_tried_again(tmp_path, monkeypatch, reason, attempts):
    run = planned(tmp_path)
    create(run)

    class Silent:
        def __init__(self, *_given):
            pass

        def run(self, _truth):
            raise AttemptVoid(reason, "did not ring")

    monkeypatch.setattr("lab.run.matrix.Attempt", Silent)
    bench = Bench(run.lab, run.spec, Stop())
    bench.clock = StandingClock()
    assert not run_one(run, bench, run.planned[0], Progress(Console(file=io.StringIO())))
    assert len(list(run.dataset.attempts_dir.iterdir())) == attempts


@pytest.mark.parametrize(("kind", "observe_only"), [("real", False), ("virtual", False), ("real", True)])
def test_what_a_witness_may_void_is_asked_of_one_policy_for_the_whole_run(tmp_path, monkeypatch, kind, observe_only):
    """Of 20 trials the last four are refuted."""
    run, void = as_if_real(tmp_path, observe_only=observe_only), []
    run = replace(run, spec=run.spec.model_copy(update={"kind": kind}))
    introduced(run, THERE, BACK)

    def make(making, bench, entry):
        number, policy, item = len(void), making.policy, entry.item
        refuted = number >= 16 and policy.voids("whatsapp", ("pixel6", "pixel6pro"), "late_end")
        policy.ended(item.trial.id, "whatsapp", ("pixel6", "pixel6pro"), "late_end" if refuted else None)
        void.append(refuted)
        return DONE

    monkeypatch.setattr("lab.run.matrix.Bench", Opened)
    monkeypatch.setattr("lab.run.matrix.make_one", make)
    progress = Progress(Console(file=io.StringIO()))
    assert run_missing(run, progress, Stop())
    assert sum(void) == (4 if not observe_only else 0)
    first = {
        ("real", False): "late_end voided 4 of 20 attempts of whatsapp on pixel6: flagged from now on; "
        "invoke calibrate --bench virtual",
        ("virtual", False): "late_end voided 4 of 20 attempts of whatsapp on pixel6: more than 5%; "
        "it goes on to void, as in a trial that is run alone",
        ("real", True): "observed only: late_end would have voided 4 of 20 attempts of whatsapp on pixel6",
    }
    assert progress.remarks[0] == first[kind, observe_only]
