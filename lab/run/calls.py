"""Calls outside of any trial, without captures and without a dataset: what introduces a pair, what measures phones."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from lab.bench.bench import Bench
from lab.definitions import BenchSpec, Drawn, PlannedTrial, Role, Service, Step, Trial
from lab.errors import TrialsFailed
from lab.phone.call_state import CallState
from lab.phone.phone import Phone
from lab.run import introductions
from lab.run.accounts import Accounts
from lab.run.introductions import Pair
from lab.run.leaving import leave_idle
from lab.run.night_clock import NightClock
from lab.run.steps import VERBS, Note, Stage

RING_S = 30.0
"""How long a callee that a person looks at has to ring."""

STEP_S = 20.0
_SEED = 0


def both_ways(spec: BenchSpec, app: str) -> list[Pair]:
    """Each phone of a bench as the caller, the first phone first."""
    return [(app, phone.name, spec.other(phone).name) for phone in spec.phones]


@contextmanager
def prepared(
    bench: Bench,
    pair: Pair,
    service: Service,
    purpose: str,
    number: int,
    drawn: Drawn,
    note: Note,
    say: Callable[[str], None],
) -> Iterator[Stage]:
    """Both phones awake and the caller's chat open, for call `number` (from 0) of a `purpose`; nobody is called yet.

    It waits where the caps on calls ask for it, and says so. On every way out no phone is left in a call. Raises
    `BadInput` for a callee who is not allowed, `BenchUnhealthy`, `TrialsFailed` where the wait is too long or the
    app is parked, and `AttemptVoid` where the chat does not open.
    """
    introductions.check_callees(bench.lab, bench.spec, [pair])
    name, caller_name, callee_name = pair
    accounts = Accounts(bench.lab, bench.spec, NightClock(bench.spec.emulated))
    if why := accounts.parked.get(name):
        raise TrialsFailed(f"{name} is parked: {why}; mend it, then invoke unpark {name} --bench {bench.spec.name}")
    accounts.wait_for(name, bench.pauses, say)
    app = bench.lab.apps[name]
    trial = Trial(name, service, bench.spec.direction(bench.spec.phone(caller_name)), purpose, number + 1)
    phones: dict[Role, Phone] = {"caller": bench.phones[caller_name], "callee": bench.phones[callee_name]}
    callee = phones["callee"].spec
    bench.begin(PlannedTrial(trial, number, direct=False), _SEED, 0)
    try:
        for phone in phones.values():
            phone.wake()
        phones["caller"].open_chat(app, str(callee.address_in(name)), callee.title_in(name))
        yield Stage(phones, app, service, drawn, bench.clock, note, placing=partial(accounts.placed, name))
    finally:
        with bench.stop.held():
            leave_idle(tuple(phones.values()), app, bench.clock, note)
            bench.kind.end(None)


def ring(stage: Stage, within_s: float) -> float | None:
    """Place the call and wait until the callee rings: how soon it did, in seconds; None where it does not in time.

    Raises `AttemptVoid` where the call cannot be placed.
    """
    VERBS["place_call"](stage, Step(do="place_call", by="caller", within_s=STEP_S))
    placed_ns = stage.clock.now_ns()
    if not stage.callee.calls.wait_for(stage.app, CallState.INCOMING, within_s):
        return None
    stage.seen.rang = True
    stage.seen.rang_after_s = round((stage.clock.now_ns() - placed_ns) / 1e9, 3)
    return stage.seen.rang_after_s


def do(stage: Stage, step: Step) -> None:
    """One step more of the call. Raises `AttemptVoid` where its effect is not seen."""
    VERBS[step.do](stage, step)


def quiet(event: str, **fields: object) -> None:
    """A `Note` for calls whose events nobody reads."""
