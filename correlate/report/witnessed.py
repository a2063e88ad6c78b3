"""What the phones' own witnesses hold of the calls: by app and claim how often it is proven, and where it is not."""

from collections.abc import Sequence
from dataclasses import dataclass

from correlate.dataset.proven import Lack
from correlate.dataset.record import Observed
from correlate.findings.cases import Case
from correlate.tables.layout import plain_text
from correlate.tables.study import Study
from correlate.tables.with_left_out import grouped

MAX_TRIALS = 50
"""So many trials are listed with their witnesses; trial.json has them of all."""


@dataclass(frozen=True)
class Cell:
    """A claim in an app's trials: in how many it is proven, and in words how often not and why."""

    proven: int
    others: tuple[str, ...]


@dataclass(frozen=True)
class Unproven:
    """A claim of a trial that is not proven, and what each witness said of it."""

    trial: str
    claim: str
    verdict: str
    reason: str
    witnesses: tuple[str, ...]


@dataclass(frozen=True)
class Witnessed:
    """`apps` has how many trials of each were asked for; `rows` are the claims, a cell an app. `unasked` trials have no
    claims, and `more` trials than are listed have one that is not proven."""

    apps: dict[str, int]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    unproven: tuple[Unproven, ...]
    trials: int
    more: int
    unasked: int


def witnessed(study: Study) -> Witnessed:
    """Of all trials that could be read, in the order of the plan."""
    asked = [case for case in study.read if case.observed is not None]
    apps = {app: [case for case in asked if case.app == app] for app in study.apps}
    apps = {app: cases for app, cases in apps.items() if cases}
    rows = [(claim, tuple(_cell(cases, claim) for cases in apps.values())) for claim in Observed.model_fields]
    unproven = {case.trial: found for case in asked if (found := _unproven(case))}
    listed = [each for trial in list(unproven)[:MAX_TRIALS] for each in unproven[trial]]
    return Witnessed(
        apps={app: len(cases) for app, cases in apps.items()},
        rows=tuple(rows) if asked else (),
        unproven=tuple(listed),
        trials=len(unproven),
        more=max(0, len(unproven) - MAX_TRIALS),
        unasked=len(study.read) - len(asked),
    )


def _cell(cases: Sequence[Case], claim: str) -> Cell:
    claims = [case.observed.claims[claim] for case in cases if case.observed is not None]
    lacks = [Lack(claim, each.verdict, each.reason) for each in claims if each.reason is not None]
    return Cell(len(claims) - len(lacks), tuple(each.removeprefix(f"{claim} ") for each in grouped(lacks)))


def _unproven(case: Case) -> list[Unproven]:
    claims = case.observed.claims.items() if case.observed is not None else ()
    return [
        Unproven(case.trial, name, each.verdict, plain_text(each.reason), tuple(map(plain_text, each.witnesses)))
        for name, each in claims
        if each.reason is not None
    ]
