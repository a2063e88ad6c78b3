"""The verdict in a few lines, for a terminal: what the traffic is, what each app gives away, how many trials say so."""

from collections.abc import Iterator, Sequence

from correlate.dataset import Dataset
from correlate.report.attempts import Troubles, troubles
from correlate.report.verdict import AppVerdict, Leak, Phase, verdicts
from correlate.tables.study import Study

SENTENCES = 2
"""How much of what a provenance means is told here; the page has all of it."""


def summary(dataset: Dataset) -> list[str]:
    """A line on the provenance, one an app, one that counts trials and names the report. Raises `BadDataset`."""
    study = Study.of(dataset)
    return [
        _provenance(study),
        *(app_line(each) for each in verdicts(study)),
        f"{_trials(study, troubles(dataset))}: {dataset.report_path}",
    ]


def _provenance(study: Study) -> str:
    sentences = study.meaning.text.rstrip(".").split(". ")
    return f"{'. '.join(sentences[:SENTENCES])}."


def app_line(verdict: AppVerdict) -> str:
    """What an app gives away, with n of N and what wrong pairs show; what is undecided, and what chance shows too."""
    if not verdict.trials:
        return f"{verdict.app}: no trial to tell"
    said = [f"{told} {phase.name[0].lower()}{phase.name[1:]}" for phase in verdict.phases if (told := _given(phase))]
    leaks = [leak for phase in verdict.phases if phase.trials for leak in phase.leaks]
    lines = [
        f"{verdict.app} gives away {'; '.join(said)}" if said else f"{verdict.app}: nothing was seen that it gives away"
    ]
    for words, level in (("no more than in wrong pairs", "chance"), ("undecided", "unknown")):
        if named := dict.fromkeys(leak.what for leak in leaks if leak.level == level):
            lines.append(f"{words}: {', '.join(named)}")
    return "; ".join(lines)


def _given(phase: Phase) -> str:
    return ", ".join(_grouped([leak for leak in phase.leaks if leak.level in ("always", "sometimes")]))


def _grouped(leaks: Sequence[Leak]) -> Iterator[str]:
    """The leaks in words; those that are as frequent share their count."""
    by_count: dict[str, list[str]] = {}
    for leak in leaks:
        by_count.setdefault(_count(leak), []).append(leak.what)
    for count, whats in by_count.items():
        named = list(_of_both(whats))
        yield f"{' and '.join(named)} ({count}{' each' if len(named) > 1 else ''})"


def _of_both(whats: Sequence[str]) -> Iterator[str]:
    """What leaks of the caller and of the callee is one thing."""
    for what in whats:
        side, _, rest = what.partition("'s ")
        if side == "the caller" and f"the callee's {rest}" in whats:
            yield f"both sides' {rest}"
        elif not (side == "the callee" and f"the caller's {rest}" in whats):
            yield what


def _count(leak: Leak) -> str:
    hits, total = leak.wrong_pairs
    return f"{leak.hits} of {leak.total}" + (f"; {hits} of {total} wrong pairs" if total else "")


def _trials(study: Study, found: Troubles) -> str:
    """How many trials are complete, how many attempts were void, and which trials no cell counts."""
    complete, planned = len(study.read) + len(study.unread), len(study.info.plan)
    void = len(found.voids)
    counts = [
        f"{complete} of {planned} trials are complete",
        f"{void} {'attempt was' if void == 1 else 'attempts were'} void",
        f"{len(study.lacking)} undecided",
    ]
    counts += [f"{len(study.out)} left out"] if study.out else []
    counts += [f"{len(study.unread)} unreadable"] if study.unread else []
    return ", ".join(counts)
