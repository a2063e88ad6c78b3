"""What a night may still take: its hours, each SIM's data, and until when a SIM works. It is asked right before a trial
begins; what may not begin is left for another night, and told.

What a SIM has used is what the nights of this folder recorded (`costs.Spent`) and `ON_TOP` of it. What the phone took
in other nights' folders, in other commands and by itself nobody records: the operator's own count is another one.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from correlate.dataset import Dataset
from correlate.errors import CorrelateError
from lab.commands.show import expected_call_bytes, expected_s
from lab.definitions import BenchSpec, PlannedTrial
from lab.definitions.budgets import DataPlan, Sim
from lab.night import costs
from lab.night.costs import Spent
from lab.night.folders import Place
from lab.night.history import History
from lab.night.until import local
from lab.run.plan import Run

ON_TOP = 1.2
"""So many times what was recorded is counted: a phone sends and receives between the captures, too. A guess."""

TRIAL_BYTES = 200_000
"""What a trial is expected to take of a phone's data beside its conversation."""

SOON_DAYS = 7
"""So many days before a SIM expires it is told."""

MUCH = 0.8
"""The share of a data plan from which on it is told."""


@dataclass(frozen=True)
class Ledger:
    """What the nights so far took of each phone; those of tonight's dataset apart. `unknown` has a line for each night
    of which nobody can tell any more."""

    others: tuple[Spent, ...] = ()
    own: tuple[Spent, ...] = ()
    unknown: tuple[str, ...] = ()

    @classmethod
    def of(cls, spec: BenchSpec, place: Place, found: History) -> "Ledger":
        """By the lines of the nights, and where one has none, as after a power loss, by its dataset."""
        nights, others, unknown, own = place.folder.parent, list[Spent](), list[str](), list[Spent]()
        lines = {night.dataset: night for night in found.nights}
        for name in sorted({*lines, *(path.parent.parent.name for path in nights.glob("*/dataset/dataset.json"))}):
            line = lines.get(name)
            spent = None if line is None else line.spent
            if name == place.name:
                own += spent or []
            elif spent is not None:
                others += spent
            elif (day := _day(name)) is not None and (nights / name / "dataset").is_dir():
                others += costs.went_on([], sums(spec, nights / name / "dataset"), day)
            else:
                unknown.append(f"{name}: its line is of an earlier version, and its dataset is no more")
        return cls(tuple(others), tuple(own), tuple(unknown))

    def with_own(self, spec: BenchSpec, dataset: Path, today: date) -> "Ledger":
        """The same with all that tonight's dataset took by now."""
        return Ledger(self.others, tuple(costs.went_on(self.own, sums(spec, dataset), today)), self.unknown)

    @property
    def all(self) -> tuple[Spent, ...]:
        return self.others + self.own

    def data_bytes(self, phone: str, since: date) -> int:
        """What a phone's nights took of its data, that began on that day or later."""
        return sum(each.data_bytes for each in self.all if each.phone == phone and each.date >= since)


def sums(spec: BenchSpec, dataset: Path) -> dict[str, Counter[str]]:
    """By phone what a night's dataset took, and the fresh trials beside it."""
    found = costs.of_dataset(Dataset(dataset), spec)
    for phone, more in costs.of_dataset(Dataset(dataset.with_name("again")), spec).items():
        found.setdefault(phone, Counter()).update(more)
    return found


def _day(name: str) -> date | None:
    try:
        return date.fromisoformat(name[:10])
    except ValueError:
        return None


