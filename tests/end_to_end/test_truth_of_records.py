"""Every committed record of a virtual bench is as the emulator's own account of what happened, also with a visitor."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

import lab.run.queue
from benchmarks.committed import all_differences, denied
from correlate.dataset import Dataset
from correlate.dataset.record import TrialRecord
from lab.bench.bench import Bench
from lab.clocks.stop import Stop
from lab.run.description import create
from lab.run.matrix import run_one
from lab.run.options import Options
from lab.run.plan import prepare
from lab.run.progress import Progress
from tests import records

S = 1_000_000_000
SCENARIOS = Path(__file__).parents[2] / "scenarios"
CALL = {
    "app": "maple",
    "service": "voice",
    "services": ["voice"],
    "caller": "alpha",
    "callee": "bravo",
    "placed_ns": 20 * S,
    "rung_ns": 22 * S,
    "answered_ns": 30 * S,
    "ended_ns": 60 * S,
    "ended_by": "caller",
}
LATER = CALL | {"placed_ns": 62 * S, "rung_ns": 63 * S, "answered_ns": None, "ended_ns": 64 * S}
AFTERWARDS = LATER | {"placed_ns": 71 * S, "rung_ns": None, "ended_ns": 72 * S}
BEFORE = CALL | {"placed_ns": 1 * S, "rung_ns": 2 * S, "answered_ns": None, "ended_ns": 3 * S}
TRUTH = {
    "observed_scenario": "caller_hangs_up",
    "caller": "alpha",
    "calls": [CALL],
    "marked": {"begin_ns": 10 * S, "end_ns": 70 * S},
    "interruptions": [],
}
SCENARIO_NAMES = ("caller_cancels", "system_timeout", "callee_hangs_up")
PROVEN = "is called proven, the truth says"
HELD = {
    "calls": 1,
    "rang": True,
    "answered": True,
    "ended_by": "caller",
    "service": "voice",
    "nothing_else": True,
    "in_front": True,
}


def record(verdicts: dict[str, str], **changes: object) -> TrialRecord:
    claims = {}
    for name, value in (HELD | changes).items():
        verdict = verdicts.get(name, "proven")
        reason = None if verdict == "proven" else "a witness is missing"
        claims[name] = {"value": value, "verdict": verdict, "witnesses": [], "reason": reason}
    return TrialRecord.model_validate(records.trial() | {"observed_scenario": "caller_hangs_up", "observed": claims})


def ring(begun_s: int, ended_s: int | None, what: str = "sim_ring", phone: str = "alpha") -> dict[str, object]:
    ended_ns = None if ended_s is None else ended_s * S
    return {"what": what, "phone": phone, "package": "p", "begun_ns": begun_s * S, "ended_ns": ended_ns}


def test_a_record_that_is_as_its_truth_has_no_differences():
    assert denied(record({}), TRUTH) == []


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        ({"calls": [BEFORE, CALL, AFTERWARDS]}, []),
        ({"calls": [CALL, LATER]}, [f"calls: 1 {PROVEN} 2"]),
        ({"calls": [BEFORE | {"ended_ns": 10 * S}, CALL]}, [f"calls: 1 {PROVEN} 2"]),
        ({"calls": [CALL, LATER | {"app": "oak"}]}, [f"nothing_else: True {PROVEN} False"]),
        ({"calls": [CALL | {"ended_by": "callee"}]}, [f"ended_by: caller {PROVEN} callee"]),
        ({"calls": [CALL | {"services": ["voice", "video"]}]}, [f"service: voice {PROVEN} voice+video"]),
        ({"calls": [CALL | {"rung_ns": None}]}, [f"rang: True {PROVEN} False"]),
        ({"calls": [CALL | {"answered_ns": None}]}, [f"answered: True {PROVEN} False"]),
        ({"interruptions": [ring(1, 9), ring(71, None)]}, []),
        ({"interruptions": [ring(1, 10)]}, [f"nothing_else: True {PROVEN} False"]),
        ({"interruptions": [ring(70, None, "other_ring")]}, [f"nothing_else: True {PROVEN} False"]),
        ({"interruptions": [ring(20, None, "locked")]}, [f"in_front: True {PROVEN} False"]),
        ({"interruptions": [ring(19, None, "locked"), ring(60, None, "locked")]}, []),
        ({"interruptions": [ring(29, None, "locked", "bravo")]}, []),
        ({"interruptions": [ring(30, None, "locked", "bravo")]}, [f"in_front: True {PROVEN} False"]),
        ({"caller": "bravo"}, ["caller: asked alpha, the truth says bravo"]),
        ({"observed_scenario": "x"}, ["observed_scenario: caller_hangs_up, the truth says x"]),
    ],
)  # fmt: skip
def test_what_is_called_proven_and_is_not_so_is_a_difference(change, differs):
    assert denied(record({}), TRUTH | change) == differs


def test_what_is_undecided_claims_nothing_and_leaves_the_scenario_open():
    truth = TRUTH | {"calls": [CALL | {"ended_by": "callee"}], "observed_scenario": "callee_hangs_up"}
    assert denied(record({"ended_by": "undecided"}), truth) == []
    assert denied(record({"service": "undecided"}), TRUTH | {"observed_scenario": "callee_hangs_up"}) != []


def test_who_ended_it_is_told_once_and_not_by_the_scenario_too():
    truth = TRUTH | {"calls": [CALL | {"ended_by": "callee"}], "observed_scenario": "callee_hangs_up"}
    assert denied(record({}), truth) == [f"ended_by: caller {PROVEN} callee"]


def test_a_record_without_claims_is_compared_by_its_scenario_and_its_caller():
    silent = record({}).model_copy(update={"observed": None})
    assert denied(silent, TRUTH) == []
    assert denied(silent, TRUTH | {"observed_scenario": None, "caller": None}) == [
        "caller: asked alpha, the truth says None",
        "observed_scenario: caller_hangs_up, the truth says None",
    ]


@pytest.fixture(scope="module")
def visited(tmp_path_factory):
    """Three trials of `smoke`, one attempt each, the latter two while a visitor taps on both phones."""
    dataset = tmp_path_factory.mktemp("visited") / "dataset"
    run = prepare(Options(matrix="smoke", dataset=str(dataset), scenarios=str(SCENARIOS)))
    run = run.only(*(run.one(f"whatsapp-voice-lte_to_fixed-{name}-1") for name in SCENARIO_NAMES))
    create(run)
    with pytest.MonkeyPatch.context() as patch, Bench(run.lab, run.spec, Stop()) as bench:
        patch.setattr(lab.run.queue, "FURTHER_ATTEMPTS", 0)
        for number, item in enumerate(run.chosen):
            for phone in ("pixel6", "pixel6pro") if number else ():
                bench.kind.ask(op="fail_next", what="visitor", on=phone, every_s=15.0)
            run_one(run, bench, item, Progress(Console(file=io.StringIO())))
        left = list(bench.kind.left_in_call)
        visit = {"when": "begun", "after_s": 1.0, "do": "place_voice"}
        bench.kind.ask(op="fail_next", what="visit", on="pixel6pro", **visit)
        bench.kind.begin(run.chosen[0], 1, 7)
        bench.clock.sleep(1.1)
        bench.kind.end(None)
        yield Dataset(dataset), left, bench.kind.left_in_call[len(left) :]


def test_every_committed_record_is_as_its_truth_with_a_visitor_too(visited):
    dataset, left_in_call, _ = visited
    assert all_differences(dataset) == []
    assert left_in_call == []
    assert dataset.trial_ids()


def test_the_truth_of_an_undisturbed_trial_has_its_one_call_between_its_markers(visited):
    dataset, *_ = visited
    trial = dataset.trial_ids()[0]
    truth = json.loads((dataset.truth_dir / f"{trial}.json").read_text())
    (call,) = truth["calls"]
    marked, observed = truth["marked"], dataset.record(trial).observed
    assert [name for name, claim in observed if claim.verdict == "proven"] == list(HELD)
    assert marked["begin_ns"] < call["placed_ns"] < call["ended_ns"] < marked["end_ns"]
    assert (call["caller"], truth["sim_calls"], truth["other_calls"], truth["other_calls_touched"]) == (
        truth["caller"], 0, 0, 0,
    )  # fmt: skip


def test_a_phone_that_is_in_a_call_at_the_end_of_an_attempt_is_named_with_it(visited):
    *_, left_in_call = visited
    assert left_in_call == ["whatsapp-voice-lte_to_fixed-caller_cancels-1.7: pixel6pro"]
