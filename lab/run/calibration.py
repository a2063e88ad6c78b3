"""What was measured on a bench's phones: BENCH.calibration.json, beside the bench's local file (git ignores it).

By phone, app and version of the app: how soon a call ends after a tap, how far apart both ends lie, how soon a callee
rings, what each witness costs and which was missing. It decides no data, so it is in no dataset and in no hash; the
limits that came of it stand in each trial.json. An emulated bench is judged by the defaults whatever its file says,
and its trials write nothing there: a trial alone and in the matrix is judged alike.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from correlate.dataset import documents
from correlate.dataset.record import Document, Name, Role
from correlate.errors import BadDataset
from lab.definitions import BenchSpec, Lab
from lab.errors import BadInput

MOST = 1000
"""Of so many calls the numbers are kept; older ones go."""

MOST_ROWS = 500

Count = Annotated[int, Field(ge=0, lt=1 << 63)]
Seconds = Annotated[float, Field(ge=-86_400, le=86_400)]
Spans = Annotated[list[Seconds], Field(max_length=MOST)]
Version = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z._-]{1,60}$")]
Line = Annotated[str, StringConstraints(min_length=1, max_length=1000)]


class Cost(Document):
    """What it costs to ask a witness once, as the controller sees it; a round trip that asks nothing is taken off."""

    witness: Name
    """The witness"""
    during: Literal["idle", "call"]
    """What the phone did meanwhile"""
    reads: Count
    """How often it was asked"""
    median_ms: Annotated[float, Field(ge=0)]
    """Half of the answers came sooner"""
    most_ms: Annotated[float, Field(ge=0)]
    """The slowest answer"""
    bytes: Count
    """The longest answer, as it reached the controller; a look at the screen has none"""


class Numbers(Document):
    """What was measured of an app in one version on one phone; the newest of each list stands last."""

    phone: Name
    """The phone"""
    app: Name
    """The app"""
    version: Version
    """The version that was installed"""
    tap_to_end_s: Spans
    """From a tap on this phone that ends a call to the end of the call on this phone"""
    other_after_s: Spans
    """From that end to the end on the other phone; below zero where the other's came first"""
    ring_s: Spans
    """From the start of a call on the other phone until this one rings"""
    unanswered_s: Spans = Field(default_factory=list)
    """How long this phone rang until nobody but the app ended the call"""
    calls: Count
    """In how many calls the witnesses were asked"""
    missing: Annotated[dict[Name, Count], Field(max_length=50)]
    """In how many of them a witness was missing, by witness"""
    costs: Annotated[list[Cost], Field(max_length=50)]
    """What each witness costs"""


class Introduction(Document):
    """A pair that has rung with a person there."""

    app: Name
    """The app"""
    caller: Name
    """The phone that called"""
    callee: Name
    """The phone that rang"""
    address: Line
    """The callee's address in the app; with another one the pair is a stranger again"""
    title: Line
    """The whole title by which the callee's chat is found; with another one the pair is a stranger again"""
    ring_s: Annotated[float, Field(ge=0, le=86_400)]
    """How soon it rang"""
    parked: Line | None
    """Why nobody is called any more until the pair is introduced again; null where calls go on"""


class Calibration(Document):
    """BENCH.calibration.json."""

    calibration: Literal[1]
    """1: the number of this form"""
    bench: Name
    """The bench"""
    numbers: Annotated[list[Numbers], Field(max_length=MOST_ROWS)]
    """By phone, app and version, the newest version of a phone's app last"""
    introductions: Annotated[list[Introduction], Field(max_length=MOST_ROWS)]
    """The pairs that may call without anyone there"""


@dataclass(frozen=True)
class Spread:
    """How a call ended after a tap: the end on the same phone after the tap, and the other phone's after that one.

    Both in seconds; `other_after_s` is None where the other phone's end was not seen.
    """

    tap_to_end_s: float
    other_after_s: float | None


@dataclass(frozen=True)
class Measured:
    """What one call told of one phone.

    `spread` where this phone ended the call, `ring_s` where it rang, `unanswered_s` how long where nobody ended that,
    `missing` the witnesses that could not be asked or did not see all.
    """

    phone: str
    app: str
    version: str
    spread: Spread | None = None
    ring_s: float | None = None
    unanswered_s: float | None = None
    missing: frozenset[str] = frozenset()
    costs: tuple[Cost, ...] = field(default=())


def learns(spec: BenchSpec) -> bool:
    """Whether what is measured on this bench decides anything on it: a real one's does, an emulated one's never."""
    return not spec.emulated


def place(lab: Lab, spec: BenchSpec) -> Path | None:
    """Where the file is: beside the local file that the bench has, else beside the bench's own; None in a dataset's own
    scenarios, where nothing may be written."""
    local = lab.local_files.get(spec.name)
    folder = lab.directory / "benches" if local is None else local.parent
    inside = local is None and (lab.directory.parent / "dataset.json").is_file()
    return None if inside else folder / f"{spec.name}.calibration.json"


def required_place(lab: Lab, spec: BenchSpec) -> Path:
    """Where the file is. Raises `BadInput` where the scenarios are a dataset's own."""
    if (path := place(lab, spec)) is None:
        what = "is a dataset's own; name the lab's scenarios with --scenarios"
        raise BadInput(f"{lab.directory}: {what}, or nothing that is learnt has a place")
    return path


