"""One trial as people look at it: its time line, what was found, who saw it, and the frames that prove it.

`trial_section` draws it for the page, `told` says the same in a terminal.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from correlate.dataset import SIDES, Dataset
from correlate.findings.cases import Case
from correlate.report.trial.outcomes import Outcome, given_away, outcomes
from correlate.report.trial.proofs import Proof, clock_lines, proofs
from correlate.report.trial.steps import MARKERS, Step, steps
from correlate.report.trial.timeline import Axis, TimeLine, axis, far_end, time_line
from correlate.report.trial.witnesses import witness_lines
from correlate.tables.study import Study

__all__ = ["HOW_TO_READ", "told", "told_of", "trial_section", "trial_style", "trial_summary"]

HOW_TO_READ = (
    "Bars are sessions of the call, caller above, callee below, thick with a server, striped directly between the "
    "phones; lines are what was done; diamonds are frames that show an address of the other phone."
)
"""How to read a time line: said once on a page, above the first."""
NO_AXIS = "No common time line: the clocks of both captures were never compared, or nothing of the call was seen."
DEFAULT = "virtual-paper"
"""The dataset that commands take unless they are told another."""
MOST_SHOWN = 20
SECOND = 10**9


@dataclass(frozen=True)
class Shown:
    """A frame in the list of evidence: where it is, when (empty where nobody knows), and what it shows."""

    place: str
    at: str
    what: str
    exposes: bool


@dataclass(frozen=True)
class Story:
    """What is told of a trial. `line` is None where there is no common time; `more` frames are not listed."""

    case: Case
    steps: tuple[Step, ...]
    on: Axis | None
    line: TimeLine | None
    outcomes: tuple[Outcome, ...]
    witnesses: tuple[str, ...]
    frames: tuple[Shown, ...]
    more: int
    remarks: tuple[str, ...]
    command: str


def trial_section(study: Study, case: Case, dataset: Dataset) -> Markup:
    """The inside of a trial's `<details>`. Reads its events.jsonl and trial.json, no capture. Raises `BadDataset`."""
    return Markup(_template().render(story=_story(study, case, dataset), no_axis=NO_AXIS))  # noqa: S704


def trial_summary(study: Study, case: Case) -> Markup:
    """The line that stands there while the trial is closed: its id, how many of the other side's addresses (public and
    private, of either side) it gives away, and whether both sides show the same user ids."""
    found, ids = given_away(case), case.signalling["caller"].user_ids
    if case.trial in study.out:
        word = f"left out: {study.out[case.trial]}"
    else:
        none = "no address" if case.call.no_disclosure else "addresses undecided"
        word = (f"{len(found)} of 4 addresses" if found else none) + (", user ids of both sides" if ids else "")
    mark = "tr-x" if found or ids else "tr-s"
    return Markup('<code>{}</code> <span class="{}">{}</span>').format(case.trial, mark, word)


def trial_style() -> str:
    """The CSS of sections and summaries."""
    return _environment().get_template("trial.css").render()


def told(study: Study, case: Case, dataset: Dataset) -> list[str]:
    """The same as lines of text. Raises `BadDataset`."""
    story = _story(study, case, dataset)
    return [case.trial, *(f"  {each}" for each in _told(story, study.names))]


def told_of(dataset: Dataset, trial: str) -> list[str]:
    """What is `told` of a trial of a dataset, or why it could not be read; nothing where the dataset is not there, or
    has not measured the trial yet. Raises `BadDataset`."""
    if not (dataset.info_path.exists() and dataset.findings_dir.exists() and trial in dataset.trial_ids()):
        return []
    study = Study.of(dataset)
    if trial in study.unread:
        return [f"{trial}: {study.unread[trial]}"]
    return next(told(study, case, dataset) for case in study.read if case.trial == trial)


def _told(story: Story, names: Mapping[str, str]) -> Iterator[str]:
    yield from story.remarks
    if story.on is None:
        yield NO_AXIS
    else:
        for step in story.steps:
            if step.word not in MARKERS:
                yield f"{story.on.seconds(step.at_ns):>11}  {step.word}"
        for side in SIDES:
            for each in story.case.sessions.get(side, ()):
                start = story.on.seconds(each.first_ns) if each.first_ns is not None else ""
                to, lasts = far_end(each.remote, names), f"{each.duration_ns / SECOND:.2f} s"
                yield f"{start:>11}  {side} {each.kind} {to}, {lasts}"
    yield from (f"{each.dimension}: {each}" for each in story.outcomes)
    yield from (f"witnesses {each}" for each in story.witnesses)
    yield from (f"{each.place} {each.at} {each.what}".replace("  ", " ") for each in story.frames)
    if story.more:
        yield f"and {story.more} more frames"
    yield story.command


def _story(study: Study, case: Case, dataset: Dataset) -> Story:
    done, found = steps(dataset, case.trial), proofs(case, clock_lines(dataset, case.trial))
    on, shown = axis(case, done), _frames(found, None)
    if on is not None:
        shown = _frames(found, on)
    return Story(
        case=case,
        steps=done,
        on=on,
        line=None if on is None else time_line(case, on, done, found, study.names),
        outcomes=outcomes(case),
        witnesses=witness_lines(case.observed),
        frames=shown[:MOST_SHOWN],
        more=max(0, len(shown) - MOST_SHOWN),
        remarks=tuple(_remarks(study, case)),
        command=_command(study, case, found),
    )


def _remarks(study: Study, case: Case) -> Iterator[str]:
    if case.trial in study.out:
        yield f"Left out of all cells: {study.out[case.trial]}."
    for lack in study.lacking.get(case.trial, ()):
        yield f"Not among the cases: {lack.claim} is {lack.verdict}."
    if case.contradiction:
        yield f"Phones and wire contradict each other: {case.contradiction}."


def _frames(found: Sequence[Proof], on: Axis | None) -> tuple[Shown, ...]:
    """Frame by frame, what one frame shows joined."""
    joined: dict[str, list[Proof]] = {}
    for each in found:
        joined.setdefault(each.place, []).append(each)
    return tuple(
        Shown(
            place=place,
            at=on.seconds(each[0].at_ns) if on is not None and each[0].at_ns is not None else "",
            what="; ".join(dict.fromkeys(proof.what for proof in each)),
            exposes=any(proof.exposes for proof in each),
        )
        for place, each in joined.items()
    )


def _command(study: Study, case: Case, found: Sequence[Proof]) -> str:
    """The line that opens the first frame that exposes something, else the first of the evidence."""
    first = next((each for each in found if each.exposes), found[0] if found else None)
    frame = f" --frame {first.place}" if first else ""
    elsewhere = "" if study.info.name == DEFAULT else f" --dataset datasets/{study.info.name}"
    return f"invoke open-trial {case.trial}{frame}{elsewhere}"


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("correlate.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _template() -> Template:
    return _environment().get_template("trial.html")
