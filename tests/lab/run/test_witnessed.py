"""What is read of both phones around an attempt, and what a complete one teaches."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from correlate.dataset.clocks import ClockLine, Offset
from lab.bench.bench import Bench
from lab.clocks.stop import Stop
from lab.phone.phone import Phone
from lab.phone.witnesses.facts import Missing
from lab.run.calibration import Spread
from lab.run.options import Options
from lab.run.plan import prepare
from lab.run.steps import Seen
from lab.run.witnessed import Witnesses, learnt
from tests.lab.run.evidence import Call, a_call

SCENARIOS = str(Path(__file__).parents[3] / "scenarios")
VERSIONS = {"caller": ("pixel6", "2.25"), "callee": ("pixel6pro", "2.26")}


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    run = prepare(Options(matrix="smoke", scenarios=SCENARIOS))
    with Bench(run.lab, run.spec, Stop()) as bench:
        bench.begin(run.chosen[0], 1, 0)
        yield bench


def seen_of(call: Call, **more: object) -> Seen:
    return Seen(connected=call.shape.answered, acts=call.acts, **more)  # type: ignore[arg-type]


def test_a_trial_teaches_how_soon_both_ends_followed_the_tap_and_how_soon_it_rang():
    call = a_call(ended_by="callee", x_end=0.5, y_end=0.75)
    caller, callee = learnt("whatsapp", VERSIONS, call.sides, seen_of(call, rang_after_s=2.2))
    assert (caller.phone, caller.version, caller.spread, caller.ring_s) == ("pixel6", "2.25", None, None)
    assert (callee.phone, callee.version, callee.ring_s) == ("pixel6pro", "2.26", 2.2)
    assert callee.spread == Spread(pytest.approx(0.5, abs=0.01), pytest.approx(0.25, abs=0.01))


def test_a_call_that_nobody_ends_teaches_nothing_of_ends():
    call = a_call(answered=False, ended_by="system")
    assert [each.spread for each in learnt("whatsapp", VERSIONS, call.sides, seen_of(call))] == [None, None]


def test_what_a_phone_cannot_tell_is_learnt_as_missing():
    call = a_call()
    call.callee.cameras = Missing("no such service")  # type: ignore[assignment]
    assert [each.missing for each in learnt("whatsapp", VERSIONS, call.sides, seen_of(call))] == [set(), {"camera"}]


def test_between_two_readings_of_phones_on_which_nobody_calls_nothing_is_heard_of_a_call(bench: Bench):
    phones: dict[str, Phone] = {"caller": bench.phones["pixel6"], "callee": bench.phones["pixel6pro"]}
    app = bench.lab.apps["whatsapp"]
    witnesses = Witnesses(phones, app)  # type: ignore[arg-type]
    lines = {role: ClockLine(Offset(7, 1, 0), Offset(9, 1, 10)) for role in phones}
    try:
        witnesses.begin()
        witnesses.stream()
        bench.clock.sleep(3.0)
        witnesses.drain()
        sides = witnesses.evidence(Seen(), lines, {"caller": 1, "callee": 2})
    finally:
        witnesses.close()
    for role, side in sides.items():
        since = side.since
        assert (since.modes, since.cameras, since.calls, since.uid) == ((), (), (), 10_247)
        assert [sim.call_state for sim in since.sims] == [0] * len(since.sims)  # type: ignore[union-attr]
        assert isinstance(since.events, tuple)
        assert (side.package, side.offset_ns, side.bound_ns) == (app.package, 7, 3)
        assert side.app_bytes == {"caller": 1, "callee": 2}[role]


def test_without_a_stream_the_events_are_missing_and_say_why(bench: Bench):
    witnesses = Witnesses({"caller": bench.phones["pixel6"]}, bench.lab.apps["whatsapp"])  # type: ignore[dict-item]
    witnesses.begin()
    assert witnesses.end()["caller"].events == Missing("the phone's date cannot be read")
