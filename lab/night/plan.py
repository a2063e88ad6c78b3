"""The coming night: what it takes, and what only a person can do before it. Nothing is begun."""

from collections import Counter
from collections.abc import Iterator

from rich.markup import escape

from lab.clocks.stop import Stop
from lab.commands import doctor, show
from lab.commands.checks import Check
from lab.definitions import PlannedTrial
from lab.errors import one_line
from lab.night.folders import Place
from lab.run.plan import Run


def show_plan(run: Run, place: Place, hours: float | None) -> None:
    """Print it, as if it began now."""
    out = show.console()
    for line in (*lines(run, hours), place.why_new, *for_a_person(doctor.examine(run, Stop()))):
        if line:
            out.print(escape(one_line(line)), soft_wrap=True)


def lines(run: Run, hours: float | None) -> Iterator[str]:
    """Trials and hours, data by network, calls by account; `hours` there are, None: as many as it takes."""
    missing = run.missing()
    fit = fitting(run, missing, hours)
    takes = sum(show.expected_s(run, item)[0] for item in fit) / 3600
    real = ", which the virtual bench does not wait for" if run.spec.kind == "virtual" else ""
    yield f"{run.dataset.path}: {len(fit)} of {len(missing)} missing trials, about {takes:.1f} h of bench time{real}"
    if len(fit) < len(missing):
        yield f"{len(missing) - len(fit)} trials are left for the nights after it"
    for network, data_bytes in sorted(data_by_network(run, fit).items()):
        yield f"data on {network}: about {data_bytes / 1e6:.0f} MB"
    placed, received = calls_by_account(run, fit)
    for phone, app in sorted({*placed, *received}):
        yield f"calls of {app} on {phone}: {placed[phone, app]} placed, {received[phone, app]} received"


def fitting(run: Run, missing: list[PlannedTrial], hours: float | None) -> list[PlannedTrial]:
    """The trials that end in time, one after the other, as `Limit` lets them begin."""
    left_s, fit = float("inf") if hours is None else hours * 3600, []
    for item in missing:
        takes_s = show.expected_s(run, item)[0]
        if takes_s <= left_s:
            left_s -= takes_s
            fit.append(item)
    return fit


def data_by_network(run: Run, items: list[PlannedTrial]) -> Counter[str]:
    """By network of the bench the bytes that the calls are expected to take there, both ways."""
    found: Counter[str] = Counter()
    for item in items:
        talk_s = show.expected_s(run, item)[1]
        for phone in run.spec.phones:
            found[phone.network] += round(show.expected_call_bytes(item, talk_s))
    return found


def calls_by_account(run: Run, items: list[PlannedTrial]) -> tuple[Counter[tuple[str, str]], Counter[tuple[str, str]]]:
    """By phone and app how many calls its account places, and receives."""
    placed: Counter[tuple[str, str]] = Counter()
    received: Counter[tuple[str, str]] = Counter()
    for item in items:
        caller = run.spec.caller_of(item.trial.direction)
        placed[caller.name, item.trial.app] += 1
        received[run.spec.other(caller).name, item.trial.app] += 1
    return placed, received


def for_a_person(checks: list[Check]) -> Iterator[str]:
    """What the doctor found that nobody but a person can mend."""
    failed = [check for check in checks if not check.ok]
    if not failed:
        yield f"nothing is left to do for a person: {len(checks)} checks are ok"
    for check in failed:
        yield f"to do: {check.check} {check.subject}: {check.found}: {check.fix}"
