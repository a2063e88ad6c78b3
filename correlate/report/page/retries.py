"""What retries may have chosen: a trial that was tried until it went well is no longer any trial.

A void attempt is tried again, so what makes attempts void is missing among the trials that count. Nobody can see what
those calls would have shown; what can be seen is whether the trials that were tried again show the same as those that
went well at once.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from correlate.dataset.record import TrialRecord
from correlate.report.attempts import Troubles
from correlate.report.page.matrix import Part
from correlate.tables.statistics import sorted_out
from correlate.tables.study import Study


@dataclass(frozen=True)
class Tried:
    """The trials of one app: how many went well at once, how many only when they were tried again, how many did not
    yet, and by which reasons how many attempts were void. `trials` are the retried and the others."""

    app: str
    planned: int
    at_once: int
    again: int
    missing: int
    trials: str
    reasons: str


@dataclass(frozen=True)
class Compared:
    """One leak of one app in the trials that went well at once and in those that were tried again, of the decided."""

    app: str
    leak: str
    at_once: tuple[int, int]
    again: tuple[int, int]


@dataclass(frozen=True)
class Retries:
    """All of it; `compared` has the leaks that the retried trials of an app do not show as often as the others."""

    apps: tuple[Tried, ...]
    compared: tuple[Compared, ...]

    @property
    def again(self) -> int:
        """How many trials were tried again before they went well."""
        return sum(each.again for each in self.apps)


def retries(study: Study, troubles: Troubles, records: Mapping[str, TrialRecord], parts: Sequence[Part]) -> Retries:
    """Of the complete trials whose records can be read."""
    retried = {trial for trial, record in records.items() if record.attempt > 0}
    return Retries(
        tuple(_tried(study, app, troubles, records, retried) for app in study.apps),
        tuple(_compared(parts, retried)),
    )


def _tried(study: Study, app: str, troubles: Troubles, records: Mapping[str, TrialRecord], retried: set[str]) -> Tried:
    planned = [entry.id for entry in study.info.plan if entry.app == app]
    complete = [trial for trial in planned if trial in records]
    reasons = Counter(void.reason for void in troubles.voids if void.trial in set(planned))
    again = [trial for trial in complete if trial in retried]
    return Tried(
        app,
        len(planned),
        len(complete) - len(again),
        len(again),
        len(planned) - len(complete),
        sorted_out((trial, trial in retried) for trial in complete),
        ", ".join(f"{reason} {many}" for reason, many in sorted(reasons.items())),
    )


def _compared(parts: Sequence[Part], retried: set[str]) -> list[Compared]:
    found = []
    for part in parts:
        for line in part.lines:
            for cell in line.cells:
                yes, _, no = (set(each.split()) for each in (cell.leak.trials or "//").split("/"))
                at_once, again = (
                    (len(yes & among), len((yes | no) & among)) for among in ((yes | no) - retried, retried)
                )
                if at_once[1] and again[1] and at_once[0] * again[1] != again[0] * at_once[1]:
                    found.append(Compared(cell.app, f"{line.name}, {part.name.lower()}", at_once, again))
    return found
