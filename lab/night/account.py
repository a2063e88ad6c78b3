"""The account of one night: what it may take, what it took, and which old datasets it takes away."""

from collections.abc import Callable, Iterator, Sequence

from lab.clocks.stop import Stop
from lab.night import budgets, folders, wear
from lab.night.budgets import Data, Ledger, Limit
from lab.night.costs import Batteries, Spent
from lab.night.folders import Place
from lab.night.history import History, Night
from lab.night.retention import Keeping, retain
from lab.night.until import local
from lab.run.plan import Run


class Account:
    """From the begin of a night on. `limit` says which trials may begin, `data` is told of each that ended, and
    `batteries` asks the phones."""

    def __init__(
        self,
        run: Run,
        place: Place,
        found: History | None,
        began_ns: int,
        until_ns: int | None,
        now_ns: Callable[[], int],
    ) -> None:
        """`found` is None where nobody needs to know what the nights before took."""
        self._run, self._place, self._now_ns = run, place, now_ns
        self._today = local(began_ns).date()
        self.end = budgets.ends(run.spec, began_ns, until_ns)
        self.before = Ledger()
        if found is not None:
            self.before = Ledger.of(run.spec, place, found).with_own(run.spec, place.dataset, self._today)
        self.data, self.batteries = Data.of(run.spec, self.before, self._today), Batteries()
        self.limit = Limit(run, now_ns, self.end, self.data)

    def closed(self, found: History) -> tuple[list[Spent], list[str]]:
        """What the night's dataset took of each phone, and what a person has to know of SIMs and phones."""
        spec, last_day = self._run.spec, local(self._now_ns()).date()
        ledger = Ledger.of(spec, self._place, found).with_own(spec, self._place.dataset, self._today)
        of_sims = budgets.notes(spec.sims, Data.of(spec, ledger, self._today), last_day)
        return list(ledger.own), [*of_sims, *wear.worn(found.nights, self.batteries.found)]

    def retained(self, earlier: Sequence[Night], stop: Stop) -> Iterator[str]:
        """Take old datasets away where the bench file says so; a line for each that was, and why others stay."""
        if (rule := self._run.spec.retention) is None:
            return
        nights, place = self._place.folder.parent, self._place
        good = folders.last_good(nights, list(earlier), place.name)
        named = {place.name, place.folder.name, *(() if good is None else (good[0],))}
        yield from retain(Keeping(nights, rule, frozenset(named), self._today), stop.check)
