"""Calls that were placed, and when an account may place the next one.

Operators bar accounts that call too often. On real phones the calls of all commands, runs and datasets count, and the
apps that are parked stay so; both stand in BENCH.accounts.json beside the bench's local file (git ignores it). Those of
an emulated bench are of one dataset, on its night clock.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from correlate.dataset import documents
from correlate.dataset.record import Document, Name
from correlate.errors import BadDataset
from lab.clocks.bench_time import BenchClock
from lab.definitions import BenchSpec, Caps, Lab
from lab.errors import BadInput, TrialsFailed, one_line
from lab.run import calibration
from lab.run.night_clock import NightClock
from lab.run.queue import Pause

HOUR_S, DAY_S = 3600.0, 86_400.0


class Call(Document):
    """A call that was placed."""

    app: Name
    """The app"""
    at_s: Annotated[float, Field(ge=0)]
    """When, in seconds since the epoch"""


class Parked(Document):
    """An app that says that it will not call."""

    app: Name
    """The app"""
    reason: Name
    """What it says"""


class Ledger(Document):
    """BENCH.accounts.json."""

    ledger: Literal[1]
    """1: the number of this form"""
    bench: Name
    """The bench"""
    calls: list[Call]
    """The calls of the last day"""
    parked: list[Parked]
    """The apps that nobody calls in until `invoke unpark APP`"""


def place(lab: Lab, spec: BenchSpec) -> Path | None:
    """Where a real bench's file is; None on an emulated one, and in a dataset's own scenarios."""
    beside = None if spec.emulated else calibration.place(lab, spec)
    return None if beside is None else beside.with_name(f"{spec.name}.accounts.json")


def kept(path: Path | None, bench: str) -> Ledger:
    """What the file holds; nothing where there is none. Raises `BadInput` for one that does not fit."""
    if path is None or not path.exists():
        return Ledger(ledger=1, bench=bench, calls=[], parked=[])
    try:
        found = documents.read(path, str(path), Ledger, "; mend it, or move it away: it caps the calls of a day")
    except BadDataset as error:
        raise BadInput(str(error)) from error
    if found.bench != bench:
        raise BadInput(f"{path}: bench: must be {bench}, is {found.bench}; mend it, or move it away")
    return found


class Accounts:
    """The calls of each app on a bench; several threads may place some. `calls` are those of its past; `benches` side
    by side have each their accounts.
    """

    def __init__(
        self,
        lab: Lab,
        spec: BenchSpec,
        clock: NightClock,
        calls: Iterable[tuple[str, float]] = (),
        benches: int = 1,
    ) -> None:
        self._benches = benches
        self._path, self._bench, self._caps, self._clock = place(lab, spec), spec.name, spec.caps_in_force, clock
        ledger = kept(self._path, spec.name)
        self._calls = list(calls) if self._path is None else [(call.app, call.at_s) for call in ledger.calls]
        self.parked = {each.app: each.reason for each in ledger.parked}
        self._placed: Counter[str] = Counter()
        self._placing = threading.Lock()

    @property
    def most_wait_s(self) -> float:
        """How long a run waits for the caps."""
        return 0.0 if self._caps is None else self._caps.wait_hours * HOUR_S

    def placed(self, app: str) -> None:
        """A call is placed now; on real phones it is on the disk before it is."""
        with self._placing:
            now_s = self._clock.now_s()
            self._calls = [call for call in self._calls if call[1] > now_s - DAY_S] + [(app, now_s)]
            self._placed[app] += 1
            self._keep()

    def park(self, app: str, reason: str) -> None:
        """Nobody calls in `app` any more."""
        with self._placing:
            self.parked[app] = reason
            self._keep()

    def unpark(self, app: str) -> None:
        """A person has mended `app`."""
        with self._placing:
            self.parked.pop(app, None)
            self._keep()

    def wait(self, app: str) -> Pause | None:
        """How long no call may be placed in `app`; None where one may be now."""
        caps, now_s = self._caps, self._clock.now_s()
        if caps is None:
            return None
        with self._placing:
            at_s = sorted(at_s for name, at_s in self._calls if name == app)
        pauses = [pause for pause in _pauses(app, caps, self._benches, at_s, now_s) if pause.seconds > 0]
        return max(pauses, key=lambda pause: pause.seconds, default=None)

    def wait_for(self, app: str, clock: BenchClock, say: Callable[[str], None]) -> None:
        """Return once a call may be placed in `app`. Raises `TrialsFailed` where that is longer than a run waits."""
        while (pause := self.wait(app)) is not None:
            if pause.seconds > self.most_wait_s:
                raise TrialsFailed(f"{pause.why}; nobody was called")
            say(pause.why)
            clock.sleep(pause.seconds)

    def told(self) -> str:
        """How many calls were placed since this was made, by app; empty for none."""
        with self._placing:
            by_app = ", ".join(f"{count} in {app}" for app, count in sorted(self._placed.items()))
        return one_line(f"calls placed: {by_app}") if by_app else ""

    def _keep(self) -> None:
        if self._path is not None:
            calls = [Call(app=app, at_s=at_s) for app, at_s in self._calls]
            parked = [Parked(app=app, reason=reason) for app, reason in self.parked.items()]
            documents.write(self._path, Ledger(ledger=1, bench=self._bench, calls=calls, parked=parked))


def _pauses(app: str, caps: Caps, benches: int, at_s: list[float], now_s: float) -> Iterator[Pause]:
    """By each cap how long is to be waited, below zero where nothing is."""
    if len(at_s) >= benches:
        left_s = _left_s(at_s[-benches] + caps.apart_s, now_s)
        yield Pause(
            left_s, f"{app}: {left_s:.0f} s until the next call, calls of one account are {caps.apart_s:g} s apart"
        )
    for most, span_s, span in ((caps.per_hour, HOUR_S, "an hour"), (caps.per_day, DAY_S, "a day")):
        if len(at_s) >= most * benches:
            left_s = _left_s(at_s[-most * benches] + span_s, now_s)
            yield Pause(
                left_s, f"{app}: {left_s / 60:.0f} min until the next call, {most} calls in {span} are the most"
            )


def _left_s(until_s: float, now_s: float) -> float:
    """In whole milliseconds, as the night clock counts: less than that passes on no emulated bench, however often it is
    waited for."""
    return round(until_s - now_s, 3)
