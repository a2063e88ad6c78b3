"""Phones that restart, that adb calls offline, and whose su says no, in a run: through a real adb server."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from correlate.dataset import Dataset
from lab.bench.bench import Bench
from lab.bench.kinds import open_kind
from lab.clocks.stop import Stop
from lab.definitions.faults import Faults
from lab.definitions.yaml import read
from lab.errors import NeedsPerson
from lab.phone import boot
from lab.run.description import create
from lab.run.matrix import run_missing, run_one
from lab.run.plan import Run
from tests.end_to_end.runs import At, run_trials
from tests.end_to_end.test_faults import CANCEL, HANG_UP, planned
from tests.end_to_end.test_rehearsal import faults, rungs, voids

DENIED = (
    "su says 'Permission denied': allow su for the shell (uid 2000, com.android.shell) in Magisk, KernelSU or APatch"
)


def restarted(dataset: Dataset) -> list[str]:
    return [str(line.on) for line in dataset.journal.read() if line.event == "restarted"]


def test_a_su_that_says_no_ends_the_run_within_one_attempt_and_names_the_phone_and_what_to_do(tmp_path):
    denied = faults(tmp_path, "what: su_denied, on: pixel6, for_ever: true, at: {trial: 2}")
    with pytest.raises(NeedsPerson) as raised:
        run_trials(tmp_path / "dataset", [CANCEL, HANG_UP], matrix="smoke", faults=denied)
    assert (str(raised.value).startswith("pixel6: "), raised.value.exit_code) == (True, 4)
    assert str(raised.value).endswith(DENIED)
    dataset = Dataset(tmp_path / "dataset")
    assert dataset.trial_ids() == [CANCEL]
    assert voids(dataset) == [(HANG_UP, "bench_trouble", 1)]
    # It is asked once more, in peace, and nothing is tried.
    assert rungs(dataset) == {}
    assert dataset.verify() == []


@pytest.mark.full
@pytest.mark.parametrize("step", ["begun", "captured", "answered", "stopped"])
def test_a_phone_that_restarts_costs_one_attempt_wherever_it_does(tmp_path, step):
    restarts = faults(tmp_path, f"what: reboot, on: pixel6pro, at: {{step: {step}}}, for_minutes: 1.5")
    dataset = run_trials(tmp_path / "dataset", [HANG_UP], matrix="smoke", faults=restarts).dataset
    assert voids(dataset) == [(HANG_UP, "bench_trouble", 1)]
    assert dataset.trial_ids() == [HANG_UP]
    assert restarted(dataset) == ["pixel6pro"]
    assert {"r1", "r2", "r3", "r8"} <= set(rungs(dataset))


@pytest.mark.full
def test_a_phone_that_waits_for_its_pin_ends_the_run_with_what_to_do(tmp_path):
    pin = faults(tmp_path, "what: reboot, on: pixel6, at: {step: placed}, for_ever: true, pin: true")
    with pytest.raises(NeedsPerson) as raised:
        run_trials(tmp_path / "dataset", [CANCEL], matrix="smoke", faults=pin)
    assert str(raised.value) == "pixel6 has restarted and is before first unlock: enter the PIN on pixel6"
    dataset = Dataset(tmp_path / "dataset")
    assert voids(dataset) == [(CANCEL, "bench_trouble", 1)]
    assert restarted(dataset) == ["pixel6"]


@pytest.mark.full
def test_a_phone_that_adb_calls_offline_is_disconnected_and_connected_and_no_pause_is_made(tmp_path):
    off = faults(tmp_path, "what: adb_offline, on: pixel6, at: {step: opened}, for_minutes: 0.2")
    dataset = run_trials(tmp_path / "dataset", [CANCEL], matrix="smoke", faults=off).dataset
    assert voids(dataset) == [(CANCEL, "bench_trouble", 1)]
    assert set(rungs(dataset)) == {"r1", "r2", "r3"}
    said = [line.text for line in dataset.journal.read() if line.event == "ladder"]
    assert "offline" in str(said[0])


@pytest.mark.full
@pytest.mark.parametrize(("step", "visit"), [("stop_capture", {}), ("place_call", {"when": "rung", "do": "reject"})])
def test_another_boot_id_spoils_the_attempt_though_adb_never_broke_and_the_call_ended_early(
    tmp_path, monkeypatch, step, visit
):
    run, own, other = planned(tmp_path / "dataset", CANCEL), boot.read, "0b1c2d3e-4f50-4617-8a9b-0c1d2e3f4a5b"
    create(run)

    def restart() -> None:
        read = lambda adb: replace(own(adb), id=other) if adb.name == "pixel6" else own(adb)  # noqa: E731
        monkeypatch.setattr("lab.phone.boot.read", read)

    progress = At(step, restart)
    with Bench(run.lab, run.spec, Stop()) as bench:
        if visit:
            bench.kind.ask(op="fail_next", what="visit", on="pixel6pro", after_s=1.0, **visit)
        assert run_one(run, bench, run.chosen[0], progress)
    lines = run.dataset.journal.read()
    assert [line.text for line in lines if line.event == "void"] == ["pixel6 restarted in the attempt"]
    assert voids(run.dataset) == [(CANCEL, "bench_trouble", 1)]
    assert restarted(run.dataset) == ["pixel6"]
    assert progress.lines().count("pixel6 has restarted") == 1


# The begin of a run


def begun_with(monkeypatch: pytest.MonkeyPatch, run: Run, file: str) -> None:
    """Have the bench that a run opens be struck by faults before it is asked for anything."""

    def opened(lab, spec, stop):
        kind = open_kind(lab, spec, stop)
        kind.rehearse(read(Path(file), Faults), 1, 0.0, ())
        kind.begin(run.chosen[0], 1, 0)
        kind.clock.sleep(0.1)
        kind.end(None)
        return kind

    monkeypatch.setattr("lab.bench.bench.open_kind", opened)


def test_a_phone_that_is_away_while_the_bench_opens_is_waited_for_and_the_run_goes_on(tmp_path, monkeypatch):
    run = planned(tmp_path / "dataset", CANCEL)
    begun_with(monkeypatch, run, faults(tmp_path, "what: adb_away, on: pixel6pro, for_minutes: 0.5"))
    progress = At()
    assert run_missing(run, progress, Stop())
    assert run.dataset.trial_ids() == [CANCEL]
    assert voids(run.dataset) == []
    lines = [(line.event, line.on) for line in run.dataset.journal.read()]
    climbed = [line for line in lines if line[0] == "ladder"]
    assert climbed == [("ladder", "pixel6pro")] * 4
    assert set(rungs(run.dataset)) == {"r1", "r2", "r3", "r8"}
    assert lines.index(("run", None)) > max(index for index, line in enumerate(lines) if line[0] == "ladder")
    assert any("pixel6pro" in line and "r8: pause" in line for line in progress.lines())
    assert run.dataset.verify() == []


@pytest.mark.full
@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("what: su_denied, on: pixel6, for_ever: true", DENIED),
        ("what: reboot, on: pixel6pro, for_ever: true, pin: true", "enter the PIN on pixel6pro"),
    ],
)
def test_a_phone_that_needs_a_person_ends_the_run_as_its_bench_opens(tmp_path, monkeypatch, fault, told):
    run = planned(tmp_path / "dataset", CANCEL)
    begun_with(monkeypatch, run, faults(tmp_path, fault))
    with pytest.raises(NeedsPerson) as raised:
        run_missing(run, At(), Stop())
    assert str(raised.value).endswith(told)
    assert [line.event for line in run.dataset.journal.read() if line.event not in ("begun", "ladder")] == []


# Rungs that the bench file adds


def climbed(bench: Bench) -> Sequence[tuple[str, str]]:
    told: list[tuple[str, str]] = []
    bench.recover(lambda rung, on, why: told.append((rung.name, on)))
    return told


@pytest.mark.full
def test_a_phone_whose_agent_never_works_again_is_restarted_where_it_may_be(tmp_path):
    run = planned(tmp_path / "dataset", CANCEL)
    phones = [phone.model_copy(update={"reboot": "allowed"}) for phone in run.spec.phones]
    with Bench(run.lab, run.spec.model_copy(update={"phones": phones}), Stop()) as bench:
        bench.phones["pixel6"].check_health()
        bench.kind.ask(op="fail_next", what="agent", on="pixel6", times=1_000_000, says="stuck")
        began_ns = bench.clock.now_ns()
        assert [rung for rung, _ in climbed(bench)] == ["r1", "r2", "r5", "r7", "r2"]
        # It goes down a second after it is asked to, and is up forty seconds later.
        assert 15.75 + 41 < (bench.clock.now_ns() - began_ns) / 1e9 < 15.75 + 41 + 10
        assert bench.restarted() == ["pixel6"]
        bench.recover(lambda *rung: pytest.fail(str(rung)))


@pytest.mark.full
def test_a_hotspot_that_goes_off_is_started_by_the_bench_files_argv_and_no_pause_is_made(tmp_path):
    run = planned(tmp_path / "dataset", CANCEL)
    laptop = run.spec.laptop.model_copy(update={"hotspot_start": ["true"]})
    file = Path(faults(tmp_path, "what: hotspot_gone, on: laptop, for_minutes: 0.4"))
    run = replace(run, spec=run.spec.model_copy(update={"laptop": laptop}), faults=read(file, Faults))
    assert run_missing(run, At(), Stop())
    assert voids(run.dataset) == [(CANCEL, "wrong_network", 1)]
    said = [(line.rung, line.on) for line in run.dataset.journal.read() if line.event == "ladder"]
    assert said == [("r2", "laptop"), ("hotspot", "laptop")]
