"""Calls that are no trials, to learn what a bench's phones are like: delays, limits, and what each witness costs."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace

from correlate.dataset.clocks import ClockLine, Offset
from lab.bench.bench import Bench
from lab.clocks.offsets import measure_offset
from lab.clocks.stop import Stop
from lab.definitions import BenchSpec, Drawn, Lab, PhoneSpec, Role, Step
from lab.definitions.yaml import did_you_mean
from lab.errors import AttemptVoid, BadInput, TrialsFailed
from lab.run import calibration, calls, costs, introductions, limits, unproven
from lab.run.calibration import Measured, Numbers
from lab.run.heard import ROLES
from lab.run.introductions import Pair, in_words
from lab.run.steps import Stage
from lab.run.witnessed import Witnesses, learnt

MOST_CALLS = 40
TALK_S = 5.0
SETTLE_S = 5.0
"""How long after a call its last records may come; no shorter than the limit that serves until there is an own one."""

WHILE = {"idle": "idle", "call": "in a call"}
Say = Callable[[str], None]


@dataclass(frozen=True)
class Told:
    """What a call told of both phones, and by phone and witness why one was missing."""

    measured: list[Measured]
    why: Mapping[tuple[str, str], str]


def parse_calls(text: int | str) -> int:
    """The number that `--calls` gives. Raises `BadInput`."""
    if not re.fullmatch(r"[1-9]\d?", str(text), re.ASCII) or int(text) > MOST_CALLS:
        raise BadInput(f"--calls {text}: write a whole number from 1 to {MOST_CALLS}; each is a call with each app")
    return int(text)


def apps_of(lab: Lab, spec: BenchSpec) -> list[str]:
    """The apps in which both phones of a bench can be called."""
    played = [name for name, app in lab.virtual_apps.items() if spec.kind == "virtual" or app.rig is not None]
    return [
        name
        for name in lab.apps
        if all(phone.address_in(name) is not None for phone in spec.phones) and (name in played or not spec.emulated)
    ]


def calibrate(lab: Lab, spec: BenchSpec, app: str, count: int, stop: Stop, say: Say) -> None:
    """Make `count` calls with `app`, or with each app of the bench, and keep and say what they told.

    The phones call in turn, and in turn hang up. Raises `BadInput` before anybody is called, `BenchUnhealthy`, and
    `TrialsFailed` where calls failed.
    """
    known = apps_of(lab, spec)
    if app and app not in known:
        raise BadInput(f"--app {app[:100]}: nobody can be called in it on bench {spec.name}{did_you_mean(app, known)}")
    apps = [app] if app else known
    pairs = [pair for name in apps for pair in calls.both_ways(spec, name)]
    introductions.check_callees(lab, spec, pairs)
    introductions.require(lab, spec, pairs)
    _require_none_parked(lab, spec, pairs)
    calibration.required_place(lab, spec)
    if not apps:
        raise BadInput(f"bench {spec.name}: both phones have a contact for no app; add them in the *.local.yaml")
    failed: list[str] = []
    with stop.on_signals(), Bench(lab, spec, stop, run="calibrate", say=say) as bench:
        for name in apps:
            failed += _calibrated(bench, name, count, say)
    if failed:
        raise TrialsFailed(f"{len(failed)} of {count * len(apps)} calls failed: {'; '.join(failed[:3])}")


def _require_none_parked(lab: Lab, spec: BenchSpec, pairs: list[Pair]) -> None:
    parked = {pair: why for pair in pairs if (why := introductions.parked(lab, spec, *pair)) is not None}
    if parked:
        mend = f"look at the contact, then invoke introduce APP --bench {spec.name}"
        raise BadInput("\n".join(f"{in_words(pair)} is parked: {why}; {mend}" for pair, why in parked.items()))


def _calibrated(bench: Bench, app: str, count: int, say: Say) -> list[str]:
    """The calls with one app; why some failed. What others told is kept all the same, also where a signal ends it."""
    failed: list[str] = []
    told: list[Told] = []
    try:
        for number in range(count):
            try:
                told.append(_called(bench, app, number, say))
            except AttemptVoid as error:
                failed.append(f"{app}, call {number + 1}: {error}")
                say(f"{app}: call {number + 1} of {count} failed: {error}")
    finally:
        if told:
            measured = [each for call in told for each in call.measured]
            path = calibration.keep(bench.lab, bench.spec, measured)
            note = "" if calibration.learns(bench.spec) else "; a bench that is emulated is judged by the defaults"
            for line in lines(bench.lab, bench.spec, app, told):
                say(line)
            say(f"{app}: kept in {path}{note}")
    return failed


def roles(spec: BenchSpec, number: int) -> tuple[PhoneSpec, Role]:
    """Who calls in the call `number`, and who hangs up: each phone after one call, each role after two."""
    caller = spec.phones[number // 2 % 2]
    return caller, "caller" if spec.phones[number % 2].name == caller.name else "callee"


def _called(bench: Bench, name: str, number: int, say: Say) -> Told:
    """One call that is answered and hung up; the first asks each witness what it costs. Raises `AttemptVoid`."""
    caller, by = roles(bench.spec, number)
    pair = (name, caller.name, bench.spec.other(caller).name)
    app = bench.lab.apps[name]
    drawn = Drawn(1.0, TALK_S)
    with (
        calls.prepared(bench, pair, app.services[0], "calibrate", number, drawn, calls.quiet, say) as stage,
        closing(Witnesses(stage.phones, app)) as witnesses,
    ):
        versions = {role: (phone.spec.name, phone.identify(app)) for role, phone in stage.phones.items()}
        spent = {role: costs.measure(stage.phones[role], app, "idle") if number == 0 else () for role in ROLES}
        witnesses.begin()
        before = _offsets(bench, stage)
        witnesses.stream()
        _answered(stage, introductions.ring_limit_s(bench.lab, bench.spec, *pair))
        for role in ROLES if number == 0 else ():
            spent[role] += costs.measure(stage.phones[role], app, "call")
        for step in (Step(do="talk"), Step(do="hang_up", by=by), Step(do="wait_ended")):
            calls.do(stage, step)
        bench.clock.sleep(SETTLE_S)
        clocks: dict[str, ClockLine] = {
            role: ClockLine(before[role], after) for role, after in _offsets(bench, stage).items()
        }
        sides = witnesses.evidence(stage.seen, clocks, dict.fromkeys(ROLES, 0))
    missing = {role: unproven.missing(sides[role].since) for role in ROLES}
    why = {(versions[role][0], witness): text for role in ROLES for witness, text in missing[role].items()}
    told = zip(learnt(name, versions, sides, stage.seen), ROLES, strict=True)
    return Told([replace(each, costs=spent[role]) for each, role in told], why)


def _offsets(bench: Bench, stage: Stage) -> dict[Role, Offset]:
    """How far each phone's clock is from the controller's."""
    return {role: measure_offset(bench.clock, stage.phones[role].device.read_clock_ns) for role in ROLES}


def _answered(stage: Stage, limit_s: float | None) -> None:
    """Have the callee ring and answer. Raises `AttemptVoid`."""
    if calls.ring(stage, limit_s or calls.RING_S) is None:
        raise AttemptVoid("callee_never_rang", f"{stage.callee.spec.name} did not ring; cancelled")
    calls.do(stage, Step(do="answer", by="callee"))


def lines(lab: Lab, spec: BenchSpec, app: str, told: list[Told]) -> Iterator[str]:
    """What is known of an app on each phone now, and which witness was missing in these calls and why."""
    versions = {(each.phone, each.version) for call in told for each in call.measured}
    for numbers in calibration.kept(lab, spec).numbers:
        if numbers.app == app and (numbers.phone, numbers.version) in versions:
            yield from _of_phone(lab, spec, numbers, told)


def _of_phone(lab: Lab, spec: BenchSpec, numbers: Numbers, told: list[Told]) -> Iterator[str]:
    spans = {
        "its own end {} after the tap": numbers.tap_to_end_s,
        "the other's {} after that": numbers.other_after_s,
        "rings after {}": numbers.ring_s,
        "in vain for {}": numbers.unanswered_s,
    }
    seen = [words.format(f"{min(each):.1f} to {max(each):.1f} s") for words, each in spans.items() if each]
    ended = f"ended {len(numbers.tap_to_end_s)} of {numbers.calls} calls"
    yield f"{numbers.app} on {numbers.phone} ({numbers.version}): {', '.join([ended, *seen])}"
    used = limits.of(lab, spec, numbers.phone, numbers.app, numbers.version)
    why = f", of {limits.ENOUGH} calls that it must have ended" if used.source == "default" else ""
    yield (
        f"  limits: follow {used.follow_s:g} s, late {used.late_s:g} s, apart {used.apart_s:g} s ({used.source}{why})"
    )
    for witness in dict.fromkeys(cost.witness for cost in numbers.costs):
        each = [cost for cost in numbers.costs if cost.witness == witness]
        spent = [f"{cost.median_ms:g} ms {WHILE[cost.during]} (most {cost.most_ms:g})" for cost in each]
        yield f"  {witness:<14} {', '.join(spent)}, {max(cost.bytes for cost in each)} bytes"
    texts = {witness: why for call in told for (phone, witness), why in call.why.items() if phone == numbers.phone}
    for witness, times in numbers.missing.items():
        yield f"  {witness} was missing in {times} of {numbers.calls} calls: {texts.get(witness, 'not this time')}"
    always = {witness for witness, times in numbers.missing.items() if times == numbers.calls}
    for claim, reason in unproven.never(always).items():
        yield f"  never proven: {claim}, {reason}"