@dataclass
class Data:
    """What each SIM with a data plan has used in its month, or day, while a night goes; `today` is when it began."""

    sims: Sequence[Sim]
    today: date
    used: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, spec: BenchSpec, ledger: Ledger, today: date) -> "Data":
        data = cls(spec.sims, today)
        for phone, plan in data.plans():
            data.used[phone] = ledger.data_bytes(phone, plan.first_day(today))
        return data

    def plans(self) -> Iterator[tuple[str, DataPlan]]:
        yield from ((sim.name, sim.data_plan) for sim in self.sims if sim.data_plan is not None)

    def completed(self, run: Run, trial: str) -> None:
        """A trial of that run has completed."""
        try:
            self.used.update(dict(costs.data_bytes(run.dataset.record(trial))))
        except CorrelateError:
            self.voided(run, trial)

    def voided(self, run: Run, trial: str) -> None:
        """An attempt at a trial is void; it counts like a whole one until the night has ended."""
        self.expects(run, run.one(trial))

    def expects(self, run: Run, item: PlannedTrial) -> None:
        """A trial is taken for made."""
        for phone in run.spec.phones:
            self.used[phone.name] += expected_bytes(run, item)

    def refuses(self, run: Run, item: PlannedTrial) -> str:
        """Why a trial may not begin; empty where it may."""
        for phone, plan in self.plans():
            if ON_TOP * (self.used[phone] + expected_bytes(run, item)) > plan.mb * 10**6:
                free = plan.next_day(self.today)
                return f"the data plan of {phone}, {plan.mb} MB a {plan.per}, would be exceeded; it is new on {free}"
        return ""

    def told(self) -> Iterator[tuple[str, float, str]]:
        """By phone how much of its plan is used, from 0 to 1, and in words."""
        for phone, plan in self.plans():
            used_mb = ON_TOP * self.used[phone] / 10**6
            until = plan.next_day(self.today) - timedelta(days=1)
            text = f"about {used_mb:.0f} of {plan.mb} MB of its data plan from {plan.first_day(self.today)} to {until}"
            yield phone, used_mb / plan.mb, text


def expected_bytes(run: Run, item: PlannedTrial) -> int:
    """What a trial is expected to take of each phone's data, without what is counted on top."""
    return TRIAL_BYTES + round(expected_call_bytes(item, expected_s(run, item)[1]))


@dataclass(frozen=True)
class End:
    """When a night ends, in ns since the epoch, None for never, and what says so."""

    ns: int | None
    why: str = ""


def ends(spec: BenchSpec, began_ns: int, until_ns: int | None) -> End:
    """The earlier of what `--until` and `budgets.hours` say."""
    hours = None if spec.budgets is None else spec.budgets.hours
    over_ns = None if hours is None else began_ns + round(hours * 3.6e12)
    if over_ns is not None and (until_ns is None or over_ns < until_ns):
        return End(over_ns, f"they would end after the {hours:g} hours of a night (budgets)")
    return End(until_ns, "" if until_ns is None else f"they would end after {local(until_ns):%H:%M}")


class Limit:
    """Whether a trial may begin: where it would end in time, as such trials mostly do, and its SIMs last.

    `refused` is by trial why it may not.
    """

    def __init__(self, run: Run, now_ns: Callable[[], int], end: End, data: Data) -> None:
        self._run, self._now_ns, self._end, self._data = run, now_ns, end, data
        self.refused: dict[str, str] = {}

    def __call__(self, item: PlannedTrial) -> bool:
        why = self._why(item)
        if why:
            self.refused[item.trial.id] = why
        else:
            self.refused.pop(item.trial.id, None)
        return not why

    def _why(self, item: PlannedTrial) -> str:
        over_ns = self._now_ns() + round(expected_s(self._run, item)[0] * 1e9)
        if self._end.ns is not None and over_ns > self._end.ns:
            return self._end.why
        for sim in self._run.spec.sims:
            if sim.sim_expires is not None and local(over_ns).date() > sim.sim_expires:
                return f"the SIM of {sim.name} works until {sim.sim_expires} alone"
        return self._data.refuses(self._run, item)

    def told(self) -> list[str]:
        """A line for each reason for which trials were left."""
        left = Counter(self.refused.values())
        return [f"{count} {'trial is' if count == 1 else 'trials are'} left: {why}" for why, count in left.items()]


def expiring(sims: Sequence[Sim], last_day: date) -> Iterator[tuple[str, str]]:
    """By phone the SIMs that expire soon, in words; `last_day` is the one on which the night ends."""
    for sim in sims:
        if sim.sim_expires is None:
            continue
        days = (sim.sim_expires - last_day).days
        if days < 0:
            yield sim.name, f"its SIM works until {sim.sim_expires}, the night goes on to {last_day}"
        elif days < SOON_DAYS:
            yield sim.name, f"its SIM works until {sim.sim_expires} alone"


def notes(sims: Sequence[Sim], data: Data, last_day: date, when: str = "now") -> Iterator[str]:
    """What a person has to know of the SIMs: what is nearly used up `when`, or expires."""
    for phone, share, text in data.told():
        if share >= MUCH:
            yield f"{phone}: {when} it has used {text}; top it up, or let trials wait"
    for phone, text in expiring(sims, last_day):
        yield f"{phone}: {text}; renew it"
