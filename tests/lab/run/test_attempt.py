"""What makes an attempt void though every step of it succeeded, on the virtual bench."""

import io
import json
import random
from pathlib import Path

import pytest
from rich.console import Console

import lab.run.queue
from correlate.dataset import Dataset
from correlate.dataset.record import TrialRecord
from lab.bench.bench import Bench
from lab.clocks.stop import Stop
from lab.run.description import create
from lab.run.matrix import run_one
from lab.run.options import Options
from lab.run.plan import prepare
from lab.run.progress import Progress

SCENARIOS = str(Path(__file__).parents[3] / "scenarios")
CANCEL = "whatsapp-voice-lte_to_fixed-caller_cancels-1"
PHONES = ("pixel6", "pixel6pro")
"""The caller's and the callee's."""


@pytest.fixture(scope="module")
def bench():
    run = prepare(Options(matrix="smoke", scenarios=SCENARIOS))
    with Bench(run.lab, run.spec, Stop()) as bench:
        yield bench


def completes(bench: Bench, folder: Path, seed: int = 1) -> bool:
    """Run one trial into `folder`; whether it is complete in the end."""
    run = prepare(Options(matrix="smoke", dataset=str(folder), scenarios=SCENARIOS, seed=seed))
    create(run)
    return run_one(run, bench, run.one(CANCEL), Progress(Console(file=io.StringIO())))


def record(folder: Path) -> TrialRecord:
    return Dataset(folder).record(CANCEL)


def voids(folder: Path) -> list[tuple[str, str]]:
    """Reason and text of every void attempt."""
    found = [json.loads(path.read_text()) for path in sorted((folder / "attempts").glob("*/void.json"))]
    return [(void["reason"], void["text"]) for void in found]


def too_loud(attempt: Path) -> list[dict[str, float]]:
    """The noise of each pre-roll of an attempt that was too loud, by role."""
    events = [json.loads(line) for line in (attempt / "events.jsonl").read_text().splitlines()]
    return [event["noise_bytes_per_s"] for event in events if event["event"] == "too_loud"]


def test_a_trial_whose_scenario_was_not_the_one_asked_is_void(bench, tmp_path, monkeypatch):
    """The callee rejects a call that its caller was to cancel; no step fails."""
    monkeypatch.setitem(bench.lab.scenarios, "caller_cancels", bench.lab.scenarios["callee_rejects"])
    monkeypatch.setattr(lab.run.queue, "FURTHER_ATTEMPTS", 0)
    assert not completes(bench, tmp_path)
    assert voids(tmp_path) == [("wrong_scenario", "asked caller_cancels, observed callee_rejects")]
    assert Dataset(tmp_path).trial_ids() == []
    kept = {path.name for path in (tmp_path / "attempts" / f"{CANCEL}.0").iterdir()}
    assert {"caller-hierarchy.xml", "callee-hierarchy.xml", "caller.pcap", "callee.pcapng"} <= kept


def loud_alone(phone: str) -> int:
    """The first seed in which the trial's first attempt begins loud at this phone and quiet at the other."""
    draws = {
        seed: [each for each in PHONES if random.Random(f"{seed}/{CANCEL}/0/noise/loud/{each}").randrange(1000) < 25]
        for seed in range(1, 2000)
    }
    return next(seed for seed, loud in draws.items() if loud == [phone])


@pytest.mark.parametrize(("phone", "role", "other"), [(PHONES[0], "caller", "callee"), (PHONES[1], "callee", "caller")])
def test_one_loud_phone_beside_a_quiet_one_has_both_captures_begun_again(bench, tmp_path, phone, role, other):
    assert completes(bench, tmp_path, loud_alone(phone))
    (noise,) = too_loud(tmp_path / "trials" / CANCEL)
    assert noise[role] > 20_000
    # Other apps' TLS is there in quiet times, too.
    assert noise[other] < 3_000
    assert record(tmp_path).capture_restarts == 1
    assert max(record(tmp_path).noise_bytes_per_s.values()) < 3_000


def test_noise_up_to_the_benchs_limit_is_quiet_and_above_it_on_one_side_is_void(bench, tmp_path, monkeypatch):
    assert completes(bench, tmp_path / "measured")
    quieter, louder = sorted(record(tmp_path / "measured").noise_bytes_per_s.values())
    assert 0 < quieter < louder
    monkeypatch.setattr(bench, "spec", bench.spec.model_copy(update={"noise_max": louder}))
    assert completes(bench, tmp_path / "as_much")
    assert record(tmp_path / "as_much").capture_restarts == 0
    monkeypatch.setattr(bench, "spec", bench.spec.model_copy(update={"noise_max": quieter}))
    monkeypatch.setattr(lab.run.queue, "FURTHER_ATTEMPTS", 0)
    assert not completes(bench, tmp_path / "less")
    ((reason, text),) = voids(tmp_path / "less")
    assert (reason, text.split(": {")[0]) == ("noisy", f"more than {quieter} bytes/s of background after 3 restarts")
    noise = too_loud(tmp_path / "less" / "attempts" / f"{CANCEL}.0")
    assert noise[0] == record(tmp_path / "measured").noise_bytes_per_s
    assert len(noise) == 4


def test_each_side_is_recorded_with_what_captured_it_and_the_clock_of_that_machine(bench, tmp_path):
    assert completes(bench, tmp_path)
    sides = record(tmp_path).sides
    recorded = {role: (side.phone, side.tool, side.clock, side.lease is None) for role, side in sides.items()}
    assert recorded == {
        "caller": ("pixel6", "tcpdump", "caller", True),
        "callee": ("pixel6pro", "dumpcap", "laptop", False),
    }
    assert sides["callee"].lease.address in sides["callee"].addresses.interface
    own = [{*side.addresses.interface, *side.addresses.probed} for side in sides.values()]
    assert all(side.addresses.probed for side in sides.values())
    assert not own[0] & own[1]
    assert min(side.app_bytes for side in sides.values()) > 1_000
    assert sides["caller"].app_bytes != sides["callee"].app_bytes
    assert [(side.counters.captured, side.counters.dropped) for side in sides.values()] == [
        (side.packets, 0) for side in sides.values()
    ]


@pytest.mark.parametrize(("machine", "who"), [("pixel6", "caller"), ("laptop", "laptop")])
def test_a_clock_that_is_set_between_its_two_readings_voids_the_attempt(bench, tmp_path, monkeypatch, machine, who):
    monkeypatch.setattr(lab.run.queue, "FURTHER_ATTEMPTS", 0)
    bench.kind.ask(op="fail_next", what="clock", on=machine, by_ns=2_000_000_000, after_ns=18_000_000_000)
    assert not completes(bench, tmp_path)
    ((reason, text),) = voids(tmp_path)
    assert (reason, text.split(" by ")[0]) == ("clock_stepped", f"the clock {who} changed")


def test_a_capture_that_another_clock_stamps_is_read_by_its_own(bench, tmp_path):
    bench.kind.ask(op="fail_next", what="stamps", on="laptop", times=1, by_ns=7_000_000_000)
    assert completes(bench, tmp_path)
    assert {role: side.clock for role, side in record(tmp_path).sides.items()} == {
        "caller": "caller",
        "callee": "callee_capture",
    }
