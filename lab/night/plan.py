"""The coming night: what it takes, what is left of the budgets, and what only a person can do before it. Nothing is
begun."""

import shlex
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator

from rich.markup import escape

from lab.clocks.stop import Stop
from lab.commands import doctor, show
from lab.commands.checks import Check
from lab.definitions import PlannedTrial
from lab.errors import one_line
from lab.night import budgets, history, wear
from lab.night.account import Account
from lab.night.budgets import Limit
from lab.night.folders import Place
from lab.night.until import local
from lab.run.plan import Run

LEAST_COLUMNS, MOST_COLUMNS = 60, 120
HEAD = 10
"""So wide is what a line is about."""

LOG_IN, ACCEPT, UNLOCK, TOP_UP = "log in, or mend what an app says", "accept a key", "unlock", "top up"
ORDER = (LOG_IN, ACCEPT, UNLOCK, TOP_UP)
"""What is asked of a person first."""

Line = tuple[str, str]
"""What a line is about, empty where that is as before, and what it says."""


def show_plan(run: Run, place: Place, began_ns: int, until_ns: int | None) -> None:
    """Print it, as if it began now. Raises `BadInput` where history.jsonl cannot be read."""
    out, found = show.console(), history.read(place.folder.parent / "history.jsonl")
    ahead = Ahead(run, place, found, began_ns, until_ns)
    checks = doctor.examine(run, Stop(), ahead.account.batteries)
    columns = min(MOST_COLUMNS, max(LEAST_COLUMNS, out.width))
    for line in folded([*ahead.lines(), ("", place.why_new), *ahead.for_a_person(checks)], columns):
        out.print(escape(line), soft_wrap=True)


def folded(lines: Iterable[Line], columns: int) -> Iterator[str]:
    """Lines that a terminal does not break: a word that is longer than a line has one of its own."""
    for head, text in lines:
        if text:
            yield from textwrap.wrap(
                one_line(text),
                columns,
                initial_indent=f"{head:<{HEAD}}",
                subsequent_indent=" " * (HEAD + 2 if text.startswith("- ") else HEAD),
                break_long_words=False,
                break_on_hyphens=False,
            )


class Ahead:
    """The coming night: `fit` are the trials of it, as if each took as long and as much as such trials mostly do."""

    def __init__(self, run: Run, place: Place, found: history.History, began_ns: int, until_ns: int | None) -> None:
        self._run, self._place, self._found = run, place, found
        self._began_ns = self._now_ns = began_ns
        self.account = Account(run, place, found, began_ns, until_ns, lambda: self._now_ns)
        self._used = list(self.account.data.told())
        self.missing = run.missing()
        self.fit = list(self._fitting(self.account.limit))

    def _fitting(self, limit: Limit) -> Iterator[PlannedTrial]:
        for item in self.missing:
            if limit(item):
                self._now_ns += round(show.expected_s(self._run, item)[0] * 1e9)
                self.account.data.expects(self._run, item)
                yield item

    def lines(self) -> Iterator[Line]:
        """Trials and hours, data by network, calls by account, what is left of the budgets, and wear."""
        run, fit, account = self._run, self.fit, self.account
        yield "Night", f"bench {run.spec.name}, matrix {run.matrix.name}, into {run.dataset.path}"
        yield "Trials", f"{len(fit)} of {len(self.missing)} that are missing"
        yield from (("", line) for line in account.limit.told())
        yield "Time", self._hours()
        for number, (network, count) in enumerate(sorted(data_by_network(run, fit).items())):
            yield "" if number else "Data", f"on {network} about {count / 1e6:.0f} MB of calls"
        placed, received = calls_by_account(run, fit)
        for number, (phone, app) in enumerate(sorted({*placed, *received})):
            each = f"{app} on {phone}: {placed[phone, app]} placed, {received[phone, app]} received"
            yield "" if number else "Calls", each
        if caps := run.spec.caps_in_force:
            yield "", f"at most {caps.per_hour} an hour and {caps.per_day} a day of an app (caps)"
        yield from self._sims()
        found = wear.lines(account.before.all, account.batteries.found, [phone.name for phone in run.spec.phones])
        for number, (phone, text) in enumerate(found):
            yield "" if number else "Wear", f"{phone}: {text}"
        yield from (("", f"unknown: {text}") for text in account.before.unknown)
        yield from (("Beware", text) for text in wear.worn(self._found.nights, account.batteries.found))

    def _hours(self) -> str:
        end = self.account.end.ns
        takes = _span(self._now_ns - self._began_ns)
        limit = "" if end is None else f" of the {_span(end - self._began_ns)} until {local(end):%H:%M}"
        real = ", bench time, which the virtual bench does not wait for" if self._run.spec.kind == "virtual" else ""
        return f"about {takes}{limit}{real}"

    def _sims(self) -> Iterator[Line]:
        spec, after = self._run.spec, {phone: text for phone, _, text in self.account.data.told()}
        heads = iter(("SIMs",))
        for phone, _, text in self._used:
            yield next(heads, ""), f"{phone}: used {text}; after the night {after[phone].partition(' of its')[0]}"
        for sim in spec.sims:
            if sim.sim_expires is not None:
                yield next(heads, ""), f"{sim.name}: works until {sim.sim_expires}"

    def for_a_person(self, checks: list[Check]) -> Iterator[Line]:
        """What nobody but a person can mend, by what is to be done."""
        spec = self._run.spec
        todo = [(_what(check), _words(check)) for check in checks if not check.ok]
        if any(what == LOG_IN for what, _ in todo):
            words = ["invoke", "unpark", "APP", "--bench", spec.name, "--dataset", str(self._run.dataset.path)]
            todo.append((LOG_IN, shlex.join(words)))
        known = {check.subject for check in checks if check.check == "sim" and not check.ok}
        last_day = local(self._now_ns).date()
        notes = budgets.notes(spec.sims, self.account.data, last_day, "after the night")
        todo += [(TOP_UP, line) for line in notes if line.partition(":")[0] not in known]
        if not todo:
            yield "To do", f"nothing for a person: all {len(checks)} checks are ok"
        heads = iter(("To do",))
        for what in sorted({what for what, _ in todo}, key=[*ORDER, *(what for what, _ in todo)].index):
            yield next(heads, ""), f"{what}:"
            yield from (("", f"- {text}") for each, text in todo if each == what)


def _span(ns: int) -> str:
    return f"{ns / 3.6e12:.1f} h" if ns >= 3_600_000_000_000 else f"{ns / 6e10:.0f} min"


def _what(check: Check) -> str:
    """What a person has to do about a check that failed."""
    found = check.found.casefold()
    if check.check == "parked":
        return LOG_IN
    if check.check == "reachable" and "authoriz" in found:
        return ACCEPT
    if check.check == "sim":
        return TOP_UP
    if any(word in found for word in ("unlock", "before first", "pin ")):
        return UNLOCK
    return f"mend ({check.check})"


def _words(check: Check) -> str:
    subject = "" if check.found.startswith(check.subject) else f"{check.subject}: "
    return f"{subject}{check.found}: {check.fix}"


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
