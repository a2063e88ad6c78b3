"""The breaker: what keeps failing for one reason is let be, and asked again later with one trial.

Its keys are an app, an app in one direction, and an app in one scenario. It has no effects and no clock: times are
seconds of the night clock. What it knows follows from the journal alone, so that another run goes on with it.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from correlate.dataset.record import JournalLine
from lab.definitions import Trial

IN_A_ROW = 3
"""So many failures in a row of one reason open a key."""
WHERE_IT_WORKED = 6
"""So many where the key has worked this night."""
PROBES_AFTER_S = (45 * 60.0, 90 * 60.0, 180 * 60.0)
"""How long after it opened, or after the probe before, a key is probed with one trial."""
FAILING_CALLS = 24
"""So many calls of an app that came to nothing in a night are enough, where its last two attempts failed as well."""
NIGHT_S = 12 * 3600.0
"""What is older is of another night."""

Key = tuple[str, ...]


def keys_of(trial: Trial) -> tuple[Key, ...]:
    """The keys of a trial, the widest first."""
    return (trial.app,), (trial.app, "direction", trial.direction), (trial.app, "scenario", trial.scenario)


@dataclass
class _Open:
    """A key that is open: since when it may be probed, and how often it was."""

    reason: str
    due_s: float
    probes: int = 0
    probing: bool = False
    at_the_end: bool = False

    def may(self, now_s: float, last: bool) -> bool:
        left = self.probes < len(PROBES_AFTER_S) and not self.probing
        return left and (now_s >= self.due_s or (last and not self.at_the_end))


@dataclass(frozen=True)
class Held:
    """Why a trial is not made now: its key, the reason, and whether only `invoke unpark` gives it back."""

    key: Key
    reason: str
    parked: bool = False


class Breaker:
    """Told of every attempt that begins and ends; says which trials are held."""

    def __init__(self) -> None:
        self._row: dict[Key, list[str]] = {}
        self._worked: dict[Key, float] = {}
        self._open: dict[Key, _Open] = {}
        self._parked: dict[str, str] = {}
        self._calls: defaultdict[str, list[float]] = defaultdict(list)

    def held(self, trial: Trial, now_s: float, *, last: bool = False) -> Held | None:
        """Why `trial` is held; None where it may be made. With `last` nothing else is left: what is open may be
        probed once without waiting."""
        if trial.app in self._parked:
            return Held((trial.app,), self._parked[trial.app], parked=True)
        for key in keys_of(trial):
            if (opened := self._open.get(key)) is not None and not opened.may(now_s, last):
                return Held(key, opened.reason)
        if not any(key in self._open for key in keys_of(trial)) and self._is_enough(trial.app, now_s):
            return Held((trial.app,), f"{FAILING_CALLS} calls came to nothing")
        return None

    def begun(self, trial: Trial, *, last: bool = False) -> None:
        """An attempt begins; it probes what is open."""
        for opened in self._opened(trial):
            opened.probing, opened.at_the_end = True, opened.at_the_end or last

    def given_back(self, trial: Trial) -> None:
        """An attempt ended that says nothing: it was interrupted, or its bench was lost."""
        for opened in self._opened(trial):
            opened.probing = False

    def completed(self, trial: Trial, now_s: float) -> None:
        """An attempt is complete: what it probed works again."""
        for key in keys_of(trial):
            self._worked[key] = now_s
            self._row.pop(key, None)
            self._open.pop(key, None)

    def failed(self, trial: Trial, reason: str, now_s: float, *, certain: bool = False, calls: int = 0) -> None:
        """An attempt is void for `reason`, after so many calls. A `certain` one parks its app."""
        self._calls[trial.app] += [now_s] * calls
        if certain:
            self._parked[trial.app] = reason
        probed = [opened for opened in self._opened(trial) if opened.probing]
        for opened in probed:
            opened.due_s = now_s + PROBES_AFTER_S[min(opened.probes + 1, len(PROBES_AFTER_S) - 1)]
            opened.probes, opened.probing = opened.probes + 1, False
        for key in keys_of(trial):
            self._row.setdefault(key, []).append(reason)
        if not probed and not self._opened(trial):
            self._judge(trial, reason, now_s)

    def park(self, reasons: Mapping[str, str]) -> None:
        """These apps are parked, each for its reason."""
        self._parked |= reasons

    def unpark(self, app: str) -> None:
        """A person has mended an app: nothing of it is held any more."""
        self._parked.pop(app, None)
        self._calls.pop(app, None)
        for kept in (self._row, self._open):
            for key in [key for key in kept if key[0] == app]:
                del kept[key]

    def parked(self) -> dict[str, str]:
        """The apps that are parked, each with its reason."""
        return dict(self._parked)

    def replay(
        self, lines: Iterable[JournalLine], trials: Mapping[str, Trial], now_s: float, certain: Collection[str]
    ) -> None:
        """Know what the journal tells of `trials` by id: of this night, and of any what is parked. What is open may be
        probed at the end of the new run."""
        for line in lines:
            if line.event == "parked" and line.app and line.reason:
                self._parked[line.app] = line.reason
            elif line.event == "unparked" and line.app:
                self.unpark(line.app)
            elif (trial := trials.get(line.trial or "")) is not None:
                self._replay_attempt(line, trial, now_s, certain)
        for opened in self._open.values():
            opened.probes, opened.probing = min(opened.probes, len(PROBES_AFTER_S) - 1), False

    def _replay_attempt(self, line: JournalLine, trial: Trial, now_s: float, certain: Collection[str]) -> None:
        if line.event == "attempt":
            self.begun(trial)
        elif line.event == "interrupted" or line.spoilt is not None:
            self.given_back(trial)
        elif line.night_s is None or line.night_s < now_s - NIGHT_S:
            return
        elif line.event == "completed":
            self.completed(trial, line.night_s)
        elif line.event == "void" and line.reason is not None and line.reason not in certain:
            self.failed(trial, line.reason, line.night_s, calls=line.calls or 0)

    def _opened(self, trial: Trial) -> list[_Open]:
        return [self._open[key] for key in keys_of(trial) if key in self._open]

    def _judge(self, trial: Trial, reason: str, now_s: float) -> None:
        """Open the widest key that this failure is one too many for."""
        for key in keys_of(trial):
            worked = self._worked.get(key)
            most = IN_A_ROW if worked is None or worked < now_s - NIGHT_S else WHERE_IT_WORKED
            row = self._row[key][-most:]
            if len(row) == most and set(row) == {reason}:
                self._open[key] = _Open(reason, now_s + PROBES_AFTER_S[0])
                return

    def _is_enough(self, app: str, now_s: float) -> bool:
        calls = [at_s for at_s in self._calls[app] if at_s > now_s - NIGHT_S]
        return len(calls) >= FAILING_CALLS and len(self._row.get((app,), ())) >= 2
