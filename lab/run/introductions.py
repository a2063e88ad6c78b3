"""Who may call whom with nobody there: pairs that have rung once while a person looked.

A wrong contact calls a stranger. On a bench of real phones a pair (app, caller, callee) calls first by
`invoke introduce APP`, and unattended it is cancelled at once and parked where it does not ring about as soon as it
did then. What is known stands in the bench's calibration file.
"""

from collections.abc import Iterable, Iterator

from lab.definitions import BenchSpec, Lab, Trial
from lab.errors import BadInput, one_line
from lab.run import calibration
from lab.run.calibration import Calibration, Introduction

LEAST_RING_S = 6.0
TIMES = 3

PARKED = "parked"
"""The reason of an attempt that is void because its pair did not ring in time; it is not tried again."""

Pair = tuple[str, str, str]
"""The app, the calling phone, the called one."""


def pair_of(spec: BenchSpec, trial: Trial) -> Pair:
    """Who calls whom in a trial."""
    caller = spec.caller_of(trial.direction)
    return trial.app, caller.name, spec.other(caller).name


def check_callees(lab: Lab, spec: BenchSpec, pairs: Iterable[Pair]) -> None:
    """Refuse to call anybody whom the bench file does not allow. Raises `BadInput`, one line a contact."""
    mistakes: set[str] = set()
    for app, _, name in pairs:
        address = spec.phone(name).address_in(app)
        where = f"{lab.directory / 'benches' / spec.name}.yaml: {name}"
        if address is None:
            mistakes.add(f"{where} has no contact for {app}; add it there or in the *.local.yaml")
        elif address not in spec.allowed_callees:
            mistakes.add(f"{where}: its {app} contact is not in allowed_callees; nobody was called")
    if mistakes:
        raise BadInput("\n".join(sorted(mistakes)))


def known(of: Calibration, spec: BenchSpec, pair: Pair) -> Introduction | None:
    """The introduction of a pair to the address that the callee has now; None where they never rang there."""
    callee = spec.phone(pair[2])
    if (address := callee.address_in(pair[0])) is None:
        return None
    who = address, callee.title_in(pair[0])
    return next((each for each in of.introductions if _pair(each) == pair and (each.address, each.title) == who), None)


def _pair(each: Introduction) -> Pair:
    return each.app, each.caller, each.callee


def strangers(lab: Lab, spec: BenchSpec, pairs: Iterable[Pair]) -> list[Pair]:
    """The pairs that a person must be there for: none on a bench whose phones are emulated. Raises `BadInput`."""
    wanted = list(dict.fromkeys(pairs))
    if not calibration.learns(spec):
        return []
    of = calibration.in_force(lab, spec)
    return [pair for pair in wanted if known(of, spec, pair) is None]


def require(lab: Lab, spec: BenchSpec, pairs: Iterable[Pair]) -> None:
    """Refuse to call with nobody there where a pair was never introduced. Raises `BadInput`, a line a pair."""
    lines = [
        f"{in_words(pair)} was never introduced; be there and type: invoke introduce {pair[0]} --bench {spec.name}"
        for pair in strangers(lab, spec, pairs)
    ]
    if lines:
        raise BadInput("\n".join(lines))


def in_words(pair: Pair) -> str:
    """`whatsapp from pixel6 to pixel6pro`."""
    app, caller, callee = pair
    return f"{app} from {caller} to {callee}"


def ring_limit_s(lab: Lab, spec: BenchSpec, app: str, caller: str, callee: str) -> float | None:
    """Within how many seconds a callee must ring that nobody looks at: three times as long as when it was introduced,
    and no less than 6 s. None where a step's own time is all there is, as on an emulated bench. Raises `BadInput`."""
    found = known(calibration.in_force(lab, spec), spec, (app, caller, callee))
    return None if found is None else max(LEAST_RING_S, round(TIMES * found.ring_s, 3))


def introduce(lab: Lab, spec: BenchSpec, pair: Pair, ring_s: float) -> None:
    """A pair has rung after `ring_s` with a person there; one that was parked is no more. Raises `BadInput`."""
    app, caller, callee = pair
    if (address := spec.phone(callee).address_in(app)) is None:
        raise BadInput(f"bench {spec.name}: {callee} has no contact for {app}; add it there or in the *.local.yaml")
    who = {"caller": caller, "callee": callee, "address": address, "title": spec.phone(callee).title_in(app)}
    new = Introduction(app=app, **who, ring_s=round(ring_s, 3), parked=None)

    def changed(before: Calibration) -> Calibration:
        others = [each for each in before.introductions if _pair(each) != pair]
        return before.model_copy(update={"introductions": [*others, new]})

    calibration.change(lab, spec, changed)


def park(lab: Lab, spec: BenchSpec, app: str, caller: str, callee: str, why: str) -> None:
    """Call nobody as this pair until it is introduced again; nothing for a pair that nobody introduced.

    Raises `BadInput`, as `calibration.change`.
    """
    pair = (app, caller, callee)

    def changed(before: Calibration) -> Calibration:
        kept = [
            each.model_copy(update={"parked": one_line(why)}) if _pair(each) == pair else each
            for each in before.introductions
        ]
        return before.model_copy(update={"introductions": kept})

    if known(calibration.in_force(lab, spec), spec, pair) is not None:
        calibration.change(lab, spec, changed)


def parked(lab: Lab, spec: BenchSpec, app: str, caller: str, callee: str) -> str | None:
    """Why a pair is parked; None where it may call. Raises `BadInput`."""
    found = known(calibration.in_force(lab, spec), spec, (app, caller, callee))
    return None if found is None else found.parked


def left_out(spec: BenchSpec, why: dict[Pair, str], trials: Iterable[Pair]) -> Iterator[str]:
    """A line for each parked pair that trials were left out of: how many, why, and what to do."""
    pairs = list(trials)
    for pair, text in why.items():
        if count := pairs.count(pair):
            what = "1 trial is" if count == 1 else f"{count} trials are"
            mend = f"invoke introduce {pair[0]} --bench {spec.name}"
            yield one_line(f"{what} left out, {in_words(pair)} is parked: {text}; look at the contact, then {mend}")