def kept(lab: Lab, spec: BenchSpec) -> Calibration:
    """What the bench's file holds; nothing where there is none. Raises `BadInput` for a file that does not fit."""
    path = place(lab, spec)
    if path is None or not path.exists():
        return _nothing(spec)
    hint = "; mend it, or move it away: invoke calibrate and invoke introduce make it anew"
    try:
        found = documents.read(path, str(path), Calibration, hint)
    except BadDataset as error:
        # What is no JSON at all comes without the hint.
        text = str(error)
        raise BadInput(text if text.endswith(hint) else f"{text}{hint}") from error
    if found.bench != spec.name:
        raise BadInput(f"{path}: bench: must be {spec.name}, is {found.bench}{hint}")
    return found


def _nothing(spec: BenchSpec) -> Calibration:
    return Calibration(calibration=1, bench=spec.name, numbers=[], introductions=[])


def in_force(lab: Lab, spec: BenchSpec) -> Calibration:
    """What trials on this bench are judged by. Raises `BadInput`, as `kept`."""
    return kept(lab, spec) if learns(spec) else _nothing(spec)


def change(lab: Lab, spec: BenchSpec, changed: Callable[[Calibration], Calibration]) -> Path:
    """Write the file as `changed` makes it of what it holds, whole or not at all; where it is.

    Whoever calls holds the bench, so nobody else writes it meanwhile. Raises `BadInput` where it does not fit, or where
    the scenarios are a dataset's own.
    """
    path = required_place(lab, spec)
    documents.write(path, changed(kept(lab, spec)))
    return path


def learn(lab: Lab, spec: BenchSpec, measured: Iterable[Measured]) -> None:
    """Add what a complete trial told; nothing on a bench that learns nothing. Raises `BadInput`, as `change`."""
    if learns(spec) and place(lab, spec) is not None:
        keep(lab, spec, measured)


def keep(lab: Lab, spec: BenchSpec, measured: Iterable[Measured]) -> Path:
    """Add what calls told, on whatever bench; where it is kept. Raises `BadInput`, as `change`."""

    def changed(before: Calibration) -> Calibration:
        numbers = before.numbers
        for each in measured:
            numbers = with_call(numbers, each)
        return before.model_copy(update={"numbers": numbers[-MOST_ROWS:]})

    return change(lab, spec, changed)


def with_call(numbers: Collection[Numbers], call: Measured) -> list[Numbers]:
    """The numbers with those of one call more; a version that was not there yet comes last."""

    def is_its(each: Numbers) -> bool:
        return (each.phone, each.app, each.version) == (call.phone, call.app, call.version)

    before = next((each for each in numbers if is_its(each)), None) or _none_yet(call)
    spread = call.spread
    more = {
        "tap_to_end_s": [] if spread is None else [spread.tap_to_end_s],
        "other_after_s": [] if spread is None or spread.other_after_s is None else [spread.other_after_s],
        "ring_s": [] if call.ring_s is None else [call.ring_s],
        "unanswered_s": [] if call.unanswered_s is None else [call.unanswered_s],
    }
    values = {
        name: [*getattr(before, name), *(round(span, 3) for span in spans)][-MOST:] for name, spans in more.items()
    }
    costs = {(cost.witness, cost.during): cost for cost in (*before.costs, *call.costs)}
    after = Numbers(
        phone=before.phone,
        app=before.app,
        version=before.version,
        calls=before.calls + 1,
        missing=dict(sorted((Counter(before.missing) + Counter(call.missing)).items())),
        costs=list(costs.values()),
        **values,
    )
    return [after if is_its(each) else each for each in numbers] if before in numbers else [*numbers, after]


def _none_yet(call: Measured) -> Numbers:
    names = {"phone": call.phone, "app": call.app, "version": call.version}
    return Numbers(**names, tap_to_end_s=[], other_after_s=[], ring_s=[], calls=0, missing={}, costs=[])


def measured(
    app: str,
    phones: Mapping[Role, tuple[str, str]],
    tap: tuple[Role, int] | None,
    ends_ns: Mapping[Role, int | None],
    ring_s: float | None,
    missing: Mapping[Role, Collection[str]],
    unanswered_s: float | None = None,
) -> list[Measured]:
    """What a call told of both phones, `phones` being name and version of the app by role.

    `tap` is who ended it and when he began to tap, `ends_ns` the end on each phone, all by the controller's clock;
    `ring_s` how soon the callee rang after the call was placed, `unanswered_s` for how long where nobody ended it. What
    was not seen is None, and is not learnt from.
    """
    found = []
    for role, (phone, version) in phones.items():
        spread = None
        if tap is not None and tap[0] == role and (end_ns := ends_ns[role]) is not None:
            other_ns = next(ends_ns[other] for other in phones if other != role)
            apart_s = None if other_ns is None else (other_ns - end_ns) / 1e9
            spread = Spread((end_ns - tap[1]) / 1e9, apart_s)
        rang_s, for_s = (ring_s, unanswered_s) if role == "callee" else (None, None)
        found.append(Measured(phone, app, version, spread, rang_s, for_s, frozenset(missing[role])))
    return found
